//! One attempt at one message: connect, sign, post, read the status. Bounded in time and in what is read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hub_core::delivery::Outcome;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::sign::Key;
use super::target::{ConnectError, Resolve, Target};

/// Most bytes of an answer's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Longest wait that a receiver may wish for.
const LONGEST_WISH: Duration = Duration::from_secs(3_600);

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt at the same content: the receiver takes it once.
    pub id: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// Sends to one receiver.
#[derive(Clone)]
pub struct Sender {
    target: Target,
    key: Arc<Key>,
    tls: Option<TlsConnector>,
    timeout: Duration,
    resolve: Resolve,
}

/// Why TLS cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {source}", path.display())]
    Authority { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("{} holds no certificate of an authority", path.display())]
    Nobody { path: PathBuf },
    #[error("this machine knows no certificate authority: install ca-certificates, or name authority_file")]
    NoRoots,
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{0} is no name for TLS: {1}")]
    Name(String, InvalidDnsNameError),
    #[error("no TLS connection: {0}")]
    Tls(io::Error),
    #[error("the message cannot be written as a request: {0}")]
    Request(#[from] axum::http::Error),
    #[error("the connection broke: {0}")]
    Broke(#[from] hyper::Error),
    #[error("no answer within {} s", .0.as_secs())]
    Slow(Duration),
}

/// What the receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub outcome: Outcome,
}

impl Sender {
    pub fn new(
        target: Target,
        key: Key,
        authority: Option<&Path>,
        timeout: Duration,
        resolve: Resolve,
    ) -> Result<Self, TlsError> {
        let tls = if target.is_tls() { Some(connector(authority)?) } else { None };
        Ok(Self { target, key: Arc::new(key), tls, timeout, resolve })
    }

    /// One attempt; `seconds` is the time it is signed with.
    pub async fn send(&self, message: &Message, seconds: i64) -> Result<Answer, SendError> {
        let attempt = self.attempt(message, seconds);
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or(Err(SendError::Slow(self.timeout)))
    }

    async fn attempt(&self, message: &Message, seconds: i64) -> Result<Answer, SendError> {
        let request = self.request(message, seconds)?;
        let stream = self.target.connect(&self.resolve).await?;
        match &self.tls {
            None => post(stream, request).await,
            Some(tls) => {
                let host = self.target.host();
                let name = ServerName::try_from(host.clone()).map_err(|why| SendError::Name(host, why))?;
                post(tls.connect(name, stream).await.map_err(SendError::Tls)?, request).await
            }
        }
    }

    fn request(&self, message: &Message, seconds: i64) -> Result<Request<Body>, axum::http::Error> {
        let (host, path) = self.target.request_parts();
        Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("signalbox-hub/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, message.content_type)
            .header(header::CONNECTION, "close")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", self.key.sign(&message.id, seconds, &message.body))
            .body(Body::from(message.body.clone()))
    }
}

/// The connection is this request's alone, and what the answer says beyond its head is not read.
async fn post(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<Answer, SendError> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
    let exchange = sender.send_request(request);
    tokio::pin!(connection, exchange);
    let answered = tokio::select! {
        answered = &mut exchange => answered?,
        // It ends first only where it broke; then the exchange says how.
        _ = &mut connection => exchange.await?,
    };
    let status = answered.status();
    let wish = answered.headers().get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    let wish = wish.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WISH).as_millis());
    let wish = wish.and_then(|ms| i64::try_from(ms).ok());
    Ok(Answer { status, outcome: Outcome::of_status(status.as_u16(), wish) })
}

fn connector(authority: Option<&Path>) -> Result<TlsConnector, TlsError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let fail = |source| TlsError::Authority { path: path.to_owned(), source };
            for certificate in CertificateDer::pem_file_iter(path).map_err(fail)? {
                roots.add(certificate.map_err(fail)?)?;
            }
            if roots.is_empty() {
                return Err(TlsError::Nobody { path: path.to_owned() });
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
