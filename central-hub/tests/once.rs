//! Requests that come more than once, on both engines alike: one effect, one answer.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use central_hub::store::once::{Answer, Before, Once, Repeatable};
use central_hub::store::reports::{Opened, Report, ReportView};
use central_hub::store::steps::{Case, Taken, Wish};
use central_hub::store::{Store, sql};
use central_hub::work::{Rules, Workflow};
use hub_core::workflow::{Actor, Role, Step, StepKind};
use tokio::task::JoinSet;

const KEY: &str = "01900000-0000-4000-8000-000000000001";
const REPEATS: usize = 50;

struct Desk {
    store: Store,
    rules: Rules,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &world::store_settings()).await.unwrap();
        Arc::new(Self { store, rules: Rules::check(&Workflow::default()).unwrap(), _folder: folder })
    }

    async fn open(&self, who: &str, key: Option<&str>, words: &str) -> Opened {
        let reporter = actor(who);
        let report = Report {
            site: "market",
            kind: "street_light",
            severity: 2,
            words,
            place: None,
            point: None,
            reporter: &reporter,
        };
        let asked = |request| Repeatable { account: who, request, content: words };
        let once = key.map(|key| Once { asked: asked(key), answering: &answering });
        self.store.open_once(&self.rules, &report, once).await.unwrap()
    }

    async fn opened(&self) -> String {
        match self.open("li", None, "x").await {
            Opened::Done(case, _) => case.row.incident,
            other => panic!("{other:?}"),
        }
    }

    async fn note(&self, incident: &str, who: &str, key: &str, words: &str) -> Taken {
        let (who, step) = (actor(who), Step { note: Some(words.into()), ..Step::new(StepKind::Note) });
        let data = serde_json::json!({});
        let wish = Wish { site: "market", incident, version: None, actor: &who, step: &step, data };
        let asked = Repeatable { account: &who.id, request: key, content: words };
        let once = Some(Once { asked, answering: &answering });
        self.store.take_step_once(&self.rules, &wish, once).await.unwrap()
    }

    async fn notes(&self, incident: &str) -> usize {
        let case = self.store.case(&self.rules, "market", incident).await.unwrap().unwrap();
        case.history.iter().filter(|fact| fact.kind == "note").count()
    }

    async fn incidents(&self) -> i64 {
        self.store.read().one::<(i64,)>(sql("SELECT count(*) FROM incidents")).await.unwrap().0
    }
}

fn actor(name: &str) -> Actor {
    Actor { id: name.to_owned(), role: Role::Operator, units: BTreeSet::new() }
}

fn answering(case: &Case, report: Option<&ReportView>) -> Answer {
    let words = report.map(|report| report.words.clone()).unwrap_or_default();
    let body = format!("{} {} {words}", case.row.incident, case.history.len());
    Answer { status: 201, version: Some(case.row.version), body }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_repeats_at_once_one_takes_effect_and_all_are_answered_alike() {
    let desk = Desk::new().await;
    let incident = desk.opened().await;
    let mut notes = JoinSet::new();
    for _ in 0..REPEATS {
        let (desk, incident) = (desk.clone(), incident.clone());
        notes.spawn(async move { desk.note(&incident, "li", KEY, "看过了").await });
    }
    let (mut first, mut answers) = (0, BTreeSet::new());
    while let Some(taken) = notes.join_next().await {
        match taken.unwrap() {
            Taken::Answered(answer) => {
                first += 1;
                answers.insert((answer.status, answer.version, answer.body));
            }
            Taken::Repeated(answer) => {
                answers.insert((answer.status, answer.version, answer.body));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((first, answers.len(), desk.notes(&incident).await), (1, 1, 1), "{answers:?}");

    let before = desk.incidents().await;
    let mut reports = JoinSet::new();
    for _ in 0..REPEATS {
        let desk = desk.clone();
        reports.spawn(async move { desk.open("wang", Some(KEY), "灯不亮").await });
    }
    let mut answers = BTreeSet::new();
    while let Some(opened) = reports.join_next().await {
        match opened.unwrap() {
            Opened::Answered(answer) => answers.insert(answer.body),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!((answers.len(), desk.incidents().await - before), (1, 1), "{answers:?}");
    assert!(answers.first().unwrap().ends_with("灯不亮"), "{answers:?}");
}

#[tokio::test]
async fn a_key_is_of_one_person_and_of_one_content() {
    let desk = Desk::new().await;
    let incident = desk.opened().await;
    assert!(matches!(desk.note(&incident, "li", KEY, "one").await, Taken::Answered(_)));
    assert!(matches!(desk.note(&incident, "li", KEY, "two").await, Taken::OtherContent));
    assert!(matches!(desk.open("li", Some(KEY), "灯不亮").await, Opened::OtherContent));
    assert!(matches!(desk.note(&incident, "wang", KEY, "two").await, Taken::Answered(_)));
    assert_eq!(desk.notes(&incident).await, 2);
    // What came in between changes nothing of what is answered.
    let Taken::Repeated(answer) = desk.note(&incident, "li", KEY, "one").await else { panic!() };
    assert_eq!((answer.version, answer.body), (Some(1), format!("{incident} 2 x")));
}

#[tokio::test]
async fn a_refused_step_keeps_no_key_and_old_answers_go() {
    let desk = Desk::new().await;
    let incident = desk.opened().await;
    let (who, close) = (actor("li"), Step::new(StepKind::Close));
    let asked = Repeatable { account: "li", request: KEY, content: "close" };
    let data = serde_json::json!({});
    let wish =
        Wish { site: "market", incident: &incident, version: Some(0), actor: &who, step: &close, data };
    let once = Some(Once { asked, answering: &answering });
    let refused = desk.store.take_step_once(&desk.rules, &wish, once).await.unwrap();
    assert!(matches!(refused, Taken::Refused { .. }), "{refused:?}");
    assert_eq!(desk.store.asked_before(asked).await.unwrap(), Before::Nothing);

    assert!(matches!(desk.note(&incident, "li", KEY, "one").await, Taken::Answered(_)));
    let (at,): (i64,) = desk.store.read().one(sql("SELECT answered_at FROM once")).await.unwrap();
    assert_eq!(desk.store.sweep_answers(at).await.unwrap(), 0);
    assert_eq!(desk.store.sweep_answers(at + 1).await.unwrap(), 1);
    assert!(matches!(desk.note(&incident, "li", KEY, "one").await, Taken::Answered(_)), "as if new");
}
