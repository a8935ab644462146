//! The hub over HTTPS for its agents: enrolment, renewal, trust, stills (`protocol::enrol`).
//!
//! Who asks, the door says, by the certificate that was shown; nothing in a request names an agent.

pub mod caller;
mod stills;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::put;
use protocol::enrol;
use tokio::sync::Semaphore;

use crate::store::Store;

/// Largest request body, stills apart.
const BODY_BYTES: usize = 16 * 1024;
/// Stills being received at a time.
const UPLOADS: usize = 32;

/// What every request may need.
#[derive(Clone)]
pub struct AgentApi {
    store: Store,
    uploads: Arc<Semaphore>,
}

impl AgentApi {
    pub fn new(store: Store) -> Self {
        Self { store, uploads: Arc::new(Semaphore::new(UPLOADS)) }
    }
}

/// All routes. Every request must carry a [`caller::Caller`].
pub fn router(api: AgentApi) -> Router {
    Router::new()
        .route(&format!("{}/{{epoch}}/{{seq}}", enrol::STILLS), put(stills::receive))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(api)
}
