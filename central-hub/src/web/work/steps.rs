//! Steps: one on one incident, or the same on many.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use hub_core::workflow::{Actor, Assignee, Step, StepKind};
use protocol::SiteId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::{self, Failure};
use super::{IncidentPath, NO_INCIDENT, actor, case, incident_id, may_see};
use crate::store::once::{Answering, Once};
use crate::store::reports::ReportView;
use crate::store::steps::{Case, Taken, Wish};
use crate::web::once::{self, Key};
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};
use crate::work::attachment::FileId;

/// Most incidents that one request works on.
const MOST: usize = 200;

/// A step, as it is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepWish")]
pub struct Asked {
    step: String,
    note: Option<String>,
    to: Option<To>,
    /// The version that it is based on; or `If-Match`.
    version: Option<i64>,
    question: Option<String>,
    answer: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GivenTo")]
enum To {
    Unit(String),
    Member(String),
}

/// The same step on many incidents.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepWishes")]
pub struct Many {
    step: String,
    note: Option<String>,
    to: Option<To>,
    incidents: Vec<One>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StepOn")]
struct One {
    site: SiteId,
    incident: String,
    version: i64,
}

/// `GET /incidents/{site}/{incident}/steps`: the incident as people work on it, with its history.
pub async fn history(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    path: IncidentPath,
) -> Result<Response, Refusal> {
    let (site, incident) = incident_id(path)?;
    let actor = actor(&app, &scope, &site, NO_INCIDENT).await?;
    let case = case(&app, &actor, &site, &incident).await?;
    let report = app.store.report(site.as_str(), &case.row.incident).await?;
    Ok(once::respond(answers::answer(&app.work.rules, StatusCode::OK, &case, &actor, report.as_ref())))
}

/// `POST /incidents/{site}/{incident}/steps`
pub async fn take(
    scope: Scope<act::WorkIncidents>,
    State(app): State<App>,
    path: IncidentPath,
    headers: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Failure> {
    let (site, incident) = incident_id(path)?;
    let Json(asked) = asked.map_err(Refusal::from)?;
    let actor = actor(&app, &scope, &site, NO_INCIDENT).await?;
    let version = match asked.version {
        Some(version) => Some(version),
        None => if_match(&headers)?,
    };
    let wanted = json!(Asked { version: None, ..asked.clone() });
    let key = Key::read(&headers, &format!("steps/{site}/{incident}"), wanted.to_string().as_bytes())?;
    if let Some(response) = once::earlier(&app, key.as_ref(), &actor.id).await? {
        return Ok(response);
    }
    let known = case(&app, &actor, &site, &incident).await?;
    let step = step(&app, &site, &asked.step, asked.note, asked.to).await?;
    let data = match step.kind {
        StepKind::Answer => answer(&app, &known, asked.question, asked.answer)?,
        StepKind::Attach => {
            let message = "photos are sent to /incidents/{site}/{incident}/attachments";
            return Err(Refusal::bad_request(message).into());
        }
        _ => json!({}),
    };
    let wish = Wish { site: site.as_str(), incident: &incident, version, actor: &actor, step: &step, data };
    let answering = |case: &Case, report: Option<&ReportView>| {
        answers::answer(&app.work.rules, StatusCode::CREATED, case, &actor, report)
    };
    Ok(carry_out(&app, &wish, key.as_ref(), &answering).await?.0)
}

/// `POST /incidents/steps`: each by itself; what was refused stands beside what was done.
pub async fn take_many(
    scope: Scope<act::WorkIncidents>,
    State(app): State<App>,
    many: Result<Json<Many>, JsonRejection>,
) -> Result<Json<Value>, Failure> {
    let Json(many) = many.map_err(Refusal::from)?;
    if many.incidents.is_empty() || many.incidents.len() > MOST {
        return Err(Refusal::bad_request("`incidents` must name 1 to 200").into());
    }
    if matches!(StepKind::named(&many.step), Some(StepKind::Answer | StepKind::Attach)) {
        return Err(Refusal::bad_request("this step is taken on one incident at a time").into());
    }
    let mut results = Vec::new();
    for One { site, incident, version } in many.incidents {
        let (note, to) = (many.note.clone(), many.to.clone());
        let taken = one_of_many(&app, &scope, &site, &incident, version, &many.step, note, to);
        let mut result = match taken.await {
            Ok(case) => {
                json!({ "status": 201, "state": case.standing.state.as_str(), "version": case.row.version })
            }
            Err(Failure::Plain(refusal)) if refusal.status.is_server_error() => return Err(refusal.into()),
            Err(Failure::Plain(refusal)) => json!({
                "status": refusal.status.as_u16(),
                "error": { "code": refusal.code, "message": refusal.message },
            }),
            Err(Failure::Step { refusal, mut body }) => {
                body["status"] = json!(answers::status_of(&refusal).as_u16());
                body
            }
        };
        result["site"] = json!(site);
        result["incident"] = json!(incident);
        results.push(result);
    }
    Ok(Json(json!({ "results": results })))
}

#[allow(clippy::too_many_arguments)]
async fn one_of_many(
    app: &App,
    scope: &Scope<act::WorkIncidents>,
    site: &SiteId,
    incident: &str,
    version: i64,
    name: &str,
    note: Option<String>,
    to: Option<To>,
) -> Result<Case, Failure> {
    if FileId::parse(incident).is_none() {
        return Err(Refusal::not_found(NO_INCIDENT).into());
    }
    let actor = actor(app, scope, site, NO_INCIDENT).await?;
    let step = step(app, site, name, note, to).await?;
    let version = Some(version);
    let wish = Wish { site: site.as_str(), incident, version, actor: &actor, step: &step, data: json!({}) };
    case(app, &actor, site, incident).await?;
    match app.store.take_step(&app.work.rules, &wish).await? {
        Taken::Done(case) => Ok(*case),
        not => Err(not_taken(app, &wish, not)),
    }
}

/// Takes a step; with a key once. What is answered, and whether it was done now.
pub async fn carry_out(
    app: &App,
    wish: &Wish<'_>,
    key: Option<&Key>,
    answering: Answering<'_>,
) -> Result<(Response, bool), Failure> {
    let once = key.map(|key| Once { asked: key.of(&wish.actor.id), answering });
    match app.store.take_step_once(&app.work.rules, wish, once).await? {
        Taken::Done(case) => {
            let report = app.store.report(wish.site, &case.row.incident).await?;
            Ok((once::respond(answering(&case, report.as_ref())), true))
        }
        Taken::Answered(answer) => Ok((once::respond(answer), true)),
        Taken::Repeated(answer) => Ok((once::respond(answer), false)),
        not => Err(not_taken(app, wish, not)),
    }
}

fn not_taken(app: &App, wish: &Wish<'_>, taken: Taken) -> Failure {
    match taken {
        Taken::Refused { refusal, case } if may_see(&case, wish.actor) => {
            let body = answers::refused(&app.work.rules, &refusal, &case, wish.actor);
            Failure::Step { refusal, body }
        }
        Taken::Unknown | Taken::Refused { .. } => Refusal::not_found(NO_INCIDENT).into(),
        Taken::NeedsVersion => {
            let message = "say what it is based on: `version`, or If-Match with the incident's ETag";
            Refusal::new(StatusCode::PRECONDITION_REQUIRED, "needs_version", message).into()
        }
        Taken::TooMany => {
            let message = "this incident holds as many notes as it can; open another one";
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_notes", message).into()
        }
        Taken::OtherContent => once::other_content().into(),
        Taken::Done(_) | Taken::Answered(_) | Taken::Repeated(_) => Refusal::internal().into(),
    }
}

async fn step(
    app: &App,
    site: &SiteId,
    name: &str,
    note: Option<String>,
    to: Option<To>,
) -> Result<Step, Refusal> {
    let Some(kind) = StepKind::named(name) else {
        let known: Vec<_> = StepKind::ALL.iter().map(|k| k.as_str()).collect();
        return Err(Refusal::bad_request(format!("there is no such step; there are {}", known.join(", "))));
    };
    let to = match to {
        None => None,
        Some(To::Unit(unit)) => {
            let known = app.store.units(site.as_str()).await?.into_iter().any(|u| u.unit == unit);
            Some(Assignee::Unit(unit)).filter(|_| known)
        }
        Some(To::Member(member)) => {
            let known = app.store.is_account(&member).await?;
            Some(Assignee::Member(member)).filter(|_| known)
        }
    };
    let named = to.is_some() || !matches!(kind, StepKind::Dispatch | StepKind::Assign);
    if !named {
        let message = "`to` must name a unit of this site or a member: {\"unit\": ..} or {\"member\": ..}";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "needs_assignee", message));
    }
    Ok(Step { kind, note: note.filter(|n| !n.trim().is_empty()), to })
}

/// The question and the answer must be those of the procedure, and it must be their turn.
fn answer(
    app: &App,
    case: &Case,
    question: Option<String>,
    answer: Option<String>,
) -> Result<Value, Refusal> {
    let refuse = |message: &str| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "no_such_answer", message);
    let course =
        answers::course(&app.work.rules, case).ok_or_else(|| refuse("this kind has no procedure"))?;
    let asked = course.next.into_iter().chain(course.answered.iter().map(|(question, _)| *question));
    let (Some(question), Some(answer)) = (question, answer) else {
        return Err(refuse("`question` and `answer` must be given"));
    };
    let found = asked.into_iter().find(|q| q.id == question);
    let found = found.ok_or_else(|| refuse("this question is not asked now"))?;
    if !found.answers.iter().any(|a| a.id == answer) {
        return Err(refuse("this question has no such answer"));
    }
    Ok(json!({ "question": question, "answer": answer }))
}

fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim().trim_start_matches("W/").trim_matches('"');
    match text.parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(Refusal::bad_request("If-Match must be the incident's ETag, for example \"3\"")),
    }
}

/// For photos: a step without words.
pub fn attach_step() -> Step {
    Step::new(StepKind::Attach)
}

/// What a photo's step is asked by.
pub fn attach_wish<'a>(
    site: &'a SiteId,
    incident: &'a str,
    actor: &'a Actor,
    step: &'a Step,
    file: &FileId,
) -> Wish<'a> {
    let data = crate::store::steps::attached(file.as_str());
    Wish { site: site.as_str(), incident, version: None, actor, step, data }
}
