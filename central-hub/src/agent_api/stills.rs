//! Covered stills, received from agents.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use protocol::{AlertId, Epoch, MAX_STILL_BYTES};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::AgentApi;
use super::caller::{self, Caller};
use crate::credential::same_bytes;
use crate::evidence::Key;
use crate::still;
use crate::web::Refusal;

/// How long an upload may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a refused one is read on.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

type StillPath = Result<Path<(Epoch, u64)>, PathRejection>;

/// `PUT STILLS/{epoch}/{seq}`: 201 once it is safely on disk, 200 where it was already.
pub(super) async fn receive(
    State(api): State<AgentApi>,
    Extension(caller): Extension<Caller>,
    path: StillPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let (id, _permit) = match admit(&api, &caller, path, &headers).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            drain(body).await;
            return Err(refusal);
        }
    };
    let bytes = read(&headers, body).await?;
    let sha256 = Sha256::digest(&bytes).to_vec();
    check(&headers, &bytes, &sha256)?;
    // The agent may have been revoked while it was sending.
    caller::present(&api.store, &caller).await?;
    store(&api, &id, bytes, sha256).await
}

/// All that can be said before the body is read.
async fn admit(
    api: &AgentApi,
    caller: &Caller,
    path: StillPath,
    headers: &HeaderMap,
) -> Result<(AlertId, OwnedSemaphorePermit), Refusal> {
    let certificate = caller::present(&api.store, caller).await?;
    let Path((epoch, seq)) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    if seq == 0 || i64::try_from(seq).is_err() {
        return Err(Refusal::bad_request("seq must be 1 or more and fit into 63 bits"));
    }
    let id = AlertId { agent: certificate.identity.agent, epoch, seq };
    if headers.get(header::CONTENT_TYPE).is_none_or(|v| v != "image/jpeg") {
        let message = "a still is sent as image/jpeg";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_jpeg", message));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|n| n > MAX_STILL_BYTES) {
        return Err(too_large());
    }
    let permit = api.uploads.clone().try_acquire_owned().map_err(|_| Refusal::busy())?;
    Ok((id, permit))
}

/// Reads a refused body away, to a bound: who is still sending when the connection closes sees a
/// broken pipe in place of the reason.
async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let reading = async {
        let mut left = 2 * MAX_STILL_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_PATIENCE, reading).await;
}

async fn store(api: &AgentApi, id: &AlertId, bytes: Bytes, sha256: Vec<u8>) -> Result<StatusCode, Refusal> {
    if let Some(stored) = api.store.still_digest(id).await? {
        return if same_bytes(&stored, &sha256) {
            Ok(StatusCode::OK)
        } else {
            let message = "this alert has another still already";
            Err(Refusal::new(StatusCode::CONFLICT, "other_still", message))
        };
    }
    let size = bytes.len();
    if let Err(error) = api.store.evidence().put(&Key::still(id), bytes).await {
        tracing::error!(agent = %id.agent, %error, "still not written");
        return Err(Refusal::internal());
    }
    api.store.put_still(id, size, &sha256).await?;
    Ok(StatusCode::CREATED)
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, MAX_STILL_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // A length that was announced was checked already.
        Ok(Err(_)) if headers.contains_key(header::CONTENT_LENGTH) => {
            Err(Refusal::bad_request("the upload broke off"))
        }
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the upload took more than 60 s"))
        }
    }
}

fn too_large() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a still has at most 2 MiB")
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
