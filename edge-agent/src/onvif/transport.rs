//! How a SOAP request travels: plain HTTP to one host, no redirects, no proxy, bounded answers, and the
//! password by HTTP Digest when the camera asks for it, once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// How long what is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A request that takes longer has failed.
    pub answer: Duration,
    /// No request begins later than this after the first.
    pub visit: Duration,
}

/// Requests to one host and to no other.
pub(super) struct Pinned {
    host: String,
    credentials: Option<Credentials>,
    agent: ureq::Agent,
    /// When the whole conversation must be over: a camera may be slow in every answer.
    until: Instant,
    failure: Arc<Mutex<Option<Failure>>>,
    /// The password was refused, by whatever request: it is not said again.
    refused: Arc<AtomicBool>,
}

/// What came back.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    pub challenges: Vec<String>,
}

impl Pinned {
    pub fn new(host: &str, credentials: Option<Credentials>, patience: Patience) -> Self {
        let failure = Arc::new(Mutex::new(None));
        let (agent, until) = (agent(patience.answer), Instant::now() + patience.visit);
        Self { host: host.to_owned(), credentials, agent, until, failure, refused: Arc::default() }
    }

    /// The same without the password.
    pub fn without_password(&self) -> Arc<Self> {
        let (host, agent, failure) = (self.host.clone(), self.agent.clone(), self.failure.clone());
        Arc::new(Self { host, credentials: None, agent, until: self.until, failure, refused: Arc::default() })
    }

    /// Why the last request failed; `None`: an answer came.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, url: &str, action: &str, body: &str) -> Result<String, Failure> {
        if address::host_of(url).as_deref() != Some(&self.host) {
            return Err(Failure::Answer("it points to another host, which is not followed".into()));
        }
        if self.refused.load(Ordering::Acquire) {
            return Err(Failure::Refused);
        }
        if Instant::now() >= self.until {
            return Err(Failure::Connection("it takes too long over its answers".into()));
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
        let refused = match &sent {
            Ok(answer) => self.credentials.is_some() && is_refusal(answer),
            Err(failure) => *failure == Failure::Refused,
        };
        if refused {
            self.refused.store(true, Ordering::Release);
        }
        let failed = sent.as_ref().err().cloned();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        sent.map_err(|failure| TransportError::HttpStatus { status: 0, body: format!("{failure:?}") })
    }
}

/// Whether a fault is about user or password (ONVIF Core, 5.11.2.2; makers have their own words).
pub(super) fn is_about_password(fault: &str) -> bool {
    const WORDS: [&str; 5] =
        ["notauthorized", "not authorized", "failedauthentication", "unauthorized", "authority failure"];
    let fault = fault.to_ascii_lowercase();
    WORDS.iter().any(|word| fault.contains(word))
}

fn is_refusal(answer: &str) -> bool {
    answer.contains("Fault>") && is_about_password(answer)
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
