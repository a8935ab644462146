//! Watching a camera live: a browser offers, the hub answers (WHEP: `application/sdp` both ways, 201 with the
//! place where it is ended). Looking is accountable: who began and who ended is in the audit.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hub_core::live::Camera;
use hub_core::rights::Action;
use protocol::{AgentId, CameraId, SiteId};
use schemars::JsonSchema;
use serde::Serialize;

use super::looking::{self, Look, Looked};
use super::scope::{Scope, act};
use super::{App, Refusal, session};
use crate::live::{Allowed, LiveRefusal, State as LiveState, Who, Why};

type CameraPath = Result<Path<(AgentId, CameraId)>, PathRejection>;
type ViewingPath = Result<Path<(AgentId, CameraId, String)>, PathRejection>;

const MISSING: &str = "there is no such camera";
pub(crate) const SDP: &str = "application/sdp";
/// How long somebody watches on whose session ended or who may no more.
const CHECK: Duration = Duration::from_secs(2);

/// How it stands with a camera's live video.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LiveView {
    /// `unwatched`, `asked`, `arriving` or `refused`.
    state: &'static str,
    /// Why its box refuses: `no_camera`, `live_off`, `live_most`, `live_missing`, `old` or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// `GET /cameras/{agent}/{camera}/live`
pub(super) async fn show(
    scope: Scope<act::WatchLive>,
    State(app): State<App>,
    path: CameraPath,
) -> Result<Json<LiveView>, Refusal> {
    let camera = own(&app, &scope, path).await?;
    let state = app.live.state(camera).await?;
    Ok(Json(match state {
        LiveState::Unwatched => LiveView { state: "unwatched", why: None },
        LiveState::Asked => LiveView { state: "asked", why: None },
        LiveState::Arriving => LiveView { state: "arriving", why: None },
        LiveState::Refused(why) => LiveView { state: "refused", why: Some(word(why)) },
    }))
}

/// `POST /cameras/{agent}/{camera}/live`: the body is the browser's offer.
pub(super) async fn watch(
    scope: Scope<act::WatchLive>,
    State(app): State<App>,
    path: CameraPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let camera = own(&app, &scope, path).await?;
    looking::with_reason(&app, scope.person(), Look::WatchLive)?;
    let offer = offer(&headers, body)?;
    let who = Who { account: scope.user().to_owned(), reason: scope.person().session().reason.clone() };
    let token = session::token(&headers).unwrap_or_default().to_owned();
    let begun = app.live.watch(camera.clone(), who, allowed(&app, token, camera.site.clone()), offer).await?;
    let (object, site) = (format!("{}/{}", camera.agent, camera.camera), camera.site.to_string());
    let detail = "Began to watch a camera live.";
    let looked = Looked { look: Look::WatchLive, site: Some(&site), object: &object, detail };
    // Nothing was shown yet: the browser has no answer.
    if let Err(refusal) = looking::note_each(&app, scope.person(), looked).await {
        let _ = app.live.leave(scope.user().to_owned(), begun.viewing).await;
        return Err(refusal);
    }
    let place = format!("/api/v1/cameras/{}/{}/live/{}", camera.agent, camera.camera, begun.viewing);
    let headers = [(header::CONTENT_TYPE, SDP.to_owned()), (header::LOCATION, place)];
    Ok((StatusCode::CREATED, headers, begun.answer).into_response())
}

/// `DELETE /cameras/{agent}/{camera}/live/{viewing}`
pub(super) async fn leave(
    scope: Scope<act::WatchLive>,
    State(app): State<App>,
    path: ViewingPath,
) -> Result<StatusCode, Refusal> {
    let Path((agent, camera, viewing)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    own(&app, &scope, Ok(Path((agent, camera)))).await?;
    app.live.leave(scope.user().to_owned(), viewing).await?;
    Ok(StatusCode::OK)
}

/// The camera, if there is one and it is of their sites.
async fn own(app: &App, scope: &Scope<act::WatchLive>, path: CameraPath) -> Result<Camera, Refusal> {
    let Path((agent, camera)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let found = app.store.agents(Some(agent.as_str())).await?.into_iter().next();
    let found = scope.own(found, MISSING)?;
    let site: Option<SiteId> = found.site.parse().ok();
    let there = found.cameras.iter().any(|c| c.camera == camera.as_str());
    match site.filter(|_| there) {
        Some(site) => Ok(Camera { site, agent, camera }),
        None => Err(Refusal::not_found(MISSING)),
    }
}

/// A session description in a request's body.
pub(crate) fn offer(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some(SDP) {
        let message = "an offer is sent as application/sdp";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_sdp", message));
    }
    let body = body.map_err(|e| Refusal::bad_request(e.body_text()))?;
    String::from_utf8(body.into()).map_err(|_| Refusal::bad_request("the offer is no text"))
}

/// Ends when the session does, or when its rights do.
fn allowed(app: &App, token: String, site: SiteId) -> Allowed {
    let (store, limits) = (app.store.clone(), app.limits);
    Box::pin(async move {
        loop {
            tokio::time::sleep(CHECK).await;
            match store.session(&token, limits).await {
                Ok(Some(now)) if now.grants.sites(Action::WatchLive).contains(&site) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "a live view ends: its session cannot be checked");
                    return;
                }
            }
        }
    })
}

fn word(why: Why) -> &'static str {
    use protocol::ReplyWhy;
    match why {
        Why::Old => "old",
        Why::Said(ReplyWhy::NoCamera) => "no_camera",
        Why::Said(ReplyWhy::LiveOff) => "live_off",
        Why::Said(ReplyWhy::LiveMost) => "live_most",
        Why::Said(ReplyWhy::LiveMissing) => "live_missing",
        Why::Said(ReplyWhy::Other) => "other",
    }
}

impl From<LiveRefusal> for Refusal {
    fn from(refusal: LiveRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            LiveRefusal::Session(live::LiveError::Full(_)) | LiveRefusal::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
            }
            LiveRefusal::Session(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no_session", message),
            LiveRefusal::Pace => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message).after(60),
            LiveRefusal::NotAsked | LiveRefusal::NoViewing => Self::not_found(message),
        }
    }
}
