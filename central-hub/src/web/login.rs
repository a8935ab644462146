//! Logging in: by password or one-time link, and by a code where a second factor is set up.
//!
//! A try is counted before anything is looked at. A user that does not exist, one that is disabled and one
//! without a password take as long as a wrong password and are answered the same.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::scope::Anybody;
use super::session::{self, COOKIE, Oneself};
use super::{App, Refusal};
use crate::clock::now_ms;
use crate::store::audit::Note;
use crate::store::logins::{Bucket, Proofs};
use crate::store::people::account_of;
use crate::store::sessions::Opening;
use crate::{credential, seal, totp};

const DEVICE_COOKIE: &str = "signalbox_device";
/// Longest that browsers keep a cookie.
const DEVICE_DAYS: u32 = 400;
const MOST_CHARS: usize = 256;

/// Either a user with a password, or the token of a one-time link; with a code where a second factor is set up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
    code: Option<String>,
}

/// Where a try comes from.
struct From<'a> {
    source: String,
    /// The browser's token, if it has one.
    device: Option<&'a str>,
    browser: &'a str,
}

/// `POST /session`
pub(super) async fn open(
    _: Anybody,
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    login: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(login) = login?;
    let from = From {
        source: source_of(peer.ip()),
        device: session::cookie(&headers, DEVICE_COOKIE),
        browser: headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or(""),
    };
    let (account, second_factor, by_link) = match login {
        Login { user: Some(user), password: Some(password), token: None, code } => {
            let (account, second) = by_password(&app, &from, &user, password, code.as_deref()).await?;
            (account, second, false)
        }
        Login { user: None, password: None, token: Some(token), code } => {
            let (account, second) = by_link(&app, &from, &token, code.as_deref()).await?;
            (account, second, true)
        }
        _ => return Err(Refusal::bad_request("send either `user` and `password`, or `token`; and `code`")),
    };
    let token = random_token()?;
    let (source, browser) = (from.source.as_str(), from.browser);
    let opening = Opening { account: &account, token: &token, second_factor, by_link, source, browser };
    app.store.open_session(opening).await?;
    tracing::info!(user = account, source, "logged in");
    let device = device_of(&app, &account, from.device).await?;
    let opened = app.store.session(&token, app.limits).await?.ok_or_else(Refusal::internal)?;
    let secure = if app.tls { "; Secure" } else { "" };
    let age = app.limits.longest * 60;
    let session = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}{secure}");
    let age = DEVICE_DAYS * 24 * 60 * 60;
    let device = format!(
        "{DEVICE_COOKIE}={device}; HttpOnly; SameSite=Strict; Path=/api/v1/session; Max-Age={age}{secure}"
    );
    let cookies = AppendHeaders([(header::SET_COOKIE, session), (header::SET_COOKIE, device)]);
    Ok((cookies, Json(Oneself::of(&opened))).into_response())
}

async fn by_password(
    app: &App,
    from: &From<'_>,
    user: &str,
    password: String,
    code: Option<&str>,
) -> Result<(String, bool), Refusal> {
    /// Checked where there is no such user, so that the answer takes as long.
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| credential::password_hash("nobody").unwrap_or_default());
    if user.chars().count() > MOST_CHARS || password.chars().count() > MOST_CHARS {
        return Err(wrong());
    }
    // What is no account is nobody's: it is counted and takes as long all the same.
    let account = account_of(user).unwrap_or_else(|_| "?".to_owned());
    let buckets = buckets(app, from, &account).await?;
    // Whoever comes while this many wait shall not wait behind them for a minute; a known browser may.
    let stranger = !buckets.known;
    let _place = match stranger {
        true => Some(app.password_queue.try_acquire().map_err(|_| Refusal::busy())?),
        false => None,
    };
    admit(app, &account, from, &buckets.tries).await?;
    let proofs = app.store.proofs(&account).await?;
    let usable = proofs.as_ref().filter(|p| !p.disabled && !p.password_hash.is_empty());
    let good = usable.is_some();
    let hash = usable.map_or_else(|| NOBODY.clone(), |p| p.password_hash.clone());
    let _permit = app.password_checks.acquire().await.map_err(|_| Refusal::busy())?;
    let matches = tokio::task::spawn_blocking(move || credential::password_matches(&password, &hash));
    let matches = matches.await.unwrap_or(false);
    let Some(proofs) = proofs.filter(|_| good && matches) else {
        refused(app, good, &account, from, "A wrong password").await?;
        return Err(wrong());
    };
    let second = second_factor(app, from, &account, &proofs, code, &buckets).await?;
    app.store.first_password_used(&account);
    Ok((account, second))
}

async fn by_link(
    app: &App,
    from: &From<'_>,
    token: &str,
    code: Option<&str>,
) -> Result<(String, bool), Refusal> {
    let used = || {
        tracing::warn!(source = from.source, "one-time link refused");
        let message =
            "this link was used already or is too old; make a new one with `central-hub user login-link`";
        Refusal::new(StatusCode::UNAUTHORIZED, "link_used", message)
    };
    // A link is 256 random bits: the bound is for the hub's sake.
    admit(app, "one-time link", from, &[Bucket::source(&from.source)]).await?;
    let account = app.store.login_link(token).await?.ok_or_else(used)?;
    let proofs = app.store.proofs(&account).await?.ok_or_else(used)?;
    let buckets = buckets(app, from, &account).await?;
    let second = second_factor(app, from, &account, &proofs, code, &buckets).await?;
    app.store.use_login_link(token).await?.ok_or_else(used)?;
    Ok((account, second))
}

/// Whether a second factor was shown; an error where one is set up and was not.
async fn second_factor(
    app: &App,
    from: &From<'_>,
    account: &str,
    proofs: &Proofs,
    code: Option<&str>,
    buckets: &Buckets,
) -> Result<bool, Refusal> {
    let Some(sealed) = &proofs.second_factor else { return Ok(false) };
    let Some(code) = code else {
        let message = "a second factor is set up: send its `code` as well";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "code_needed", message));
    };
    admit(app, account, from, &buckets.codes).await?;
    if take_code(app, account, sealed, code, proofs.used_step).await? {
        return Ok(true);
    }
    refused(app, true, account, from, "A wrong or used code of the second factor").await?;
    Err(Refusal::new(
        StatusCode::UNAUTHORIZED,
        "wrong_code",
        "the code is wrong, too old or was used already",
    ))
}

/// Whether a code counts, and uses it up.
pub(super) async fn take_code(
    app: &App,
    account: &str,
    sealed: &[u8],
    code: &str,
    used: i64,
) -> Result<bool, Refusal> {
    let secret = seal::open(app.store.shared(), account, sealed).map_err(|error| {
        tracing::error!(%error, account, "second factor not checked");
        Refusal::internal()
    })?;
    match totp::step_of(&secret, code, now_ms(), used) {
        Some(step) => Ok(app.store.use_code(account, step).await?),
        None => Ok(false),
    }
}

/// Which counts a try goes into.
struct Buckets {
    known: bool,
    tries: Vec<Bucket>,
    codes: Vec<Bucket>,
}

async fn buckets(app: &App, from: &From<'_>, account: &str) -> Result<Buckets, Refusal> {
    if let Some(device) = from.device.filter(|d| d.len() <= MOST_CHARS)
        && app.store.knows_device(account, device).await?
    {
        let bucket = Bucket::device(account, device);
        return Ok(Buckets { known: true, tries: vec![bucket.clone()], codes: vec![bucket.of_codes()] });
    }
    let bucket = Bucket::account(account);
    let codes = vec![bucket.clone().of_codes()];
    Ok(Buckets { known: false, tries: vec![Bucket::source(&from.source), bucket], codes })
}

async fn admit(app: &App, account: &str, from: &From<'_>, buckets: &[Bucket]) -> Result<(), Refusal> {
    let counted = counted(app, buckets).await;
    if counted.is_err() {
        tracing::warn!(account, source = from.source, "too many login attempts");
    }
    counted
}

/// Counts a try; an error where there were too many.
pub(super) async fn counted(app: &App, buckets: &[Bucket]) -> Result<(), Refusal> {
    let Err(seconds) = app.store.admit(buckets).await? else { return Ok(()) };
    let message = format!("too many attempts; try again in {seconds} s");
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message);
    Err(refusal.after(seconds))
}

/// Notes a refusal: of users that exist in the audit, which their counts bound; of others in the log alone, with
/// as much writing, so that the answer takes as long.
async fn refused(app: &App, exists: bool, account: &str, from: &From<'_>, what: &str) -> Result<(), Refusal> {
    tracing::warn!(account, source = from.source, what, "login refused");
    if exists {
        let detail = format!("{what}, from {}.", from.source);
        app.store.note(Note::new("login_refused", account, &detail).to(account)).await?;
    } else {
        app.store.write_as_much_as_a_note().await?;
    }
    Ok(())
}

/// The token by which this browser is known for the account from now on.
async fn device_of(app: &App, account: &str, shown: Option<&str>) -> Result<String, Refusal> {
    let known = match shown.filter(|d| d.len() <= MOST_CHARS) {
        // Only one that we made: nobody plants theirs in another's browser.
        Some(device) if app.store.knows_device_at_all(device).await? => Some(device.to_owned()),
        _ => None,
    };
    let device = known.map_or_else(random_token, Ok)?;
    app.store.remember_device(account, &device).await?;
    Ok(device)
}

fn random_token() -> Result<String, Refusal> {
    credential::random_token().map_err(|error| {
        tracing::error!(%error, "no session opened");
        Refusal::internal()
    })
}

fn wrong() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "wrong_login", "user or password is wrong")
}

/// An address; of IPv6 its network, since whoever has one address there has them all.
fn source_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_network_is_one_source() {
        let source = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(source("192.0.2.7"), "192.0.2.7");
        assert_eq!(source("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(source("2001:db8:1:2:3:4:5:6"), source("2001:db8:1:2::9"));
        assert_ne!(source("2001:db8:1:2::9"), source("2001:db8:1:3::9"));
    }
}
