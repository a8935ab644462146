//! What people change about themselves: password and second factor.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use hub_core::password;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::Person;
use super::{App, Refusal, login};
use crate::clock::now_ms;
use crate::store::logins::Bucket;
use crate::store::people::By;
use crate::{credential, seal, totp};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// Not needed in a session that was opened by a one-time link a moment ago.
    old: Option<String>,
    new: String,
}

/// `PUT /account/password`: ends one's other sessions.
pub(super) async fn set_password(
    person: Person,
    State(app): State<App>,
    wanted: Result<Json<NewPassword>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(NewPassword { old, new }) = wanted?;
    let user = person.user();
    password::check(&new, user)
        .map_err(|why| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why.code(), why.to_string()))?;
    if !person.session().fresh_link {
        let wrong = || Refusal::new(StatusCode::FORBIDDEN, "wrong_password", "`old` is not your password");
        let old = old.filter(|o| o.chars().count() <= password::LONGEST).ok_or_else(wrong)?;
        let hash = app.store.proofs(user).await?.map(|p| p.password_hash).unwrap_or_default();
        // A session that was left open is not enough to guess by.
        admit(&app, user).await?;
        let _permit = app.password_checks.acquire().await.map_err(|_| Refusal::busy())?;
        let matches = tokio::task::spawn_blocking(move || credential::password_matches(&old, &hash));
        if !matches.await.unwrap_or(false) {
            return Err(wrong());
        }
    }
    let _permit = app.password_checks.acquire().await.map_err(|_| Refusal::busy())?;
    let hash = tokio::task::spawn_blocking(move || credential::password_hash(&new)).await;
    let hash = hash.ok().and_then(Result::ok).ok_or_else(Refusal::internal)?;
    app.store.set_password(user, &hash, Some(&person.session().id), By::Person(user)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an authenticator app needs, shown once.
#[derive(Serialize, JsonSchema)]
pub(super) struct NewSecondFactor {
    /// For typing in.
    secret: String,
    /// For a picture.
    uri: String,
}

/// `POST /account/second-factor`: begins to set one up. One that counts is taken away at the hub alone.
pub(super) async fn begin_second_factor(
    person: Person,
    State(app): State<App>,
) -> Result<Json<NewSecondFactor>, Refusal> {
    let user = person.user();
    if person.session().has_second_factor {
        let message = "a second factor is set up already; it is taken away at the hub's command line alone";
        return Err(Refusal::new(StatusCode::CONFLICT, "second_factor_there", message));
    }
    let secret = totp::new_secret().map_err(|error| failed(&error))?;
    let sealed = seal::seal(app.store.shared(), user, &secret).map_err(|error| failed(&error))?;
    app.store.put_second_factor(user, &sealed, By::Person(user)).await?;
    Ok(Json(NewSecondFactor { secret: totp::base32(&secret), uri: totp::uri(&secret, user) }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    code: String,
}

/// `PUT /account/second-factor`: shows a code of it; from then on it is asked for, and this session has it.
pub(super) async fn prove_second_factor(
    person: Person,
    State(app): State<App>,
    code: Result<Json<Code>, JsonRejection>,
) -> Result<StatusCode, Refusal> {
    let Json(Code { code }) = code?;
    let user = person.user();
    let sealed = app.store.unproven_second_factor(user).await?.ok_or_else(|| {
        let message = "begin first: POST /api/v1/account/second-factor";
        Refusal::new(StatusCode::CONFLICT, "second_factor_not_begun", message)
    })?;
    admit(&app, user).await?;
    let secret = seal::open(app.store.shared(), user, &sealed).map_err(|error| failed(&error))?;
    let step = totp::step_of(&secret, &code, now_ms(), 0).ok_or_else(|| {
        let message = "the code is wrong or too old; is the clock of the phone right?";
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_code", message)
    })?;
    app.store.prove_second_factor(user, step, By::Person(user)).await?;
    app.store.raise_session(person.session()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admit(app: &App, user: &str) -> Result<(), Refusal> {
    login::counted(app, &[Bucket::account(&format!("oneself/{user}"))]).await
}

fn failed(error: &dyn std::error::Error) -> Refusal {
    tracing::error!(%error, "second factor not set up");
    Refusal::internal()
}
