//! A network that exists in memory alone: a clock that is set, and datagrams that are lost by a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use live::{Channel, Forwarded, Receiver, Relay, Seen, Sender, Session, Told, Watched};

pub const CHANNEL: Channel = Channel(7);
const DELAY: Duration = Duration::from_millis(4);
/// Between two pictures.
pub const GAP: Duration = Duration::from_millis(100);

/// A small generator (xorshift), so that every run is the same.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A box with one camera.
pub struct Source {
    sender: Sender,
    next: Instant,
    key: bool,
    number: u32,
    began: Instant,
    pub connected: bool,
}

pub struct Viewer {
    receiver: Receiver,
    pub session: Session,
    pub since: Instant,
    pub seen: Vec<(Instant, Seen)>,
    pub silent: bool,
    pub over: bool,
}

pub struct World {
    pub now: Instant,
    pub relay: Relay,
    pub sources: BTreeMap<SocketAddr, Source>,
    pub viewers: BTreeMap<SocketAddr, Viewer>,
    pub told: Vec<Forwarded>,
    /// All that was encoded, by its number.
    pub made: BTreeMap<u32, Vec<u8>>,
    /// Of a thousand datagrams so many are lost.
    pub lost_per_mille: u64,
    wire: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
    chance: Chance,
    hub: SocketAddr,
}

pub fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 40_000 + u16::from(last)))
}

impl World {
    pub fn new(seed: u64) -> Self {
        let hub = address(1);
        Self {
            now: Instant::now(),
            relay: Relay::new(vec![hub], 8),
            sources: BTreeMap::new(),
            viewers: BTreeMap::new(),
            told: Vec::new(),
            made: BTreeMap::new(),
            lost_per_mille: 0,
            wire: BTreeMap::new(),
            sent: 0,
            chance: Chance::of(seed),
            hub,
        }
    }

    pub fn source(&mut self, at: SocketAddr) {
        let (mut sender, offer) = Sender::offer(at, self.now).unwrap();
        let (_, answer) = self.relay.publish(CHANNEL, &offer, self.now).unwrap();
        sender.answered(&answer, self.now).unwrap();
        let number = self.made.keys().next_back().map_or(0, |n| n + 1000);
        let (next, began) = (self.now, self.now);
        self.sources.insert(at, Source { sender, next, key: true, number, began, connected: false });
    }

    pub fn viewer(&mut self, at: SocketAddr) {
        let (mut receiver, offer) = Receiver::offer(at, self.now).unwrap();
        let (session, answer) = self.relay.watch(CHANNEL, &offer, self.now).unwrap();
        receiver.answered(&answer, self.now).unwrap();
        let since = self.now;
        let viewer = Viewer { receiver, session, since, seen: Vec::new(), silent: false, over: false };
        self.viewers.insert(at, viewer);
    }

    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.take();
            let deadlines = self.sources.values().map(|s| s.sender.deadline().min(s.next));
            let viewers = self.viewers.values().filter(|v| !v.silent).map(|v| v.receiver.deadline());
            let wire = self.wire.keys().next().map(|(at, _)| *at);
            let next = deadlines.chain(viewers).chain(self.relay.deadline()).chain(wire).min();
            let next = next.unwrap_or(until).max(self.now + Duration::from_micros(50));
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            self.deliver();
            self.tick();
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        self.relay.tick(now);
        for viewer in self.viewers.values_mut().filter(|v| !v.silent && v.receiver.deadline() <= now) {
            viewer.receiver.tick(now);
        }
        for source in self.sources.values_mut() {
            if source.sender.deadline() <= now {
                source.sender.tick(now);
            }
            if source.next <= now {
                source.next = now + GAP;
                let key = std::mem::take(&mut source.key) || source.number.is_multiple_of(50);
                let picture = picture(source.number, key, &mut self.chance);
                source.sender.write(&picture, now - source.began, now).unwrap();
                self.made.insert(source.number, picture);
                source.number += 1;
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.wire.first_entry().filter(|e| e.key().0 <= self.now) {
            let (from, to, bytes) = entry.remove();
            if to == self.hub {
                self.relay.receive(from, &bytes, self.now);
            } else if let Some(source) = self.sources.get_mut(&to) {
                source.sender.receive(from, &bytes, self.now);
            } else if let Some(viewer) = self.viewers.get_mut(&to).filter(|v| !v.silent) {
                viewer.receiver.receive(from, &bytes, self.now);
            }
        }
    }

    /// Takes what everybody says, and gives datagrams to the wire.
    fn take(&mut self) {
        let mut sends = Vec::new();
        while let Some(told) = self.relay.poll() {
            match told {
                Forwarded::Send { to, bytes } => sends.push((self.hub, to, bytes)),
                other => self.told.push(other),
            }
        }
        for (at, source) in &mut self.sources {
            while let Some(told) = source.sender.poll() {
                match told {
                    Told::Send { to, bytes } => sends.push((*at, to, bytes)),
                    Told::KeyFrameWanted => source.key = true,
                    Told::Connected => source.connected = true,
                    Told::Over => {}
                }
            }
        }
        for (at, viewer) in &mut self.viewers {
            while let Some(watched) = viewer.receiver.poll() {
                match watched {
                    Watched::Send { to, bytes } if !viewer.silent => sends.push((*at, to, bytes)),
                    Watched::Picture(seen) => viewer.seen.push((self.now, seen)),
                    Watched::Over => viewer.over = true,
                    Watched::Send { .. } | Watched::Connected => {}
                }
            }
        }
        for send in sends {
            self.sent += 1;
            if self.chance.next() % 1000 >= self.lost_per_mille {
                self.wire.insert((self.now + DELAY, self.sent), send);
            }
        }
    }
}

/// An access unit that a depacketiser gives back byte by byte: its number stands in its slice.
fn picture(number: u32, key: bool, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut unit = |header: u8, length: usize| {
        bytes.extend([0, 0, 0, 1, header]);
        bytes.extend(number.to_be_bytes().map(|b| b | 0x40));
        bytes.extend((0..length).map(|_| (chance.next() % 255) as u8 + 1));
    };
    if key {
        unit(0x67, 12);
        unit(0x68, 4);
    }
    unit(if key { 0x65 } else { 0x41 }, if key { 20_000 } else { 3_000 });
    bytes
}
