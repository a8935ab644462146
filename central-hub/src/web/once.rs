//! `Idempotency-Key`: a request that may come twice takes effect once, and is answered alike each time.
//!
//! As draft-ietf-httpapi-idempotency-key-header says it: a UUID that the sender mints for each thing that it wants
//! done; 422 where a key comes again with something else. The version that a step is based on is no part of what is
//! wanted: whoever lost an answer may look again and send the same on the version of now.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{App, Refusal};
use crate::credential::hex;
use crate::store::once::{Answer, Before, Repeatable};
use crate::work::attachment::FileId;

pub const HEADER: &str = "idempotency-key";

/// A request's key and a digest of what it asks for; nothing where it names no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    request: String,
    content: String,
}

impl Key {
    /// `route` and `content` are what is asked for.
    pub fn read(headers: &HeaderMap, route: &str, content: &[u8]) -> Result<Option<Self>, Refusal> {
        let mut sent = headers.get_all(HEADER).iter();
        let Some(value) = sent.next() else { return Ok(None) };
        // A string of structured fields has quotes (RFC 8941); many senders leave them out.
        let text = value.to_str().unwrap_or_default().trim().trim_matches('"').to_ascii_lowercase();
        let Some(request) = FileId::parse(&text).filter(|_| sent.next().is_none()) else {
            let message = "Idempotency-Key must be one UUID, like 01900000-0000-7000-8000-000000000000";
            return Err(Refusal::bad_request(message));
        };
        let mut digest = Sha256::new();
        digest.update(route.as_bytes());
        digest.update([0]);
        digest.update(content);
        Ok(Some(Self { request: request.as_str().to_owned(), content: hex(&digest.finalize()) }))
    }

    pub fn of<'a>(&'a self, account: &'a str) -> Repeatable<'a> {
        Repeatable { account, request: &self.request, content: &self.content }
    }
}

/// What the first of it was answered, where this is a repeat.
pub async fn earlier(app: &App, key: Option<&Key>, account: &str) -> Result<Option<Response>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    match app.store.asked_before(key.of(account)).await? {
        Before::Nothing => Ok(None),
        Before::Same(answer) => Ok(Some(respond(answer))),
        Before::Other => Err(other_content()),
    }
}

pub fn other_content() -> Refusal {
    let message = "this Idempotency-Key was sent with something else before; mint a new one for each request";
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "key_used", message)
}

/// An answer as it is sent: JSON, with the incident's version as its tag.
pub fn respond(answer: Answer) -> Response {
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (status.unwrap_or(StatusCode::OK), json, answer.body).into_response();
    let tag = answer.version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-4000-8000-0123456789ab";

    fn read(sent: &[&str], route: &str, content: &str) -> Result<Option<Key>, Refusal> {
        let pairs = sent.iter().map(|v| (HEADER.parse().unwrap(), v.parse().unwrap()));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value): (header::HeaderName, HeaderValue)| {
            headers.append(name, value);
        });
        Key::read(&headers, route, content.as_bytes())
    }

    #[test]
    fn a_key_is_one_uuid_with_or_without_quotes() {
        let plain = read(&[ID], "a", "b").unwrap();
        assert!(plain.is_some());
        assert_eq!(read(&[&format!("\"{ID}\"")], "a", "b").unwrap(), plain);
        assert_eq!(read(&[&ID.to_ascii_uppercase()], "a", "b").unwrap(), plain);
        assert_eq!(read(&[], "a", "b").unwrap(), None);
        for wrong in [&["7"][..], &[""], &[ID, ID], &["01900000-0000-4000-8000-0123456789xy"]] {
            let refused = read(wrong, "a", "b").map_err(|r| r.status);
            assert_eq!(refused, Err(StatusCode::BAD_REQUEST), "{wrong:?}");
        }
    }

    #[test]
    fn another_route_or_body_is_another_content() {
        let content = |route, body| read(&[ID], route, body).unwrap().unwrap().content;
        assert_eq!(content("a", "bc"), content("a", "bc"));
        assert_ne!(content("a", "bc"), content("ab", "c"));
        assert_ne!(content("a", "bc"), content("a", "bd"));
    }
}
