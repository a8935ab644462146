//! An incident as people work on it, as the API tells it.

use hub_core::clocks::Target;
use hub_core::procedure::{Question, Wording};
use hub_core::workflow::{Actor, StepKind, steps_open_to};
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{BothLanguages, answers};
use crate::store::incidents::listed::{AssigneeView, Deadline, deadlines};
use crate::store::reports::ReportView;
use crate::store::steps::{Case, FactRow, severity_name};
use crate::work::Rules;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Work")]
pub struct WorkView {
    site: String,
    incident: String,
    kind: String,
    /// `low`, `medium`, `high` or `critical`.
    severity: &'static str,
    state: &'static str,
    /// What the next step is based on.
    version: i64,
    due_at: Option<Timestamp>,
    clock_from: Timestamp,
    /// How often it was opened again.
    reopened: u32,
    reached: Vec<ReachedView>,
    assigned: Option<AssigneeView>,
    accepted: Option<AcceptedView>,
    paused: bool,
    /// Targets that were missed.
    overdue: Vec<&'static str>,
    /// How far up it was called: 1 is the shift lead; 0: not at all.
    level: u8,
    deadlines: Vec<Deadline>,
    /// The steps that are open to whoever asks.
    open: Vec<&'static str>,
    procedure: Option<ProcedureView>,
    /// What was said of one that was opened by hand.
    report: Option<ReportView>,
    history: Vec<EntryView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reached")]
struct ReachedView {
    state: &'static str,
    at: Timestamp,
    by: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Accepted")]
struct AcceptedView {
    at: Timestamp,
    by: String,
}

/// A checklist, and how far it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProcedureCourse")]
struct ProcedureView {
    #[schemars(with = "BothLanguages")]
    name: Wording,
    answered: Vec<AnsweredView>,
    /// Asked now; null: it is through.
    #[schemars(with = "Option<QuestionShape>")]
    next: Option<Question>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Answered")]
struct AnsweredView {
    question: String,
    #[schemars(with = "BothLanguages")]
    text: Wording,
    answer: String,
    #[schemars(with = "BothLanguages")]
    answer_text: Wording,
}

/// As hub-core writes its own.
#[derive(JsonSchema)]
#[schemars(rename = "ProcedureQuestion")]
#[allow(dead_code)]
struct QuestionShape {
    id: String,
    text: BothLanguages,
    answers: Vec<AnswerShape>,
}

#[derive(JsonSchema)]
#[schemars(rename = "ProcedureAnswer")]
#[allow(dead_code)]
struct AnswerShape {
    id: String,
    text: BothLanguages,
    next: Option<String>,
}

/// A step of somebody, or a mark of the hub.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Fact")]
struct EntryView {
    id: String,
    /// The part that it was written down for.
    incident: String,
    at: Timestamp,
    step: String,
    by: String,
    role: String,
    /// What belongs to this kind of step.
    data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<AssigneeView>,
}

impl WorkView {
    pub fn new(rules: &Rules, case: &Case, actor: &Actor, report: Option<&ReportView>) -> Self {
        let standing = &case.standing;
        let time = Timestamp::from_unix_ms;
        let clocks = rules.clocks(&case.row.kind, severity_name(case.row.severity));
        let reached = standing.reached.iter().map(|r| (r.state.as_str(), time(r.at), r.by.clone()));
        let open = steps_open_to(standing, actor, case.seat(actor)).into_iter();
        Self {
            site: case.row.site.clone(),
            incident: case.row.incident.clone(),
            kind: case.row.kind.clone(),
            severity: severity_name(case.row.severity),
            state: standing.state.as_str(),
            version: case.row.version,
            due_at: case.row.due_at.map(time),
            clock_from: time(standing.clock_from),
            reopened: standing.reopened,
            reached: reached.map(|(state, at, by)| ReachedView { state, at, by }).collect(),
            assigned: standing.assigned.as_ref().map(AssigneeView::from),
            accepted: standing
                .accepted
                .as_ref()
                .map(|(at, by)| AcceptedView { at: time(*at), by: by.clone() }),
            paused: standing.is_paused(),
            overdue: standing.overdue.iter().map(|target: &Target| target.as_str()).collect(),
            level: standing.level,
            deadlines: deadlines(standing, clocks, case.row.test),
            open: open.map(StepKind::as_str).collect(),
            procedure: ProcedureView::new(rules, case),
            report: report.cloned(),
            history: case.history.iter().map(EntryView::from).collect(),
        }
    }
}

impl ProcedureView {
    fn new(rules: &Rules, case: &Case) -> Option<Self> {
        let course = answers::course(rules, case)?;
        let answered = course.answered.iter().map(|(question, answer)| AnsweredView {
            question: question.id.clone(),
            text: question.text.clone(),
            answer: answer.id.clone(),
            answer_text: answer.text.clone(),
        });
        Some(Self {
            name: rules.procedure(&case.row.kind)?.name.clone(),
            answered: answered.collect(),
            next: course.next.cloned(),
        })
    }
}

impl From<&FactRow> for EntryView {
    fn from(row: &FactRow) -> Self {
        let unit = row.unit.clone().map(AssigneeView::Unit);
        Self {
            id: row.step.clone(),
            incident: row.incident.clone(),
            at: Timestamp::from_unix_ms(row.at),
            step: row.kind.clone(),
            by: row.actor.clone(),
            role: row.role.clone(),
            data: row.data(),
            note: row.note.clone(),
            to: row.member.clone().map(AssigneeView::Member).or(unit),
        }
    }
}
