//! What is given to oneself: the list of a grid member's page.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use hub_core::procedure::Wording;
use hub_core::rights::Action;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::BothLanguages;
use crate::store::steps::{CameraAt, Given, severity_name};
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};

#[derive(Serialize, JsonSchema)]
pub struct Mine {
    incidents: Vec<GivenView>,
}

/// An incident that is given to oneself or one's unit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GivenIncident")]
struct GivenView {
    site: String,
    incident: String,
    kind: String,
    /// Of a kind that people open by hand.
    #[schemars(with = "Option<BothLanguages>")]
    name: Option<Wording>,
    /// `low`, `medium`, `high` or `critical`.
    severity: &'static str,
    state: String,
    version: i64,
    due_at: Option<Timestamp>,
    opened_at: Timestamp,
    words: Option<String>,
    place: Option<String>,
    /// Those that saw it.
    cameras: Vec<GivenCamera>,
    /// The newest of its pictures.
    still: Option<GivenStill>,
}

#[derive(Serialize, JsonSchema)]
struct GivenCamera {
    agent: String,
    camera: String,
    name: Option<String>,
    /// What the place is called where it is.
    place: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
struct GivenStill {
    /// `agent/epoch/seq`
    alert: String,
    url: String,
}

/// `GET /my-incidents`: what is given to oneself or one's units, and is not settled.
pub async fn list(scope: Scope<act::WorkIncidents>, State(app): State<App>) -> Result<Json<Mine>, Refusal> {
    let reached = scope.person().grants().sites_if_assigned(Action::WorkIncidents);
    let mut rows = app.store.given_to(scope.user()).await?;
    rows.retain(|row| reached.contains_text(&row.site));
    let mut cameras: HashMap<String, Vec<CameraAt>> = HashMap::new();
    for row in rows.iter().filter(|row| row.cameras != "[]") {
        if !cameras.contains_key(&row.site) {
            cameras.insert(row.site.clone(), app.store.cameras_at(&row.site).await?);
        }
    }
    let view = |row: Given| {
        let known = cameras.get(&row.site).map_or(&[][..], Vec::as_slice);
        let names: Vec<(String, String)> = serde_json::from_str(&row.cameras).unwrap_or_default();
        let kind = app.work.rules.kinds(&row.site).find(|k| k.kind == row.kind);
        GivenView {
            name: kind.map(|k| k.name()),
            severity: severity_name(row.severity),
            due_at: row.due_at.map(Timestamp::from_unix_ms),
            opened_at: Timestamp::from_unix_ms(row.clock_from),
            cameras: names.into_iter().map(|name| camera(name, known)).collect(),
            still: row.still.map(|alert| GivenStill { url: format!("/api/v1/alerts/{alert}/still"), alert }),
            site: row.site,
            incident: row.incident,
            kind: row.kind,
            state: row.state,
            version: row.version,
            words: row.words,
            place: row.place,
        }
    };
    Ok(Json(Mine { incidents: rows.into_iter().map(view).collect() }))
}

fn camera((agent, camera): (String, String), known: &[CameraAt]) -> GivenCamera {
    let found = known.iter().find(|at| at.agent == agent && at.camera == camera);
    GivenCamera {
        name: found.and_then(|at| at.name.clone()),
        place: found.and_then(|at| at.place.clone()),
        lat: found.and_then(|at| at.lat),
        lon: found.and_then(|at| at.lon),
        agent,
        camera,
    }
}
