//! Incidents in a real database: ingest, late bridges, splits and merges, against the definition of ADR 8.

#[path = "../../hub-core/tests/order_free/oracle.rs"]
mod oracle;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use central_hub::incidents;
use central_hub::incidents::Why;
use central_hub::incidents::settings::Incidents as Settings;
use central_hub::ingest::read;
use central_hub::places::read_list;
use central_hub::store::alerts::AlertView;
use central_hub::store::incidents::by_hand::Stays;
use central_hub::store::incidents::{Filter, IncidentView, Order, States};
use central_hub::store::records::SettledCache;
use central_hub::store::{Store, sql};
use hub_core::correlate::{Alert, Severity, Topology};
use hub_core::rights::Sites;
use oracle::Oracle;
use protocol::{AlertId, Body, Record, Timestamp};
use serde_json::{Value, json};

/// 2026-11-23, 20:00 in Shanghai: no sensitive hour for a while.
const EVENING: i64 = 1_795_435_200_000;
const LINE: &str = "LineDetector/Crossed";
const ZONE: &str = "FieldDetector/ObjectsInside";
const LOITER: &str = "LoiteringDetector/ObjectIsLoitering";

/// `a`, `b`, `c` along a street, 40 m apart; `d` beside `c` by name; `e` has no place.
const PLACES: &str = "site,agent,camera,x,y,sensitive,neighbours\n\
    market,gate,a,0,0,,\nmarket,gate,b,40,0,yes,\nmarket,gate,c,80,0,,\nmarket,gate,d,,,,gate/c\n";

struct Hub {
    store: Store,
    cache: SettledCache,
    folder: tempfile::TempDir,
}

impl Hub {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        for (site, agent) in [("market", "gate"), ("school", "yard")] {
            world::enrol(&store, site, agent).await;
        }
        Self { store, cache: SettledCache::default(), folder }
    }

    async fn street() -> Self {
        let hub = Self::new().await;
        hub.store.put_places(&read_list(PLACES).unwrap()).await.unwrap();
        hub
    }

    async fn send(&mut self, records: &[Value]) {
        self.send_as("market/gate", records, 1_000).await;
    }

    async fn send_as(&mut self, who: &str, records: &[Value], received_at: i64) {
        let topic = format!("signalbox/v1/{who}/alert");
        let batch: Vec<_> = records
            .chunks(64)
            .map(|part| read(&topic, message(part).as_bytes(), received_at).unwrap())
            .collect();
        let committed = self.store.commit(&mut self.cache, &batch).await.unwrap();
        assert_eq!(committed.counts.rejected + committed.counts.stranger, 0);
    }

    async fn incidents(&self) -> Vec<IncidentView> {
        let filter = Filter { states: States::All, ..Filter::default() };
        self.store.incidents(&Sites::All, &filter, Order::Newest, None, 200).await.unwrap().0
    }

    async fn alert(&self, seq: u64) -> AlertView {
        self.store.alert("gate", "e1", seq.cast_signed()).await.unwrap().unwrap()
    }

    async fn alerts_of(&self, incident: &str) -> BTreeSet<u64> {
        let (mut all, mut before) = (BTreeSet::new(), None);
        loop {
            let (page, next) = self.store.alerts_of("market", incident, before.as_ref(), 7).await.unwrap();
            for alert in page {
                assert_eq!(alert.incident.as_deref(), Some(incident));
                assert!(all.insert(alert.seq.cast_unsigned()), "on two pages");
            }
            before = next;
            if before.is_none() {
                return all;
            }
        }
    }

    /// What the database holds, in the words of the oracle.
    async fn said(&self) -> oracle::Incidents {
        let mut said = BTreeMap::new();
        for i in self.incidents().await {
            let severity = Severity::of_word(i.severity).unwrap();
            let (first, last, from) = (i.opened_at.unix_ms(), i.last_at.unix_ms(), i.clock_from.unix_ms());
            let alerts = self.alerts_of(&i.incident).await;
            said.insert(alerts, (severity, first, last, from, i.alerts.cast_unsigned()));
        }
        said
    }
}

fn message(records: &[Value]) -> String {
    json!({ "v": 1, "records": records }).to_string()
}

fn raised(seq: u64, camera: &str, kind: &str, seconds: i64) -> Value {
    let at = Timestamp::from_unix_ms(EVENING + seconds * 1000);
    json!({ "epoch": "e1", "seq": seq, "at": at, "type": "raised", "camera": camera, "kind": kind, "rule": "r",
        "severity": (["low", "medium", "high"][seq as usize % 3]), "still": { "state": "pending" } })
}

fn id(seq: u64) -> AlertId {
    AlertId { agent: "gate".parse().unwrap(), epoch: "e1".parse().unwrap(), seq }
}

#[tokio::test]
async fn alerts_of_one_happening_are_one_incident_and_each_says_why() {
    let mut hub = Hub::street().await;
    hub.send(&[raised(3, "a", LINE, 0), raised(4, "b", ZONE, 100), raised(5, "e", LINE, 100)]).await;
    hub.send(&[raised(6, "a", LOITER, 100)]).await;
    let mut test = raised(7, "a", LINE, 10);
    test["test"] = json!(true);
    hub.send(&[test]).await;
    let incidents = hub.incidents().await;
    assert_eq!(incidents.len(), 4, "another family, another place, and a test are apart");
    let street = hub.store.incident("market", &hub.alert(3).await.incident.unwrap()).await.unwrap().unwrap();
    assert_eq!((street.alerts, street.cameras.len(), street.state.as_str()), (2, 2, "new"));
    assert_eq!((street.kind.as_str(), street.opener.as_deref()), (LINE, Some("gate/e1/3")));
    assert_eq!(hub.alert(3).await.because, Some(Why::Opened));
    let why = serde_json::to_value(hub.alert(4).await.because).unwrap();
    let run = EVENING;
    assert_eq!(
        why,
        json!({ "how": "linked", "agent": "gate", "camera": "a", "relation": "near", "metres": 40.0,
            "gap_ms": 100_000, "first": run, "last": run })
    );
    let open = hub.store.incidents(&Sites::All, &Filter::default(), Order::Urgent, None, 50).await.unwrap().0;
    assert!(open.last().unwrap().test, "tests come last");
    assert!(
        open.windows(2)
            .all(|w| Severity::of_word(w[0].severity) >= Severity::of_word(w[1].severity) || w[1].test)
    );
}

#[tokio::test]
async fn a_late_alert_bridges_two_incidents_and_the_older_survives() {
    let mut hub = Hub::street().await;
    hub.send_as("market/gate", &[raised(1, "a", LINE, 200)], 5_000).await;
    hub.send_as("market/gate", &[raised(2, "a", LINE, 0)], 6_000).await;
    let (late, early) = (hub.alert(1).await.incident.unwrap(), hub.alert(2).await.incident.unwrap());
    assert_ne!(late, early);
    let start = hub.store.latest_change().await.unwrap();
    hub.send_as("market/gate", &[raised(3, "a", LINE, 100)], 7_000).await;
    let gone = hub.store.incident("market", &late).await.unwrap().unwrap();
    assert_eq!(gone.alias_of.as_deref(), Some(early.as_str()));
    let now = hub.store.incident_now("market", &late).await.unwrap().unwrap();
    assert_eq!((now.incident.as_str(), now.alerts, now.clock_from.unix_ms()), (early.as_str(), 3, 5_000));
    assert_eq!(hub.alerts_of(&early).await, [1, 2, 3].into());
    let told = hub.store.changes_after(start, 100).await.unwrap().unwrap();
    let told: Vec<String> = told.iter().map(|c| format!("{:?}", c.subject)).collect();
    assert!([&late, &early].iter().all(|i| told.iter().any(|t| t.contains(i.as_str()))), "{told:?}");
    // And a fourth that joins what was absorbed, far from what absorbed it.
    hub.send(&[raised(4, "a", LINE, 310)]).await;
    assert_eq!(hub.alert(4).await.incident, Some(early));
}

#[tokio::test]
async fn a_storm_is_one_incident_with_a_number() {
    let mut hub = Hub::new().await;
    let storm: Vec<Value> = (1..=1280).map(|seq| raised(seq, "a", LINE, seq as i64 / 4)).collect();
    hub.send(&storm).await;
    let incidents = hub.incidents().await;
    assert_eq!((incidents.len(), incidents[0].alerts), (1, 1280));
    assert_eq!(incidents[0].severity, "critical", "high, raised by its number");
    // Sent again: nothing is counted twice.
    hub.send(&storm[..64]).await;
    assert_eq!(hub.incidents().await, incidents);
    let (runs,): (i64,) = hub.store.read().one(sql("SELECT count(*) FROM runs")).await.unwrap();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn sites_are_apart_and_sensitive_places_count_at_night() {
    let mut hub = Hub::street().await;
    let night = 3 * 3600;
    let mut at_a = raised(1, "a", LINE, night);
    at_a["severity"] = json!("low");
    hub.send(&[at_a.clone()]).await;
    hub.send_as("school/yard", &[at_a], 1_000).await;
    assert_eq!(hub.incidents().await.iter().map(|i| i.severity).collect::<Vec<_>>(), ["low", "low"]);
    let mut at_b = raised(2, "b", LINE, night + 60);
    at_b["severity"] = json!("low");
    hub.send(&[at_b]).await;
    let incident = hub.alert(2).await.incident.unwrap();
    assert_eq!(hub.store.incident("market", &incident).await.unwrap().unwrap().severity, "medium");
    // What is said of places counts from then on.
    assert!(hub.store.remove_place(&"market".parse().unwrap(), "gate", "b").await.unwrap());
    hub.send(&[raised(3, "b", LINE, night + 4000), raised(4, "a", LINE, night + 4001)]).await;
    assert_ne!(hub.alert(3).await.incident, hub.alert(4).await.incident);
}

#[tokio::test]
async fn who_splits_and_merges_must_know_the_version() {
    let mut hub = Hub::street().await;
    hub.send(&[raised(1, "a", LINE, 0), raised(2, "a", LINE, 60), raised(3, "a", LINE, 120)]).await;
    let whole = hub.alert(1).await.incident.unwrap();
    let split = async |version: i64, chosen: &[u64]| {
        let chosen: Vec<AlertId> = chosen.iter().map(|s| id(*s)).collect();
        hub.store.split_incident("li", "market", &whole, version, &chosen).await.unwrap()
    };
    assert_eq!(split(0, &[]).await, Err(Stays::NothingChosen));
    assert_eq!(split(0, &[1, 2, 3]).await, Err(Stays::NothingLeft));
    assert_eq!(split(0, &[9]).await, Err(Stays::NotInIt("gate/e1/9".into())));
    assert_eq!(split(7, &[3]).await, Err(Stays::Changed { version: 0 }));
    let new = split(0, &[3]).await.unwrap();
    assert_eq!(split(0, &[2]).await, Err(Stays::Changed { version: 1 }));
    assert_eq!((hub.alerts_of(&whole).await, hub.alerts_of(&new).await), ([1, 2].into(), [3].into()));
    assert_eq!(hub.alert(3).await.because, Some(Why::Split));
    assert_eq!(hub.store.audited("incident_split", 10).await.unwrap().len(), 1);

    let merge = |one: String, version, other: String| {
        let store = hub.store.clone();
        async move { store.merge_incidents("li", "market", &one, version, &other).await.unwrap() }
    };
    assert_eq!(merge(new.clone(), 0, new.clone()).await, Err(Stays::Same));
    assert_eq!(merge(new.clone(), 5, whole.clone()).await, Err(Stays::Changed { version: 0 }));
    let unknown = "00000000-0000-7000-8000-000000000000".to_owned();
    assert_eq!(merge(new.clone(), 0, unknown).await, Err(Stays::Unknown));
    assert_eq!(merge(new.clone(), 0, whole.clone()).await, Ok(whole.clone()));
    assert_eq!(hub.alerts_of(&whole).await, [1, 2, 3].into());
    assert_eq!(
        merge(new.clone(), 1, whole.clone()).await,
        Err(Stays::Unknown),
        "it is none of its own any more"
    );
}

#[tokio::test]
async fn alerts_from_before_get_their_incidents_later() {
    let mut hub = Hub::street().await;
    let alerts: Vec<Value> = (1..=600)
        .map(|s| raised(s, ["a", "b", "e"][s as usize % 3], LINE, (s as i64 * 7919) % 90_000))
        .collect();
    hub.send(&alerts).await;
    let expected = hub.said().await;
    let mut tx = hub.store.write().await.unwrap();
    for text in
        ["DELETE FROM runs", "DELETE FROM incidents", "UPDATE alerts SET incident = NULL, because = NULL"]
    {
        tx.execute(sql(text)).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(hub.alert(1).await.incident, None);
    while hub.store.adopt_alerts().await.unwrap() > 0 {}
    assert_eq!(hub.said().await, expected);
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

#[tokio::test]
async fn whatever_comes_in_whatever_batches_is_what_the_definition_says() {
    let seed = 17;
    println!("seed {seed}");
    let rules = Settings::default().rules(&"market".parse().unwrap());
    let places = read_list(PLACES).unwrap();
    let named: Vec<_> = places.iter().flat_map(|p| p.named()).collect();
    let places: Vec<_> = places
        .iter()
        .map(|p| hub_core::correlate::Place {
            camera: p.key(),
            position: p.position(),
            sensitive: p.said.sensitive,
        })
        .collect();
    let topology = Topology::new(&places, &named, rules.reach_m);
    for story in 0..5 {
        let mut chance = Chance(seed * 1000 + story);
        let mut hub = Hub::street().await;
        let mut oracle = Oracle::new(&rules, &topology);
        let mut seq = 0;
        for _ in 0..4 {
            let mut alerts = Vec::new();
            for _ in 0..4 + chance.below(20) {
                seq += 1;
                let camera = ["a", "b", "c", "d", "e"][chance.below(5) as usize];
                let kind = [LINE, ZONE, LOITER][chance.below(3) as usize];
                let mut record = raised(seq, camera, kind, chance.below(2400) as i64);
                record["test"] = json!(chance.below(10) == 0);
                alerts.push(record);
            }
            oracle.ingest(&alerts.iter().map(as_the_rules_see_it).collect::<Vec<_>>());
            while !alerts.is_empty() {
                let batch: Vec<Value> = (0..=chance.below(5))
                    .map_while(|_| {
                        (!alerts.is_empty())
                            .then(|| alerts.swap_remove(chance.below(alerts.len() as u64) as usize))
                    })
                    .collect();
                hub.send(&batch).await;
            }
            let (one, other) = (1 + chance.below(seq), 1 + chance.below(seq));
            if chance.below(2) == 0 {
                merge(&hub, one, other).await;
                oracle.merge(one, other);
            } else {
                let bits = chance.below(u64::MAX);
                let whole = oracle.holding(one).unwrap();
                let chosen: BTreeSet<u64> =
                    whole.into_iter().filter(|s| *s == one || bits >> (s % 64) & 1 == 1).collect();
                split(&hub, one, &chosen).await;
                oracle.split(&chosen);
            }
            assert_eq!(hub.said().await, oracle.incidents(), "seed {seed}, story {story}");
        }
        assert!(hub.folder.path().exists());
    }
}

async fn merge(hub: &Hub, one: u64, other: u64) {
    let (a, b) = (hub.alert(one).await.incident.unwrap(), hub.alert(other).await.incident.unwrap());
    let version = hub.store.incident("market", &a).await.unwrap().unwrap().version;
    let _ = hub.store.merge_incidents("li", "market", &a, version, &b).await.unwrap();
}

async fn split(hub: &Hub, one: u64, chosen: &BTreeSet<u64>) {
    let incident = hub.alert(one).await.incident.unwrap();
    let version = hub.store.incident("market", &incident).await.unwrap().unwrap().version;
    let chosen: Vec<AlertId> = chosen.iter().map(|s| id(*s)).collect();
    let _ = hub.store.split_incident("li", "market", &incident, version, &chosen).await.unwrap();
}

fn as_the_rules_see_it(record: &Value) -> Alert {
    let record: Record = serde_json::from_value(record.clone()).unwrap();
    let Body::Raised(raised) = &record.body else { panic!("an alert") };
    incidents::alert("gate", &record, raised, 1_000)
}
