//! Agents and their cameras.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::scope::{Scope, act};
use super::{App, Refusal};
use crate::store::agents::AgentView;

#[derive(Serialize, JsonSchema)]
pub(super) struct Agents {
    agents: Vec<NamedAgent>,
    /// The feed from here on (`?after=`) misses nothing that is not in here.
    change: i64,
}

/// An agent with its site's name.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NamedAgent")]
pub(super) struct NamedAgent {
    #[serde(flatten)]
    agent: AgentView,
    site_name: Option<String>,
}

/// `GET /agents`
pub(super) async fn list(
    scope: Scope<act::ReadAgents>,
    State(app): State<App>,
) -> Result<Json<Agents>, Refusal> {
    let change = app.store.latest_change().await?;
    let mut agents = app.store.agents(None).await?;
    agents.retain(|agent| scope.sites().contains_text(&agent.site));
    Ok(Json(Agents { agents: agents.into_iter().map(|a| named(&app, a)).collect(), change }))
}

pub(super) fn named(app: &App, agent: AgentView) -> NamedAgent {
    let site_name = agent.site.parse().ok().and_then(|site| app.site_names.get(&site).cloned());
    NamedAgent { agent, site_name }
}
