//! Working on incidents over HTTP: steps, opening by hand, photos, units, grid areas, the handover sheet.
//!
//! What is allowed is `scope`'s (who, where) and hub-core's (what now). A refused step says why in both languages.

mod answers;
mod handover;
pub(super) mod mine;
pub(super) mod open;
pub(super) mod photos;
pub(super) mod steps;
pub(super) mod units;
pub(super) mod view;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use hub_core::rights::{Reach, Role as Held};
use hub_core::workflow::{Actor, Assignee, Role};
use protocol::SiteId;

use super::routes::Routes;
use super::scope::{Act, Scope};
use super::{App, Refusal};
use crate::store::steps::Case;

/// The routes of this part.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/incidents", open::open)
        .post("/incidents/steps", steps::take_many)
        .get("/incidents/{site}/{incident}/steps", steps::history)
        .post("/incidents/{site}/{incident}/steps", steps::take)
        .post("/incidents/{site}/{incident}/attachments", photos::add)
        .get("/incidents/{site}/{incident}/attachments/{file}", photos::show)
        .get("/my-incidents", mine::list)
        .get("/sites/{site}/incident-kinds", open::kinds)
        .get("/sites/{site}/handover", handover::sheet)
        .get("/sites/{site}/units", units::list)
        .put("/sites/{site}/units/{unit}", units::put)
        .delete("/sites/{site}/units/{unit}", units::remove)
        .get("/sites/{site}/areas", units::list_areas)
        .put("/sites/{site}/areas/{area}", units::put_area)
        .delete("/sites/{site}/areas/{area}", units::remove_area)
}

const NO_INCIDENT: &str = "there is no such incident";

type IncidentPath = Result<Path<(SiteId, String)>, PathRejection>;

/// The incident that a path names, in the shape of an id.
fn incident_id(path: IncidentPath) -> Result<(SiteId, String), Refusal> {
    let Path((site, incident)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    match crate::work::attachment::FileId::parse(&incident) {
        Some(_) => Ok((site, incident)),
        None => Err(Refusal::not_found(NO_INCIDENT)),
    }
}

/// As what somebody acts at a site. A foreign one is as good as none: `message`.
async fn actor<A: Act>(app: &App, scope: &Scope<A>, site: &SiteId, message: &str) -> Result<Actor, Refusal> {
    let held = scope.person().grants().roles_at(site);
    let role = match scope.reach(site).map_err(|_| Refusal::not_found(message))? {
        Reach::Site if held.contains(&Held::ShiftLead) => Role::ShiftLead,
        Reach::Site if held.contains(&Held::Operator) => Role::Operator,
        Reach::Site | Reach::Assigned | Reach::Never => Role::GridMember,
    };
    let units = app.store.units_of(site.as_str(), scope.user()).await?;
    Ok(Actor { id: scope.user().to_owned(), role, units: units.into_iter().collect() })
}

/// Whether it is given to somebody or their unit.
fn is_given(case: &Case, actor: &Actor) -> bool {
    match &case.standing.assigned {
        Some(Assignee::Member(member)) => *member == actor.id,
        Some(Assignee::Unit(unit)) => actor.units.contains(unit),
        None => false,
    }
}

/// Whether somebody may know that this incident exists.
fn may_see(case: &Case, actor: &Actor) -> bool {
    actor.role != Role::GridMember || is_given(case, actor) || case.seat(actor).reporter
}

/// Whether an incident is theirs to look into: any of their sites, or one that is given to them.
pub(super) async fn reaches<A: Act>(
    app: &App,
    scope: &Scope<A>,
    site: &SiteId,
    incident: Option<&str>,
) -> Result<bool, Refusal> {
    match (scope.reach(site), incident) {
        (Ok(Reach::Site), _) => Ok(true),
        (Ok(Reach::Assigned), Some(incident)) => {
            let actor = actor(app, scope, site, NO_INCIDENT).await?;
            let case = app.store.case(&app.work.rules, site.as_str(), incident).await?;
            Ok(case.is_some_and(|case| is_given(&case, &actor)))
        }
        _ => Ok(false),
    }
}

/// A text in both languages, as the API tells it.
#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
pub(super) struct BothLanguages {
    zh: String,
    en: String,
}

/// An incident with its history, if this person may know of it.
async fn case(app: &App, actor: &Actor, site: &SiteId, incident: &str) -> Result<Case, Refusal> {
    let found = app.store.case(&app.work.rules, site.as_str(), incident).await?;
    found.filter(|case| may_see(case, actor)).ok_or_else(|| Refusal::not_found(NO_INCIDENT))
}
