//! Stills, shown to operators. Receiving them is the agents' door's.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use protocol::{AgentId, Epoch};

use super::alerts::alert_id;
use super::looking::{self, Look, Looked};
use super::scope::{Scope, act};
use super::{App, Refusal, work};
use crate::evidence::Key;

type StillPath = Result<Path<(AgentId, Epoch, u64)>, PathRejection>;

/// `GET /alerts/{agent}/{epoch}/{seq}/still`
pub(super) async fn show(
    scope: Scope<act::ViewStills>,
    State(app): State<App>,
    path: StillPath,
) -> Result<Response, Refusal> {
    const MISSING: &str = "there is no still of this alert";
    let id = alert_id(path)?;
    let missing = || Refusal::not_found(MISSING);
    // A still whose alert has not come yet is nobody's.
    let alert = app.store.alert(id.agent.as_str(), id.epoch.as_str(), id.seq.cast_signed()).await?;
    let alert = alert.ok_or_else(missing)?;
    let site = alert.site.parse().map_err(|_| missing())?;
    if !work::reaches(&app, &scope, &site, alert.incident.as_deref()).await? {
        return Err(missing());
    }
    if app.store.still_digest(&id).await?.is_none() {
        return Err(missing());
    }
    let bytes = app.store.evidence().get(&Key::still(&id)).await.map_err(|error| {
        tracing::error!(agent = %id.agent, %error, "still not read");
        missing()
    })?;
    let (site, object) = (Some(alert.site.as_str()), alert.id.as_str());
    let seen = Looked { look: Look::ViewStill, site, object, detail: "Viewed the still of an alert." };
    looking::note(&app, scope.person(), seen).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
        // The next one at this browser may be somebody else.
        (header::VARY, "cookie"),
    ];
    Ok((headers, bytes).into_response())
}
