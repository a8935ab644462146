//! The authority is replaced while boxes are at work (L11): every box renews at the hub's word, and no record waits
//! long for its acknowledgement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_agent::identity::{Folder, Keeper};
use edge_agent::spool::{Draft, Spool, SpoolConfig, SpoolHandle};
use edge_agent::uplink::{Uplink, UplinkConfig, UplinkTask};
use protocol::{AgentEvent, AgentState, Body, Health, Status, TimeSource, Timestamp};
use system_tests::BOUND;
use testkit::process;
use testkit::stage::{SITE, Stage};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A box without cameras: identity, spool and uplink as in `edge-agent run`.
struct Box {
    spool: SpoolHandle,
    uplink: UplinkTask,
    pass: watch::Receiver<Arc<edge_agent::identity::Pass>>,
    _keeper: edge_agent::identity::KeeperTask,
    _ends: (watch::Sender<Status>, mpsc::Sender<Health>),
}

fn draft() -> Draft {
    let event = AgentEvent { event: "measured".into(), camera: None, reason: None };
    let at = Timestamp::from_unix_ms(1_800_000_000_000);
    Draft {
        at,
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        body: Body::AgentEvent(event),
        still: None,
    }
}

impl Box {
    fn start(stage: &Stage, folder: &std::path::Path, number: usize, cancel: &CancellationToken) -> Self {
        let (agent, data) = (format!("box-{number}"), folder.join(format!("data-{number}")));
        let token = folder.join(format!("{agent}.token"));
        let words = ["token", "create", "--site", SITE, "--agent", &agent, "--file", token.to_str().unwrap()];
        stage.hub_command(&words).unwrap();
        let mut provision = stage.program("edge-agent").unwrap();
        provision
            .args(["provision", "--hub", &stage.agents_url(), "--token-file"])
            .arg(&token)
            .arg("--data")
            .arg(&data);
        process::run("edge-agent provision", &mut provision).unwrap();
        let keeper = Keeper::open(Folder::hold(&data).unwrap()).unwrap().start(cancel.clone());
        let config = SpoolConfig { ballast: 0, cap: 64 << 20, ..SpoolConfig::new(data.join("spool")) };
        let (spool, _) = Spool::open(config).unwrap();
        let status = Status {
            v: 1,
            state: AgentState::Online,
            name: None,
            version: None,
            since: None,
            cameras: None,
            config: None,
        };
        let (status, seen) = watch::channel(status);
        let (health, figures) = mpsc::channel(1);
        let uplink = UplinkConfig {
            pass: keeper.pass.clone(),
            nudge: keeper.nudge.clone(),
            clock: keeper.clock.clone(),
            orders: mpsc::channel(1).0,
            desired: watch::Sender::new(None),
        };
        let uplink = Uplink::start(uplink, spool.clone(), seen, figures, cancel.clone());
        Self { spool, uplink, pass: keeper.pass.clone(), _keeper: keeper, _ends: (status, health) }
    }

    /// Stores a record again and again; the longest that one waited to be settled.
    async fn work(spool: SpoolHandle, cancel: CancellationToken) -> Duration {
        let mut longest = Duration::ZERO;
        while !cancel.is_cancelled() {
            let begun = Instant::now();
            let spool = spool.clone();
            let settled = tokio::task::spawn_blocking(move || {
                spool.append(vec![draft()]).unwrap();
                while spool.figures().unwrap().open_records > 0 {
                    assert!(begun.elapsed() < BOUND, "a record was never settled");
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            settled.await.unwrap();
            longest = longest.max(begun.elapsed());
        }
        longest
    }
}

/// How long the slowest record of any box waited while the authority was replaced.
fn rotate_under(boxes: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    stage.start_hub().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let entered = runtime.enter();
    let cancel = CancellationToken::new();
    let fleet: Vec<Box> = (0..boxes).map(|n| Box::start(&stage, folder.path(), n, &cancel)).collect();
    for one in &fleet {
        let mut state = one.uplink.state();
        runtime
            .block_on(async { tokio::time::timeout(BOUND, state.wait_for(|s| s.connected)).await })
            .unwrap()
            .unwrap();
    }
    let working = CancellationToken::new();
    let work: Vec<_> =
        fleet.iter().map(|b| runtime.spawn(Box::work(b.spool.clone(), working.clone()))).collect();
    let begun = Instant::now();
    stage.hub_command(&["ca", "rotate"]).unwrap();
    // Refused as long as a box needs the older authority.
    while stage.hub_command(&["ca", "retire"]).is_err() {
        assert!(begun.elapsed() < 2 * BOUND, "{}", stage.hub_command(&["ca", "status"]).unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
    let took = begun.elapsed();
    working.cancel();
    let longest = work.into_iter().map(|w| runtime.block_on(w).unwrap()).max().unwrap();
    assert!(fleet.iter().all(|b| b.pass.borrow().generation == 2), "each box has renewed once");
    println!("{boxes} boxes changed over in {took:.1?}; the slowest record waited {longest:.2?}");
    cancel.cancel();
    drop(entered);
    for one in fleet {
        runtime.block_on(one.uplink.join());
        one.spool.close();
    }
    longest
}

#[test]
fn boxes_change_over_to_a_new_authority_while_they_work() {
    rotate_under(8);
}

/// The whole of it: `cargo test -p system-tests --test rotation -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn of_a_hundred_boxes_none_is_away_for_five_seconds() {
    let longest = rotate_under(100);
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}
