//! Reading what the hub answers: bounded, and every failure with its cause.

use protocol::enrol::Refusal;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::HubError;
use crate::identity::{http_date, in_words};

/// No answer of the door comes near this.
const MOST_BYTES: usize = 64 * 1024;

/// An answer, and what time it was at the hub.
#[derive(Debug, Clone)]
pub struct Told<T> {
    pub answer: T,
    /// Seconds since 1970, from the `Date` field.
    pub hub_time: Option<i64>,
}

pub async fn read<T: DeserializeOwned>(request: RequestBuilder, url: String) -> Result<Told<T>, HubError> {
    let whole = whole(request, &url, MOST_BYTES).await?;
    match serde_json::from_slice(&whole.answer) {
        Ok(answer) => Ok(Told { answer, hub_time: whole.hub_time }),
        Err(error) => Err(HubError::Unexpected { url, what: error.to_string() }),
    }
}

/// An answer that is no JSON, of at most so many bytes.
pub async fn bytes(request: RequestBuilder, url: String, most: usize) -> Result<Vec<u8>, HubError> {
    Ok(whole(request, &url, most).await?.answer)
}

async fn whole(request: RequestBuilder, url: &str, most: usize) -> Result<Told<Vec<u8>>, HubError> {
    let url = url.to_owned();
    let mut response = request.send().await.map_err(|e| unreachable(url.clone(), &e))?;
    let hub_time = date_of(&response);
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|e| unreachable(url.clone(), &e))? {
        if body.len() + part.len() > most {
            return Err(HubError::Unexpected { url, what: format!("more than {most} bytes") });
        }
        body.extend_from_slice(&part);
    }
    if status.is_success() {
        return Ok(Told { answer: body, hub_time });
    }
    if status == reqwest::StatusCode::NOT_FOUND && serde_json::from_slice::<Refusal>(&body).is_ok() {
        return Err(HubError::Missing { url });
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(Refusal { error }) => {
            Err(HubError::Refused { url, code: error.code, message: error.message, hub_time })
        }
        Err(_) => Err(HubError::Unexpected { url, what: format!("status {status}") }),
    }
}

fn date_of(response: &Response) -> Option<i64> {
    http_date(response.headers().get("date")?.to_str().ok()?)
}

/// With the whole chain of causes: reqwest's own text names none.
pub fn unreachable(url: String, error: &reqwest::Error) -> HubError {
    let mut what = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = in_words(&error.to_string());
        if !what.contains(&text) {
            what = if what.is_empty() { text } else { format!("{what}: {text}") };
        }
        cause = error.source();
    }
    if what.is_empty() {
        what = error.to_string();
    }
    HubError::Unreachable { url, what, late: error.is_timeout() }
}
