//! The hub over HTTP for operators: their API, the feed, the wall's files.
//!
//! Every answer carries the same protecting headers; every handler begins with
//! a permit (`scope`). Agents have a door of their own: `agent_api`.

mod account;
mod agents;
mod alerts;
mod audit;
mod error;
mod feed;
mod figures;
mod incidents;
pub(crate) mod live;
mod login;
pub mod looking;
mod once;
pub mod openapi;
mod places;
pub mod routes;
pub mod scope;
mod search;
mod session;
mod sites;
mod stills;
mod users;
pub mod wall;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn;
use axum::{Json, Router};
use hub_core::rights::Sites;
use protocol::SiteId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::config::Config;
use crate::live::Live;
use crate::store::Store;
use crate::store::exchange::Names;
use crate::store::sessions::Limits;
use crate::work::Work;
use looking::{Look, Recent};
use routes::Routes;
use scope::Anybody;

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
    /// What everything is called where other systems read.
    pub names: Arc<Names>,
    /// Ends the feeds, which otherwise never end.
    pub stop: CancellationToken,
    /// Browsers come by TLS: the session's cookie shall go no other way.
    pub tls: bool,
    /// How long people stay logged in.
    pub limits: Limits,
    /// Rules and folders for working on incidents.
    pub work: Arc<Work>,
    /// Who watches live, and the way to it.
    pub live: Live,
    /// What needs a reason.
    reason_for: Arc<[Look]>,
    recent: Arc<Recent>,
    password_checks: Arc<Semaphore>,
    password_queue: Arc<Semaphore>,
    feeds: Arc<Semaphore>,
}

impl App {
    pub fn new(store: Store, config: &Config, work: Arc<Work>, live: Live, stop: CancellationToken) -> Self {
        let names = Arc::new(config.names(store.hub_epoch()));
        Self {
            store,
            names,
            site_names: Arc::new(config.hub.site_names.clone()),
            stop,
            tls: config.wall_tls(),
            limits: config.people.limits(),
            work,
            live,
            reason_for: config.audit.reason_for.clone().into(),
            recent: Arc::default(),
            password_checks: Arc::new(Semaphore::new(PASSWORD_CHECKS)),
            password_queue: Arc::new(Semaphore::new(PASSWORD_QUEUE)),
            feeds: Arc::new(Semaphore::new(FEEDS)),
        }
    }
}

/// The sites of a scope as the database is asked for them; `None`: all.
fn site_list(sites: &Sites) -> Option<Vec<String>> {
    match sites {
        Sites::All => None,
        Sites::Only(sites) => Some(sites.iter().map(ToString::to_string).collect()),
    }
}

/// Every route of the API. Each handler's first argument says who may come (`scope`).
pub fn routes() -> Routes {
    Routes::new()
        .get("/health", health)
        .get("/openapi.json", openapi::show)
        .post("/session", login::open)
        .get("/session", session::show)
        .delete("/session", session::close)
        .put("/session/reason", session::give_reason)
        .get("/sessions", session::list)
        .delete("/sessions/{session}", session::end)
        .put("/account/password", account::set_password)
        .post("/account/second-factor", account::begin_second_factor)
        .put("/account/second-factor", account::prove_second_factor)
        .get("/users", users::list)
        .post("/users", users::add)
        .get("/users/{user}", users::show)
        .patch("/users/{user}", users::change)
        .put("/users/{user}/grants", users::set_grants)
        .post("/users/{user}/login-link", users::make_link)
        .delete("/users/{user}/sessions", users::end_sessions)
        .get("/audit", audit::list)
        .get("/alerts", alerts::list)
        .get("/alerts/{agent}/{epoch}/{seq}", alerts::detail)
        .get("/alerts/{agent}/{epoch}/{seq}/still", stills::show)
        .get("/incidents", incidents::list)
        .get("/incidents/{site}/{incident}", incidents::detail)
        .get("/incidents/{site}/{incident}/alerts", incidents::alerts)
        .post("/incidents/{site}/{incident}/split", incidents::split)
        .post("/incidents/{site}/{incident}/merge", incidents::merge)
        .get("/sites", sites::list)
        .get("/sites/{site}/places", places::list)
        .put("/sites/{site}/places/{agent}/{camera}", places::put)
        .delete("/sites/{site}/places/{agent}/{camera}", places::remove)
        .get("/agents", agents::list)
        .get("/cameras/{agent}/{camera}/live", live::show)
        .post("/cameras/{agent}/{camera}/live", live::watch)
        .delete("/cameras/{agent}/{camera}/live/{viewing}", live::leave)
        .get("/search", search::search)
        .get("/incidents/{site}/{incident}/exchange", search::exchange)
        .get("/export/incidents.csv", search::export)
        .get("/figures", figures::show)
        .get("/figures/uptime", figures::uptime::show)
        .get("/feed", feed::follow)
        .and(work::routes())
}

/// The API and the wall. `wall` is the folder of the built front end, where there is one.
pub fn router(app: App, wall: Option<PathBuf>) -> Router {
    let api = routes()
        .into_router()
        .route_layer(from_fn(session::same_origin))
        // What people see belongs in no shared cache; a handler may have said more exactly.
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
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

async fn health(_: Anybody) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}
