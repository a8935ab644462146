//! How many may stand at the door: places for those who are not known yet, and for those who are in.
//!
//! Somebody new always gets a place: where all are taken, whoever has waited longest without a word loses
//! his, first of the same address, then of all; only where everybody has spoken, whoever has waited longest
//! without being known. So a flood of half-open connections only pushes itself out however fast it comes back,
//! and a box, which speaks at once and is known soon after, gets through.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Most places of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Connections that have not shown yet who they are: TLS handshakes, first requests.
    pub waiting: usize,
    pub waiting_an_address: usize,
    /// Connections of boxes that are known, or of browsers that have asked for something.
    pub open: usize,
    pub open_an_address: usize,
}

impl Places {
    /// As many as this number of open files allows. A known box takes three: its socket, and both ends
    /// of the one to the broker.
    pub fn for_files(files: u64) -> Self {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        Self {
            waiting: (files / 8).clamp(64, 2048),
            waiting_an_address: (files / 16).clamp(32, 512),
            open: (files / 8).clamp(64, 4096),
            open_an_address: (files / 16).clamp(32, 1024),
        }
    }
}

/// Who is there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Crowd {
    places: Places,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    /// In the order in which they lose their places.
    waiting: BTreeMap<Turn, (IpAddr, CancellationToken)>,
    waiting_of: HashMap<IpAddr, BTreeSet<Turn>>,
    open: usize,
    open_of: HashMap<IpAddr, usize>,
    pushed_out: u64,
}

/// When somebody's turn to leave comes: the silent first, then the others, each in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    has_spoken: bool,
    number: u64,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    turn: Turn,
    address: IpAddr,
    open: bool,
    /// It has been taken away.
    pub cut: CancellationToken,
}

impl Crowd {
    pub fn new(places: Places) -> Self {
        Self { places, table: Arc::default() }
    }

    /// A place for somebody who is not known yet.
    pub fn enter(&self, from: IpAddr) -> Place {
        let address = group(from);
        let cut = CancellationToken::new();
        let mut table = self.lock();
        let of_address = table.waiting_of.get(&address);
        let crowded = of_address.filter(|of| of.len() >= self.places.waiting_an_address);
        if let Some(first) = crowded.and_then(|of| of.first().copied()) {
            table.push_out(first);
        } else if table.waiting.len() >= self.places.waiting
            && let Some(first) = table.waiting.keys().next().copied()
        {
            table.push_out(first);
        }
        table.next += 1;
        let turn = Turn { has_spoken: false, number: table.next };
        table.wait(turn, address, cut.clone());
        drop(table);
        Place { crowd: self.clone(), turn, address, open: false, cut }
    }

    /// (waiting, open, pushed out since the start)
    pub fn counts(&self) -> (usize, usize, u64) {
        let table = self.lock();
        (table.waiting.len(), table.open, table.pushed_out)
    }

    /// Takes the place of whoever is first to leave: the system itself has no room for more.
    pub fn push_out_first(&self) {
        let mut table = self.lock();
        if let Some(first) = table.waiting.keys().next().copied() {
            table.push_out(first);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The first byte is there.
    pub fn has_spoken(&mut self) {
        let mut table = self.crowd.table.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.open && table.leave_waiting(self.turn) {
            self.turn.has_spoken = true;
            table.wait(self.turn, self.address, self.cut.clone());
        }
    }

    /// It is known now who this is: the place is kept until it is given back. `false` where there is no
    /// room for one more.
    pub fn stay(&mut self) -> bool {
        if self.open {
            return true;
        }
        let crowd = self.crowd.clone();
        let mut table = crowd.lock();
        let of_address = table.open_of.get(&self.address).copied().unwrap_or(0);
        if table.open >= crowd.places.open || of_address >= crowd.places.open_an_address {
            return false;
        }
        if !table.leave_waiting(self.turn) {
            // Pushed out a moment ago.
            return false;
        }
        table.open += 1;
        *table.open_of.entry(self.address).or_default() += 1;
        self.open = true;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.crowd.lock();
        if !self.open {
            table.leave_waiting(self.turn);
            return;
        }
        table.open -= 1;
        let of_address = table.open_of.get_mut(&self.address);
        let left = of_address.map_or(0, |n| {
            *n -= 1;
            *n
        });
        if left == 0 {
            table.open_of.remove(&self.address);
        }
    }
}

impl Table {
    fn wait(&mut self, turn: Turn, address: IpAddr, cut: CancellationToken) {
        self.waiting.insert(turn, (address, cut));
        self.waiting_of.entry(address).or_default().insert(turn);
    }

    fn push_out(&mut self, turn: Turn) {
        if let Some((_, cut)) = self.waiting.get(&turn) {
            cut.cancel();
            self.pushed_out += 1;
        }
        self.leave_waiting(turn);
    }

    /// Whether it was still waiting.
    fn leave_waiting(&mut self, turn: Turn) -> bool {
        let Some((address, _)) = self.waiting.remove(&turn) else { return false };
        if let Some(of_address) = self.waiting_of.get_mut(&address) {
            of_address.remove(&turn);
            if of_address.is_empty() {
                self.waiting_of.remove(&address);
            }
        }
        true
    }
}

/// Who has one address of IPv6 has the 2^64 beside it as well.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places = Places { waiting: 4, waiting_an_address: 2, open: 3, open_an_address: 2 };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn somebody_new_pushes_out_the_oldest_of_his_address_then_of_all() {
        let crowd = Crowd::new(PLACES);
        let places: Vec<_> =
            ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1"].map(|a| crowd.enter(ip(a))).into();
        let cut = |places: &[Place]| places.iter().map(|p| p.cut.is_cancelled()).collect::<Vec<_>>();
        assert_eq!(cut(&places), [true, false, false, false], "a third of one address");
        let more: Vec<_> = ["10.0.0.3", "10.0.0.4"].map(|a| crowd.enter(ip(a))).into();
        assert_eq!(cut(&places), [true, true, false, false], "a fifth of all");
        assert_eq!(cut(&more), [false, false]);
        assert_eq!(crowd.counts(), (4, 0, 2));
        drop((places, more));
        assert_eq!(crowd.counts(), (0, 0, 2));
        assert!(crowd.lock().waiting_of.is_empty());
    }

    #[test]
    fn who_has_spoken_is_pushed_out_by_nobody_who_is_silent() {
        let crowd = Crowd::new(PLACES);
        let mut known = crowd.enter(ip("10.0.0.9"));
        known.has_spoken();
        let flood: Vec<_> = (0..100).map(|n| crowd.enter(IpAddr::from([10, 0, 1, n]))).collect();
        assert!(!known.cut.is_cancelled() && known.stay());
        assert_eq!(crowd.counts(), (3, 1, 97));
        // Those who all speak push each other out, the oldest first.
        drop(flood);
        let speaking: Vec<_> = (0..6)
            .map(|n| {
                let mut place = crowd.enter(IpAddr::from([10, 0, 1, n]));
                place.has_spoken();
                place
            })
            .collect();
        let cut: Vec<_> = speaking.iter().map(|p| p.cut.is_cancelled()).collect();
        assert_eq!(cut, [true, true, false, false, false, false]);
    }

    #[test]
    fn who_is_known_stays_whatever_comes_after() {
        let crowd = Crowd::new(PLACES);
        let mut known = crowd.enter(ip("10.0.0.1"));
        assert!(known.stay() && known.stay());
        let flood: Vec<_> = (0..100).map(|_| crowd.enter(ip("10.0.0.1"))).collect();
        assert!(!known.cut.is_cancelled());
        assert_eq!(crowd.counts(), (2, 1, 98));
        drop((known, flood));
        assert_eq!(crowd.counts(), (0, 0, 98));
        assert!(crowd.lock().open_of.is_empty());
    }

    #[test]
    fn places_inside_are_bounded_as_well() {
        let crowd = Crowd::new(PLACES);
        let mut places: Vec<_> = [1, 1, 1, 2, 3].map(|n| crowd.enter(IpAddr::from([10, 0, 0, n]))).into();
        let stay: Vec<_> = places.iter_mut().skip(1).map(Place::stay).collect();
        assert_eq!(stay, [true, true, true, false]);
        assert!(!places[0].stay(), "it was pushed out");
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_address() {
        assert_eq!(group(ip("2001:db8::1")), group(ip("2001:db8::ffff:1")));
        assert_ne!(group(ip("2001:db8::1")), group(ip("2001:db8:0:1::1")));
        assert_eq!(group(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }
}
