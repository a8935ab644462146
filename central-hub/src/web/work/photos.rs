//! Photos: taken in, stripped, kept; shown to whoever may see their incident, which is an entry of the audit.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::SiteId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::answers::Failure;
use super::steps::{attach_step, attach_wish, carry_out};
use super::{IncidentPath, NO_INCIDENT, actor, case, incident_id};
use crate::store::attachments::AttachmentRow;
use crate::store::once::Answer;
use crate::store::reports::ReportView;
use crate::store::steps::Case;
use crate::uuid::uuid7;
use crate::web::looking::{self, Look, Looked};
use crate::web::once::{self, Key};
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};
use crate::work::attachment::FileId;
use crate::work::photo::{MOST_BYTES, NoPhoto, strip};

/// A photo that was taken in.
#[derive(Serialize, JsonSchema)]
pub struct Attached {
    file: String,
    media_type: String,
    url: String,
}

const NO_PHOTO: &str = "there is no such photo";

/// `POST /incidents/{site}/{incident}/attachments`: the body is the picture.
pub async fn add(
    scope: Scope<act::WorkIncidents>,
    State(app): State<App>,
    path: IncidentPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let (site, incident) = incident_id(path)?;
    let actor = actor(&app, &scope, &site, NO_INCIDENT).await?;
    // The common limit is for words; a picture has its own.
    let sent = axum::body::to_bytes(body, MOST_BYTES).await.map_err(|_| refused(NoPhoto::TooLarge))?;
    let key = Key::read(&headers, &format!("attachments/{site}/{incident}"), &sent)?;
    if let Some(response) = once::earlier(&app, key.as_ref(), &actor.id).await? {
        return Ok(response);
    }
    let case = case(&app, &actor, &site, &incident).await?;
    let stripped = tokio::task::spawn_blocking(move || strip(&sent)).await;
    let (format, picture) = stripped.map_err(|_| Refusal::internal())?.map_err(refused)?;
    let id = uuid7().ok().and_then(|id| FileId::parse(&id)).ok_or_else(Refusal::internal)?;

    let row = AttachmentRow {
        incident: case.row.incident,
        media_type: format.media_type().to_owned(),
        bytes: picture.len() as i64,
        added_at: 0,
        actor: actor.id.clone(),
    };
    let (work, name) = (app.work.clone(), id.clone());
    let written = tokio::task::spawn_blocking(move || work.attachments.write(&name, &picture)).await;
    if let Err(error) = written.unwrap_or_else(|e| Err(std::io::Error::other(e))) {
        tracing::error!(%error, "photo not written");
        return Err(Refusal::internal().into());
    }
    app.store.put_attachment(site.as_str(), id.as_str(), &row).await?;
    let step = attach_step();
    let url = format!("/api/v1/incidents/{site}/{incident}/attachments/{}", id.as_str());
    let attached = Attached { file: id.as_str().to_owned(), media_type: row.media_type.clone(), url };
    let body = json!(attached).to_string();
    let answering = |_: &Case, _: Option<&ReportView>| Answer {
        status: StatusCode::CREATED.as_u16().into(),
        version: None,
        body: body.clone(),
    };
    let wish = attach_wish(&site, &incident, &actor, &step, &id);
    let carried = carry_out(&app, &wish, key.as_ref(), &answering).await;
    if !matches!(carried, Ok((_, true))) {
        // Nothing speaks of this one: neither the row nor the file stays behind.
        app.store.forget_attachment(site.as_str(), id.as_str()).await?;
        let (work, name) = (app.work.clone(), id.clone());
        let removed = tokio::task::spawn_blocking(move || work.attachments.remove(&name)).await;
        if let Err(error) = removed.unwrap_or_else(|e| Err(std::io::Error::other(e))) {
            tracing::warn!(%error, file = id.as_str(), "photo without a step not removed");
        }
    }
    Ok(carried?.0)
}

/// `GET /incidents/{site}/{incident}/attachments/{file}`
pub async fn show(
    scope: Scope<act::ReadIncidents>,
    State(app): State<App>,
    path: Result<Path<(SiteId, String, String)>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path((site, incident, file)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let missing = || Refusal::not_found(NO_PHOTO);
    let id = FileId::parse(&file).ok_or_else(missing)?;
    let actor = actor(&app, &scope, &site, NO_PHOTO).await?;
    let case = case(&app, &actor, &site, &incident).await.map_err(|refusal| match refusal.status {
        StatusCode::NOT_FOUND => missing(),
        _ => refusal,
    })?;
    let row = app.store.attachment(site.as_str(), id.as_str()).await?.ok_or_else(missing)?;
    if !case.has_part(&row.incident) {
        return Err(missing());
    }
    let work = app.work.clone();
    let read = tokio::task::spawn_blocking(move || work.attachments.read(&id)).await;
    let bytes = read.unwrap_or_else(|e| Err(std::io::Error::other(e))).map_err(|error| {
        tracing::error!(%error, "photo not read");
        missing()
    })?;
    let object = format!("{}/{}", row.incident, file);
    let (site, detail) = (Some(site.as_str()), "Viewed a photo of an incident.");
    let seen = Looked { look: Look::ViewPhoto, site, object: &object, detail };
    looking::note(&app, scope.person(), seen).await?;
    let headers = [
        (header::CONTENT_TYPE, row.media_type.as_str()),
        (header::CACHE_CONTROL, "private, max-age=86400, immutable"),
        // The next one at this browser may be somebody else.
        (header::VARY, "cookie"),
    ];
    Ok((headers, bytes).into_response())
}

fn refused(why: NoPhoto) -> Refusal {
    let status = match why {
        NoPhoto::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        NoPhoto::Format => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        NoPhoto::Damaged(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Refusal::new(status, "no_photo", why.to_string())
}
