//! MQTT for boxes: the certificate against the list, then plain bytes to the broker over loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::accept::Arrival;
use super::peers::{Peer, Peers};
use super::quota::Quota;
use crate::ca;
use crate::clock::now_ms;
use crate::store::certificates::Certificate;
use crate::store::{Store, audit};

/// How long one end may take to receive what the other sent: longer than a bad line needs, shorter than
/// a dead one would take by itself.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a last word to the box may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 16 * 1024;
/// Rows of the audit about refused certificates: an address, a minute.
const AUDITED: u32 = 3;

/// What every connection needs. Cheap to clone.
#[derive(Clone)]
pub struct ToBroker {
    pub store: Store,
    pub peers: Peers,
    /// The broker's listener on loopback.
    pub broker: SocketAddr,
    audited: Arc<Quota>,
}

impl ToBroker {
    pub fn new(store: Store, peers: Peers, broker: SocketAddr) -> Self {
        Self { store, peers, broker, audited: Arc::new(Quota::new(AUDITED)) }
    }

    /// Serves until one end closes, the box is cut, or `stop`.
    pub async fn serve(self, mut arrival: Arrival, stop: CancellationToken) {
        let certificate = match self.known(&arrival).await {
            Ok(certificate) => certificate,
            Err((agent, why)) => return self.refuse(&arrival, agent, why).await,
        };
        if !arrival.place.stay() {
            tracing::warn!(agent = %certificate.identity.agent, from = %arrival.from, "no room for one more box");
            return;
        }
        let inside = match TcpStream::connect(self.broker).await {
            Ok(inside) => inside,
            Err(error) => return tracing::error!(%error, "the broker cannot be reached from the door"),
        };
        let Ok(inner) = inside.local_addr() else { return };
        let _ = inside.set_nodelay(true);
        let cut = CancellationToken::new();
        let Certificate { identity, serial, .. } = certificate;
        let peer = Peer { identity, serial, from: arrival.from, cut: cut.clone() };
        tracing::debug!(agent = %peer.identity.agent, from = %peer.from, "box let in");
        let entry = self.peers.enter(inner, peer);
        let (mut from_broker, mut to_broker) = inside.into_split();
        let (mut from_box, mut to_box) = tokio::io::split(arrival.stream);
        let ended = tokio::select! {
            () = cut.cancelled() => false,
            () = stop.cancelled() => false,
            _ = copy(&mut from_box, &mut to_broker) => false,
            done = copy(&mut from_broker, &mut to_box) => done.is_ok(),
        };
        if ended {
            let _ = tokio::time::timeout(CLOSE_PATIENCE, to_box.shutdown()).await;
        }
        drop(entry);
    }

    /// The certificate as the list knows it, if it lets its box in now; else of whom, and why not.
    async fn known(&self, arrival: &Arrival) -> Result<Certificate, (Option<String>, &'static str)> {
        let shown = arrival.certificate.as_ref().ok_or((None, "it showed no certificate"))?;
        let serial = ca::serial_of(shown).ok_or((None, "its certificate cannot be read"))?;
        let listed = self.store.certificate(&serial).await.map_err(|error| {
            tracing::error!(%error, "certificate not looked up, box refused");
            (None, "its certificate could not be looked up")
        })?;
        let certificate = listed.ok_or((None, "its certificate is not on the list"))?;
        let agent = || Some(certificate.identity.agent.to_string());
        match &certificate {
            c if !c.state.is_valid() => Err((agent(), "its certificate is no longer valid")),
            c if c.held => Err((agent(), "it is held until an operator decides")),
            c if c.not_after <= now_ms() => {
                Err((agent(), "its certificate has expired, it must renew first"))
            }
            _ => Ok(certificate),
        }
    }

    async fn refuse(&self, arrival: &Arrival, agent: Option<String>, why: &str) {
        tracing::warn!(agent, from = %arrival.from, why, "box refused at the door");
        if !self.audited.take(arrival.from.ip()) {
            return;
        }
        let detail = format!("{} was refused at the MQTT door: {why}.", arrival.from);
        let noted = self.store.audit("certificate_refused", audit::HUB, agent.as_deref(), &detail).await;
        if let Err(error) = noted {
            tracing::error!(%error, "refusal not written into the audit");
        }
    }
}

/// Until the end of `from`, or until `to` takes nothing for too long.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let write = async {
            to.write_all(&buffer[..n]).await?;
            to.flush().await
        };
        tokio::time::timeout(WRITE_PATIENCE, write).await??;
    }
}
