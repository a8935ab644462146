//! Where the work stands, as a list tells it, on both engines alike: the same as the incident's own history says.

mod world;

use std::collections::BTreeSet;
use std::time::Instant;

use central_hub::store::incidents::listed::{AssigneeView, deadlines};
use central_hub::store::incidents::{Filter, ListedIncident, Order, States};
use central_hub::store::reports::Report;
use central_hub::store::steps::{Taken, Wish, severity_name};
use central_hub::store::units::UnitView;
use central_hub::store::{Store, sql};
use central_hub::work::watch::Watch;
use central_hub::work::{Rules, Workflow};
use hub_core::rights::Sites;
use hub_core::workflow::{Actor, Assignee, Role, Step, StepKind};

struct Desk {
    store: Store,
    rules: Rules,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        Self { store, rules: Rules::check(&Workflow::default()).unwrap(), _folder: folder }
    }

    async fn open(&self, site: &str, words: &str, place: Option<&str>) -> String {
        let reporter = li();
        let kind = "street_light";
        let report = Report { site, kind, severity: 2, words, place, point: None, reporter: &reporter };
        self.store.open_by_hand(&self.rules, &report).await.unwrap()
    }

    async fn step(&self, incident: &str, step: Step) {
        let case = self.store.case(&self.rules, "market", incident).await.unwrap().unwrap();
        let (who, data) = (li(), serde_json::json!({}));
        let version = Some(case.row.version);
        let wish = Wish { site: "market", incident, version, actor: &who, step: &step, data };
        let taken = self.store.take_step(&self.rules, &wish).await.unwrap();
        assert!(matches!(taken, Taken::Done(_)), "{taken:?}");
    }

    async fn list(&self) -> Vec<ListedIncident> {
        let filter = Filter { states: States::All, ..Filter::default() };
        let found = self.store.incidents(&Sites::All, &filter, Order::Newest, None, 200).await.unwrap().0;
        self.store.listed(&self.rules, found).await.unwrap()
    }
}

fn li() -> Actor {
    Actor { id: "li".into(), role: Role::Operator, units: BTreeSet::new() }
}

fn noted(kind: StepKind) -> Step {
    Step { note: Some("why".into()), ..Step::new(kind) }
}

#[tokio::test]
async fn a_list_says_of_each_what_its_own_history_says() {
    let desk = Desk::new().await;
    let unit = UnitView {
        site: "market".into(),
        unit: "patrol-2".into(),
        name: "巡逻二队".into(),
        members: Vec::new(),
    };
    desk.store.put_unit(&unit, "li").await.unwrap();
    let late = desk.open("market", "late", Some("东街 12 号")).await;
    let case = desk.store.case(&desk.rules, "market", &late).await.unwrap().unwrap();
    let now = case.standing.clock_from + 61_000;
    Watch::default().look(&desk.store, &desk.rules, now, Instant::now()).await.unwrap();
    let [paused, sent, settled, older, younger] =
        ["paused", "sent", "settled", "older", "younger"].map(|words| desk.open("market", words, None));
    let (paused, sent, settled) = (paused.await, sent.await, settled.await);
    let (older, younger) = (older.await, younger.await);
    desk.open("school", "elsewhere", None).await;
    desk.step(&paused, Step::new(StepKind::Acknowledge)).await;
    desk.step(&paused, noted(StepKind::Pause)).await;
    desk.step(&sent, noted(StepKind::Note)).await;
    let to = Some(Assignee::Unit("patrol-2".into()));
    desk.step(&sent, Step { to, ..Step::new(StepKind::Dispatch) }).await;
    desk.step(&settled, noted(StepKind::FalseAlarm)).await;
    // As the correlation joins them.
    desk.step(&younger, Step::new(StepKind::Acknowledge)).await;
    let mut tx = desk.store.write().await.unwrap();
    let joined = "UPDATE incidents SET alias_of = $2, root = $2 WHERE site = 'market' AND incident = $1";
    tx.execute(sql(joined).bind(&younger).bind(&older)).await.unwrap();
    tx.commit().await.unwrap();

    let list = desk.list().await;
    assert_eq!(list.len(), 6);
    for listed in &list {
        let (site, incident) = (&listed.incident.site, &listed.incident.incident);
        let case = desk.store.case(&desk.rules, site, incident).await.unwrap().unwrap();
        let clocks = desk.rules.clocks(&case.row.kind, severity_name(case.row.severity));
        let standing = &case.standing;
        assert_eq!(listed.assigned, standing.assigned.as_ref().map(AssigneeView::from), "{incident}");
        assert_eq!((listed.level, listed.paused), (standing.level, standing.is_paused()), "{incident}");
        let overdue: Vec<_> = standing.overdue.iter().map(|target| target.as_str()).collect();
        assert_eq!(listed.overdue, overdue, "{incident}");
        assert_eq!(listed.deadlines, deadlines(standing, clocks, case.row.test), "{incident}");
        let report = desk.store.report(site, incident).await.unwrap().unwrap();
        assert_eq!((&listed.place, listed.words.as_deref()), (&report.place, Some(&*report.words)));
    }
    let of = |id: &str| list.iter().find(|listed| listed.incident.incident == id).unwrap();
    assert_eq!((of(&late).overdue.as_slice(), of(&late).level), (&["acknowledge"][..], 1));
    assert_eq!(of(&late).place.as_deref(), Some("东街 12 号"));
    assert!(of(&paused).paused && of(&settled).deadlines.is_empty());
    assert_eq!(of(&sent).assigned, Some(AssigneeView::Unit("patrol-2".into())));
    let to_do: Vec<_> = of(&older).deadlines.iter().map(|due| due.target).collect();
    assert_eq!(to_do, ["dispatch"], "somebody acknowledged the part");
}

/// What a full page costs: `cargo test --test listed -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "measures"]
async fn how_long_a_page_takes() {
    let desk = Desk::new().await;
    for n in 0..200 {
        let incident = desk.open("market", &format!("report {n}"), Some("东街 12 号")).await;
        for _ in 0..5 {
            desk.step(&incident, noted(StepKind::Note)).await;
        }
        desk.step(&incident, Step::new(StepKind::Acknowledge)).await;
    }
    let filter = Filter::default();
    for _ in 0..5 {
        let begun = Instant::now();
        let page = desk.store.incidents(&Sites::All, &filter, Order::Urgent, None, 200).await.unwrap().0;
        let rows = begun.elapsed();
        let listed = desk.store.listed(&desk.rules, page).await.unwrap();
        println!("{} incidents: rows {rows:?}, with the work {:?}", listed.len(), begun.elapsed());
    }
}
