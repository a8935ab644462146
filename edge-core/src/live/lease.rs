//! Which cameras are sent live: for as long as the hub says so again and again, and not a moment longer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::CameraId;

/// So long after the hub last asked for it, a camera is sent no more: a lost word must not leave it on.
pub const LEASE: Duration = Duration::from_secs(15);
/// Cameras that are sent at a time; each costs an encoder.
pub const MOST: usize = 4;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Begin { camera: CameraId, live: String },
    End { camera: CameraId },
}

/// As many cameras are sent as this box can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST} cameras of this box are watched already, which is the most")]
pub struct TooMany;

/// The leases of a box's cameras. Times are of any one line that never goes back.
#[derive(Debug, Default)]
pub struct Leases {
    held: BTreeMap<CameraId, Lease>,
    changes: VecDeque<Change>,
}

#[derive(Debug)]
struct Lease {
    live: String,
    until: Duration,
}

impl Leases {
    /// The hub asks for a camera, or asks on. `live`: by what name the hub knows what it asked for; another name
    /// is another request, and what was begun for the old one ends.
    pub fn renew(&mut self, now: Duration, camera: &CameraId, live: &str) -> Result<(), TooMany> {
        self.expire(now);
        let until = now + LEASE;
        if let Some(lease) = self.held.get_mut(camera).filter(|lease| lease.live == live) {
            lease.until = until;
            return Ok(());
        }
        self.end(camera);
        if self.held.len() >= MOST {
            return Err(TooMany);
        }
        self.held.insert(camera.clone(), Lease { live: live.to_owned(), until });
        self.changes.push_back(Change::Begin { camera: camera.clone(), live: live.to_owned() });
        Ok(())
    }

    /// The hub asks no more. A word about an older request ends nothing.
    pub fn stop(&mut self, camera: &CameraId, live: &str) {
        if self.held.get(camera).is_some_and(|lease| lease.live == live) {
            self.end(camera);
        }
    }

    /// Ends what the hub asked for no more.
    pub fn expire(&mut self, now: Duration) {
        let over: Vec<CameraId> =
            self.held.iter().filter(|(_, lease)| lease.until <= now).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|camera| self.end(camera));
    }

    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// When [`Self::expire`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.held.values().map(|lease| lease.until).min()
    }

    /// Ends a camera at once: the box's own settings no longer allow it.
    pub fn end(&mut self, camera: &CameraId) {
        if self.held.remove(camera).is_some() {
            self.changes.push_back(Change::End { camera: camera.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn camera(name: &str) -> CameraId {
        name.parse().unwrap()
    }

    fn changes(leases: &mut Leases) -> Vec<Change> {
        std::iter::from_fn(|| leases.poll()).collect()
    }

    #[test]
    fn a_lease_lives_by_being_renewed_and_dies_by_itself() {
        let (mut leases, gate, s) = (Leases::default(), camera("gate"), Duration::from_secs);
        leases.renew(s(0), &gate, "a").unwrap();
        let begin = |live: &str| Change::Begin { camera: camera("gate"), live: live.to_owned() };
        let end = Change::End { camera: gate.clone() };
        assert_eq!(changes(&mut leases), [begin("a")]);
        leases.renew(s(5), &gate, "a").unwrap();
        leases.expire(s(19));
        leases.stop(&gate, "older");
        assert_eq!((changes(&mut leases), leases.deadline()), (vec![], Some(s(20))));
        leases.expire(s(20));
        assert_eq!((changes(&mut leases), leases.deadline()), (vec![end.clone()], None));
        // Another hub, or the same after a restart: what it does not know of ends.
        leases.renew(s(21), &gate, "a").unwrap();
        leases.renew(s(22), &gate, "b").unwrap();
        leases.stop(&gate, "b");
        assert_eq!(changes(&mut leases), [begin("a"), end.clone(), begin("b"), end]);
    }

    #[test]
    fn so_many_and_no_more() {
        let mut leases = Leases::default();
        for n in 0..MOST {
            leases.renew(Duration::ZERO, &camera(&format!("c{n}")), "a").unwrap();
        }
        assert_eq!(leases.renew(Duration::ZERO, &camera("more"), "a"), Err(TooMany));
        leases.renew(Duration::ZERO, &camera("c0"), "a").unwrap();
        // Those that nobody asked for again make room.
        leases.renew(LEASE, &camera("more"), "a").unwrap();
    }

    proptest! {
        /// Whatever the hub says or fails to say: nothing is on longer than a lease after the last word.
        #[test]
        fn nothing_outlives_its_last_renewal(words in prop::collection::vec((0u64..6_000, 0usize..3, 0usize..3, any::<bool>()), 0..60)) {
            let (mut leases, mut now) = (Leases::default(), Duration::ZERO);
            let mut on: BTreeMap<CameraId, Duration> = BTreeMap::new();
            let mut renewed: BTreeMap<CameraId, Duration> = BTreeMap::new();
            for (wait, which, live, start) in words {
                let until = now + Duration::from_millis(wait);
                while let Some(at) = leases.deadline().filter(|at| *at <= until) {
                    leases.expire(at);
                    while let Some(change) = leases.poll() {
                        let Change::End { camera } = change else { panic!("only ends by themselves") };
                        prop_assert_eq!(renewed[&camera] + LEASE, at);
                        on.remove(&camera);
                    }
                }
                now = until;
                let (camera, live) = (camera(&format!("c{which}")), format!("l{live}"));
                if start {
                    leases.renew(now, &camera, &live).unwrap();
                    renewed.insert(camera, now);
                } else {
                    leases.stop(&camera, &live);
                }
                while let Some(change) = leases.poll() {
                    match change {
                        Change::Begin { camera, .. } => prop_assert!(on.insert(camera, now).is_none()),
                        Change::End { camera } => prop_assert!(on.remove(&camera).is_some()),
                    }
                }
            }
            leases.expire(now + LEASE);
            let ended = std::iter::from_fn(|| leases.poll()).count();
            prop_assert_eq!(ended, on.len());
        }
    }
}
