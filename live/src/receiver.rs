//! A viewer's end, as a browser has it: what tests and measurements watch by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpPendingOffer;
use str0m::media::{Direction, MediaKind, Mid};

use crate::peer::{self, Peer, Said};
use crate::{CLOCK, LiveError, key_frame};

/// What a receiver wants done, or got.
#[derive(Debug)]
pub enum Watched {
    Send { to: SocketAddr, bytes: Vec<u8> },
    Connected,
    Picture(Seen),
    Over,
}

/// An encoded picture, whole, with start codes.
#[derive(Debug, Clone)]
pub struct Seen {
    pub bytes: Arc<[u8]>,
    /// On the hub's line, from the first picture on.
    pub at: Duration,
    pub key: bool,
    /// Nothing before it is missing.
    pub follows: bool,
}

/// See the module.
pub struct Receiver {
    peer: Peer,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
}

impl Receiver {
    /// With the offer that the hub is to answer.
    pub fn offer(local: SocketAddr, now: Instant) -> Result<(Self, String), LiveError> {
        let mut peer = Peer::new(peer::config(), &[local], now)?;
        let (mid, offer, pending) = peer.touch(now, |rtc| {
            let mut change = rtc.sdp_api();
            let mid = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
            let (offer, pending) = change.apply().ok_or(LiveError::Ended)?;
            Ok((mid, offer.to_sdp_string(), pending))
        })?;
        Ok((Self { peer, mid, pending: Some(pending) }, offer))
    }

    pub fn answered(&mut self, answer: &str, now: Instant) -> Result<(), LiveError> {
        let pending = self.pending.take().ok_or(LiveError::Ended)?;
        self.peer.answered(now, pending, answer)
    }

    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        self.peer.receive(now, from, bytes);
    }

    pub fn tick(&mut self, now: Instant) {
        self.peer.tick(now);
    }

    pub fn want_key_frame(&mut self, now: Instant) {
        self.peer.want_key_frame(now, self.mid);
    }

    pub fn poll(&mut self) -> Option<Watched> {
        loop {
            return Some(match self.peer.poll()? {
                Said::Send { to, bytes } => Watched::Send { to, bytes },
                Said::Connected => Watched::Connected,
                Said::Picture(picture) => {
                    let ticks = u128::from(picture.time.rebase(str0m::media::Frequency::NINETY_KHZ).numer());
                    let micros = u64::try_from(ticks * 1_000_000 / u128::from(CLOCK)).unwrap_or(u64::MAX);
                    Watched::Picture(Seen {
                        key: is_key(&picture.data),
                        follows: picture.contiguous,
                        at: Duration::from_micros(micros),
                        bytes: picture.data,
                    })
                }
                Said::Over => Watched::Over,
                Said::Packet(_) | Said::KeyFrameWanted => continue,
            });
        }
    }

    pub fn deadline(&self) -> Instant {
        self.peer.deadline()
    }
}

/// Whether a picture with start codes is a key frame.
fn is_key(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|w| w[..3] == [0, 0, 1] && key_frame::begins(&w[3..]))
}
