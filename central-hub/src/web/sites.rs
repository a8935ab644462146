//! The sites where somebody holds anything, and what people call them.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::scope::Person;
use super::{App, Refusal};

#[derive(Serialize, JsonSchema)]
pub(super) struct Sites {
    sites: Vec<SiteView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Site")]
struct SiteView {
    site: String,
    /// What people call it, where the settings say so.
    name: Option<String>,
}

/// `GET /sites`: whoever holds something at all sites is told those that have boxes, places or a name.
pub(super) async fn list(person: Person, State(app): State<App>) -> Result<Json<Sites>, Refusal> {
    let mut sites = BTreeSet::new();
    for grant in person.grants().iter() {
        match &grant.site {
            Some(site) => {
                sites.insert(site.to_string());
            }
            None => {
                sites.extend(app.store.known_sites().await?);
                sites.extend(app.site_names.keys().map(ToString::to_string));
            }
        }
    }
    let view = |site: String| {
        let name = site.parse().ok().and_then(|id| app.site_names.get(&id).cloned());
        SiteView { site, name }
    };
    Ok(Json(Sites { sites: sites.into_iter().map(view).collect() }))
}
