//! What became of a box's own alerts, for the acceptance of an installation: the hub's own word, read from
//! where the wall reads it.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use protocol::enrol::Receipt;
use protocol::{AlertId, Epoch};

use super::AgentApi;
use super::caller::{self, Caller};
use crate::evidence::Key;
use crate::web::Refusal;

type AlertPath = Result<Path<(Epoch, u64)>, PathRejection>;

/// `GET ALERTS/{epoch}/{seq}`: whether the alert is stored, and its still.
pub(super) async fn receipt(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    path: AlertPath,
) -> Result<Json<Receipt>, Refusal> {
    let id = own(&api, &caller, path).await?;
    let found = api.store.alert(id.agent.as_str(), id.epoch.as_str(), id.seq.cast_signed()).await?;
    let alert = found.ok_or_else(|| Refusal::not_found("there is no such alert"))?;
    Ok(Json(Receipt {
        v: protocol::VERSION,
        test: alert.test,
        received_at: alert.received_at,
        still: alert.still.state,
        still_reason: alert.still.reason,
    }))
}

/// `GET STILLS/{epoch}/{seq}`: the still as it is stored.
pub(super) async fn still(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    path: AlertPath,
) -> Result<Response, Refusal> {
    let id = own(&api, &caller, path).await?;
    let missing = || Refusal::not_found("there is no still of this alert");
    if api.store.still_digest(&id).await?.is_none() {
        return Err(missing());
    }
    let bytes = api.store.evidence().get(&Key::still(&id)).await.map_err(|error| {
        tracing::error!(agent = %id.agent, %error, "still not read");
        missing()
    })?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response())
}

/// A box asks after its own alerts only: its name comes from its certificate.
async fn own(api: &AgentApi, caller: &Caller, path: AlertPath) -> Result<AlertId, Refusal> {
    let certificate = caller::present(&api.store, caller).await?;
    let Path((epoch, seq)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    if seq == 0 || i64::try_from(seq).is_err() {
        return Err(Refusal::bad_request("seq must be 1 or more and fit into 63 bits"));
    }
    Ok(AlertId { agent: certificate.identity.agent, epoch, seq })
}
