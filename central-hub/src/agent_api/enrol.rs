//! Enrolment, renewal, confirmation, trust: what a box asks, and what it gets.
//!
//! What is decided is decided in one transaction of the store each; certificates are made before it and
//! are worth nothing if it comes out otherwise.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use protocol::Timestamp;
use protocol::enrol::{Enrolment, Identity, Redeem, RefusalCode, Renew, Trust};

use super::AgentApi;
use super::caller::{self, Caller, refused};
use crate::ca::{CaError, Request};
use crate::clock::now_ms;
use crate::credential;
use crate::store::audit;
use crate::store::certificates::Renewed;
use crate::store::tokens::Redeemed;
use crate::web::Refusal;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `POST REDEEM`
pub(super) async fn redeem(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<Redeem>, JsonRejection>,
) -> Result<Json<Enrolment>, Refusal> {
    let from = caller.from.ip();
    if !api.redemptions.is_left(from) {
        return Err(refused(RefusalCode::Busy, "too many wrong tokens from this address; wait a minute"));
    }
    let Json(body) = body?;
    let request = signing_request(&body.csr)?;
    let hash = secret_hash(&body.secret)
        .ok_or_else(|| refused(RefusalCode::BadRequest, "`secret` must be 32 hexadecimal digits"))?;
    let Some(token) = api.store.token(&hash).await? else {
        return Err(wrong_token(&api, &caller, RefusalCode::TokenUnknown, None).await);
    };
    let issued = api.ca.issue(&token.identity, &request, api.settings.certificate_days).await?;
    let agent = Some(token.identity.agent.as_str());
    let serial = match api.store.redeem(&hash, &issued, &from.to_string()).await? {
        Redeemed::New => issued.serial,
        Redeemed::Again(serial) => serial,
        Redeemed::Unknown => return Err(wrong_token(&api, &caller, RefusalCode::TokenUnknown, agent).await),
        Redeemed::Expired => return Err(wrong_token(&api, &caller, RefusalCode::TokenExpired, agent).await),
        Redeemed::Used => return Err(wrong_token(&api, &caller, RefusalCode::TokenUsed, agent).await),
    };
    tracing::info!(agent, %from, serial, "box enrolled");
    enrolment(&api, token.identity, &serial).await
}

/// `POST RENEW`
pub(super) async fn renew(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    body: Result<Json<Renew>, JsonRejection>,
) -> Result<Json<Enrolment>, Refusal> {
    let present = caller::valid(&api.store, &caller).await?;
    if now_ms() > present.not_after.saturating_add(i64::from(api.settings.grace_days) * DAY_MS) {
        let message = "this certificate expired too long ago; enrol the box again with a new token";
        return Err(refused(RefusalCode::Expired, message));
    }
    let Json(body) = body?;
    let request = signing_request(&body.csr)?;
    let issued = api.ca.issue(&present.identity, &request, api.settings.certificate_days).await?;
    let serial = match api.store.renew(&present.serial, &issued).await? {
        Renewed::New => issued.serial,
        Renewed::Again(serial) => serial,
        Renewed::NotValid => {
            // It ended between the two looks: the second says why.
            caller::valid(&api.store, &caller).await?;
            return Err(refused(RefusalCode::Revoked, "this certificate is no longer valid"));
        }
        Renewed::TooMany => {
            return Err(refused(RefusalCode::Busy, "too many renewals; try again in an hour"));
        }
    };
    tracing::info!(agent = %present.identity.agent, serial, "certificate renewed");
    enrolment(&api, present.identity, &serial).await
}

/// `POST CONFIRM`
pub(super) async fn confirm(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Trust>, Refusal> {
    let present = caller::present(&api.store, &caller).await?;
    if !api.store.confirm(&present.serial).await? {
        caller::present(&api.store, &caller).await?;
        return Err(refused(RefusalCode::Superseded, "this certificate is no longer valid"));
    }
    trust_of(&api, &present.serial).await
}

/// `GET TRUST`
pub(super) async fn trust(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Trust>, Refusal> {
    let present = caller::present(&api.store, &caller).await?;
    trust_of(&api, &present.serial).await
}

async fn trust_of(api: &AgentApi, serial: &str) -> Result<Json<Trust>, Refusal> {
    let stored = api.store.stored_certificate(serial).await?.ok_or_else(Refusal::internal)?;
    Ok(Json(api.ca.trust(&stored.authority).await?))
}

async fn enrolment(api: &AgentApi, identity: Identity, serial: &str) -> Result<Json<Enrolment>, Refusal> {
    let stored = api.store.stored_certificate(serial).await?.ok_or_else(Refusal::internal)?;
    let name = api.store.given_name(&identity.agent).await?;
    Ok(Json(Enrolment {
        v: protocol::VERSION,
        site: identity.site,
        agent: identity.agent,
        name,
        certificate: stored.pem,
        not_before: Timestamp::from_unix_ms(stored.not_before),
        not_after: Timestamp::from_unix_ms(stored.not_after),
        mqtt: api.settings.mqtt.clone(),
        trust: api.ca.trust(&stored.authority).await?,
    }))
}

fn signing_request(csr: &str) -> Result<Request, Refusal> {
    Request::read(csr).map_err(|e| refused(RefusalCode::BadRequest, e.to_string()))
}

/// As `tokens.secret_hash`.
fn secret_hash(secret: &str) -> Option<Vec<u8>> {
    let fits = secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| credential::token_hash(&secret.to_ascii_lowercase()))
}

/// As [`secret_hash`], for whoever makes a token.
pub(crate) fn hash_of(token: &protocol::enrol::Token) -> Vec<u8> {
    credential::token_hash(&token.secret_hex())
}

/// Counts and notes a wrong token; the refusal.
async fn wrong_token(api: &AgentApi, caller: &Caller, code: RefusalCode, agent: Option<&str>) -> Refusal {
    let from = caller.from.ip();
    let message = match code {
        RefusalCode::TokenExpired => {
            "this token's time is over; make a new one with `central-hub token create`"
        }
        RefusalCode::TokenUsed => "another box has redeemed this token; make a new one for this box",
        _ => "there is no such token; compare it with the hub's screen, or make a new one",
    };
    tracing::warn!(agent, %from, ?code, "token refused");
    if api.redemptions.take(from) {
        let detail = format!("A token from {from} was refused: {message}.");
        if let Err(error) = api.store.audit("token_refused", audit::HUB, agent, &detail).await {
            tracing::error!(%error, "refusal not written into the audit");
        }
    }
    refused(code, message)
}

impl From<CaError> for Refusal {
    fn from(error: CaError) -> Self {
        tracing::error!(%error, "no certificate made");
        Self::internal()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the request's body is too large");
        }
        Self::bad_request(rejection.body_text())
    }
}

#[cfg(test)]
mod tests {
    use protocol::enrol::Token;

    use super::*;

    #[test]
    fn a_secret_is_hashed_the_same_on_both_ways() {
        let token = Token { secret: [0xab; 16], authority: [0; 16] };
        assert_eq!(secret_hash(&token.secret_hex()), Some(hash_of(&token)));
        assert_eq!(secret_hash(&token.secret_hex().to_uppercase()), Some(hash_of(&token)));
        for wrong in ["", "ab", &"g".repeat(32), &"a".repeat(33), "é".repeat(16).as_str()] {
            assert_eq!(secret_hash(wrong), None, "{wrong}");
        }
    }
}
