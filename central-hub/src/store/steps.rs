//! Working on incidents: facts are added, and the incident's row says where it stands by them.
//!
//! The decisions are hub-core's (`workflow`, `clocks`). Everything here happens in one transaction that holds the
//! incident's row: so of two steps that are based on the same version one is taken, and the other is told.

mod due;
mod facts;
mod given;
mod propose;
mod read;

use hub_core::clocks::IncidentClock;
use hub_core::workflow::{
    Actor, Assignee, Facts, Part, Refusal, Seat, Standing, Step, StepKind, fold, permit,
};
use serde_json::{Value, json};
use sqlx::FromRow;

use super::audit::Note;
use super::changes::Subject;
use super::once::{Answer, Before, Once};
use super::{Store, StoreError, Tx, audit, reports, sql};
use crate::clock::now_ms;
use crate::work::Rules;
pub use due::ClockStep;
pub(in crate::store) use due::first_due;
pub use facts::{FactRow, Written};
pub(in crate::store) use facts::{insert, role_name};
pub use given::{CameraAt, Given};
use read::{Source, load};

/// Most facts of an incident: beyond, only steps that move it on are taken.
const MOST_FACTS: usize = 5_000;

/// An incident's row, as far as working on it goes.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Row {
    pub site: String,
    pub incident: String,
    pub kind: String,
    /// 1 low to 4 critical.
    pub severity: i64,
    pub test: bool,
    pub state: String,
    pub version: i64,
    pub due_at: Option<i64>,
    pub alias_of: Option<String>,
}

/// An incident with everything that happened to it.
#[derive(Debug, Clone)]
pub struct Case {
    pub row: Row,
    pub history: Vec<FactRow>,
    pub reporter: Option<String>,
    pub standing: Standing,
    parts: Vec<Part>,
}

/// A step that somebody wants to do.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    pub site: &'a str,
    pub incident: &'a str,
    /// The version that they looked at. Steps that decide nothing need none.
    pub version: Option<i64>,
    pub actor: &'a Actor,
    pub step: &'a Step,
    /// What belongs to this kind of step, besides.
    pub data: Value,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Taken {
    Done(Box<Case>),
    /// There is no such incident.
    Unknown,
    /// It changes what others may be looking at, and does not say what it is based on.
    NeedsVersion,
    Refused {
        refusal: Refusal,
        case: Box<Case>,
    },
    TooMany,
    /// Done now, under a key: what is answered to it.
    Answered(Answer),
    /// Done when it was asked before: what was answered to it.
    Repeated(Answer),
    /// Something else was asked before under the same key.
    OtherContent,
}

impl Taken {
    /// `None`: nothing was asked before.
    fn before(before: Before) -> Option<Self> {
        match before {
            Before::Nothing => None,
            Before::Same(answer) => Some(Self::Repeated(answer)),
            Before::Other => Some(Self::OtherContent),
        }
    }
}

impl Case {
    pub fn seat(&self, actor: &Actor) -> Seat {
        Seat { reporter: self.reporter.as_deref() == Some(actor.id.as_str()) }
    }

    /// Whether it is this one, or this one is part of it.
    pub fn has_part(&self, incident: &str) -> bool {
        self.parts.iter().any(|part| part.incident == incident)
    }

    /// When the hub has to look at it next.
    pub fn next_due(&self, rules: &Rules) -> Option<i64> {
        let clocks = rules.clocks(&self.row.kind, severity_name(self.row.severity));
        let clock = IncidentClock::new(&self.standing, clocks);
        clock.deadline().filter(|_| !self.row.test).map(|(at, _)| at)
    }

    fn stand(&mut self, rules: &Rules) {
        let facts: Facts = self.history.iter().filter_map(FactRow::fact).collect();
        self.standing = fold(&self.parts, &facts, &rules.reopening);
    }

    /// A time for the next fact: facts stay in the order in which they were taken, whatever the clock does.
    fn next_time(&self) -> i64 {
        self.history.iter().map(|f| f.at + 1).max().unwrap_or(0).max(now_ms())
    }

    /// Who was faster, and with what.
    fn overtaken(&self, step: StepKind) -> Refusal {
        let (by, did, at) = match &self.standing.last {
            Some((by, did, at)) => (by.id.clone(), *did, *at),
            None => (audit::HUB.to_owned(), StepKind::Reopen, self.standing.clock_from),
        };
        Refusal::Overtaken { step, by, did, at }
    }
}

pub fn severity_name(severity: i64) -> &'static str {
    crate::work::rules::SEVERITIES[(severity.clamp(1, 4) - 1) as usize]
}

/// Steps that leave the incident as it is: two people may do them at a time.
fn decides(kind: StepKind) -> bool {
    !matches!(kind, StepKind::Note | StepKind::Attach | StepKind::Answer)
}

impl Store {
    /// An incident with its history; that of the survivor where it was absorbed.
    pub async fn case(&self, rules: &Rules, site: &str, incident: &str) -> Result<Option<Case>, StoreError> {
        load(&mut self.read(), rules, site, incident).await
    }

    /// Takes a step, if it is open to this person now.
    pub async fn take_step(&self, rules: &Rules, wish: &Wish<'_>) -> Result<Taken, StoreError> {
        self.take_step_once(rules, wish, None).await
    }

    /// The same; with `once`, a repeat of it is answered as the first, and does nothing.
    pub async fn take_step_once(
        &self,
        rules: &Rules,
        wish: &Wish<'_>,
        once: Option<Once<'_>>,
    ) -> Result<Taken, StoreError> {
        self.retrying(|| self.try_step(rules, wish, once)).await
    }

    async fn try_step(
        &self,
        rules: &Rules,
        wish: &Wish<'_>,
        once: Option<Once<'_>>,
    ) -> Result<Taken, StoreError> {
        let Wish { actor, step, .. } = wish;
        let mut tx = self.write().await?;
        let Some(mut case) = load(&mut tx, rules, wish.site, wish.incident).await? else {
            return Ok(Taken::Unknown);
        };
        // The incident's row is held: whoever asked the same at the same time has been answered.
        if let Some(once) = &once
            && let Some(taken) = Taken::before(once.before(&mut tx).await?)
        {
            return Ok(taken);
        }
        if decides(step.kind) && wish.version.is_none() {
            return Ok(Taken::NeedsVersion);
        }
        if !decides(step.kind) && case.history.len() >= MOST_FACTS {
            return Ok(Taken::TooMany);
        }
        let refused = match wish.version {
            Some(version) if version != case.row.version => Err(case.overtaken(step.kind)),
            _ => permit(&case.standing, actor, case.seat(actor), step),
        };
        if let Err(refusal) = refused {
            let detail = format!("{} of {}: {refusal:?}", step.kind.as_str(), case.row.incident);
            let action = match refusal {
                Refusal::Overtaken { .. } => "step_overtaken",
                _ => "step_refused",
            };
            tx.audit(Note::new(action, &actor.id, &detail).at_site(&case.row.site).to(&case.row.incident));
            tx.commit().await?;
            return Ok(Taken::Refused { refusal, case: Box::new(case) });
        }
        let written = Written {
            at: case.next_time(),
            kind: step.kind.as_str(),
            actor: &actor.id,
            role: role_name(actor.role),
            note: step.note.as_deref(),
            to: step.to.as_ref(),
            data: wish.data.clone(),
        };
        facts::add(&mut tx, &mut case, &written).await?;
        case.stand(rules);
        save(&mut tx, rules, &mut case, true).await?;
        let detail = format!("{} of incident {}.", step.kind.as_str(), case.row.incident);
        tx.audit(Note::new("step", &actor.id, &detail).at_site(&case.row.site).to(&case.row.incident));
        let taken = match &once {
            Some(once) => {
                let report = reports::read(&mut tx, &case.row.site, &case.row.incident).await?;
                let answer = (once.answering)(&case, report.as_ref());
                if let Some(taken) = Taken::before(once.keep(&mut tx, &answer).await?) {
                    return Ok(taken);
                }
                Taken::Answered(answer)
            }
            None => Taken::Done(Box::new(case)),
        };
        tx.commit().await?;
        Ok(taken)
    }
}

/// Looks at an incident anew and writes down where it stands; the case.
pub(in crate::store) async fn restand(
    tx: &mut Tx,
    rules: &Rules,
    site: &str,
    incident: &str,
) -> Result<Option<Case>, StoreError> {
    let mut found = load(tx, rules, site, incident).await?;
    if let Some(case) = &mut found {
        save(tx, rules, case, false).await?;
    }
    Ok(found)
}

/// Writes down where it stands. `people`: somebody did something, and the version counts up.
async fn save(tx: &mut Tx, rules: &Rules, case: &mut Case, people: bool) -> Result<(), StoreError> {
    let next = case.row.version + i64::from(people);
    let (unit, member) = assignee(case.standing.assigned.as_ref());
    let due_at = case.next_due(rules);
    let text =
        "UPDATE incidents SET state = $3, version = $4, due_at = $5, unit = $6, member = $7, level = $8
        WHERE site = $1 AND incident = $2 AND version = $9";
    let statement = sql(text)
        .bind(&case.row.site)
        .bind(&case.row.incident)
        .bind(case.standing.state.as_str())
        .bind(next)
        .bind(due_at)
        .bind(unit)
        .bind(member)
        .bind(i64::from(case.standing.level))
        .bind(case.row.version);
    let written = tx.execute(statement).await?;
    debug_assert_eq!(written, 1, "the row is held");
    case.row.version = next;
    case.row.due_at = due_at;
    case.row.state = case.standing.state.as_str().to_owned();
    tx.changed(Subject::Incident { site: case.row.site.clone(), incident: case.row.incident.clone() });
    Ok(())
}

/// Unit and member, as columns.
fn assignee(to: Option<&Assignee>) -> (Option<&str>, Option<&str>) {
    match to {
        Some(Assignee::Unit(unit)) => (Some(unit), None),
        Some(Assignee::Member(member)) => (None, Some(member)),
        None => (None, None),
    }
}

/// A reference to a file in a step's data.
pub fn attached(file: &str) -> Value {
    json!({ "file": file })
}
