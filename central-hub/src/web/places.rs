//! Where cameras are: reading and saying it.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{AgentId, CameraId, SiteId};
use schemars::JsonSchema;
use serde::Serialize;

use super::scope::{Scope, act};
use super::{App, Refusal};
use crate::places::{Place, Said};

#[derive(Serialize, JsonSchema)]
pub(super) struct Places {
    places: Vec<Place>,
}

type SitePath = Result<Path<SiteId>, PathRejection>;
type CameraPath = Result<Path<(SiteId, AgentId, CameraId)>, PathRejection>;

/// `GET /sites/{site}/places`
pub(super) async fn list(
    scope: Scope<act::ReadAgents>,
    State(app): State<App>,
    path: SitePath,
) -> Result<Json<Places>, Refusal> {
    let Path(site) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    Ok(Json(Places { places: app.store.places(Some(&site)).await? }))
}

/// `PUT /sites/{site}/places/{agent}/{camera}`
pub(super) async fn put(
    scope: Scope<act::ManageAgents>,
    State(app): State<App>,
    path: CameraPath,
    body: Result<Json<Said>, JsonRejection>,
) -> Result<Json<Place>, Refusal> {
    let Path((site, agent, camera)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    let Json(said) = body?;
    let place = Place { site, agent, camera, said };
    place.check().map_err(|e| Refusal::bad_request(e.to_string()))?;
    app.store.put_places(std::slice::from_ref(&place)).await?;
    Ok(Json(place))
}

/// `DELETE /sites/{site}/places/{agent}/{camera}`
pub(super) async fn remove(
    scope: Scope<act::ManageAgents>,
    State(app): State<App>,
    path: CameraPath,
) -> Result<StatusCode, Refusal> {
    let Path((site, agent, camera)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    match app.store.remove_place(&site, agent.as_str(), camera.as_str()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::not_found("nothing is said of this camera's place")),
    }
}
