//! The box's end: one camera's pictures to the hub.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpPendingOffer;
use str0m::media::{Direction, MediaKind, MediaTime, Mid};

use crate::peer::{self, Peer, Said};
use crate::{CLOCK, LiveError};

/// What a sender wants done.
#[derive(Debug)]
pub enum Told {
    Send {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Pictures travel from now on.
    Connected,
    /// The next picture must be a key frame.
    KeyFrameWanted,
    Over,
}

/// See the module.
pub struct Sender {
    peer: Peer,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    connected: bool,
}

impl Sender {
    /// With the offer that the hub is to answer. `local`: where the hub's datagrams come in.
    pub fn offer(local: SocketAddr, now: Instant) -> Result<(Self, String), LiveError> {
        let mut peer = Peer::new(peer::config(), &[local], now)?;
        let (mid, offer, pending) = peer.touch(now, |rtc| {
            let mut change = rtc.sdp_api();
            let mid = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
            let (offer, pending) = change.apply().ok_or(LiveError::Ended)?;
            Ok((mid, offer.to_sdp_string(), pending))
        })?;
        Ok((Self { peer, mid, pending: Some(pending), connected: false }, offer))
    }

    /// The hub's answer; once.
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

    /// An encoded picture, whole, with start codes; `at`: its time on the camera's line. Before the session
    /// stands it is passed over.
    pub fn write(&mut self, picture: &[u8], at: Duration, now: Instant) -> Result<(), LiveError> {
        if !self.connected {
            return Ok(());
        }
        let mid = self.mid;
        let ticks = at.as_micros() * u128::from(CLOCK) / 1_000_000;
        let time = MediaTime::from_90khz(u64::try_from(ticks).unwrap_or(u64::MAX));
        self.peer.touch(now, |rtc| {
            let writer = rtc.writer(mid).ok_or(LiveError::Ended)?;
            let pt = writer.payload_params().next().ok_or(LiveError::NoCodec)?.pt();
            writer.write(pt, now, time, picture).map_err(|e| LiveError::Refused(e.to_string()))
        })?;
        // Packets are made when time passes.
        self.peer.tick(now);
        Ok(())
    }

    pub fn poll(&mut self) -> Option<Told> {
        loop {
            return Some(match self.peer.poll()? {
                Said::Send { to, bytes } => Told::Send { to, bytes },
                Said::Connected => {
                    self.connected = true;
                    Told::Connected
                }
                Said::KeyFrameWanted => Told::KeyFrameWanted,
                Said::Over => Told::Over,
                Said::Packet(_) | Said::Picture(_) => continue,
            });
        }
    }

    pub fn deadline(&self) -> Instant {
        self.peer.deadline()
    }
}
