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

/// What the configuration's check says of the example with this text behind its camera.
fn with_more(more: &str) -> Vec<Check> {
    let folder = tempfile::tempdir().unwrap();
    let path = example(folder.path());
    let pipelines = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines");
    let text = std::fs::read_to_string(&path).unwrap().replace("../pipelines", pipelines) + more;
    std::fs::write(&path, text).unwrap();
    let config = Config::read(&path).unwrap();
    let mut checks = vec![settings::read(&path, &config)];
    checks.extend(settings::silent(&config));
    checks
}

#[test]
fn a_wrong_rule_is_found_as_run_finds_it_with_the_file_and_the_camera_it_stands_in() {
    let outside = with_more("\n[[camera.line]]\nname = \"door\"\na = [1.5, 0.5]\nb = [0.5, 0.5]\n");
    assert_eq!((outside.len(), outside[0].state), (1, State::Broken), "{outside:?}");
    let Text { zh, en } = &outside[0].reason;
    assert!(en.contains("camera `gate`") && en.contains("outside of the picture"), "{en}");
    for text in [zh, en] {
        assert!(text.contains("edge-agent.toml") && !text.contains("default.toml"), "{text}");
    }
    // Two points apart, and it is well; without any, it is said that no alarm can come.
    let well = with_more("\n[[camera.line]]\nname = \"door\"\na = [0.1, 0.5]\nb = [0.5, 0.5]\n");
    assert_eq!((well.len(), well[0].state), (1, State::Ok), "{well:?}");
    let pipeline = "\n[[camera]]\nid = \"yard\"\nurl = \"rtsp://192.0.2.11/s\"\npipeline = \"bare.toml\"\n";
    let missing = with_more(pipeline);
    assert_eq!(missing[0].state, State::Broken, "a pipeline that is not there: {missing:?}");
}

#[test]
fn a_camera_without_line_and_zone_is_told_to_raise_no_alarm() {
    let checks = with_more("");
    assert_eq!(checks[0].state, State::Ok, "{checks:?}");
    assert_eq!((checks.len(), checks[1].name, checks[1].state), (2, "rules", State::Warning), "{checks:?}");
    assert!(checks[1].cure.as_ref().is_some_and(|cure| cure.en.contains("[[camera.line]]")), "{checks:?}");
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
