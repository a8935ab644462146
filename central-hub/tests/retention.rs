//! What is too old goes, what is worked on stays, and what went is not taken for new when it is sent again.

mod world;

use central_hub::evidence::Key;
use central_hub::ingest::read;
use central_hub::retention::{Retention, sweep};
use central_hub::store::alerts::Filter;
use central_hub::store::records::SettledCache;
use central_hub::store::{Store, sql};
use hub_core::rights::Sites;
use protocol::{Ack, AlertId};
use serde_json::json;
use settings::Span;

const DAY: i64 = 24 * 60 * 60 * 1000;
const NOW: i64 = 1_800_000_000_000;

struct Hub {
    store: Store,
    cache: SettledCache,
    _folder: tempfile::TempDir,
}

impl Hub {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        world::enrol(&store, "market", "gate").await;
        Self { store, cache: SettledCache::default(), _folder: folder }
    }

    /// Alerts of one day, received so many days ago.
    async fn send(&mut self, seqs: impl IntoIterator<Item = u64>, day: u32, days_ago: i64) -> Ack {
        let records: Vec<_> = seqs
            .into_iter()
            .map(|seq| {
                json!({
                    "epoch": "e1", "seq": seq, "at": format!("2026-11-{day:02}T08:00:00.000Z"), "type": "raised",
                    "camera": "c1", "kind": "LineDetector/Crossed", "rule": "line-a", "severity": "high",
                    "still": { "state": "pending" },
                })
            })
            .collect();
        let message = json!({ "v": 1, "records": records }).to_string();
        let arrival =
            read("signalbox/v1/market/gate/alert", message.as_bytes(), NOW - days_ago * DAY).unwrap();
        self.store.commit(&mut self.cache, &[arrival]).await.unwrap().acks.remove(0).1
    }

    async fn seqs(&self) -> Vec<i64> {
        let (alerts, _) = self.store.alerts(&Sites::All, &Filter::default(), None, 200).await.unwrap();
        let mut seqs: Vec<_> = alerts.iter().map(|a| a.seq).collect();
        seqs.sort();
        seqs
    }

    async fn close_all(&self) {
        let mut tx = self.store.write().await.unwrap();
        assert!(tx.execute(sql("UPDATE incidents SET state = 'closed'")).await.unwrap() > 0);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_too_old_goes_once_nobody_works_on_it_and_does_not_come_back() {
    let mut hub = Hub::new().await;
    hub.send(1..=5, 1, 181).await;
    hub.send(6..=9, 2, 179).await;
    let id = AlertId { agent: "gate".parse().unwrap(), epoch: "e1".parse().unwrap(), seq: 2 };
    hub.store.evidence().put(&Key::still(&id), b"picture").await.unwrap();
    hub.store.put_still(&id, 7, &[0; 32]).await.unwrap();

    let retention = Retention::default();
    assert_eq!(sweep(&hub.store, &retention, NOW).await.unwrap(), 0, "its incident is open");
    hub.close_all().await;
    assert_eq!(sweep(&hub.store, &retention, NOW).await.unwrap(), 5);
    assert_eq!(hub.seqs().await, [6, 7, 8, 9]);
    assert!(hub.store.evidence().get(&Key::still(&id)).await.is_err());
    let (records,): (i64,) = hub.store.read().one(sql("SELECT count(*) FROM records")).await.unwrap();
    assert_eq!(records, 4);
    assert_eq!(hub.store.swept_at().await.unwrap(), Some(NOW));

    // Sent again by a box that had no answer: settled, not stored. Also when nothing is cached.
    for _ in 0..2 {
        let ack = hub.send((1..=5).chain([10]), 1, 0).await;
        assert_eq!((ack.settled_through, ack.rejected.len()), (10, 0));
        hub.cache = SettledCache::default();
    }
    assert_eq!(hub.seqs().await, [6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn nothing_younger_than_the_floor_goes_and_a_site_has_its_own_ceiling() {
    let mut hub = Hub::new().await;
    hub.send(1..=2, 1, 31).await;
    hub.send(3..=4, 2, 29).await;
    hub.close_all().await;
    let days = |n: u64| Span(std::time::Duration::from_secs(n * 24 * 60 * 60));
    let lenient = Retention { sites: [("market".parse().unwrap(), days(40))].into(), ..Retention::default() };
    assert_eq!(sweep(&hub.store, &lenient, NOW).await.unwrap(), 0);
    let strict = Retention { floor: days(30), ceiling: days(30), ..Retention::default() };
    assert_eq!(sweep(&hub.store, &strict, NOW).await.unwrap(), 2);
    assert_eq!(hub.seqs().await, [3, 4]);
}
