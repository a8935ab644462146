//! Sessions over HTTP: who one is, what one is logged in with; and the guard against other sites' pages.
//! Logging in itself is `login`'s.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hub_core::rights::Role;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::Person;
use super::{App, Refusal};
use crate::store::sessions::Session;

pub(super) const COOKIE: &str = "signalbox_session";
const REASON_CHARS: usize = 200;

/// Who one is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Oneself {
    user: String,
    name: Option<String>,
    /// What counts in this session.
    grants: Vec<GrantView>,
    /// This session was opened with a second factor.
    second_factor: bool,
    /// Something is held that counts only with a second factor: set one up, or log in with it.
    second_factor_wanted: bool,
    /// One has a second factor.
    has_second_factor: bool,
    /// What one said one is looking for, while it holds.
    reason: Option<String>,
}

/// A role at a site, or at all.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grant")]
pub(super) struct GrantView {
    pub role: String,
    /// Absent or null: at all sites.
    #[serde(default)]
    pub site: Option<String>,
}

impl Oneself {
    pub(super) fn of(session: &Session) -> Self {
        let grant = |g: &hub_core::rights::Grant| GrantView {
            role: g.role.as_str().to_owned(),
            site: g.site.as_ref().map(|s| s.as_str().to_owned()),
        };
        let wanted = |role: &Role| role.needs_second_factor() && session.held.holds(*role);
        Self {
            user: session.account.clone(),
            name: session.name.clone(),
            grants: session.grants.iter().map(grant).collect(),
            second_factor: session.second_factor,
            second_factor_wanted: !session.second_factor && Role::ALL.iter().any(wanted),
            has_second_factor: session.has_second_factor,
            reason: session.reason.clone(),
        }
    }
}

/// `GET /session`
pub(super) async fn show(person: Person) -> Json<Oneself> {
    Json(Oneself::of(person.session()))
}

/// `DELETE /session`
pub(super) async fn close(person: Person, State(app): State<App>) -> Result<Response, Refusal> {
    app.store.end_session(person.user(), &person.session().id).await?;
    let secure = if app.tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0{secure}");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    reason: String,
}

/// `PUT /session/reason`: what one is looking for; holds for half an hour and stands with what one looks at.
pub(super) async fn give_reason(
    person: Person,
    State(app): State<App>,
    reason: Result<Json<Reason>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Reason { reason }) = reason?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(Refusal::bad_request("`reason` must have 1 to 200 characters on one line"));
    }
    app.store.set_session_reason(person.session(), reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Sessions {
    sessions: Vec<SessionView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
struct SessionView {
    id: String,
    /// The one that asks.
    this: bool,
    opened_at: Timestamp,
    idle_minutes: i64,
    source: String,
    browser: String,
    second_factor: bool,
}

/// `GET /sessions`: one's own.
pub(super) async fn list(person: Person, State(app): State<App>) -> Result<Json<Sessions>, Refusal> {
    let sessions = app.store.sessions_of(person.user(), app.limits).await?;
    let view = |s: crate::store::sessions::Listed| SessionView {
        this: s.id == person.session().id,
        id: s.id,
        opened_at: Timestamp::from_unix_ms(s.created_at),
        idle_minutes: s.idle_minutes,
        source: s.source,
        browser: s.browser,
        second_factor: s.second_factor,
    };
    Ok(Json(Sessions { sessions: sessions.into_iter().map(view).collect() }))
}

/// `DELETE /sessions/{session}`: one of one's own.
pub(super) async fn end(
    person: Person,
    State(app): State<App>,
    session: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refusal> {
    let Path(session) = session.map_err(|e| Refusal::bad_request(e.body_text()))?;
    if app.store.end_session(person.user(), &session).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::not_found("you have no such session"))
    }
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
    cookie(headers, COOKIE)
}

pub(super) fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted).then_some(value))
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
