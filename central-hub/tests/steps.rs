//! Working on incidents in the database, on both engines alike: one wins, clocks run, alerts open again.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use central_hub::ingest::read;
use central_hub::places::read_list;
use central_hub::store::incidents::{Filter, Order};
use central_hub::store::records::SettledCache;
use central_hub::store::reports::{Point, Report};
use central_hub::store::steps::{Case, Taken, Wish};
use central_hub::store::units::{AreaView, UnitView};
use central_hub::store::{Store, sql};
use central_hub::work::watch::Watch;
use central_hub::work::{Rules, Workflow};
use hub_core::rights::Sites;
use hub_core::workflow::{Actor, Assignee, Refusal, Role, State, Step, StepKind};
use protocol::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

struct Township {
    store: Store,
    rules: Arc<Rules>,
    folder: Arc<tempfile::TempDir>,
}

impl Township {
    async fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        Self { store, rules: Arc::new(Rules::check(&Workflow::default()).unwrap()), folder }
    }

    async fn opened(&self, words: &str) -> String {
        self.opened_at(words, None).await
    }

    async fn opened_at(&self, words: &str, point: Option<Point>) -> String {
        let reporter = actor("wang", Role::GridMember);
        let report = Report {
            site: "market",
            kind: "street_light",
            severity: 2,
            words,
            place: Some("东街 12 号"),
            point,
            reporter: &reporter,
        };
        self.store.open_by_hand(&self.rules, &report).await.unwrap()
    }

    async fn case(&self, incident: &str) -> Case {
        self.store.case(&self.rules, "market", incident).await.unwrap().unwrap()
    }

    async fn step(&self, incident: &str, who: &Actor, step: Step, version: Option<i64>) -> Taken {
        let data = serde_json::json!({});
        let wish = Wish { site: "market", incident, version, actor: who, step: &step, data };
        self.store.take_step(&self.rules, &wish).await.unwrap()
    }

    /// On the newest version.
    async fn done(&self, incident: &str, who: &Actor, step: Step) -> Case {
        let version = self.case(incident).await.row.version;
        match self.step(incident, who, step, Some(version)).await {
            Taken::Done(case) => *case,
            other => panic!("{other:?}"),
        }
    }

    /// Looks as the hub does, at a time of the database's clock.
    async fn look(&self, watch: &mut Watch, now: i64, monotonic: Instant) {
        watch.look(&self.store, &self.rules, now, monotonic).await.unwrap();
    }

    async fn set(&self, text: &'static str, incident: &str) {
        let mut tx = self.store.write().await.unwrap();
        assert_eq!(tx.execute(sql(text).bind(incident)).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    /// An alert as ingest leaves it: in its row, with the incident to be looked at.
    async fn alert(&self, incident: &str, seq: i64, at: i64, received_at: i64) {
        let mut tx = self.store.write().await.unwrap();
        let text = "INSERT INTO alerts (agent, epoch, seq, site, camera, kind, rule, severity, test, at, time_source,
                not_durable, received_at, still_state, raw, incident)
            VALUES ('gate', 'e1', $1, 'market', 'c1', 'k', 'r', 'high', $2, $3, 'agent', $2, $4, 'pending', '{}', $5)";
        tx.execute(sql(text).bind(seq).bind(false).bind(at).bind(received_at).bind(incident)).await.unwrap();
        let look = "UPDATE incidents SET due_at = 0 WHERE site = 'market' AND incident = $1";
        tx.execute(sql(look).bind(incident)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn actor(name: &str, role: Role) -> Actor {
    Actor { id: name.to_owned(), role, units: BTreeSet::new() }
}

fn li() -> Actor {
    actor("li", Role::Operator)
}

fn noted(kind: StepKind) -> Step {
    Step { note: Some("why".into()), ..Step::new(kind) }
}

fn marks(case: &Case) -> Vec<String> {
    let hub = case.history.iter().filter(|f| f.role == "hub" && f.kind != "assign");
    hub.map(|f| format!("{} {}", f.kind, f.data)).collect()
}

/// 50 clients press at once, on one version: one is first, the others are told who. `RACES=1000` for the whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_acknowledge_at_once_one_wins() {
    let races = std::env::var("RACES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let township = Arc::new(Township::new().await);
    let begun = Instant::now();
    for race in 0..races {
        let incident = township.opened("light").await;
        let mut clients = JoinSet::new();
        for client in 0..50 {
            let (township, incident) = (township.clone(), incident.clone());
            clients.spawn(async move {
                let who = actor(&format!("client-{client}"), Role::Operator);
                (
                    who.id.clone(),
                    township.step(&incident, &who, Step::new(StepKind::Acknowledge), Some(0)).await,
                )
            });
        }
        let (mut winners, mut told) = (Vec::new(), Vec::new());
        while let Some(outcome) = clients.join_next().await {
            match outcome.unwrap() {
                (who, Taken::Done(case)) => {
                    assert_eq!((case.row.version, case.standing.state), (1, State::Acknowledged));
                    winners.push((who, case.standing.reached[0].at));
                }
                (_, Taken::Refused { refusal: Refusal::Overtaken { by, did, at, .. }, case }) => {
                    assert_eq!((did, case.row.version), (StepKind::Acknowledge, 1));
                    told.push((by, at));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((winners.len(), told.len()), (1, 49), "race {race}");
        assert!(told.iter().all(|who| *who == winners[0]), "race {race}: {winners:?} {told:?}");
        let acknowledged = township.case(&incident).await.history;
        assert_eq!(acknowledged.iter().filter(|f| f.kind == "acknowledge").count(), 1);
    }
    println!("{races} races of 50 took {:?}", begun.elapsed());
    let audited = |action| township.store.audited(action, u32::MAX >> 1);
    assert_eq!(audited("step").await.unwrap().len(), races);
    assert_eq!(audited("step_overtaken").await.unwrap().len(), races * 49);
}

#[tokio::test]
async fn what_needs_a_version_says_so_and_notes_need_none() {
    let township = Township::new().await;
    let incident = township.opened("light").await;
    let bare = township.step(&incident, &li(), Step::new(StepKind::Acknowledge), None).await;
    assert!(matches!(bare, Taken::NeedsVersion), "{bare:?}");
    assert!(matches!(township.step(&incident, &li(), noted(StepKind::Note), None).await, Taken::Done(_)));
    let elsewhere = township.store.case(&township.rules, "school", &incident).await.unwrap();
    assert!(elsewhere.is_none(), "another site's");
    let too_early = township.step(&incident, &li(), Step::new(StepKind::Close), Some(1)).await;
    assert!(matches!(too_early, Taken::Refused { refusal: Refusal::NotNow { .. }, .. }), "{too_early:?}");
    let names = "辖区'; DROP TABLE steps; --";
    let step = Step { note: Some(names.into()), ..Step::new(StepKind::Note) };
    assert!(matches!(township.step(&incident, &li(), step, None).await, Taken::Done(_)));
    assert_eq!(township.case(&incident).await.history.last().unwrap().note.as_deref(), Some(names));
}

#[tokio::test]
async fn clocks_run_escalate_once_and_survive_restarts_and_rivals() {
    let township = Township::new().await;
    let incident = township.opened("light").await;
    let begun = township.case(&incident).await.standing.clock_from;
    let start = Instant::now();
    let mut watch = Watch::default();
    let at = |seconds: u64| (begun + seconds as i64 * 1000, start + Duration::from_secs(seconds));
    for seconds in [1, 59] {
        let (now, monotonic) = at(seconds);
        township.look(&mut watch, now, monotonic).await;
    }
    assert_eq!(marks(&township.case(&incident).await), Vec::<String>::new());
    // Two hubs on one database look at the same moment, and one of them starts anew.
    let (now, monotonic) = at(61);
    let mut other = Watch::default();
    tokio::join!(township.look(&mut watch, now, monotonic), township.look(&mut other, now, monotonic));
    let case = township.case(&incident).await;
    let kinds: Vec<_> = case.history.iter().filter(|f| f.role == "hub").map(|f| f.kind.as_str()).collect();
    assert_eq!(kinds, ["overdue", "escalated"], "{:?}", marks(&case));
    assert_eq!((case.standing.level, case.row.version), (1, 0));
    // The dispatch is missed as well; after five minutes more it goes beyond the shift lead.
    let (now, monotonic) = at(362);
    let mut restarted = Watch::default();
    township.look(&mut restarted, now, monotonic).await;
    township.look(&mut restarted, now + 1, monotonic).await;
    let case = township.case(&incident).await;
    assert_eq!((case.standing.level, case.standing.overdue.len(), marks(&case).len()), (2, 2, 4));
    // An acknowledgement on what the operator saw before: marks of the hub are no rivals.
    let case = township.done(&incident, &li(), Step::new(StepKind::Acknowledge)).await;
    assert_eq!(case.standing.state, State::Acknowledged);
}

#[tokio::test]
async fn a_clock_that_is_set_makes_nothing_overdue() {
    for by in [86_400_000, -86_400_000i64] {
        let township = Township::new().await;
        let incidents = [township.opened("one").await, township.opened("two").await];
        let begun = township.case(&incidents[1]).await.standing.clock_from;
        let start = Instant::now();
        let mut watch = Watch::default();
        let second = Duration::from_secs(1);
        township.look(&mut watch, begun + 1000, start + second).await;
        township.look(&mut watch, begun + by + 2000, start + second * 2).await;
        township.look(&mut watch, begun + by + 50_000, start + second * 50).await;
        for incident in &incidents {
            let case = township.case(incident).await;
            assert_eq!((case.standing.level, case.standing.overdue.len()), (0, 0), "set by {by}");
            assert!((case.row.due_at.unwrap() - (begun + by + 60_000)).abs() < 5_000, "{:?}", case.row);
        }
        // As much time has gone by as had before: after the minute it is overdue.
        township.look(&mut watch, begun + by + 65_000, start + second * 65).await;
        assert_eq!(township.case(&incidents[0]).await.standing.level, 1, "set by {by}");
        assert_eq!(township.store.audited("clock_set", 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_alert_opens_again_what_was_settled_but_not_at_once() {
    let township = Township::new().await;
    let incident = township.opened("light").await;
    township.done(&incident, &li(), Step::new(StepKind::Acknowledge)).await;
    let case = township.done(&incident, &li(), Step::new(StepKind::Resolve)).await;
    assert_eq!(case.row.due_at, None);
    let settled = case.standing.settled_at().unwrap();
    let (mut watch, start) = (Watch::default(), Instant::now());
    // What trickles in, what was stored offline, and what a box whose clock is ahead says.
    let quiet = [(1, settled + 20_000, settled + 20_500), (2, settled - 9_000, settled + 90_000)];
    for (seq, at, received_at) in quiet.into_iter().chain([(3, settled + 3_600_000, settled + 5_000)]) {
        township.alert(&incident, seq, at, received_at).await;
        township.look(&mut watch, settled + 95_000, start).await;
        let case = township.case(&incident).await;
        assert_eq!((case.standing.state, case.row.due_at), (State::Resolved, None), "alert {seq}");
    }
    township.alert(&incident, 4, settled + 40_000, settled + 96_000).await;
    township.look(&mut watch, settled + 97_000, start).await;
    let case = township.case(&incident).await;
    assert_eq!((case.standing.state, case.standing.reopened), (State::New, 1));
    assert_eq!(case.standing.clock_from, settled + 96_000, "from when the hub heard of it");
    // Whoever still sees it as resolved is told.
    let late = township.step(&incident, &li(), Step::new(StepKind::Close), Some(2)).await;
    assert!(matches!(late, Taken::Refused { .. }), "{late:?}");
}

#[tokio::test]
async fn an_absorbed_incident_keeps_its_steps_and_its_name() {
    let township = Township::new().await;
    let (older, younger) = (township.opened("older").await, township.opened("younger").await);
    township.done(&older, &li(), noted(StepKind::FalseAlarm)).await;
    township.done(&younger, &li(), noted(StepKind::Note)).await;
    // As the correlation does it.
    let mut tx = township.store.write().await.unwrap();
    let joined = "UPDATE incidents SET alias_of = $2, root = $2 WHERE site = 'market' AND incident = $1";
    tx.execute(sql(joined).bind(&younger).bind(&older)).await.unwrap();
    let look = "UPDATE incidents SET due_at = 0 WHERE site = 'market' AND incident = $1";
    tx.execute(sql(look).bind(&older)).await.unwrap();
    tx.commit().await.unwrap();
    let now = township.case(&older).await.standing.clock_from + 1000;
    township.look(&mut Watch::default(), now, Instant::now()).await;
    for name in [&older, &younger] {
        let case = township.case(name).await;
        assert_eq!(case.row.incident, older);
        assert_eq!(case.standing.state, State::New, "the younger one was looked at by nobody");
        assert!(case.history.iter().any(|f| f.incident == younger && f.kind == "note"));
        assert_eq!(marks(&case), [format!("absorbed {{\"incident\":\"{younger}\"}}")]);
    }
    // One step, by the old name, is meant for both.
    let case = township.done(&younger, &li(), noted(StepKind::FalseAlarm)).await;
    assert_eq!((case.standing.state, case.row.incident.as_str()), (State::FalseAlarm, older.as_str()));
}

#[tokio::test]
async fn a_grid_area_proposes_whose_ground_it_is() {
    let township = Township::new().await;
    let unit = UnitView {
        site: "market".into(),
        unit: "patrol-2".into(),
        name: "巡逻二队".into(),
        members: vec!["zhao".into()],
    };
    township.store.put_unit(&unit, "li").await.unwrap();
    let area = |area: &str, west: f64, size: f64, unit: Option<&str>, member: Option<&str>| AreaView {
        site: "market".into(),
        area: area.into(),
        name: area.into(),
        plane: "wgs84".into(),
        outline: vec![[west, 30.0], [west + size, 30.0], [west + size, 30.0 + size], [west, 30.0 + size]],
        unit: unit.map(str::to_owned),
        member: member.map(str::to_owned),
    };
    for area in
        [area("east", 120.0, 1.0, Some("patrol-2"), None), area("alley", 120.4, 0.1, None, Some("zhao"))]
    {
        township.store.put_area(&area, "li").await.unwrap();
    }
    let given = async |lat: f64, lon: f64| {
        let incident = township.opened_at("light", Some(Point::Earth { lat, lon })).await;
        township.case(&incident).await.standing.assigned
    };
    assert_eq!(given(30.5, 120.1).await, Some(Assignee::Unit("patrol-2".into())));
    assert_eq!(given(30.05, 120.45).await, Some(Assignee::Member("zhao".into())), "the smallest area");
    assert_eq!(given(31.5, 120.1).await, None);
    assert_eq!(township.opened_at("plan", Some(Point::Plan { x: 120.1, y: 30.5 })).await.len(), 36);
    assert_eq!(township.store.given_to("zhao").await.unwrap().len(), 2);
    assert_eq!(township.store.given_to("li").await.unwrap().len(), 0);
    // Zhao goes, arrives, is done; the sheet of the shift tells of it.
    let zhao = Actor { units: BTreeSet::from(["patrol-2".to_owned()]), ..actor("zhao", Role::GridMember) };
    let incident = township.store.given_to("zhao").await.unwrap()[0].incident.clone();
    for kind in [StepKind::Accept, StepKind::Arrive, StepKind::Resolve] {
        township.done(&incident, &zhao, Step::new(kind)).await;
    }
    let case = township.case(&incident).await;
    let (from, to) = (case.standing.clock_from - 1000, case.standing.settled_at().unwrap() + 1000);
    let sheet = township.store.handover("market", from, to).await.unwrap();
    assert_eq!((sheet.settled.len(), sheet.open.len()), (1, 3));
    assert_eq!(sheet.opened[0].count, 4);
    assert_eq!(sheet.settled[0].words.as_deref(), Some("light"));
    let resolved = sheet.steps.iter().find(|c| c.kind == "resolve").unwrap();
    assert_eq!(resolved.count, 1);
    assert!(township.store.handover("market", 0, 1).await.unwrap().notes.is_empty());
    assert!(township.folder.path().exists());
}

/// Two cameras in two areas, alerts that come in one batch, in time's order, and against it: each time it is proposed to
/// whom the ground of the first of them belongs to, unless somebody was faster.
#[tokio::test]
async fn what_alerts_open_is_proposed_to_whose_ground_the_first_camera_stands_on() {
    /// 2026-11-23, 20:00 in Shanghai.
    const EVENING: i64 = 1_795_435_200_000;
    for order in [&[&[1, 2][..]][..], &[&[1], &[2]], &[&[2], &[1]]] {
        let township = Township::new().await;
        let store = &township.store;
        world::enrol(store, "market", "gate").await;
        let places = "site,agent,camera,x,y,neighbours\nmarket,gate,c0,500,0,gate/c1\nmarket,gate,c1,5,5,gate/c2\n\
            market,gate,c2,15,5,\n";
        store.put_places(&read_list(places).unwrap()).await.unwrap();
        for (area, left, member) in [("west", 0.0, "zhao"), ("east", 10.0, "qian")] {
            let outline = vec![[left, 0.0], [left + 10.0, 0.0], [left + 10.0, 10.0], [left, 10.0]];
            let area = AreaView {
                site: "market".into(),
                area: area.into(),
                name: area.into(),
                plane: "plan".into(),
                outline,
                unit: None,
                member: Some(member.into()),
            };
            store.put_area(&area, "li").await.unwrap();
        }
        let mut cache = SettledCache::default();
        let now = store.time().await.unwrap();
        let mut send = async |seqs: &[u64]| {
            let records = seqs.iter().map(|seq| {
                let at = Timestamp::from_unix_ms(EVENING + seq.cast_signed() * 1_000);
                json!({ "epoch": "e1", "seq": seq + 1, "at": at, "type": "raised", "camera": format!("c{seq}"),
                    "kind": "LineDetector/Crossed", "rule": "line-a", "severity": "high", "still": { "state": "pending" } })
            });
            let message = json!({ "v": 1, "records": Value::from_iter(records) }).to_string();
            let arrival = read("signalbox/v1/market/gate/alert", message.as_bytes(), now).unwrap();
            store.commit(&mut cache, &[arrival]).await.unwrap();
            store.give_due(&township.rules, now).await.unwrap();
        };
        for seqs in order {
            send(seqs).await;
        }
        let filter = Filter::default();
        let open = async || store.incidents(&Sites::All, &filter, Order::Urgent, None, 9).await.unwrap().0;
        let incident = open().await.remove(0).incident;
        let case = township.case(&incident).await;
        assert_eq!(case.standing.assigned, Some(Assignee::Member("zhao".into())), "{order:?}");
        let proposed = case.history.iter().rfind(|f| f.kind == "assign").unwrap();
        assert_eq!((proposed.actor.as_str(), &proposed.data()["area"]), ("hub", &json!("west")));
        assert_eq!(proposed.data()["camera"], "gate/c1");
        assert_eq!(store.given_to("zhao").await.unwrap().len(), 1);
        assert_eq!(case.row.version, 0, "nobody did anything");

        // One that stands nowhere was first after all: nothing changes. Then somebody decides, and that stays.
        send(&[0]).await;
        let facts = township.case(&incident).await.history.len();
        assert_eq!(facts, case.history.len());
        let to = Some(Assignee::Member("sun".into()));
        township.done(&incident, &li(), Step { to: to.clone(), ..Step::new(StepKind::Assign) }).await;
        let look = "UPDATE incidents SET due_at = 0 WHERE site = 'market' AND incident = $1";
        township.set(look, &incident).await;
        store.give_due(&township.rules, now).await.unwrap();
        assert_eq!(township.case(&incident).await.standing.assigned, to);
    }
}

#[tokio::test]
async fn a_test_never_escalates() {
    let township = Township::new().await;
    let incident = township.opened("test").await;
    let test = "UPDATE incidents SET test = (1 = 1), due_at = 0 WHERE site = 'market' AND incident = $1";
    township.set(test, &incident).await;
    let now = township.case(&incident).await.standing.clock_from + 3_600_000;
    township.look(&mut Watch::default(), now, Instant::now()).await;
    let case = township.case(&incident).await;
    assert_eq!((marks(&case).len(), case.row.due_at), (0, None));
}
