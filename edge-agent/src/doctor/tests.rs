//! The doctor as a whole.

use super::*;

/// The example with a data folder of its own, and the hub and camera on closed ports of this host.
fn example(folder: &Path) -> std::path::PathBuf {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = include_str!("../../edge-agent.example.toml")
        .replace("/var/lib/signalbox-agent", "data")
        .replace("192.0.2.10", &closed.to_string())
        .replace("hardware = ", "# hardware = ");
    let path = folder.join("edge-agent.toml");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_finding_that_is_not_well_has_a_cure_and_no_english_in_its_chinese() {
    let folder = tempfile::tempdir().unwrap();
    let checks = all(&example(folder.path()));
    let names: Vec<_> = checks.iter().map(|c| c.name).collect();
    for name in [
        "clock",
        "config",
        "agent",
        "network",
        "broker",
        "disk",
        "decoder",
        "memory",
        "temperature",
        "camera",
    ] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    for check in &checks {
        assert_eq!(check.cure.is_some(), check.state != State::Ok, "{check:?}");
        let chinese = |t: &Text| t.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        assert!(chinese(&check.title) && chinese(&check.reason), "{check:?}");
        assert!(check.cure.as_ref().is_none_or(chinese), "{check:?}");
        assert!(
            !check.reason.en.is_empty()
                && !check.reason.en.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
            "{check:?}"
        );
    }
    assert!(!folder.path().join("data").exists(), "a look makes no data folder");
}

#[test]
fn a_broken_configuration_names_its_line_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let path = example(folder.path());
    let text = std::fs::read_to_string(&path).unwrap().replace("[spool]", "[spol]");
    std::fs::write(&path, text).unwrap();
    let checks = all(&path);
    let config = checks.iter().find(|c| c.name == "config").unwrap();
    assert_eq!(config.state, State::Broken);
    assert!(config.reason.zh.contains("行第") && config.reason.en.contains("did you mean"), "{config:?}");
}

#[test]
fn a_check_that_never_ends_is_given_up() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let outcome = start(move || {
        let _ = held.recv();
        Vec::new()
    });
    let checks = wait(disk::SUBJECT, &outcome, Duration::from_millis(1));
    assert_eq!((checks[0].name, checks[0].state), ("disk", State::Broken));
    drop(hold);
}
