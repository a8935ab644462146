//! The hub over HTTP for operators: their API, the feed, the wall's files.
//!
//! Every answer carries the same protecting headers; everything but health and login needs an
//! operator's session. Agents have a door of their own: `agent_api`.

mod agents;
mod alerts;
mod error;
mod feed;
mod incidents;
mod places;
mod session;
mod stills;
pub mod wall;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use protocol::SiteId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::store::Store;

pub use error::Refusal;
pub(crate) use error::{no_such_path, wrong_method};

const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'; object-src 'none'; require-trusted-types-for 'script'";
/// Largest request body.
const BODY_BYTES: usize = 64 * 1024;
/// Password checks at a time: each takes 19 MiB and a core.
const PASSWORD_CHECKS: usize = 2;
/// Password checks that are done or wait.
const PASSWORD_QUEUE: usize = 32;
/// Feeds open at a time.
const FEEDS: usize = 256;

/// What every request may need.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub site_names: Arc<BTreeMap<SiteId, String>>,
    /// Ends the feeds, which otherwise never end.
    pub stop: CancellationToken,
    /// Browsers come by TLS: the session's cookie shall go no other way.
    pub tls: bool,
    password_checks: Arc<Semaphore>,
    password_queue: Arc<Semaphore>,
    feeds: Arc<Semaphore>,
}

impl App {
    pub fn new(
        store: Store,
        site_names: BTreeMap<SiteId, String>,
        stop: CancellationToken,
        tls: bool,
    ) -> Self {
        Self {
            store,
            site_names: Arc::new(site_names),
            stop,
            tls,
            password_checks: Arc::new(Semaphore::new(PASSWORD_CHECKS)),
            password_queue: Arc::new(Semaphore::new(PASSWORD_QUEUE)),
            feeds: Arc::new(Semaphore::new(FEEDS)),
        }
    }
}

/// All routes. `wall` is the folder of the built front end, where there is one.
pub fn router(app: App, wall: Option<PathBuf>) -> Router {
    let operators = Router::new()
        .route("/session", get(session::show).delete(session::close))
        .route("/alerts", get(alerts::list))
        .route("/alerts/{agent}/{epoch}/{seq}", get(alerts::detail))
        .route("/alerts/{agent}/{epoch}/{seq}/still", get(stills::show))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{site}/{incident}", get(incidents::detail))
        .route("/incidents/{site}/{incident}/alerts", get(incidents::alerts))
        .route("/incidents/{site}/{incident}/split", post(incidents::split))
        .route("/incidents/{site}/{incident}/merge", post(incidents::merge))
        .route("/sites/{site}/places", get(places::list))
        .route("/sites/{site}/places/{agent}/{camera}", put(places::put).delete(places::remove))
        .route("/agents", get(agents::list))
        .route("/feed", get(feed::follow))
        .route_layer(from_fn_with_state(app.clone(), session::require));
    let api = Router::new()
        .route("/health", get(health))
        .route("/session", post(session::open))
        .merge(operators)
        .route_layer(from_fn(session::same_origin))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .with_state(app);
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    wall::serve(
        Router::new().nest("/api/v1", api).route("/api/{*rest}", axum::routing::any(error::no_such_path)),
        wall,
    )
    .layer(always(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
    .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
    .layer(always(header::REFERRER_POLICY, "no-referrer"))
    .layer(always(header::X_FRAME_OPTIONS, "DENY"))
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
