//! One WebRTC session: a connection to one other side, and what it says, drained after every touch.
//!
//! The library below asks for exactly that: one change, then all its outputs, before the next change. Bytes that
//! come from outside may not end the program either: a session that breaks in there is over, and nothing else.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use str0m::change::SdpAnswer;
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};

use crate::LiveError;

/// Most outputs that wait to be taken.
const WAITING: usize = 4096;
/// A session that has nothing to do is looked at again after this.
const IDLE: Duration = Duration::from_secs(1);

/// What a session says.
#[derive(Debug)]
pub enum Said {
    Send {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Connected,
    /// The other side cannot go on without a key frame.
    KeyFrameWanted,
    Packet(Box<RtpPacket>),
    Picture(Box<MediaData>),
    Over,
}

/// A session.
pub struct Peer {
    rtc: Rtc,
    /// Where the other side's datagrams count as having come in.
    local: SocketAddr,
    said: VecDeque<Said>,
    deadline: Instant,
    over: bool,
}

/// H.264 of the two profiles that every browser takes, fragments allowed; nothing else.
pub fn config() -> RtcConfig {
    let mut config = Rtc::builder().clear_codecs();
    let codecs = config.codec_config();
    // Payload type, that of its retransmissions, profile and level (RFC 6184, 8.1).
    for (pt, resent, profile) in [(108, 109, 0x42_e0_1f), (127, 121, 0x42_00_1f)] {
        codecs.add_h264(pt.into(), Some(resent.into()), true, profile);
    }
    config
}

impl Peer {
    /// `addresses`: by which this side is reached; what comes in counts for the first.
    pub fn new(config: RtcConfig, addresses: &[SocketAddr], now: Instant) -> Result<Self, LiveError> {
        let mut rtc = config.build(now);
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = *addresses.first().ok_or(LiveError::Address(unspecified))?;
        for address in addresses {
            let candidate = Candidate::host(*address, "udp").map_err(|_| LiveError::Address(*address))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self { rtc, local, said: VecDeque::new(), deadline: now, over: false })
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn poll(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// Does one thing to the session, then takes everything it says.
    pub fn touch<T>(
        &mut self,
        now: Instant,
        what: impl FnOnce(&mut Rtc) -> Result<T, LiveError>,
    ) -> Result<T, LiveError> {
        if self.over {
            return Err(LiveError::Ended);
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = what(&mut self.rtc);
            self.drain(now);
            result
        }));
        result.unwrap_or_else(|_| {
            self.end();
            Err(LiveError::Ended)
        })
    }

    /// Whether a datagram is for this session.
    pub fn accepts(&self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else { return false };
        let accepts = || self.rtc.accepts(&Input::Receive(now, receive));
        !self.over && catch_unwind(AssertUnwindSafe(accepts)).unwrap_or(false)
    }

    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.local, bytes) else { return };
        self.input(now, Input::Receive(now, receive));
    }

    /// Its deadline has come.
    pub fn tick(&mut self, now: Instant) {
        self.input(now, Input::Timeout(now));
    }

    /// What the other side answered to this side's offer.
    pub fn answered(
        &mut self,
        now: Instant,
        pending: str0m::change::SdpPendingOffer,
        answer: &str,
    ) -> Result<(), LiveError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|e| LiveError::Unreadable(e.to_string()))?;
        self.touch(now, |rtc| {
            let accepted = rtc.sdp_api().accept_answer(pending, answer);
            accepted.map_err(|e| LiveError::Refused(e.to_string()))
        })
    }

    /// Asks the other side for a key frame.
    pub fn want_key_frame(&mut self, now: Instant, mid: Mid) {
        let _ = self.touch(now, |rtc| {
            if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
            Ok(())
        });
        // It leaves with the next timeout.
        self.tick(now);
    }

    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            self.said.push_back(Said::Over);
        }
    }

    fn input(&mut self, now: Instant, input: Input<'_>) {
        let handled =
            self.touch(now, |rtc| rtc.handle_input(input).map_err(|e| LiveError::Refused(e.to_string())));
        if handled.is_err() {
            self.end();
        }
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.deadline = at.min(now + IDLE);
                    break;
                }
                Ok(Output::Transmit(send)) => {
                    self.say(Said::Send { to: send.destination, bytes: send.contents.into() });
                }
                Ok(Output::Event(event)) => self.event(event),
                Err(_) => return self.end(),
            }
        }
        if !self.rtc.is_alive() {
            self.end();
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.say(Said::Connected),
            Event::KeyframeRequest(_) => self.say(Said::KeyFrameWanted),
            Event::RtpPacket(packet) => self.say(Said::Packet(Box::new(packet))),
            Event::MediaData(picture) => self.say(Said::Picture(Box::new(picture))),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => self.end(),
            _ => {}
        }
    }

    /// Who does not take outputs loses the newest; the other side asks for them again.
    fn say(&mut self, said: Said) {
        if self.said.len() < WAITING {
            self.said.push_back(said);
        }
    }
}
