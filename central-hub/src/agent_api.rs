//! The hub over HTTPS for its agents: enrolment, renewal, trust, stills, live video (`protocol::enrol`).
//!
//! Who asks, the door says, by the certificate that was shown; nothing in a request names an agent.

mod alerts;
pub mod caller;
pub(crate) mod enrol;
mod live;
mod stills;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post, put};
use protocol::enrol as paths;
use tokio::sync::Semaphore;

use crate::ca::Ca;
use crate::door::quota::Quota;
use crate::door::tls::Tls;
use crate::live::Live;
use crate::store::Store;
use crate::web::{Refusal, no_such_path, wrong_method};

/// Largest request body, stills apart.
const BODY_BYTES: usize = 16 * 1024;
/// How long a request may take, stills apart.
const PATIENCE: Duration = Duration::from_secs(10);
/// Stills being received at a time.
const UPLOADS: usize = 32;
/// Wrong tokens an address may try in a minute.
const WRONG_TOKENS: u32 = 30;

/// What the settings say about agents.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a box's certificate lives.
    pub certificate_days: u32,
    /// How long after its end it may still renew itself.
    pub grace_days: u32,
    /// Where the broker listens, as `protocol::enrol::Enrolment::mqtt`.
    pub mqtt: String,
}

/// What every request may need.
#[derive(Clone)]
pub struct AgentApi {
    store: Store,
    ca: Ca,
    tls: Tls,
    live: Live,
    settings: Arc<Settings>,
    uploads: Arc<Semaphore>,
    redemptions: Arc<Quota>,
}

impl AgentApi {
    pub fn new(store: Store, ca: Ca, tls: Tls, live: Live, settings: Settings) -> Self {
        Self {
            store,
            ca,
            tls,
            live,
            settings: Arc::new(settings),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            redemptions: Arc::new(Quota::new(WRONG_TOKENS)),
        }
    }
}

/// All routes. Every request must carry a [`caller::Caller`].
pub fn router(api: AgentApi) -> Router {
    Router::new()
        .route(paths::REDEEM, post(enrol::redeem))
        .route(paths::RENEW, post(enrol::renew))
        .route(paths::CONFIRM, post(enrol::confirm))
        .route(paths::TRUST, get(enrol::trust))
        .route(&format!("{}/{{epoch}}/{{seq}}", paths::ALERTS), get(alerts::receipt))
        .route(&format!("{}/{{camera}}/{{live}}", paths::LIVE), post(live::publish).delete(live::withdraw))
        .route_layer(from_fn(in_time))
        .route(&format!("{}/{{epoch}}/{{seq}}", paths::STILLS), put(stills::receive).get(alerts::still))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(api)
}

/// Who sends its body drop by drop holds no place for long.
async fn in_time(request: Request, next: Next) -> Result<Response, Refusal> {
    tokio::time::timeout(PATIENCE, next.run(request))
        .await
        .map_err(|_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the request took more than 10 s"))
}
