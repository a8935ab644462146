//! What the system tests share: a stage in a folder of its own, and what they ask of the hub.

pub mod viewer;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::hub::{Hub, word};
use testkit::stage::Stage;

/// Longest wait for alerts: a whole round of the clip on a busy machine.
pub const BOUND: Duration = Duration::from_secs(180);

/// A stage and its folder; the folder goes last.
pub struct Set {
    pub stage: Stage,
    pub folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// One stage with an agent at a time: two would only slow each other down.
static TURN: Mutex<()> = Mutex::new(());

/// Whoever starts an agent by hand waits for this, too.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cameras and hub and agent, all up. `make test` prepares what it needs.
pub fn set_up() -> Set {
    let turn = turn();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut stage = Stage::new(folder.path()).expect("a stage");
    stage.start_cameras(&testkit::cache().join("clips/vtest.mp4")).expect("cameras");
    stage.start_hub().expect("hub");
    stage.start_agent().expect("agent");
    Set { stage, folder, _turn: turn }
}

/// The hub's alerts as soon as `enough` of them are there; panics with the logs after [`BOUND`].
pub fn alerts_when(set: &mut Set, hub: &Hub, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + BOUND;
    loop {
        let alerts = hub.alerts().expect("the hub's alerts");
        if enough(&alerts) {
            return alerts;
        }
        if let Some(text) = set.stage.fallen().expect("to look at the programs") {
            panic!("{text}");
        }
        assert!(
            Instant::now() < deadline,
            "no {what} within {} s; the hub holds {} alerts; the agent says:\n{}",
            BOUND.as_secs(),
            alerts.len(),
            testkit::process::tail_of(&set.folder.path().join("edge-agent.log"))
        );
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// How many alerts of a camera have a still at the hub.
pub fn stills_of(alerts: &[Value], camera: &str) -> usize {
    alerts.iter().filter(|a| a["camera"] == camera && a["still"]["state"] == "sent").count()
}

/// Sequence numbers by epoch, each list ascending; panics on one that is there twice.
pub fn seqs(alerts: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut by_epoch = BTreeMap::<String, Vec<u64>>::new();
    for alert in alerts {
        let seq = alert["seq"].as_u64().expect("an alert has its number");
        by_epoch.entry(word(&alert["epoch"])).or_default().push(seq);
    }
    for (epoch, seqs) in &mut by_epoch {
        seqs.sort_unstable();
        assert!(
            seqs.windows(2).all(|pair| pair[0] != pair[1]),
            "an alert of epoch {epoch} is there twice: {seqs:?}"
        );
    }
    by_epoch
}
