//! Logging in and out, and the two guards before the operators' routes: a session, and the same origin.

use std::net::SocketAddr;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{App, Refusal};
use crate::credential;
use crate::store::operators::SESSION_MS;

const COOKIE: &str = "signalbox_session";
const MOST_CHARS: usize = 256;

/// The logged-in user of a request.
#[derive(Debug, Clone)]
pub(super) struct User(String);

impl User {
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// Either a user with a password, or the token of a one-time link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

/// `POST /session`
pub(super) async fn open(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    login: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(login) = login?;
    let user = match login {
        Login { user: Some(user), password: Some(password), token: None } => {
            by_password(&app, peer, user, password).await?
        }
        Login { user: None, password: None, token: Some(token) } => by_link(&app, peer, &token).await?,
        _ => return Err(Refusal::bad_request("send either `user` and `password`, or `token`")),
    };
    let token = credential::random_token().map_err(|error| {
        tracing::error!(%error, "no session opened");
        Refusal::internal()
    })?;
    app.store.open_session(&user, &token).await?;
    tracing::info!(user, peer = %peer.ip(), "logged in");
    let age = SESSION_MS / 1000;
    let secure = if app.tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}{secure}");
    Ok(([(header::SET_COOKIE, cookie)], Json(serde_json::json!({ "user": user }))).into_response())
}

async fn by_password(app: &App, peer: SocketAddr, user: String, password: String) -> Result<String, Refusal> {
    /// Checked where there is no such user, so that the answer takes as long.
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| credential::password_hash("nobody").unwrap_or_default());
    if user.chars().count() > MOST_CHARS || password.chars().count() > MOST_CHARS {
        return Err(wrong());
    }
    // Whoever comes while this many wait shall not wait behind them for a minute.
    let _place = app.password_queue.try_acquire().map_err(|_| Refusal::busy())?;
    admit(app, &user, peer).await?;
    let hash = app.store.password_hash_of(&user).await?;
    let _permit = app.password_checks.acquire().await.map_err(|_| Refusal::busy())?;
    let matches = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => credential::password_matches(&password, &hash),
        None => {
            credential::password_matches(&password, &NOBODY);
            false
        }
    });
    if !matches.await.unwrap_or(false) {
        tracing::warn!(user, peer = %peer.ip(), "login refused");
        return Err(wrong());
    }
    app.store.first_password_used(&user);
    Ok(user)
}

async fn by_link(app: &App, peer: SocketAddr, token: &str) -> Result<String, Refusal> {
    admit(app, "one-time link", peer).await?;
    app.store.use_login_link(token).await?.ok_or_else(|| {
        tracing::warn!(peer = %peer.ip(), "one-time link refused");
        let message =
            "this link was used already or is too old; make a new one with `central-hub user login-link`";
        Refusal::new(StatusCode::UNAUTHORIZED, "link_used", message)
    })
}

async fn admit(app: &App, account: &str, peer: SocketAddr) -> Result<(), Refusal> {
    if app.store.admit_login(account, &peer.ip().to_string()).await? {
        return Ok(());
    }
    tracing::warn!(account, peer = %peer.ip(), "too many login attempts");
    let message = "too many attempts; wait a minute and try again";
    Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message))
}

fn wrong() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "wrong_login", "user or password is wrong")
}

/// `GET /session`
pub(super) async fn show(Extension(User(user)): Extension<User>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "user": user }))
}

/// `DELETE /session`
pub(super) async fn close(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    if let Some(token) = token(&headers) {
        app.store.close_session(token).await?;
    }
    let secure = if app.tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0{secure}");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Lets a request with a session through, and says whose it is.
pub(super) async fn require(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let user = match token(request.headers()) {
        Some(token) => app.store.session_user(token).await?,
        None => None,
    };
    let Some(user) = user else {
        let message = "log in first: POST /api/v1/session";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "not_logged_in", message));
    };
    request.extensions_mut().insert(User(user));
    let mut response = next.run(request).await;
    // What operators see belongs in no shared cache; a handler may have said more exactly.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(axum::http::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Refuses what another site's page makes a browser send.
pub(super) async fn same_origin(request: Request, next: Next) -> Result<Response, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !is_same_origin(request.headers()) {
        let message = "this request comes from another site's page";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", message));
    }
    Ok(next.run(request).await)
}

/// Browsers name the origin of every such request; programs that are no browsers name none.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text("origin") else { return true };
    let host = text("host").unwrap_or("");
    !host.is_empty() && origin.split_once("://").is_some_and(|(_, authority)| authority == host)
}

pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn only_the_own_page_may_change_something() {
        let host = ("host", "hub:8080");
        assert!(is_same_origin(&headers(&[host])));
        assert!(is_same_origin(&headers(&[host, ("origin", "http://hub:8080")])));
        assert!(is_same_origin(&headers(&[
            host,
            ("origin", "http://hub:8080"),
            ("sec-fetch-site", "same-origin")
        ])));
        for origin in ["http://evil", "http://hub:8081", "null", "http://hub:8080.evil", "hub:8080"] {
            assert!(!is_same_origin(&headers(&[host, ("origin", origin)])), "{origin}");
        }
        assert!(!is_same_origin(&headers(&[host, ("sec-fetch-site", "cross-site")])));
        assert!(!is_same_origin(&headers(&[("origin", "http://hub:8080")])));
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        assert_eq!(token(&headers(&[("cookie", "a=b; signalbox_session=t0; c=d")])), Some("t0"));
        assert_eq!(token(&headers(&[("cookie", "xsignalbox_session=t0")])), None);
    }
}
