//! What the API says about an incident that is worked on, and why a step was not taken.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub_core::procedure::Course;
use hub_core::workflow::{Actor, Language, Refusal as StepRefusal, StepKind, refused_because, steps_open_to};
use protocol::Timestamp;
use serde_json::{Value, json};

use crate::store::incidents::listed::{AssigneeView, deadlines};
use crate::store::once::Answer;
use crate::store::reports::ReportView;
use crate::store::steps::{Case, FactRow, severity_name};
use crate::web::Refusal;
use crate::work::Rules;

/// Either the usual refusal, or a step that was not taken.
pub enum Failure {
    Plain(Refusal),
    Step { refusal: StepRefusal, body: Value },
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Plain(refusal)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Plain(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(refusal) => refusal.into_response(),
            Self::Step { refusal, body } => (status_of(&refusal), Json(body)).into_response(),
        }
    }
}

pub fn status_of(refusal: &StepRefusal) -> StatusCode {
    match refusal {
        StepRefusal::Overtaken { .. } | StepRefusal::NotNow { .. } => StatusCode::CONFLICT,
        StepRefusal::NotForRole { .. } | StepRefusal::NotYours { .. } => StatusCode::FORBIDDEN,
        StepRefusal::NeedsNote { .. }
        | StepRefusal::NeedsAssignee { .. }
        | StepRefusal::NoteTooLong { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn code_of(refusal: &StepRefusal) -> &'static str {
    match refusal {
        StepRefusal::Overtaken { .. } => "overtaken",
        StepRefusal::NotNow { .. } => "not_now",
        StepRefusal::NotForRole { .. } => "not_for_role",
        StepRefusal::NotYours { .. } => "not_yours",
        StepRefusal::NeedsNote { .. } => "needs_note",
        StepRefusal::NeedsAssignee { .. } => "needs_assignee",
        StepRefusal::NoteTooLong { .. } => "note_too_long",
    }
}

/// `{"error": {code, message, zh, state, version, open, ...}}`: what the usual one says, and what can be done now.
pub fn refused(rules: &Rules, refusal: &StepRefusal, case: &Case, actor: &Actor) -> Value {
    let words = |language| refused_because(refusal, language, |at| rules.clock(at));
    let mut error = json!({
        "code": code_of(refusal),
        "message": words(Language::English),
        "zh": words(Language::Chinese),
        "state": case.standing.state.as_str(),
        "version": case.row.version,
        "open": steps_open_to(&case.standing, actor, case.seat(actor)).into_iter().map(StepKind::as_str)
            .collect::<Vec<_>>(),
    });
    if let StepRefusal::Overtaken { by, did, at, .. } = refusal {
        error["by"] = json!(by);
        error["did"] = json!(did.as_str());
        error["at"] = json!(Timestamp::from_unix_ms(*at));
    }
    json!({ "error": error })
}

/// An incident as people work on it.
pub fn view(rules: &Rules, case: &Case, actor: &Actor, report: Option<Value>) -> Value {
    let standing = &case.standing;
    let time = Timestamp::from_unix_ms;
    let clocks = rules.clocks(&case.row.kind, severity_name(case.row.severity));
    let reached =
        standing.reached.iter().map(|r| json!({ "state": r.state.as_str(), "at": time(r.at), "by": r.by }));
    json!({
        "site": case.row.site,
        "incident": case.row.incident,
        "kind": case.row.kind,
        "severity": severity_name(case.row.severity),
        "state": standing.state.as_str(),
        "version": case.row.version,
        "due_at": case.row.due_at.map(time),
        "clock_from": time(standing.clock_from),
        "reopened": standing.reopened,
        "reached": reached.collect::<Vec<_>>(),
        "assigned": standing.assigned.as_ref().map(AssigneeView::from),
        "accepted": standing.accepted.as_ref().map(|(at, by)| json!({ "at": time(*at), "by": by })),
        "paused": standing.is_paused(),
        "overdue": standing.overdue.iter().map(|t| t.as_str()).collect::<Vec<_>>(),
        "level": standing.level,
        "deadlines": deadlines(standing, clocks, case.row.test),
        "open": steps_open_to(standing, actor, case.seat(actor)).into_iter().map(StepKind::as_str)
            .collect::<Vec<_>>(),
        "procedure": procedure(rules, case),
        "report": report,
        "history": case.history.iter().map(entry).collect::<Vec<_>>(),
    })
}

/// The same as an answer to whoever asked, with its version.
pub fn answer(
    rules: &Rules,
    status: StatusCode,
    case: &Case,
    actor: &Actor,
    report: Option<&ReportView>,
) -> Answer {
    let body = view(rules, case, actor, report.map(|r| json!(r))).to_string();
    Answer { status: status.as_u16().into(), version: Some(case.row.version), body }
}

fn entry(row: &FactRow) -> Value {
    let mut entry = json!({
        "id": row.step,
        "incident": row.incident,
        "at": Timestamp::from_unix_ms(row.at),
        "step": row.kind,
        "by": row.actor,
        "role": row.role,
        "data": row.data(),
    });
    if let Some(note) = &row.note {
        entry["note"] = json!(note);
    }
    if let Some(unit) = &row.unit {
        entry["to"] = json!({ "unit": unit });
    }
    if let Some(member) = &row.member {
        entry["to"] = json!({ "member": member });
    }
    entry
}

/// Where the incident is in its procedure; the latest answer to each question counts.
pub fn course<'a>(rules: &'a Rules, case: &Case) -> Option<Course<'a>> {
    let answers = case.history.iter().filter(|row| row.kind == StepKind::Answer.as_str());
    let answers = answers.filter_map(|row| {
        let data = row.data();
        Some((data["question"].as_str()?.to_owned(), data["answer"].as_str()?.to_owned()))
    });
    Some(rules.procedure(&case.row.kind)?.course(&answers.collect()))
}

fn procedure(rules: &Rules, case: &Case) -> Option<Value> {
    let course = course(rules, case)?;
    let answered = course.answered.iter().map(|(question, answer)| {
        json!({ "question": question.id, "text": question.text, "answer": answer.id, "answer_text": answer.text })
    });
    Some(json!({
        "name": rules.procedure(&case.row.kind)?.name,
        "answered": answered.collect::<Vec<_>>(),
        "next": course.next,
    }))
}
