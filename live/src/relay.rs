//! The hub's end: each camera's packets, as they came, to everybody who watches it.
//!
//! Nothing is decoded or put together here. A viewer joins at a key frame, which its coming asks for; what a
//! viewer missed it asks for here and gets from here. One socket serves all: whose datagram it is, is found by
//! where it comes from, or by the session's own secret in it.

mod channel;
mod viewer;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::rtp::RtpPacket;

use crate::peer::{self, Peer, Said};
use crate::{LiveError, key_frame};
use channel::Stream;
use viewer::Viewer;

/// Whoever has not connected by then does not come any more.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One camera's live video, by a number that the caller minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u64);

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(u64);

/// Whose connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Source(Channel),
    Viewer(Channel),
}

/// What the relay wants done, or tells.
#[derive(Debug)]
pub enum Forwarded {
    Send {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// A channel's pictures begin to arrive.
    Arriving(Channel),
    /// A viewer is sent pictures from now on.
    Shown(Session),
    Ended(Session, End),
}

/// See the module.
pub struct Relay {
    addresses: Vec<SocketAddr>,
    most: usize,
    minted: u64,
    links: BTreeMap<Session, Link>,
    channels: BTreeMap<Channel, Stream>,
    routes: HashMap<SocketAddr, Session>,
    out: VecDeque<Forwarded>,
}

struct Link {
    peer: Peer,
    channel: Channel,
    born: Instant,
    connected: bool,
    mid: Mid,
    /// `None`: it is the channel's source.
    viewer: Option<Viewer>,
}

impl Relay {
    /// `addresses`: by which the hub's socket is reached; `most`: connections at a time.
    pub fn new(addresses: Vec<SocketAddr>, most: usize) -> Self {
        Self {
            addresses,
            most,
            minted: 0,
            links: BTreeMap::new(),
            channels: BTreeMap::new(),
            routes: HashMap::new(),
            out: VecDeque::new(),
        }
    }

    /// A box offers a channel's pictures; the answer. A source that was there before gives way.
    pub fn publish(
        &mut self,
        channel: Channel,
        offer: &str,
        now: Instant,
    ) -> Result<(Session, String), LiveError> {
        let (session, answer) = self.connect(channel, false, offer, now)?;
        let stream = self.channels.entry(channel).or_default();
        if let Some(before) = stream.source.replace(session) {
            self.close(before, now);
        }
        for link in self.links.values_mut().filter(|l| l.channel == channel) {
            if let Some(viewer) = &mut link.viewer {
                viewer.splice.cut();
            }
        }
        Ok((session, answer))
    }

    /// Somebody wants to watch a channel, whether its pictures come already or not; the answer.
    pub fn watch(
        &mut self,
        channel: Channel,
        offer: &str,
        now: Instant,
    ) -> Result<(Session, String), LiveError> {
        self.connect(channel, true, offer, now)
    }

    /// Ends a connection; [`Forwarded::Ended`] follows.
    pub fn close(&mut self, session: Session, now: Instant) {
        if let Some(link) = self.links.get_mut(&session) {
            let _ = link.peer.touch(now, |rtc| {
                rtc.disconnect();
                Ok(())
            });
            link.peer.end();
        }
        self.listen(session, now);
    }

    /// A datagram came in.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let known = self.routes.get(&from).copied();
        let takes = |s: &Session| self.links.get(s).is_some_and(|l| l.peer.accepts(now, from, bytes));
        // Only a STUN message may begin a conversation (RFC 7983).
        let stranger = || match bytes.first() {
            Some(0..=3) => self.links.keys().copied().find(|session| takes(session)),
            _ => None,
        };
        let Some(session) = known.filter(|s| takes(s)).or_else(stranger) else { return };
        self.routes.insert(from, session);
        if let Some(link) = self.links.get_mut(&session) {
            link.peer.receive(now, from, bytes);
        }
        self.listen(session, now);
    }

    /// The deadline has come.
    pub fn tick(&mut self, now: Instant) {
        let due: Vec<Session> =
            self.links.iter().filter(|(_, l)| l.peer.deadline() <= now).map(|(s, _)| *s).collect();
        for session in due {
            if let Some(link) = self.links.get_mut(&session) {
                link.peer.tick(now);
                if !link.connected && now.saturating_duration_since(link.born) >= CONNECT_WITHIN {
                    link.peer.end();
                }
            }
            self.listen(session, now);
        }
        let due: Vec<Channel> =
            self.channels.iter().filter(|(_, s)| s.key_frame_due(now)).map(|(c, _)| *c).collect();
        for channel in due {
            self.want_key_frame(channel, now);
        }
    }

    pub fn poll(&mut self) -> Option<Forwarded> {
        self.out.pop_front()
    }

    /// `None`: nothing is to be done before something comes in.
    pub fn deadline(&self) -> Option<Instant> {
        let links = self.links.values().map(|l| l.peer.deadline());
        links.chain(self.channels.values().filter_map(Stream::deadline)).min()
    }

    fn connect(
        &mut self,
        channel: Channel,
        viewer: bool,
        offer: &str,
        now: Instant,
    ) -> Result<(Session, String), LiveError> {
        if self.links.len() >= self.most {
            return Err(LiveError::Full(self.most));
        }
        let offer = SdpOffer::from_sdp_string(offer).map_err(|e| LiveError::Unreadable(e.to_string()))?;
        let config = peer::config().set_ice_lite(true).set_rtp_mode(true);
        let mut peer = Peer::new(config, &self.addresses, now)?;
        let (answer, mid, pt) = peer.touch(now, |rtc| {
            let answer = rtc.sdp_api().accept_offer(offer).map_err(|e| LiveError::Refused(e.to_string()))?;
            let answer = answer.to_sdp_string();
            let mid = agreed(&answer).ok_or(LiveError::NoCodec)?;
            let media = rtc.media(mid).ok_or(LiveError::NoCodec)?;
            let ready =
                if viewer { media.direction().is_sending() } else { media.direction().is_receiving() };
            let pt = media.remote_pts().first().copied().filter(|_| ready).ok_or(LiveError::NoCodec)?;
            Ok((answer, mid, pt))
        })?;
        self.minted += 1;
        let session = Session(self.minted);
        let viewer = viewer.then(|| Viewer::taking(pt));
        let link = Link { peer, channel, born: now, connected: false, mid, viewer };
        self.links.insert(session, link);
        self.listen(session, now);
        Ok((session, answer))
    }

    /// Takes everything that a session says.
    fn listen(&mut self, session: Session, now: Instant) {
        while let Some(said) = self.links.get_mut(&session).and_then(|l| l.peer.poll()) {
            self.hear(session, said, now);
        }
    }

    fn hear(&mut self, session: Session, said: Said, now: Instant) {
        let Some(link) = self.links.get_mut(&session) else { return };
        let (channel, is_viewer) = (link.channel, link.viewer.is_some());
        match said {
            Said::Send { to, bytes } => self.out.push_back(Forwarded::Send { to, bytes }),
            Said::Connected => {
                link.connected = true;
                self.want_key_frame(channel, now);
            }
            Said::KeyFrameWanted if is_viewer => self.want_key_frame(channel, now),
            Said::Packet(packet) if !is_viewer => self.forward(channel, session, &packet, now),
            Said::Over => self.over(session),
            Said::KeyFrameWanted | Said::Packet(_) | Said::Picture(_) => {}
        }
    }

    fn forward(&mut self, channel: Channel, source: Session, packet: &RtpPacket, now: Instant) {
        let Some(stream) = self.channels.get_mut(&channel).filter(|s| s.source == Some(source)) else {
            return;
        };
        let begins = key_frame::begins(&packet.payload);
        if stream.arrived(begins) {
            self.out.push_back(Forwarded::Arriving(channel));
        }
        let watching = |l: &Link| l.channel == channel && l.connected && l.viewer.is_some();
        let viewers: Vec<Session> =
            self.links.iter().filter(|(_, l)| watching(l)).map(|(session, _)| *session).collect();
        for session in viewers {
            if let Some(Link { peer, mid, viewer: Some(viewer), .. }) = self.links.get_mut(&session)
                && viewer.pass(peer, *mid, packet, begins, now)
            {
                self.out.push_back(Forwarded::Shown(session));
            }
            // Its own packets come to nobody else: what it says now is short.
            self.listen(session, now);
        }
    }

    fn want_key_frame(&mut self, channel: Channel, now: Instant) {
        let Some(stream) = self.channels.get_mut(&channel) else { return };
        let Some(source) = stream.source else { return };
        if !self.links.get(&source).is_some_and(|l| l.connected) || !stream.ask(now) {
            return;
        }
        if let Some(Link { peer, mid, .. }) = self.links.get_mut(&source) {
            peer.want_key_frame(now, *mid);
        }
        self.listen(source, now);
    }

    fn over(&mut self, session: Session) {
        let Some(mut link) = self.links.remove(&session) else { return };
        // A last word, if it has one.
        while let Some(said) = link.peer.poll() {
            if let Said::Send { to, bytes } = said {
                self.out.push_back(Forwarded::Send { to, bytes });
            }
        }
        self.routes.retain(|_, to| *to != session);
        let channel = link.channel;
        let end = if link.viewer.is_some() { End::Viewer(channel) } else { End::Source(channel) };
        if let Some(stream) = self.channels.get_mut(&channel)
            && stream.source == Some(session)
        {
            stream.lost();
        }
        if !self.links.values().any(|l| l.channel == channel) {
            self.channels.remove(&channel);
        }
        self.out.push_back(Forwarded::Ended(session, end));
    }
}

/// What an answer calls its first picture.
fn agreed(answer: &str) -> Option<Mid> {
    let of_video = answer.lines().skip_while(|line| !line.starts_with("m=video")).skip(1);
    let mut section = of_video.take_while(|line| !line.starts_with("m="));
    section.find_map(|line| line.trim_end().strip_prefix("a=mid:")).map(Mid::from)
}
