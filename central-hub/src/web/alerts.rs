//! The list of alerts and one alert.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use protocol::{AgentId, AlertId, Epoch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{Scope, act};
use super::{App, Refusal};
use crate::store::alerts::{AlertView, Cursor, Filter};

const MOST: u32 = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AlertsWanted")]
pub(super) struct Wanted {
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    before: Option<String>,
    site: Option<String>,
    agent: Option<String>,
    camera: Option<String>,
    kind: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AlertPage")]
pub(super) struct Page {
    alerts: Vec<AlertView>,
    next: Option<String>,
    /// The feed from here on (`?after=`) misses nothing that is not in this page.
    change: i64,
}

/// `GET /alerts`
pub(super) async fn list(
    scope: Scope<act::ReadAlerts>,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Page>, Refusal> {
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let limit = wanted.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::bad_request("`limit` must be 1 to 200"));
    }
    let before = match wanted.before.as_deref() {
        Some(text) => Some(
            Cursor::parse(text)
                .ok_or_else(|| Refusal::bad_request("`before` must be the `next` of an earlier answer"))?,
        ),
        None => None,
    };
    let filter = Filter { site: wanted.site, agent: wanted.agent, camera: wanted.camera, kind: wanted.kind };
    let change = app.store.latest_change().await?;
    let (alerts, next) = app.store.alerts(scope.sites(), &filter, before.as_ref(), limit).await?;
    Ok(Json(Page { alerts, next: next.map(|c| c.to_text()), change }))
}

/// `GET /alerts/{agent}/{epoch}/{seq}`
pub(super) async fn detail(
    scope: Scope<act::ReadAlerts>,
    State(app): State<App>,
    path: Result<Path<(AgentId, Epoch, u64)>, PathRejection>,
) -> Result<Json<AlertView>, Refusal> {
    let id = alert_id(path)?;
    let found = app.store.alert(id.agent.as_str(), id.epoch.as_str(), id.seq.cast_signed()).await?;
    Ok(Json(scope.own(found, "there is no such alert")?))
}

/// The alert that a path names.
pub(super) fn alert_id(path: Result<Path<(AgentId, Epoch, u64)>, PathRejection>) -> Result<AlertId, Refusal> {
    let Path((agent, epoch, seq)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    if seq == 0 || i64::try_from(seq).is_err() {
        return Err(Refusal::bad_request("seq must be 1 or more and fit into 63 bits"));
    }
    Ok(AlertId { agent, epoch, seq })
}
