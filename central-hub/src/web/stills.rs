//! Stills: received from agents, shown to operators.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{AgentId, AlertId, Epoch, MAX_STILL_BYTES};
use sha2::{Digest, Sha256};

use super::alerts::alert_id;
use super::{App, Refusal};
use crate::credential::{same_bytes, token_hash};
use crate::still;

/// How long an upload may take.
const PATIENCE: Duration = Duration::from_secs(60);

type StillPath = Result<Path<(AgentId, Epoch, u64)>, PathRejection>;

/// `PUT /stills/{agent}/{epoch}/{seq}`: 201 once it is safely on disk, 200 where it was already.
pub(super) async fn receive(
    State(app): State<App>,
    path: StillPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let key = bearer(&headers).ok_or_else(unknown_key)?;
    let login = app.store.login_by_key(&token_hash(key)).await?.ok_or_else(unknown_key)?;
    let id = alert_id(path)?;
    if login.agent != id.agent.as_str() {
        let message = "this key belongs to another agent";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_agent", message));
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|v| v != "image/jpeg") {
        let message = "a still is sent as image/jpeg";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_jpeg", message));
    }
    let _permit = app.uploads.try_acquire().map_err(|_| Refusal::busy())?;
    let bytes = read(&headers, body).await?;
    let sha256 = Sha256::digest(&bytes).to_vec();
    check(&headers, &bytes, &sha256)?;
    store(&app, &id, bytes, sha256).await
}

async fn store(app: &App, id: &AlertId, bytes: Bytes, sha256: Vec<u8>) -> Result<StatusCode, Refusal> {
    if let Some(stored) = app.store.still_digest(id).await? {
        return if same_bytes(&stored, &sha256) {
            Ok(StatusCode::OK)
        } else {
            let message = "this alert has another still already";
            Err(Refusal::new(StatusCode::CONFLICT, "other_still", message))
        };
    }
    let (data, to, size) = (app.store.data().to_owned(), id.clone(), bytes.len());
    let written = tokio::task::spawn_blocking(move || still::write(&data, &to, &bytes)).await;
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(agent = %id.agent, %error, "still not written");
            return Err(Refusal::internal());
        }
        Err(_) => return Err(Refusal::internal()),
    }
    app.store.put_still(id, size, &sha256).await?;
    Ok(StatusCode::CREATED)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = "a still has at most 2 MiB";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|n| n > MAX_STILL_BYTES) {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, to_bytes(body, MAX_STILL_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) if announced.is_none() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::bad_request("the upload broke off")),
        Err(_) => {
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the upload took more than 60 s"))
        }
    }
}

fn check(headers: &HeaderMap, bytes: &[u8], sha256: &[u8]) -> Result<(), Refusal> {
    let digest = headers.get("repr-digest").and_then(|v| v.to_str().ok()).and_then(sha256_of);
    let Some(digest) = digest else {
        return Err(Refusal::bad_request("Repr-Digest: sha-256=:BASE64: is missing or malformed (RFC 9530)"));
    };
    if digest != base64(sha256) {
        let message = "the bytes are not those that Repr-Digest names; send it again";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "damaged", message));
    }
    still::check(bytes).map_err(|e| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "no_still", e.to_string()))
}

/// `GET /alerts/{agent}/{epoch}/{seq}/still`
pub(super) async fn show(State(app): State<App>, path: StillPath) -> Result<Response, Refusal> {
    let id = alert_id(path)?;
    let missing = || Refusal::not_found("there is no still of this alert");
    if app.store.still_digest(&id).await?.is_none() {
        return Err(missing());
    }
    let bytes = tokio::fs::read(still::path(app.store.data(), &id)).await.map_err(|error| {
        tracing::error!(agent = %id.agent, %error, "still not read");
        missing()
    })?;
    let headers =
        [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=86400, immutable")];
    Ok((headers, bytes).into_response())
}

fn unknown_key() -> Refusal {
    let message = "send `Authorization: Bearer KEY` with the agent's key";
    Refusal::new(StatusCode::UNAUTHORIZED, "unknown_key", message)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// The base64 text of the sha-256 in a `Repr-Digest` (RFC 9530), among others perhaps.
fn sha256_of(header: &str) -> Option<&str> {
    header.split(',').find_map(|entry| entry.trim().strip_prefix("sha-256=:")?.strip_suffix(':'))
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0u32, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standards() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_digest_is_found_among_others() {
        assert_eq!(sha256_of("sha-512=:x:, sha-256=:abc=:"), Some("abc="));
        assert_eq!(sha256_of("sha-256=abc"), None);
    }
}
