//! The hub's agents' door over HTTPS: enrolment, renewal, trust, stills.
//!
//! Owns the client and what its answers mean; what is done about them is `identity`'s and `outbox`'s.

mod answer;

use std::time::Duration;

use protocol::enrol::{
    ALERTS, CONFIRM, Enrolment, LIVE, REDEEM, RENEW, Receipt, Redeem, RefusalCode, Renew, STILLS, TRUST,
    Trust,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use rustls::ClientConfig;
use serde::Serialize;

pub use answer::Told;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
/// Shorter than the hub's own patience with a connection that says nothing.
const IDLE: Duration = Duration::from_secs(3);
const STILL: Duration = Duration::from_secs(30);
/// No session description comes near this.
const MOST_SDP: usize = 64 * 1024;

/// Why the hub's door did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No answer: not reached, no TLS, or hung up.
    #[error("{url}: {what}: check the hub, the network between, and the firewall")]
    Unreachable {
        url: String,
        what: String,
        /// It was waited for in vain.
        late: bool,
    },
    #[error("{url}: the hub refused ({code:?}): {message}")]
    Refused {
        url: String,
        code: RefusalCode,
        message: String,
        /// What time it is at the hub, seconds since 1970.
        hub_time: Option<i64>,
    },
    #[error(
        "{url}: not an answer of a hub of this version: {what}: check that the address is that of the agents' door"
    )]
    Unexpected { url: String, what: String },
    #[error("{url}: the hub does not have it")]
    Missing { url: String },
    #[error("the HTTPS client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl HubError {
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl HubError {
    /// What time it is at the hub, where it said so.
    pub fn hub_time(&self) -> Option<i64> {
        match self {
            Self::Refused { hub_time, .. } => *hub_time,
            _ => None,
        }
    }
}

/// One hub, spoken to with one certificate or none.
#[derive(Debug, Clone)]
pub struct Hub {
    base: String,
    http: reqwest::Client,
}

impl Hub {
    /// `base`: `https://host:port`.
    pub fn new(base: &str, tls: &ClientConfig) -> Result<Self, HubError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            // A connection that stays open would outlive the certificate that opened it.
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), http })
    }

    pub async fn redeem(&self, secret: String, csr: String) -> Result<Told<Enrolment>, HubError> {
        self.post(REDEEM, &Redeem { v: protocol::VERSION, secret, csr }).await
    }

    pub async fn renew(&self, csr: String) -> Result<Told<Enrolment>, HubError> {
        self.post(RENEW, &Renew { v: protocol::VERSION, csr }).await
    }

    pub async fn confirm(&self) -> Result<Told<Trust>, HubError> {
        let request = self.request(Method::POST, CONFIRM).header("content-length", "0");
        answer::read(request, self.url(CONFIRM)).await
    }

    pub async fn trust(&self) -> Result<Told<Trust>, HubError> {
        answer::read(self.request(Method::GET, TRUST), self.url(TRUST)).await
    }

    /// The status that the hub answered; anything but an answer is an error. `digest`: SHA-256, base 64.
    pub async fn put_still(
        &self,
        epoch: &protocol::Epoch,
        seq: u64,
        jpeg: Vec<u8>,
        digest: &str,
    ) -> Result<StatusCode, HubError> {
        let path = format!("{STILLS}/{epoch}/{seq}");
        let request = self
            .request(Method::PUT, &path)
            .timeout(STILL)
            .header("content-type", "image/jpeg")
            .header("repr-digest", format!("sha-256=:{digest}:")) // RFC 9530
            .body(jpeg);
        let sent = request.send().await.map_err(|e| answer::unreachable(self.url(&path), &e))?;
        Ok(sent.status())
    }

    /// What the hub says of an alert of this box; `None`: it does not have it.
    pub async fn receipt(&self, epoch: &protocol::Epoch, seq: u64) -> Result<Option<Receipt>, HubError> {
        let path = format!("{ALERTS}/{epoch}/{seq}");
        match answer::read(self.request(Method::GET, &path), self.url(&path)).await {
            Ok(told) => Ok(Some(told.answer)),
            Err(HubError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Offers live video of a camera under the name that the hub gave it; the hub's answer (WHIP, RFC 9725).
    pub async fn offer_live(
        &self,
        camera: &protocol::CameraId,
        live: &str,
        offer: String,
    ) -> Result<String, HubError> {
        let path = format!("{LIVE}/{camera}/{live}");
        let request = self.request(Method::POST, &path).header("content-type", "application/sdp").body(offer);
        let bytes = answer::bytes(request, self.url(&path), MOST_SDP).await?;
        let unreadable = |_| HubError::Unexpected { url: self.url(&path), what: "no text".to_owned() };
        String::from_utf8(bytes).map_err(unreadable)
    }

    /// A still of this box as the hub has it; `None`: it does not.
    pub async fn still(&self, epoch: &protocol::Epoch, seq: u64) -> Result<Option<Vec<u8>>, HubError> {
        let path = format!("{STILLS}/{epoch}/{seq}");
        match answer::bytes(self.request(Method::GET, &path), self.url(&path), protocol::MAX_STILL_BYTES)
            .await
        {
            Ok(bytes) => Ok(Some(bytes)),
            Err(HubError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Told<T>, HubError> {
        let body = serde_json::to_vec(body)
            .map_err(|e| HubError::Unexpected { url: self.url(path), what: e.to_string() })?;
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        answer::read(request.body(body), self.url(path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}
