//! Incidents: the list, one with its alerts, splitting and merging.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub_core::correlate::{IncidentId, Severity};
use protocol::{AgentId, AlertId, CameraId, Epoch, SiteId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{Act, Scope, act};
use super::{App, Refusal};
use crate::store::alerts::{self, AlertView};
use crate::store::incidents::by_hand::Stays;
use crate::store::incidents::{Cursor, Filter, IncidentView, ListedIncident, Order, States};

const MOST: u32 = 200;
/// Alerts that one split takes out by name.
const CHOSEN: usize = 500;
const STATES: [&str; 7] =
    ["new", "acknowledged", "dispatched", "on_scene", "resolved", "closed", "false_alarm"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    after: Option<String>,
    /// `open`, `all`, or one state.
    state: Option<String>,
    /// `urgent` or `newest`.
    order: Option<String>,
    site: Option<String>,
    kind: Option<String>,
    severity: Option<String>,
    /// `agent/camera`
    camera: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IncidentPage")]
pub(super) struct Page {
    incidents: Vec<ListedIncident>,
    next: Option<String>,
    /// The feed from here on (`?after=`) misses nothing that is not in this page.
    change: i64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IncidentAlerts")]
pub(super) struct AlertPage {
    alerts: Vec<AlertView>,
    next: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedAlerts {
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    before: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Split {
    version: i64,
    /// `agent/epoch/seq`
    alerts: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    version: i64,
    with: String,
}

type IncidentPath = Result<Path<(SiteId, String)>, PathRejection>;

/// `GET /incidents`
pub(super) async fn list(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, Refusal> {
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let limit = limit(wanted.limit)?;
    let states = match wanted.state.as_deref() {
        None | Some("open") => States::Open,
        Some("all") => States::All,
        Some(state) if STATES.contains(&state) => States::One(state.to_owned()),
        Some(_) => {
            return Err(Refusal::bad_request(format!(
                "`state` must be open, all or one of {}",
                STATES.join(", ")
            )));
        }
    };
    let order = match wanted.order.as_deref() {
        None if states == States::Open => Order::Urgent,
        None | Some("newest") => Order::Newest,
        Some("urgent") => Order::Urgent,
        Some(_) => return Err(Refusal::bad_request("`order` must be urgent or newest")),
    };
    let severity = match wanted.severity.as_deref() {
        Some(word) => Some(
            Severity::of_word(word)
                .ok_or_else(|| Refusal::bad_request("`severity` must be low, medium, high or critical"))?,
        ),
        None => None,
    };
    let filter =
        Filter { states, site: wanted.site, kind: wanted.kind, severity, camera: camera(wanted.camera)? };
    let after = match wanted.after.as_deref() {
        Some(text) => Some(
            Cursor::parse(text)
                .ok_or_else(|| Refusal::bad_request("`after` must be the `next` of an earlier answer"))?,
        ),
        None => None,
    };
    let change = app.store.latest_change().await?;
    let (incidents, next) = app.store.incidents(scope.sites(), &filter, order, after.as_ref(), limit).await?;
    let incidents = app.store.listed(&app.work.rules, incidents).await?;
    Ok(Json(Page { incidents, next: next.map(|c| c.to_text()), change }))
}

/// `GET /incidents/{site}/{incident}`. The id of one that has become part of another answers with that one.
pub(super) async fn detail(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    path: IncidentPath,
) -> Result<Json<ListedIncident>, Refusal> {
    let (site, incident) = incident_id(path)?;
    shown(&scope, &app, &site, &incident).await
}

/// `GET /incidents/{site}/{incident}/alerts`: with what has become part of it, newest first.
pub(super) async fn alerts(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    path: IncidentPath,
    wanted: Result<Query<WantedAlerts>, QueryRejection>,
) -> Result<Json<AlertPage>, Refusal> {
    let (site, incident) = incident_id(path)?;
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let limit = limit(wanted.limit)?;
    let before = match wanted.before.as_deref() {
        Some(text) => Some(
            alerts::Cursor::parse(text)
                .ok_or_else(|| Refusal::bad_request("`before` must be the `next` of an earlier answer"))?,
        ),
        None => None,
    };
    let incident = found(&scope, &app, &site, &incident).await?.incident;
    let (alerts, next) = app.store.alerts_of(site.as_str(), &incident, before.as_ref(), limit).await?;
    Ok(Json(AlertPage { alerts, next: next.map(|c| c.to_text()) }))
}

/// `POST /incidents/{site}/{incident}/split`: the new incident.
pub(super) async fn split(
    scope: Scope<act::ReshapeIncidents>,
    State(app): State<App>,
    path: IncidentPath,
    body: Result<Json<Split>, JsonRejection>,
) -> Result<Response, Refusal> {
    let (site, incident) = incident_id(path)?;
    let incident = found(&scope, &app, &site, &incident).await?.incident;
    let Json(split) = body?;
    if split.alerts.len() > CHOSEN {
        return Err(Refusal::bad_request(format!("choose {CHOSEN} alerts at most")));
    }
    let chosen: Vec<AlertId> = split.alerts.iter().map(|text| alert_id(text)).collect::<Result<_, _>>()?;
    let done = app
        .store
        .retrying(|| app.store.split_incident(scope.user(), site.as_str(), &incident, split.version, &chosen))
        .await?;
    let new = done.map_err(stays)?;
    Ok((StatusCode::CREATED, shown(&scope, &app, &site, &new).await?).into_response())
}

/// `POST /incidents/{site}/{incident}/merge`: the older of the two, which both are from now on.
pub(super) async fn merge(
    scope: Scope<act::ReshapeIncidents>,
    State(app): State<App>,
    path: IncidentPath,
    body: Result<Json<Merge>, JsonRejection>,
) -> Result<Json<ListedIncident>, Refusal> {
    let (site, incident) = incident_id(path)?;
    let incident = found(&scope, &app, &site, &incident).await?.incident;
    let Json(merge) = body?;
    let with = uuid(&merge.with)?;
    let done = app
        .store
        .retrying(|| app.store.merge_incidents(scope.user(), site.as_str(), &incident, merge.version, &with))
        .await?;
    shown(&scope, &app, &site, &done.map_err(stays)?).await
}

/// An incident of one's own sites.
async fn found<A: Act>(
    scope: &Scope<A>,
    app: &App,
    site: &SiteId,
    incident: &str,
) -> Result<IncidentView, Refusal> {
    let found = app.store.incident_now(site.as_str(), incident).await?;
    scope.own(found, "there is no such incident")
}

/// The same, with where the work on it stands.
async fn shown<A: Act>(
    scope: &Scope<A>,
    app: &App,
    site: &SiteId,
    incident: &str,
) -> Result<Json<ListedIncident>, Refusal> {
    let found = found(scope, app, site, incident).await?;
    let listed = app.store.listed(&app.work.rules, vec![found]).await?;
    listed.into_iter().next().map(Json).ok_or_else(Refusal::internal)
}

fn stays(why: Stays) -> Refusal {
    let message = why.to_string();
    let refused = |code| Refusal::new(StatusCode::BAD_REQUEST, code, message.clone());
    match why {
        Stays::Unknown => Refusal::not_found(message),
        Stays::Changed { .. } => Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", message),
        Stays::NothingChosen => refused("nothing_chosen"),
        Stays::NothingLeft => refused("nothing_left"),
        Stays::NotInIt(_) => refused("not_in_it"),
        Stays::Same => refused("same_incident"),
    }
}

/// The incident that a path names.
pub(super) fn incident_id(path: IncidentPath) -> Result<(SiteId, String), Refusal> {
    let Path((site, incident)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    Ok((site, uuid(&incident)?))
}

fn uuid(text: &str) -> Result<String, Refusal> {
    let id: IncidentId =
        text.parse().map_err(|_| Refusal::bad_request("an incident's id is a UUID in lower case"))?;
    Ok(id.to_string())
}

fn limit(wanted: Option<u32>) -> Result<u32, Refusal> {
    let limit = wanted.unwrap_or(50);
    match (1..=MOST).contains(&limit) {
        true => Ok(limit),
        false => Err(Refusal::bad_request("`limit` must be 1 to 200")),
    }
}

fn camera(wanted: Option<String>) -> Result<Option<(String, String)>, Refusal> {
    let Some(text) = wanted else { return Ok(None) };
    let pair = text
        .split_once('/')
        .filter(|(agent, camera)| agent.parse::<AgentId>().is_ok() && camera.parse::<CameraId>().is_ok());
    let (agent, camera) =
        pair.ok_or_else(|| Refusal::bad_request("`camera` must be written like agent/camera"))?;
    Ok(Some((agent.to_owned(), camera.to_owned())))
}

fn alert_id(text: &str) -> Result<AlertId, Refusal> {
    let mut parts = text.split('/');
    let mut read = || -> Option<AlertId> {
        let (agent, epoch) = (parts.next()?.parse::<AgentId>().ok()?, parts.next()?.parse::<Epoch>().ok()?);
        let seq: u64 = parts.next()?.parse().ok()?;
        let whole = parts.next().is_none() && seq > 0 && i64::try_from(seq).is_ok();
        whole.then_some(AlertId { agent, epoch, seq })
    };
    read().ok_or_else(|| Refusal::bad_request("an alert's id is written like agent/epoch/seq"))
}
