//! Live video that a box offers because the hub asked for it (WHIP, RFC 9725). Whose camera it is, the certificate
//! says; that it was asked for, the hub's own list of requests.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub_core::live::Camera;
use protocol::{CameraId, enrol as paths};

use super::AgentApi;
use super::caller::{self, Caller};
use crate::live::Allowed;
use crate::web::Refusal;
use crate::web::live::{SDP, offer};

type LivePath = Result<Path<(CameraId, String)>, PathRejection>;

/// How long a box is heard on whose certificate was taken away.
const CHECK: Duration = Duration::from_secs(2);

/// `POST LIVE/{camera}/{live}`: the body is the box's offer.
pub(super) async fn publish(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    path: LivePath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let (camera, live) = own(&api, &caller, path).await?;
    let offer = offer(&headers, body)?;
    let place = format!("{}/{}/{live}", paths::LIVE, camera.camera);
    let answer = api.live.publish(camera, live, allowed(&api, caller), offer).await?;
    let headers = [(header::CONTENT_TYPE, SDP.to_owned()), (header::LOCATION, place)];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// `DELETE LIVE/{camera}/{live}`
pub(super) async fn withdraw(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    path: LivePath,
) -> Result<StatusCode, Refusal> {
    let (camera, live) = own(&api, &caller, path).await?;
    api.live.withdraw(camera, live).await?;
    Ok(StatusCode::OK)
}

/// A box speaks for its own cameras only: its name comes from its certificate.
async fn own(api: &AgentApi, caller: &Caller, path: LivePath) -> Result<(Camera, String), Refusal> {
    let identity = caller::present(&api.store, caller).await?.identity;
    let Path((camera, live)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    Ok((Camera { site: identity.site, agent: identity.agent, camera }, live))
}

/// Ends when the certificate counts no more.
fn allowed(api: &AgentApi, caller: Caller) -> Allowed {
    let store = api.store.clone();
    Box::pin(async move {
        while caller::present(&store, &caller).await.is_ok() {
            tokio::time::sleep(CHECK).await;
        }
    })
}
