//! The accept loop that every door has: a place in the crowd, TLS within its time, then on.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, Place};

/// How long a TLS handshake may take, first byte included.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that the system keeps for us while we are busy.
const BACKLOG: u32 = 4096;
/// How long to wait when the system gives no more connections.
const BREATH: Duration = Duration::from_millis(20);
/// How long connections may take to end when the door closes.
const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// Somebody who came in.
pub struct Arrival {
    pub stream: Stream,
    pub from: SocketAddr,
    /// The certificate that was shown: signed by a believed authority, and its key is there.
    pub certificate: Option<CertificateDer<'static>>,
    pub place: Place,
}

/// A door that listens.
pub struct Door {
    name: &'static str,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    crowd: Crowd,
}

impl Door {
    /// Without `tls`, what comes is plain.
    pub fn listen(
        name: &'static str,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        crowd: Crowd,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { name, listener, tls: tls.map(TlsAcceptor::from), crowd })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Lets in until stopped; then everybody inside is asked to leave through `stop`, and at last cut.
    pub async fn run<S, F>(self, stop: CancellationToken, serve: S)
    where
        S: Fn(Arrival) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut inside = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = inside.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(door = self.name, %error, "no more connections from the system");
                    self.crowd.push_out_first();
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let place = self.crowd.enter(from.ip());
            let (tls, serve, name) = (self.tls.clone(), serve.clone(), self.name);
            inside.spawn(async move {
                let cut = place.cut.clone();
                let work = async {
                    if let Some(arrival) = shake_hands(name, tls, stream, from, place).await {
                        serve(arrival).await;
                    }
                };
                tokio::select! {
                    () = cut.cancelled() => {}
                    () = work => {}
                }
            });
        }
        drop(self.listener);
        let all = async { while inside.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            inside.shutdown().await;
        }
    }
}

async fn shake_hands(
    door: &'static str,
    tls: Option<TlsAcceptor>,
    stream: TcpStream,
    from: SocketAddr,
    mut place: Place,
) -> Option<Arrival> {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        // HTTP has a limit of its own for the first request.
        place.has_spoken();
        return Some(Arrival { stream: Stream::Plain(stream), from, certificate: None, place });
    };
    let accepted = async {
        stream.readable().await?;
        place.has_spoken();
        tls.accept(stream).await
    };
    match tokio::time::timeout(HANDSHAKE, accepted).await {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates();
            let certificate = shown.and_then(|chain| chain.first()).map(|c| c.clone().into_owned());
            Some(Arrival { stream: Stream::Tls(Box::new(stream)), from, certificate, place })
        }
        Ok(Err(error)) => {
            tracing::debug!(door, %from, %error, "no TLS");
            None
        }
        Err(_) => {
            tracing::debug!(door, %from, "TLS handshake took too long");
            None
        }
    }
}

/// Errors of accept that are about the connection that was just lost, not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Plain or TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s.as_mut()).poll_shutdown(cx),
        }
    }
}
