//! Looking incidents up, and taking them out: as the exchange's JSON, as CAP 1.2, as CSV.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hub_core::csv::{self, Cell};
use hub_core::words;
use protocol::exchange::{Incident, Severity, State as Stage};
use protocol::{SiteId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::looking::{self, Look, Looked};
use super::scope::{Scope, act};
use super::{App, Refusal};
use crate::store::search::Wanted;

const MOST: u32 = 200;
/// Rows of one CSV file; what is beyond is the next file's.
const MOST_ROWS: u32 = 10_000;

/// What is looked for; all of it must fit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// Words, in Chinese or any language; up to 100 characters.
    #[schemars(length(max = 100))]
    q: Option<String>,
    site: Option<SiteId>,
    /// `AGENT/CAMERA`
    #[schemars(length(max = 200))]
    camera: Option<String>,
    #[schemars(length(max = 200))]
    kind: Option<String>,
    state: Option<Stage>,
    severity: Option<Severity>,
    /// Somebody still works on it.
    open: Option<bool>,
    /// Opened at this time or later.
    from: Option<Timestamp>,
    /// Opened before this time.
    before: Option<Timestamp>,
    /// The `next` of an earlier answer.
    #[schemars(range(min = 0))]
    after: Option<i64>,
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// Newest first.
    incidents: Vec<Incident>,
    /// Where to go on; absent at the end.
    next: Option<i64>,
}

/// `GET /search`
pub(super) async fn search(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Found>, Refusal> {
    let Query(question) = question.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let limit = question.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::bad_request("`limit` must be 1 to 200"));
    }
    find(&app, wanted(question, super::site_list(scope.sites()))?, limit).await.map(Json)
}

/// `GET /export/incidents.csv`
pub(super) async fn export(
    scope: Scope<act::Export>,
    State(app): State<App>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(question) = question.map_err(|e| Refusal::bad_request(e.body_text()))?;
    if question.limit.is_some() {
        return Err(Refusal::bad_request("a file holds up to 10000 rows; `limit` is for searches"));
    }
    let site = question.site.clone();
    let wanted = wanted(question, super::site_list(scope.sites()))?;
    let detail = format!("Incidents as CSV: {wanted:?}");
    let looked = Looked {
        look: Look::Export,
        site: site.as_ref().map(SiteId::as_str),
        object: "incidents.csv",
        detail: &detail,
    };
    looking::note(&app, scope.person(), looked).await?;
    let found = find(&app, wanted, MOST_ROWS).await?;
    Ok(csv_file("incidents.csv", table(&found.incidents)))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ExchangeForm")]
pub(super) enum Form {
    #[default]
    Json,
    Cap,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct As {
    /// `json` (default) or `cap`.
    #[serde(default)]
    form: Form,
}

/// `GET /incidents/{site}/{incident}/exchange`
pub(super) async fn exchange(
    scope: Scope<act::Export>,
    State(app): State<App>,
    path: Result<Path<(SiteId, String)>, PathRejection>,
    form: Result<Query<As>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Path((site, incident)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let Query(As { form }) = form.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let missing = || Refusal::not_found("there is no such incident");
    scope.at(&site).map_err(|_| missing())?;
    let told = app.store.told(&app.names, site.as_str(), &incident).await?.ok_or_else(missing)?;
    let detail = format!("An incident as {form:?}.");
    let looked = Looked { look: Look::Export, site: Some(site.as_str()), object: &incident, detail: &detail };
    looking::note(&app, scope.person(), looked).await?;
    match form {
        Form::Json => Ok(Json(told.incident).into_response()),
        Form::Cap => {
            let text = app.store.cap(&app.names, &told.incident).await?;
            Ok(([(header::CONTENT_TYPE, "application/cap+xml; charset=utf-8")], text).into_response())
        }
    }
}

/// What the index is asked.
fn wanted(question: Question, sites: Option<Vec<String>>) -> Result<Wanted, Refusal> {
    let mut tokens = match question.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        Some(q) => words::of_question(q).map_err(|why| Refusal::bad_request(format!("`q`: {why}")))?,
        None => Vec::new(),
    };
    let open = question.open.map(|open| if open { "yes" } else { "no" }.to_owned());
    let facets = [
        ("site", question.site.as_ref().map(ToString::to_string)),
        ("camera", question.camera),
        ("kind", question.kind),
        ("state", question.state.map(|s| s.as_str().to_owned())),
        ("severity", question.severity.map(|s| s.as_str().to_owned())),
        ("open", open),
    ];
    tokens.extend(facets.iter().filter_map(|(name, value)| Some(words::facet(name, value.as_deref()?))));
    let sites = match (question.site, sites) {
        (Some(site), None) => Some(vec![site.to_string()]),
        (Some(site), Some(own)) => Some(own.into_iter().filter(|s| *s == site.as_str()).collect()),
        (None, own) => own,
    };
    Ok(Wanted {
        tokens,
        sites,
        from: question.from.map(Timestamp::unix_ms),
        before: question.before.map(Timestamp::unix_ms),
        below: question.after,
    })
}

async fn find(app: &App, wanted: Wanted, limit: u32) -> Result<Found, Refusal> {
    let found = app.store.search(&wanted, limit).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|last| last.doc);
    let mut incidents = Vec::with_capacity(found.len());
    for one in &found {
        // It may have become part of another one since.
        incidents
            .extend(app.store.told(&app.names, &one.site, &one.incident).await?.map(|told| told.incident));
    }
    Ok(Found { incidents, next })
}

/// Columns in both languages: the file is opened by people.
fn table(incidents: &[Incident]) -> String {
    let mut text = csv::BYTE_ORDER_MARK.to_owned();
    let head = [
        "编号 incident",
        "站点 site",
        "站点名称 site name",
        "类型 kind",
        "类型名称 kind name",
        "等级 severity",
        "状态 state",
        "来源 origin",
        "测试 test",
        "开始 opened",
        "最近 last",
        "告警数 alerts",
        "地点 place",
        "摄像机 cameras",
        "AlarmMethod",
        "AlarmType",
    ];
    csv::row(&mut text, &head.map(Cell::Text));
    for one in incidents {
        let cameras: Vec<_> =
            one.cameras.iter().map(|c| c.name.clone().unwrap_or_else(|| c.camera.to_string())).collect();
        let alarm = &one.codes.gbt28181;
        let row = [
            Cell::Text(&one.incident),
            Cell::Text(one.site.as_str()),
            Cell::from(one.site_name.as_deref()),
            Cell::Text(&one.kind),
            Cell::Owned(format!("{} {}", one.kind_name.zh, one.kind_name.en)),
            Cell::Text(one.severity.as_str()),
            Cell::Text(one.state.as_str()),
            Cell::Owned(format!("{:?}", one.origin).to_lowercase()),
            Cell::Count(i64::from(one.test)),
            Cell::Owned(one.opened_at.to_string()),
            Cell::Owned(one.last_at.to_string()),
            Cell::Count(one.alerts.cast_signed()),
            Cell::from(one.place.as_ref().and_then(|p| p.name.as_deref())),
            Cell::Owned(cameras.join("; ")),
            Cell::Count(i64::from(alarm.alarm_method)),
            alarm.alarm_type.map_or(Cell::Empty, |n| Cell::Count(i64::from(n))),
        ];
        csv::row(&mut text, &row);
    }
    text
}

/// A file to be saved.
pub(super) fn csv_file(name: &'static str, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, text).into_response()
}
