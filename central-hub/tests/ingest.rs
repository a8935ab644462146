//! Ingest on a real database: duplicates, conflicts, poison, order.

mod world;

use central_hub::ingest::read;
use central_hub::store::Store;
use central_hub::store::alerts::{AlertView, Filter};
use central_hub::store::records::{Committed, SettledCache};
use hub_core::rights::Sites;
use protocol::{Ack, RejectReason};
use serde_json::{Value, json};
use sqlx::ConnectOptions;

struct Hub {
    store: Store,
    cache: SettledCache,
    _folder: tempfile::TempDir,
}

const TOPIC: &str = "signalbox/v1/market/gate/alert";

impl Hub {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        world::enrol(&store, "market", "gate").await;
        Self { store, cache: SettledCache::default(), _folder: folder }
    }

    async fn commit(&mut self, messages: &[(&str, Vec<u8>)]) -> Committed {
        let batch: Vec<_> =
            messages.iter().map(|(topic, payload)| read(topic, payload, 1_000).unwrap()).collect();
        self.store.commit(&mut self.cache, &batch).await.unwrap()
    }

    async fn send(&mut self, records: Vec<Value>) -> Ack {
        let committed = self.commit(&[(TOPIC, message(&records))]).await;
        assert_eq!(committed.acks.len(), 1);
        let (topic, ack) = committed.acks.into_iter().next().unwrap();
        assert_eq!(topic.to_string(), "signalbox/v1/market/gate/ack");
        ack
    }

    async fn alerts(&self) -> Vec<AlertView> {
        self.store.alerts(&Sites::All, &Filter::default(), None, 200).await.unwrap().0
    }
}

fn message(records: &[Value]) -> Vec<u8> {
    json!({ "v": 1, "records": records }).to_string().into_bytes()
}

fn raised(seq: u64) -> Value {
    json!({
        "epoch": "e1", "seq": seq, "at": format!("2026-11-23T08:00:00.{seq:03}Z"), "type": "raised",
        "camera": "c1", "kind": "LineDetector/Crossed", "rule": "line-a", "severity": "high",
        "direction": "left", "track": u64::MAX, "object_class": "Human", "confidence": 0.5,
        "box": { "left": 0.1, "top": 0.1, "width": 0.2, "height": 0.3 }, "still": { "state": "pending" },
    })
}

fn course(seq: u64, of_seq: u64, kind: &str, more: Value) -> Value {
    let mut record = json!({ "epoch": "e1", "seq": seq, "at": "2026-11-23T09:00:00.000Z", "type": kind, "of_seq": of_seq });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

#[tokio::test]
async fn a_duplicate_is_settled_again_and_shown_once() {
    let mut hub = Hub::new().await;
    let first = hub.send((1..=64).map(raised).collect()).await;
    assert_eq!((first.settled_through, first.settled.len(), first.rejected.len()), (64, 0, 0));
    let again = hub.send((1..=64).map(raised).collect()).await;
    assert_eq!(first, again);
    // The same after a restart, when nothing is cached.
    hub.cache = SettledCache::default();
    assert_eq!(hub.send(vec![raised(1)]).await, first);
    let alerts = hub.alerts().await;
    assert_eq!(alerts.len(), 64);
    assert_eq!(alerts[0].seq, 64, "newest first");
    assert_eq!(alerts[0].track, Some(u64::MAX));
}

#[tokio::test]
async fn live_records_before_the_backlog_settle_as_ranges() {
    let mut hub = Hub::new().await;
    let ack = hub.send(vec![raised(10), raised(11), raised(20)]).await;
    assert_eq!((ack.settled_through, ack.settled), (0, vec![(10, 11), (20, 20)]));
    hub.cache = SettledCache::default();
    let ack = hub.send((1..=9).map(raised).collect()).await;
    assert_eq!((ack.settled_through, ack.settled), (11, vec![(20, 20)]));
}

#[tokio::test]
async fn other_content_under_a_stored_id_is_a_conflict() {
    let mut hub = Hub::new().await;
    hub.send(vec![raised(1)]).await;
    let mut other = raised(1);
    other["camera"] = json!("c2");
    let ack = hub.send(vec![other]).await;
    assert_eq!(ack.rejected.len(), 1);
    assert_eq!((ack.rejected[0].seq, ack.rejected[0].reason), (1, RejectReason::Conflict));
    assert_eq!(ack.settled_through, 1);
    let alerts = hub.alerts().await;
    assert_eq!((alerts.len(), alerts[0].camera.as_str()), (1, "c1"));
    // How it was kept is no content.
    let mut kept_otherwise = raised(1);
    kept_otherwise["not_durable"] = json!(true);
    assert!(hub.send(vec![kept_otherwise]).await.rejected.is_empty());
}

#[tokio::test]
async fn poison_among_good_records_is_settled_and_takes_none_with_it() {
    let mut hub = Hub::new().await;
    let mut poison = raised(2);
    poison["confidence"] = json!(7);
    let mut future = raised(3);
    future["type"] = json!("foretold");
    let nameless = json!({ "type": "raised" });
    let batch = vec![raised(1), poison.clone(), future.clone(), nameless, raised(4)];
    for _ in 0..2 {
        let ack = hub.send(batch.clone()).await;
        assert_eq!(ack.settled_through, 4);
        let rejected: Vec<_> = ack.rejected.iter().map(|r| (r.seq, r.reason)).collect();
        assert_eq!(rejected, [(2, RejectReason::Malformed), (3, RejectReason::UnknownType)]);
    }
    assert_eq!(hub.alerts().await.len(), 2);
    // A message of which nothing can be read stops nothing either.
    let committed = hub.commit(&[(TOPIC, b"{".to_vec()), (TOPIC, message(&[raised(5)]))]).await;
    assert_eq!(committed.counts.rejected, 1);
    assert_eq!(committed.acks[0].1.settled_through, 5);
}

#[tokio::test]
async fn the_course_of_an_alert_may_come_before_it_and_in_any_order() {
    let none = |reason: &str| json!({ "still": { "state": "none", "reason": reason } });
    let records = [
        raised(1),
        course(2, 1, "updated", none("early")),
        course(3, 1, "updated", none("late")),
        course(4, 1, "ended", json!({})),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let mut hub = Hub::new().await;
        for at in order {
            hub.send(vec![records[at].clone()]).await;
        }
        let alerts = hub.alerts().await;
        assert_eq!(alerts.len(), 1, "{order:?}");
        assert_eq!(alerts[0].still.reason.as_deref(), Some("late"), "{order:?}");
        assert_eq!(alerts[0].ended_at.unwrap().to_string(), "2026-11-23T09:00:00.000Z", "{order:?}");
    }
}

#[tokio::test]
async fn a_gap_settles_what_was_given_up_but_never_what_may_still_come() {
    let gap = |seq: u64, count: u64, first: u64, last: u64| {
        json!({ "epoch": "e1", "seq": seq, "at": "2026-11-23T08:00:00Z", "type": "gap", "count": count,
            "first_seq": first, "last_seq": last, "cause": "cap" })
    };
    let mut hub = Hub::new().await;
    let ack = hub.send(vec![gap(10, 4, 1, 8)]).await;
    assert_eq!((ack.settled_through, ack.settled), (0, vec![(10, 10)]));
    let ack = hub.send(vec![gap(9, 8, 1, 8)]).await;
    assert_eq!((ack.settled_through, ack.settled), (10, vec![]));
    // Something of the gap comes after all: it is shown.
    hub.send(vec![raised(3)]).await;
    assert_eq!(hub.alerts().await.len(), 1);
}

#[tokio::test]
async fn strangers_are_neither_stored_nor_acknowledged() {
    let mut hub = Hub::new().await;
    for topic in ["signalbox/v1/market/other/alert", "signalbox/v1/school/gate/alert"] {
        let committed = hub.commit(&[(topic, message(&[raised(1)]))]).await;
        assert_eq!((committed.acks.len(), committed.counts.stranger), (0, 1), "{topic}");
    }
    hub.store.revoke_agent(&"gate".parse().unwrap(), "test").await.unwrap();
    assert_eq!(hub.commit(&[(TOPIC, message(&[raised(1)]))]).await.counts.stranger, 1);
    assert!(hub.alerts().await.is_empty());
}

#[tokio::test]
async fn pages_of_the_list_hold_every_alert_once() {
    let mut hub = Hub::new().await;
    hub.send((1..=50).map(raised).collect()).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let (alerts, next) =
            hub.store.alerts(&Sites::All, &Filter::default(), before.as_ref(), 7).await.unwrap();
        seen.extend(alerts.iter().map(|a| a.seq));
        let Some(next) = next else { break };
        before = central_hub::store::alerts::Cursor::parse(&next.to_text());
        assert!(before.is_some());
    }
    assert_eq!(seen, (1..=50).rev().collect::<Vec<i64>>());
    let other = Filter { camera: Some("c2".into()), ..Filter::default() };
    assert!(hub.store.alerts(&Sites::All, &other, None, 7).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn status_and_last_will_tell_who_is_there() {
    let mut hub = Hub::new().await;
    let topic = "signalbox/v1/market/gate/status";
    let online = json!({ "v": 1, "state": "online", "name": "东门", "version": "0.1.0", "since": "2026-11-23T08:00:00Z",
        "cameras": [{ "camera": "c1", "name": "门", "state": "live", "since": "2026-11-23T08:00:00Z" }] });
    hub.commit(&[(topic, online.to_string().into_bytes())]).await;
    hub.send(vec![raised(1)]).await;
    assert_eq!(hub.alerts().await[0].camera_name.as_deref(), Some("门"));
    let will = json!({ "v": 1, "state": "offline" });
    hub.commit(&[(topic, will.to_string().into_bytes())]).await;
    let agent = hub.store.agents(Some("gate")).await.unwrap().remove(0);
    assert_eq!(
        (agent.state.as_str(), agent.name.as_deref(), agent.cameras.len()),
        ("offline", Some("东门"), 1)
    );
    hub.store.forget_presence(central_hub::clock::now_ms()).await.unwrap();
    assert_eq!(hub.store.agents(None).await.unwrap()[0].state, "unknown");
}

#[tokio::test]
async fn changes_are_read_in_order_and_a_foreign_number_means_read_anew() {
    let mut hub = Hub::new().await;
    let start = hub.store.latest_change().await.unwrap();
    hub.send((1..=3).map(raised).collect()).await;
    let changes = hub.store.changes_after(start, 100).await.unwrap().unwrap();
    assert_eq!(
        changes.iter().map(|c| c.number - start).collect::<Vec<_>>(),
        [1, 2, 3, 4],
        "three alerts, and their incident"
    );
    assert_eq!(hub.store.changes_after(start + 1, 1).await.unwrap().unwrap()[0].number, start + 2);
    assert!(hub.store.changes_after(start + 5, 100).await.unwrap().is_none());
    assert_eq!(*hub.store.follow().borrow(), start + 4);
}

#[tokio::test]
async fn who_names_somebody_else_is_not_believed_and_told_so() {
    let mut hub = Hub::new().await;
    let mut named = raised(2);
    named["agent"] = json!("yard");
    // The whole message, also what would have been good in it.
    let ack = hub.send(vec![raised(1), named]).await;
    let forged: Vec<_> = ack.rejected.iter().map(|r| (r.seq, r.reason)).collect();
    assert_eq!(forged, [(1, RejectReason::Forged), (2, RejectReason::Forged)]);
    assert_eq!(ack.settled_through, 2);
    assert!(hub.alerts().await.is_empty());
    // What is stored stays what it is.
    hub.send(vec![raised(3)]).await;
    let payload = json!({ "v": 1, "site": "school", "records": [raised(3)] }).to_string();
    let committed = hub.commit(&[(TOPIC, payload.into_bytes())]).await;
    assert_eq!(committed.forged.len(), 1);
    assert!(committed.forged[0].1.contains("school"), "{:?}", committed.forged);
    assert!(committed.acks[0].1.rejected.is_empty());
    for channel in ["status", "health", "reply"] {
        let topic = format!("signalbox/v1/market/gate/{channel}");
        let payload =
            json!({ "v": 1, "state": "online", "name": "x", "identity": "market/yard" }).to_string();
        assert_eq!(hub.commit(&[(&topic, payload.into_bytes())]).await.forged.len(), 1, "{channel}");
    }
    let agents = hub.store.agents(None).await.unwrap();
    assert_eq!((agents[0].state.as_str(), &agents[0].name), ("unknown", &None));
    assert_eq!(hub.store.list_agents().await.unwrap()[0].held_why, None);
}

#[tokio::test]
async fn two_records_under_one_number_hold_the_agent_once() {
    let mut hub = Hub::new().await;
    hub.send(vec![raised(1), raised(2)]).await;
    assert_eq!(hub.store.list_agents().await.unwrap()[0].held_why, None);
    for seq in [1, 2] {
        let mut other = raised(seq);
        other["rule"] = json!("line-b");
        assert_eq!(hub.send(vec![other]).await.rejected[0].reason, RejectReason::Conflict);
    }
    let why = hub.store.list_agents().await.unwrap()[0].held_why.clone().unwrap();
    assert_eq!(why, "Two different records came under the number e1/1.");
    assert_eq!(hub.store.audited("held", 10).await.unwrap().len(), 1);
}

/// Somebody else writes to the file for long (a copy, an operator's tool): the batch waits and is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_of_ten_seconds_is_waited_for() {
    let mut hub = Hub::new().await;
    let path = hub.store.data().join("hub.db");
    if !path.exists() {
        return; // PostgreSQL waits by rows, for 10 s at most.
    }
    let mut foreign = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut foreign).await.unwrap();
    // The fault itself is a time.
    let (begun, lasts) = (std::time::Instant::now(), std::time::Duration::from_secs(10));
    let locked = tokio::spawn(async move {
        tokio::time::sleep(lasts).await;
        sqlx::raw_sql("COMMIT").execute(&mut foreign).await.unwrap();
    });
    let ack = hub.send((1..=64).map(raised).collect()).await;
    assert!(begun.elapsed() >= lasts, "stored in spite of the lock");
    locked.await.unwrap();
    assert_eq!((ack.settled_through, ack.rejected.len()), (64, 0));
    assert_eq!(hub.alerts().await.len(), 64);
}
