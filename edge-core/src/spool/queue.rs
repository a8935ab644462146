//! What is sent next, and what an acknowledgement settles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{Ack, MAX_RECORDS, RESEND_AFTER};

use super::RangeSet;

/// A record: which epoch of this spool (in the order in which they were met) and its seq there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub epoch: u32,
    pub seq: u64,
}

/// One message on its way: when it was handed out and which of its records are still open.
#[derive(Debug)]
struct Flight {
    sent: Duration,
    open: Vec<Key>,
}

/// The order of sending. Times are durations since the process began.
#[derive(Debug, Default)]
pub struct Queue {
    connected: bool,
    /// Size of every record that is not settled, in bytes as JSON.
    open: BTreeMap<Key, u32>,
    live: BTreeSet<Key>,
    backlog: BTreeSet<Key>,
    flights: Vec<Flight>,
}

/// What an `alert` message costs around its records, generously.
pub const ENVELOPE_BYTES: usize = 64;

impl Queue {
    /// A record was stored and waits to be sent.
    pub fn push(&mut self, key: Key, bytes: u32) {
        self.open.insert(key, bytes);
        if self.connected {
            self.live.insert(key);
        } else {
            self.backlog.insert(key);
        }
    }

    /// Sent again because the hub lost it, or found at start: behind what is live.
    pub fn push_backlog(&mut self, key: Key, bytes: u32) {
        self.open.insert(key, bytes);
        self.live.remove(&key);
        self.backlog.insert(key);
    }

    pub fn connect(&mut self) {
        self.connected = true;
    }

    /// Whatever was on its way may be lost: all of it goes again.
    pub fn disconnect(&mut self) {
        self.connected = false;
        self.backlog.append(&mut self.live);
        self.backlog
            .extend(self.flights.drain(..).flat_map(|f| f.open).filter(|k| self.open.contains_key(k)));
    }

    /// The next message: 1 to 64 records of at most `max_bytes` altogether, or nothing now. At most
    /// `window` messages wait for their acknowledgement; a backlog uses three quarters of them, so
    /// that what is live never queues behind it.
    pub fn next(&mut self, now: Duration, window: usize, max_bytes: usize) -> Option<Vec<Key>> {
        self.expire(now);
        let room = window.saturating_sub(self.flights.len());
        let (from, room) = if self.live.is_empty() {
            (&mut self.backlog, room.saturating_sub(window / 4))
        } else {
            (&mut self.live, room)
        };
        if room == 0 {
            return None;
        }
        let mut keys = Vec::new();
        let mut bytes = ENVELOPE_BYTES;
        while let Some(&key) = from.first() {
            let size = self.open.get(&key).map_or(0, |b| *b as usize + 1);
            if keys.len() == MAX_RECORDS || (!keys.is_empty() && bytes + size > max_bytes) {
                break;
            }
            bytes += size;
            from.remove(&key);
            keys.push(key);
        }
        if keys.is_empty() {
            return None;
        }
        self.flights.push(Flight { sent: now, open: keys.clone() });
        Some(keys)
    }

    /// Settles what `ack` names in `epoch` (rejected counts as settled); returns the records that
    /// this settled now, ascending.
    pub fn acknowledge(&mut self, epoch: u32, ack: &Ack) -> Vec<u64> {
        let mut settled = RangeSet::default();
        settled.insert_range(1, ack.settled_through);
        for &(first, last) in &ack.settled {
            settled.insert_range(first.max(1), last);
        }
        for rejected in &ack.rejected {
            settled.insert_range(rejected.seq, rejected.seq);
        }
        let mut gone = Vec::new();
        for (first, last) in settled.iter() {
            let (first, last) = (Key { epoch, seq: first }, Key { epoch, seq: last });
            gone.extend(self.open.range(first..=last).map(|(k, _)| *k));
        }
        self.remove(&gone);
        gone.into_iter().map(|k| k.seq).collect()
    }

    /// Forgets records: settled or given up.
    pub fn remove(&mut self, keys: &[Key]) {
        for key in keys {
            self.open.remove(key);
            self.live.remove(key);
            self.backlog.remove(key);
        }
        for flight in &mut self.flights {
            flight.open.retain(|k| self.open.contains_key(k));
        }
        self.flights.retain(|f| !f.open.is_empty());
    }

    pub fn is_open(&self, key: Key) -> bool {
        self.open.contains_key(&key)
    }

    /// Records that are not settled.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn expire(&mut self, now: Duration) {
        let (late, fresh) =
            std::mem::take(&mut self.flights).into_iter().partition(|f| now >= f.sent + RESEND_AFTER);
        self.flights = fresh;
        let late: Vec<Flight> = late;
        self.backlog.extend(late.into_iter().flat_map(|f| f.open));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ack(through: u64, settled: &[(u64, u64)]) -> Ack {
        let epoch: protocol::Epoch = "e".parse().unwrap();
        Ack {
            hub_epoch: epoch.clone(),
            epoch,
            settled_through: through,
            settled: settled.to_vec(),
            rejected: vec![],
        }
    }

    fn seqs(batch: Option<Vec<Key>>) -> Vec<u64> {
        batch.unwrap_or_default().into_iter().map(|k| k.seq).collect()
    }

    const KIB: usize = 1024;
    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn live_goes_before_the_backlog_and_late_records_go_again() {
        let mut queue = Queue::default();
        (1..=100).for_each(|seq| queue.push(Key { epoch: 0, seq }, 100));
        queue.connect();
        assert_eq!(seqs(queue.next(S(0), 8, 128 * KIB)).len(), 64);
        queue.push(Key { epoch: 0, seq: 101 }, 100);
        assert_eq!(seqs(queue.next(S(1), 8, 128 * KIB)), [101]);
        assert_eq!(seqs(queue.next(S(1), 8, 128 * KIB)), (65..=100).collect::<Vec<_>>());
        assert_eq!(queue.next(S(2), 8, 128 * KIB), None);
        queue.acknowledge(0, &ack(60, &[(101, 101)]));
        assert_eq!(queue.next(S(9), 8, 128 * KIB), None);
        assert_eq!(seqs(queue.next(S(10), 8, 128 * KIB)), [61, 62, 63, 64]);
    }

    #[test]
    fn bytes_bound_a_message_and_the_window_keeps_room_for_what_is_live() {
        let mut queue = Queue::default();
        (1..=40).for_each(|seq| queue.push(Key { epoch: 0, seq }, 30 * 1024));
        queue.connect();
        let sizes: Vec<usize> = (0..9).map(|_| seqs(queue.next(S(0), 8, 128 * KIB)).len()).collect();
        assert_eq!(sizes, [4, 4, 4, 4, 4, 4, 0, 0, 0]);
        queue.push(Key { epoch: 0, seq: 41 }, 100);
        assert_eq!(seqs(queue.next(S(0), 8, 128 * KIB)), [41]);
    }

    proptest! {
        /// A link that loses, doubles and reorders messages and acknowledgements, and breaks.
        #[test]
        fn everything_settles_over_a_bad_link(faults in prop::collection::vec(0u8..8, 40..400), total in 1u64..400) {
            let (mut queue, mut hub) = (Queue::default(), BTreeSet::new());
            let (mut wire, mut settled) = (Vec::<Vec<Key>>::new(), BTreeSet::new());
            let (mut now, mut next, mut step) = (Duration::ZERO, 1, 0usize);
            while settled.len() < total as usize {
                prop_assert!(step < 20_000, "stuck with {} of {total}", settled.len());
                let fault = faults.get(step).copied().unwrap_or(7);
                step += 1;
                now += Duration::from_millis(700);
                if next <= total { queue.push(Key { epoch: 0, seq: next }, 900); next += 1; }
                if fault == 0 { queue.disconnect(); wire.clear(); } else { queue.connect(); }
                while let Some(keys) = queue.next(now, 8, 16 * KIB) {
                    if fault == 1 { continue; }
                    if fault == 2 { wire.push(keys.clone()); }
                    wire.push(keys);
                }
                if fault == 3 { wire.reverse(); continue; }
                if let Some(keys) = wire.pop() { hub.extend(keys.iter().map(|k| k.seq)); }
                if fault == 4 { continue; }
                let through = (1..).take_while(|s| hub.contains(s)).last().unwrap_or(0);
                let beyond: Vec<(u64, u64)> = hub.range(through + 1..).map(|s| (*s, *s)).collect();
                for seq in queue.acknowledge(0, &ack(through, &beyond)) {
                    prop_assert!(settled.insert(seq), "{seq} settled twice");
                    prop_assert!(hub.contains(&seq));
                }
            }
            prop_assert!(queue.is_empty() && hub.len() as u64 == total);
        }
    }
}
