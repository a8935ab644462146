//! What the API says about an incident that is worked on, and why a step was not taken.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub_core::procedure::Course;
use hub_core::workflow::{Actor, Language, Refusal as StepRefusal, StepKind, refused_because, steps_open_to};
use protocol::Timestamp;
use serde_json::{Value, json};

use super::view::WorkView;
use crate::store::once::Answer;
use crate::store::reports::ReportView;
use crate::store::steps::Case;
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

/// An incident as an answer to whoever asked, with its version.
pub fn answer(
    rules: &Rules,
    status: StatusCode,
    case: &Case,
    actor: &Actor,
    report: Option<&ReportView>,
) -> Answer {
    let body = json!(WorkView::new(rules, case, actor, report)).to_string();
    Answer { status: status.as_u16().into(), version: Some(case.row.version), body }
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
