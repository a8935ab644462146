//! Units with their members, and grid areas.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use hub_core::area::{MOST_CORNERS, NoOutline, Outline};
use protocol::SiteId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::reports::Point;
use crate::store::units::{AreaView, UnitView};
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};

/// Most units, and most areas, of a site.
const MOST: usize = 500;
/// Most members of a unit.
const MOST_MEMBERS: usize = 100;
/// Longest name, letters.
const NAME_LETTERS: usize = 80;

type SitePath = Result<Path<SiteId>, PathRejection>;
type ThingPath = Result<Path<(SiteId, String)>, PathRejection>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewUnit")]
pub struct Unit {
    name: String,
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewArea")]
pub struct Area {
    name: String,
    plane: Plane,
    outline: Vec<[f64; 2]>,
    unit: Option<String>,
    member: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Plane {
    Plan,
    Wgs84,
}

#[derive(Serialize, JsonSchema)]
pub struct Units {
    units: Vec<UnitView>,
}

#[derive(Serialize, JsonSchema)]
pub struct Areas {
    areas: Vec<AreaView>,
}

/// `GET /sites/{site}/units`
pub async fn list(
    scope: Scope<act::ReadUnits>,
    State(app): State<App>,
    path: SitePath,
) -> Result<Json<Units>, Refusal> {
    let Path(site) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    Ok(Json(Units { units: app.store.units(site.as_str()).await? }))
}

/// `PUT /sites/{site}/units/{unit}`
pub async fn put(
    scope: Scope<act::ManageUnits>,
    State(app): State<App>,
    path: ThingPath,
    unit: Result<Json<Unit>, JsonRejection>,
) -> Result<Json<UnitView>, Refusal> {
    let (site, id) = thing(path)?;
    scope.at(&site)?;
    let Json(Unit { name, mut members }) = unit?;
    check_name(&name)?;
    members.sort();
    members.dedup();
    if members.len() > MOST_MEMBERS {
        return Err(unprocessable("a unit has at most 100 members"));
    }
    for member in &members {
        if !app.store.is_account(member).await? {
            return Err(unprocessable(format!("there is no user `{}`", cut(member))));
        }
    }
    let known = app.store.units(site.as_str()).await?;
    if known.len() >= MOST && !known.iter().any(|u| u.unit == id) {
        return Err(unprocessable("a site has at most 500 units"));
    }
    let unit = UnitView { site: site.to_string(), unit: id, name, members };
    app.store.put_unit(&unit, scope.user()).await?;
    Ok(Json(unit))
}

/// `DELETE /sites/{site}/units/{unit}`
pub async fn remove(
    scope: Scope<act::ManageUnits>,
    State(app): State<App>,
    path: ThingPath,
) -> Result<StatusCode, Refusal> {
    let (site, unit) = thing(path)?;
    scope.at(&site)?;
    match app.store.remove_unit(site.as_str(), &unit, scope.user()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::not_found("there is no such unit")),
    }
}

/// `GET /sites/{site}/areas`
pub async fn list_areas(
    scope: Scope<act::ReadUnits>,
    State(app): State<App>,
    path: SitePath,
) -> Result<Json<Areas>, Refusal> {
    let Path(site) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    Ok(Json(Areas { areas: app.store.areas(site.as_str()).await? }))
}

/// `PUT /sites/{site}/areas/{area}`
pub async fn put_area(
    scope: Scope<act::ManageUnits>,
    State(app): State<App>,
    path: ThingPath,
    area: Result<Json<Area>, JsonRejection>,
) -> Result<Json<AreaView>, Refusal> {
    let (site, id) = thing(path)?;
    scope.at(&site)?;
    let Json(Area { name, plane, outline, unit, member }) = area?;
    check_name(&name)?;
    check_outline(plane, &outline)?;
    match (&unit, &member) {
        (Some(_), Some(_)) => {
            return Err(unprocessable("an area belongs to a unit or to a member, not to both"));
        }
        (Some(unit), None) if !app.store.units(site.as_str()).await?.iter().any(|u| u.unit == *unit) => {
            return Err(unprocessable(format!("there is no unit `{}`", cut(unit))));
        }
        (None, Some(member)) if !app.store.is_account(member).await? => {
            return Err(unprocessable(format!("there is no user `{}`", cut(member))));
        }
        _ => {}
    }
    let known = app.store.areas(site.as_str()).await?;
    if known.len() >= MOST && !known.iter().any(|a| a.area == id) {
        return Err(unprocessable("a site has at most 500 grid areas"));
    }
    let plane = match plane {
        Plane::Plan => "plan",
        Plane::Wgs84 => "wgs84",
    };
    let area =
        AreaView { site: site.to_string(), area: id, name, plane: plane.to_owned(), outline, unit, member };
    app.store.put_area(&area, scope.user()).await?;
    Ok(Json(area))
}

/// `DELETE /sites/{site}/areas/{area}`
pub async fn remove_area(
    scope: Scope<act::ManageUnits>,
    State(app): State<App>,
    path: ThingPath,
) -> Result<StatusCode, Refusal> {
    let (site, area) = thing(path)?;
    scope.at(&site)?;
    match app.store.remove_area(site.as_str(), &area, scope.user()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::not_found("there is no such grid area")),
    }
}

fn check_outline(plane: Plane, outline: &[[f64; 2]]) -> Result<(), Refusal> {
    let somewhere = |[a, b]: &[f64; 2]| match plane {
        Plane::Plan => Point::Plan { x: *a, y: *b }.is_somewhere(),
        Plane::Wgs84 => Point::Earth { lat: *b, lon: *a }.is_somewhere(),
    };
    if !outline.iter().all(somewhere) {
        return Err(unprocessable(
            "a corner of `outline` is nowhere: [x, y] in metres, or [lon, lat] in degrees",
        ));
    }
    match Outline::new(outline.to_vec()) {
        Ok(_) => Ok(()),
        Err(NoOutline::Corners(n)) => {
            Err(unprocessable(format!("`outline` has {n} corners; 3 to {MOST_CORNERS} are possible")))
        }
        Err(NoOutline::NotFinite | NoOutline::Empty) => Err(unprocessable("`outline` encloses nothing")),
    }
}

/// Ids of units and areas are chosen by people; they have the shape of the protocol's ids.
fn thing(path: ThingPath) -> Result<(SiteId, String), Refusal> {
    let Path((site, id)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    match id.parse::<SiteId>() {
        Ok(_) => Ok((site, id)),
        Err(error) => Err(Refusal::bad_request(format!("the id has a wrong shape: {}", error.rule))),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    match name.trim().is_empty() || name.chars().count() > NAME_LETTERS {
        true => Err(unprocessable("`name` has 1 to 80 letters")),
        false => Ok(()),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

fn unprocessable(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message)
}
