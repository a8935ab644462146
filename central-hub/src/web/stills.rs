//! Stills, shown to operators. Receiving them is the agents' door's.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use protocol::{AgentId, Epoch};

use super::alerts::alert_id;
use super::{App, Refusal};
use crate::still;

type StillPath = Result<Path<(AgentId, Epoch, u64)>, PathRejection>;

/// `GET /alerts/{agent}/{epoch}/{seq}/still`
pub(super) async fn show(State(app): State<App>, path: StillPath) -> Result<Response, Refusal> {
    let id = alert_id(path)?;
    let missing = || Refusal::not_found("there is no still of this alert");
    if app.store.still_digest(&id).await?.is_none() {
        return Err(missing());
    }
    let bytes = tokio::fs::read(still::path(app.store.shared(), &id)).await.map_err(|error| {
        tracing::error!(agent = %id.agent, %error, "still not read");
        missing()
    })?;
    let headers =
        [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=86400, immutable")];
    Ok((headers, bytes).into_response())
}
