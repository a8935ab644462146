//! Several hubs on one PostgreSQL and one mosquitto with a shared subscription: the real programs, under load, one of
//! them killed.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use central_hub::store::changes::Subject;
use central_hub::store::{Settings, Store, sql};
use protocol::Ack;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use serde_json::json;
use tokio::task::JoinSet;
use world::cluster::cluster;
use world::{Operator, PATIENCE, World, enrol, raised, runtime};

/// Records of each agent, and how many go in one message.
const RECORDS: u64 = 1_500;
const IN_A_MESSAGE: u64 = 20;
const AGENTS: usize = 6;
/// An agent that has no answer for so long sends again. Real ones wait 10 s.
const RESEND: Duration = Duration::from_secs(2);

/// A broker for tests, ended with them.
struct Mosquitto {
    child: Child,
    port: u16,
}

impl Mosquitto {
    fn start(folder: &Path) -> Self {
        // mosquitto cannot choose a port by itself.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let conf = folder.join("mosquitto.conf");
        let text = format!("user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n");
        std::fs::write(&conf, text).unwrap();
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.arg("-c").arg(&conf).stderr(Stdio::null()).stdout(Stdio::null());
            command.spawn()
        };
        let child = start("mosquitto").or_else(|_| start("/usr/sbin/mosquitto"));
        Self { child: child.expect("run `make setup` for mosquitto"), port }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hubs on one database, one broker, one folder.
struct Several {
    folder: tempfile::TempDir,
    broker: Mosquitto,
    store: Settings,
}

impl Several {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Settings {
            url: Some(cluster().database()),
            shared_folder: Some(folder.path().join("shared")),
            ..Settings::default()
        };
        Self { broker: Mosquitto::start(folder.path()), folder, store }
    }

    fn hub(&self) -> World {
        let shared = self.store.shared_folder.as_ref().unwrap();
        let more = format!(
            "broker.external = \"127.0.0.1:{}\"\nstore.shared_folder = {shared:?}\n",
            self.broker.port
        );
        World::on(self.store.clone(), &more)
    }

    async fn open(&self) -> Store {
        Store::open(&self.folder.path().join("test"), &self.store).await.unwrap()
    }
}

/// Sends everything, and again what is not settled in time, until the hub has settled all of it.
async fn speak(port: u16, site: String, agent: String, settled: Arc<AtomicU64>) {
    let mut options = MqttOptions::new(&agent, "127.0.0.1", port);
    options.set_clean_start(true).set_max_packet_size(Some(256 * 1024));
    let (client, mut events) = AsyncClient::new(options, 512);
    let topic = |channel: &str| format!("signalbox/v1/{site}/{agent}/{channel}");
    client.subscribe(topic("ack"), QoS::AtLeastOnce).await.unwrap();
    let online = json!({ "v": 1, "state": "online", "name": agent, "version": "test" }).to_string();
    client.publish(topic("status"), QoS::AtLeastOnce, true, online).await.unwrap();
    let (mut open, mut through): (BTreeMap<u64, Instant>, u64) = (BTreeMap::new(), 0);
    let mut next = 1;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while through < RECORDS {
        tokio::select! {
            event = events.poll() => match event.unwrap() {
                Event::Incoming(Packet::Publish(publish)) => {
                    let ack: Ack = serde_json::from_slice(&publish.payload).unwrap();
                    assert!(ack.rejected.is_empty(), "{ack:?}");
                    settled.fetch_add(ack.settled_through.saturating_sub(through), Ordering::Relaxed);
                    through = through.max(ack.settled_through);
                    let is_settled = |first: u64| {
                        let last = first + IN_A_MESSAGE - 1;
                        last <= through || ack.settled.iter().any(|(a, z)| *a <= first && last <= *z)
                    };
                    open.retain(|first, _| !is_settled(*first));
                }
                _ => continue,
            },
            _ = tick.tick() => {}
        }
        let late: Vec<_> =
            open.iter().filter(|(_, sent)| sent.elapsed() >= RESEND).map(|(f, _)| *f).collect();
        let fresh = (next..=RECORDS).step_by(IN_A_MESSAGE as usize).take(4usize.saturating_sub(open.len()));
        for first in late.into_iter().chain(fresh) {
            next = next.max(first + IN_A_MESSAGE);
            let records: Vec<_> = (first..first + IN_A_MESSAGE).map(raised).collect();
            let message = json!({ "v": 1, "records": records }).to_string();
            client.publish(topic("alert"), QoS::AtLeastOnce, false, message).await.unwrap();
            open.insert(first, Instant::now());
        }
    }
}

#[test]
fn one_of_two_hubs_is_killed_under_load_and_nothing_is_lost_or_doubled() {
    let several = Several::new();
    let store = runtime().block_on(several.open());
    let names: Vec<_> = (0..AGENTS).map(|n| (format!("site{}", n % 2), format!("box{n}"))).collect();
    for (site, agent) in &names {
        runtime().block_on(enrol(&store, site, agent));
    }
    let (mut first, mut second) = (several.hub(), several.hub());
    first.start();
    second.start();
    let begun = Instant::now();
    let settled = Arc::new(AtomicU64::new(0));
    let mut boxes = JoinSet::new();
    for (site, agent) in names.clone() {
        let speaking = speak(several.broker.port, site, agent, settled.clone());
        boxes.spawn_on(speaking, runtime().handle());
    }
    let all = RECORDS * AGENTS as u64;
    while settled.load(Ordering::Relaxed) < all / 3 {
        assert!(begun.elapsed() < PATIENCE, "nothing is settled: {}\n{}", first.log(), second.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill();
    let killed_at = settled.load(Ordering::Relaxed);
    runtime().block_on(async {
        let spoken = tokio::time::timeout(2 * PATIENCE, async {
            while let Some(done) = boxes.join_next().await {
                done.unwrap();
            }
        });
        assert!(
            spoken.await.is_ok(),
            "{} of {all} settled: {}",
            settled.load(Ordering::Relaxed),
            second.log()
        );
    });
    println!("{all} records in {:.1?}, the first hub killed after {killed_at}", begun.elapsed());

    runtime().block_on(async {
        let rows: Vec<(String, i64)> = store.read().all(sql("SELECT agent, seq FROM alerts")).await.unwrap();
        let distinct: BTreeSet<_> = rows.iter().cloned().collect();
        let wanted: BTreeSet<_> = names
            .iter()
            .flat_map(|(_, agent)| (1..=RECORDS as i64).map(|seq| (agent.clone(), seq)))
            .collect();
        assert_eq!(rows.len(), distinct.len());
        assert_eq!(distinct, wanted);
        let ranges: Vec<(i64, i64)> = store.read().all(sql("SELECT first, last FROM settled")).await.unwrap();
        assert_eq!(ranges, vec![(1, RECORDS as i64); AGENTS]);
        // The other one leads now, and has heard who is there.
        let waited = Instant::now();
        while !second.log().contains("leads=true")
            || store.agents(None).await.unwrap().iter().any(|agent| agent.state != "online")
        {
            assert!(waited.elapsed() < PATIENCE, "nobody leads: {}", second.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    second.stop();
}

#[test]
fn a_hub_shows_what_another_one_has_committed() {
    let several = Several::new();
    let store = runtime().block_on(several.open());
    runtime().block_on(enrol(&store, "market", "gate"));
    let mut hub = several.hub();
    hub.start();
    let operator = Operator::by_link(&hub);
    let latest = runtime().block_on(store.latest_change()).unwrap().to_string();
    let reader = std::thread::spawn(move || {
        let events = operator.feed(&hub, Some(&latest), 1);
        (events, Instant::now(), hub)
    });
    let committed = runtime().block_on(async {
        let mut tx = store.write().await.unwrap();
        tx.changed(Subject::Agent("gate".into()));
        tx.commit().await.unwrap();
        Instant::now()
    });
    let (events, seen, _hub) = reader.join().unwrap();
    assert_eq!((events[0].1.as_str(), &events[0].2["agent"]), ("agent", &json!("gate")));
    println!("seen after {:?}", seen.saturating_duration_since(committed));
}

#[test]
fn a_hub_with_its_own_broker_runs_alone() {
    let several = Several::new();
    let mut first = several.hub();
    first.start();
    let alone = World::on(several.store.clone(), "");
    let refused = alone.run(&["serve"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("[broker] external") && said.contains("另一个中心"), "{said}");
    // A third one that shares the broker is welcome; and the place of one that was killed is free at once.
    let mut third = several.hub();
    third.start();
    first.kill();
    first.start();
    first.stop();
    third.stop();
}
