//! Agents and their cameras.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{App, Refusal};
use crate::store::agents::AgentView;

#[derive(Serialize)]
pub(super) struct Agents {
    agents: Vec<NamedAgent>,
}

/// An agent with its site's name.
#[derive(Serialize)]
pub(super) struct NamedAgent {
    #[serde(flatten)]
    agent: AgentView,
    site_name: Option<String>,
}

/// `GET /agents`
pub(super) async fn list(State(app): State<App>) -> Result<Json<Agents>, Refusal> {
    let agents = app.store.agents(None).await?;
    Ok(Json(Agents { agents: agents.into_iter().map(|a| named(&app, a)).collect() }))
}

pub(super) fn named(app: &App, agent: AgentView) -> NamedAgent {
    let site_name = agent.site.parse().ok().and_then(|site| app.site_names.get(&site).cloned());
    NamedAgent { agent, site_name }
}
