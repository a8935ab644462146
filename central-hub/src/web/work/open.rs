//! Incidents that people open by hand, with the kinds of their site.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hub_core::procedure::Wording;
use protocol::SiteId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BothLanguages, actor, answers};
use crate::store::once::Once;
use crate::store::reports::{Opened, Point, Report, ReportView};
use crate::store::steps::Case;
use crate::web::once::{self, Key};
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};
use crate::work::rules::SEVERITIES;

/// Longest words of a report, letters.
const WORDS_LETTERS: usize = 2_000;
/// Longest name of a place, letters.
const PLACE_LETTERS: usize = 120;

/// What somebody reports.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewReport")]
pub struct Asked {
    site: SiteId,
    kind: String,
    words: String,
    /// Default: that of the kind.
    severity: Option<String>,
    /// As people call it.
    place: Option<String>,
    /// `{x, y}` in metres on the site's plan, or `{lat, lon}`.
    point: Option<Point>,
}

/// `POST /incidents`
pub async fn open(
    scope: Scope<act::OpenIncidents>,
    State(app): State<App>,
    headers: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(asked) = asked?;
    let actor = actor(&app, &scope, &asked.site, "there is no such site").await?;
    let key = Key::read(&headers, "incidents", json!(asked).to_string().as_bytes())?;
    if let Some(response) = once::earlier(&app, key.as_ref(), &actor.id).await? {
        return Ok(response);
    }
    let rules = &app.work.rules;
    let kind = rules.kinds(asked.site.as_str()).find(|k| k.kind == asked.kind).ok_or_else(|| {
        unprocessable(format!(
            "there is no such kind; GET /api/v1/sites/{}/incident-kinds lists them",
            asked.site
        ))
    })?;
    let severity = asked.severity.as_deref().unwrap_or(&kind.severity);
    let Some(severity) = SEVERITIES.iter().position(|s| *s == severity) else {
        return Err(unprocessable(format!("`severity` must be one of {}", SEVERITIES.join(", "))));
    };
    if asked.words.trim().is_empty() || asked.words.chars().count() > WORDS_LETTERS {
        return Err(unprocessable("`words` must say what is the matter, in at most 2000 letters".into()));
    }
    if asked.place.as_ref().is_some_and(|p| p.chars().count() > PLACE_LETTERS) {
        return Err(unprocessable("`place` has at most 120 letters".into()));
    }
    if asked.point.is_some_and(|p| !p.is_somewhere()) {
        return Err(unprocessable("`point` is nowhere on the plan or on earth".into()));
    }
    let report = Report {
        site: asked.site.as_str(),
        kind: &kind.kind,
        severity: severity as i64 + 1,
        words: &asked.words,
        place: asked.place.as_deref(),
        point: asked.point,
        reporter: &actor,
    };
    let answering = |case: &Case, report: Option<&ReportView>| {
        answers::answer(rules, StatusCode::CREATED, case, &actor, report)
    };
    let once = key.as_ref().map(|key| Once { asked: key.of(&actor.id), answering: &answering });
    match app.store.open_once(rules, &report, once).await? {
        Opened::Done(case, report) => Ok(once::respond(answering(&case, report.as_ref()))),
        Opened::Answered(answer) => Ok(once::respond(answer)),
        Opened::OtherContent => Err(once::other_content()),
    }
}

#[derive(Serialize, JsonSchema)]
pub struct Kinds {
    kinds: Vec<KindView>,
}

/// A kind of incidents that people open by hand.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Kind")]
struct KindView {
    kind: String,
    #[schemars(with = "BothLanguages")]
    name: Wording,
    severity: String,
    /// There is a checklist for it.
    procedure: bool,
}

/// `GET /sites/{site}/incident-kinds`
pub async fn kinds(
    scope: Scope<act::OpenIncidents>,
    State(app): State<App>,
    path: Result<Path<SiteId>, PathRejection>,
) -> Result<Json<Kinds>, Refusal> {
    let Path(site) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    let kinds = app.work.rules.kinds(site.as_str()).map(|kind| {
        let procedure = app.work.rules.procedure(&kind.kind).is_some();
        let (name, severity) = (kind.name(), kind.severity.clone());
        KindView { kind: kind.kind.clone(), name, severity, procedure }
    });
    Ok(Json(Kinds { kinds: kinds.collect() }))
}

fn unprocessable(message: String) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message)
}
