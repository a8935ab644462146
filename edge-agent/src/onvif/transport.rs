//! How a SOAP request travels: plain HTTP to one host, no redirects, no proxy, bounded answers, and the
//! password by HTTP Digest when the camera asks for it, once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use oxvif::transport::{Transport, TransportError};

use super::{address, digest, xml};
use crate::camera::Credentials;

/// No answer is larger: profiles of a recorder with 64 channels take about 300 KiB.
const LARGEST: u64 = 512 << 10;

/// Why a request failed, as far as SOAP does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Connection(String),
    Answer(String),
    NeedsPassword,
    Refused,
    BasicOnly,
}

/// Requests to one host and to no other.
pub(super) struct Pinned {
    host: String,
    credentials: Option<Credentials>,
    agent: ureq::Agent,
    failure: Arc<Mutex<Option<Failure>>>,
}

/// What came back.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    pub challenges: Vec<String>,
}

impl Pinned {
    pub fn new(host: &str, credentials: Option<Credentials>, patience: Duration) -> Self {
        let failure = Arc::new(Mutex::new(None));
        Self { host: host.to_owned(), credentials, agent: agent(patience), failure }
    }

    /// The same without the password.
    pub fn without_password(&self) -> Arc<Self> {
        let (host, agent, failure) = (self.host.clone(), self.agent.clone(), self.failure.clone());
        Arc::new(Self { host, credentials: None, agent, failure })
    }

    /// Why the last request failed; `None`: an answer came.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, url: &str, action: &str, body: &str) -> Result<String, Failure> {
        if address::host_of(url).as_deref() != Some(&self.host) {
            return Err(Failure::Answer("it points to another host, which is not followed".into()));
        }
        // A password that was refused is not sent again, whatever is asked.
        if self.credentials.is_some() && self.failure() == Some(Failure::Refused) {
            return Err(Failure::Refused);
        }
        let mut answer = post(&self.agent, url, action, body, None)?;
        if answer.status == 401 {
            // Without any challenge the fault in the body says what is wrong: the password in the envelope.
            if answer.challenges.is_empty() && xml::is_tame(&answer.body) {
                return Ok(answer.body);
            }
            let credentials = self.credentials.as_ref().ok_or(Failure::NeedsPassword)?;
            let challenge = digest::Challenge::strongest(&answer.challenges).ok_or(Failure::BasicOnly)?;
            let path = path_of(url);
            let proof = challenge.answer(credentials, "POST", path, &digest::nonce());
            answer = post(&self.agent, url, action, body, Some(&proof))?;
            if answer.status == 401 {
                return Err(Failure::Refused);
            }
        }
        match answer.status {
            // Faults come with 400 or 500.
            200 | 400 | 500 if xml::is_tame(&answer.body) => Ok(answer.body),
            200 | 400 | 500 => Err(Failure::Answer("the answer is no XML, or too deep".into())),
            403 if self.credentials.is_some() => Err(Failure::Refused),
            status => Err(Failure::Answer(format!("HTTP {status}"))),
        }
    }
}

#[async_trait]
impl Transport for Pinned {
    /// Blocks: one conversation has nothing else to do.
    async fn soap_post(&self, url: &str, action: &str, body: String) -> Result<String, TransportError> {
        let sent = self.send(url, action, &body);
        let failed = sent.as_ref().err().cloned();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        sent.map_err(|failure| TransportError::HttpStatus { status: 0, body: format!("{failure:?}") })
    }
}

pub(super) fn agent(patience: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(patience))
        .build()
        .new_agent()
}

pub(super) fn post(
    agent: &ureq::Agent,
    url: &str,
    action: &str,
    body: &str,
    proof: Option<&str>,
) -> Result<Answer, Failure> {
    let kind = match action {
        "" => "application/soap+xml; charset=utf-8".to_owned(),
        action => format!("application/soap+xml; charset=utf-8; action=\"{action}\""),
    };
    let mut request = agent.post(url).header("Content-Type", kind).header("User-Agent", "signalbox");
    if let Some(proof) = proof {
        request = request.header("Authorization", proof);
    }
    let mut response = request.send(body).map_err(|e| Failure::Connection(e.to_string()))?;
    let challenges = response.headers().get_all("www-authenticate").iter().take(8);
    let challenges = challenges.filter_map(|v| v.to_str().ok()).map(str::to_owned).collect();
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(LARGEST).lossy_utf8(true).read_to_string();
    let body = body.map_err(|e| Failure::Answer(e.to_string()))?;
    Ok(Answer { status, body: body.trim_start_matches('\u{feff}').to_owned(), challenges })
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}
