//! From the box to the hub: the offer by HTTPS (WHIP), then pictures by UDP; again and again while it is asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use live::{LiveError, Sender, Told};
use protocol::CameraId;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, HubError};
use crate::identity::Pass;
use crate::redact::AccessUnit;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
const DATAGRAM: usize = 2048;

/// What the network's side wants of the encoder's. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wishes(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    connected: AtomicBool,
    key_frame: AtomicBool,
}

impl Wishes {
    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Acquire)
    }

    pub fn want_key_frame(&self) {
        self.0.key_frame.store(true, Ordering::Release);
    }

    /// Whether one is wanted; it then is no more.
    pub fn take_key_frame(&self) -> bool {
        self.0.key_frame.swap(false, Ordering::AcqRel)
    }

    fn connected(&self, connected: bool) {
        self.want_key_frame();
        self.0.connected.store(connected, Ordering::Release);
    }
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Session(#[from] LiveError),
    #[error("the network: {0}")]
    Network(#[from] std::io::Error),
    #[error("{0} leads to no address: check the hub's name")]
    Nowhere(String),
    #[error("the connection ended")]
    Ended,
}

/// One request of the hub's.
pub struct Push {
    pub camera: CameraId,
    /// What the hub calls it.
    pub live: String,
    pub pass: watch::Receiver<Arc<Pass>>,
    pub encoded: mpsc::Receiver<AccessUnit>,
    pub wishes: Wishes,
}

impl Push {
    pub async fn run(mut self, stop: CancellationToken) {
        let work = async {
            loop {
                let Err(error) = self.session().await else { return };
                self.wishes.connected(false);
                tracing::warn!(camera = %self.camera, %error, "live video does not reach the hub; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    }

    /// One connection, to its end; well ended only when there is nothing more to send.
    async fn session(&mut self) -> Result<(), PushError> {
        let pass = self.pass.borrow_and_update().clone();
        let hub = Hub::new(&pass.home.hub, &pass.tls)?;
        let socket = UdpSocket::bind((towards(&pass.home.hub).await?, 0)).await?;
        let (mut sender, offer) = Sender::offer(socket.local_addr()?, Instant::now())?;
        let answer = hub.offer_live(&self.camera, &self.live, offer).await?;
        sender.answered(&answer, Instant::now())?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            while let Some(told) = sender.poll() {
                match told {
                    // What the network does not take is asked for again.
                    Told::Send { to, bytes } => drop(socket.try_send_to(&bytes, to)),
                    Told::Connected => {
                        tracing::info!(camera = %self.camera, "live video reaches the hub");
                        self.wishes.connected(true);
                    }
                    Told::KeyFrameWanted => self.wishes.want_key_frame(),
                    Told::Over => return Err(PushError::Ended),
                }
            }
            let due = sender.deadline().saturating_duration_since(Instant::now());
            tokio::select! {
                received = socket.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    sender.receive(from, &buffer[..length], Instant::now());
                }
                unit = self.encoded.recv() => {
                    let Some(unit) = unit else { return Ok(()) };
                    sender.write(unit.as_bytes(), unit.at(), Instant::now())?;
                }
                () = tokio::time::sleep(due) => sender.tick(Instant::now()),
            }
        }
    }
}

/// This box's own address on the way to the hub. Nothing is sent.
async fn towards(hub: &str) -> Result<IpAddr, PushError> {
    let host = hub.trim_start_matches("https://");
    let hub = tokio::net::lookup_host(host).await?.next();
    let hub = hub.ok_or_else(|| PushError::Nowhere(host.to_owned()))?;
    let any: SocketAddr = if hub.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(hub).await?;
    Ok(socket.local_addr()?.ip())
}
