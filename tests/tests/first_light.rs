//! First light: a clip over RTSP becomes alerts with stills in the hub and on the page, also when
//! the hub is killed in between.

use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{BOUND, alerts_when, seqs, set_up, stills_of};
use testkit::stage::CAMERAS;
use testkit::{process, workspace};

#[test]
fn a_clip_over_rtsp_becomes_alerts_with_stills_in_the_hub_and_on_the_page() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    let by_its_clock = |alerts: &[serde_json::Value], id: &str| {
        alerts
            .iter()
            .any(|a| a["camera"] == id && a["time_source"] == "camera" && a["uncertainty_ms"].is_u64())
    };
    let alerts =
        alerts_when(&mut set, &hub, "alert with a still and by its own clock from every camera", |alerts| {
            CAMERAS.iter().all(|(id, _, _)| stills_of(alerts, id) > 0 && by_its_clock(alerts, id))
        });
    for (id, name, _) in CAMERAS {
        let alert = alerts.iter().find(|a| a["camera"] == id && a["still"]["state"] == "sent").unwrap();
        assert_eq!(alert["camera_name"], name);
        assert!(alert["kind"].as_str().is_some_and(|kind| !kind.is_empty()), "{alert}");
        hub.still(alert).unwrap();
    }
    seqs(&alerts);

    let script = workspace().join("tests/browser/shows-alert.mjs");
    let link = set.stage.login_link().unwrap();
    // The link is for one use and this machine: it may be seen in the process list.
    let said = process::run("browser", Command::new("node").arg(script).arg(link)).unwrap();
    assert!(said.contains("ok"), "{said}");

    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}

#[test]
fn a_hub_killed_in_the_middle_loses_no_alert_and_doubles_none() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    let before = alerts_when(&mut set, &hub, "first alerts", |alerts| alerts.len() >= 3);
    set.stage.kill_hub().unwrap();
    // Long enough for findings while nobody listens: the agent's spool must grow.
    wait_for_spool(&set, Duration::from_secs(60));
    set.stage.start_hub().unwrap();
    let hub = set.stage.sign_in().unwrap();

    let wanted = before.len() + 6;
    let after = alerts_when(&mut set, &hub, "alerts after the restart", |alerts| {
        alerts.len() >= wanted && before.iter().all(|old| alerts.iter().any(|a| a["id"] == old["id"]))
    });
    let newest = seqs(&after);
    assert_eq!(newest.len(), 1, "one spool has one epoch");
    // What was found while the hub was away arrives behind the live alerts: wait for every number.
    let through = newest.values().next().and_then(|seqs| seqs.last()).copied().unwrap();
    let all: Vec<u64> = (1..=through).collect();
    let begun = Instant::now();
    while received_numbers(&set, through) != all {
        assert!(begun.elapsed() < BOUND, "not each once: {:?}", received_numbers(&set, through));
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Until the agent's spool has grown while the hub is away.
fn wait_for_spool(set: &system_tests::Set, bound: Duration) {
    let spool = set.folder.path().join("agent");
    let begun = Instant::now();
    let first = bytes_in(&spool);
    while bytes_in(&spool) <= first {
        assert!(begun.elapsed() < bound, "nothing was spooled while the hub was away");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn bytes_in(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Every record number that the hub's database holds up to `through`, as often as it holds it.
fn received_numbers(set: &system_tests::Set, through: u64) -> Vec<u64> {
    // Python's own SQLite, read-only: no second copy of the hub's store code.
    let script = "import sqlite3,sys\n\
        hub=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\n\
        print(*[row[0] for row in hub.execute('select seq from records where seq<=? order by seq',(int(sys.argv[2]),))])";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(set.folder.path().join("hub/hub.db")).arg(through.to_string());
    let said = process::run("database", &mut command).unwrap();
    said.split_whitespace().map(|n| n.parse().unwrap()).collect()
}
