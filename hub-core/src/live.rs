//! Live video: which cameras are asked for, how often, and for how long.
//!
//! One request a camera, however many watch. It is said again and again while somebody watches, for a box ends by
//! itself what it is not asked for any more; and it outlives the last viewer by a moment, so that whoever looks
//! again at once waits for nothing. Pure: time comes in; connections and who may watch are the hub's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{AgentId, CameraId, SiteId};

/// How often a box hears that a camera is still watched: three times in a lease.
pub const RENEW: Duration = Duration::from_secs(5);
/// How often while its pictures have not come.
pub const ASK: Duration = Duration::from_secs(1);
/// So long after the last viewer the pictures are ended.
pub const LINGER: Duration = Duration::from_secs(10);

/// A camera of a box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Camera {
    pub site: SiteId,
    pub agent: AgentId,
    pub camera: CameraId,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell the box to send the camera, or to go on.
    Start { camera: Camera, live: String },
    /// Tell the box that nobody watches any more, and forget what it sent.
    Stop { camera: Camera, live: String },
}

/// What is watched. Times are of any one line that never goes back; viewers are numbered by the caller.
#[derive(Debug, Default)]
pub struct Watching {
    cameras: BTreeMap<Camera, Request>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Request {
    /// What hub and box call it.
    live: String,
    viewers: BTreeSet<u64>,
    arriving: bool,
    said: Duration,
    next: Duration,
    empty_since: Option<Duration>,
}

impl Watching {
    /// Somebody watches a camera. `live`: a name for the request, if there is none yet; answers which one it has.
    pub fn came(&mut self, now: Duration, camera: &Camera, viewer: u64, live: &str) -> String {
        let request = self.cameras.entry(camera.clone()).or_insert_with(|| Request {
            live: live.to_owned(),
            viewers: BTreeSet::new(),
            arriving: false,
            said: now,
            next: now,
            empty_since: None,
        });
        request.viewers.insert(viewer);
        request.empty_since = None;
        let live = request.live.clone();
        self.tick(now);
        live
    }

    pub fn left(&mut self, now: Duration, camera: &Camera, viewer: u64) {
        if let Some(request) = self.cameras.get_mut(camera)
            && request.viewers.remove(&viewer)
            && request.viewers.is_empty()
        {
            request.empty_since = Some(now);
        }
    }

    /// The box's pictures begin or cease to arrive.
    pub fn arriving(&mut self, now: Duration, camera: &Camera, arriving: bool) {
        if let Some(request) = self.cameras.get_mut(camera)
            && std::mem::replace(&mut request.arriving, arriving) != arriving
        {
            request.next = if arriving { request.said + RENEW } else { request.next.min(now + ASK) };
        }
    }

    /// The request that a box says it follows, if it is one.
    pub fn is_asked(&self, camera: &Camera, live: &str) -> bool {
        self.cameras.get(camera).is_some_and(|request| request.live == live)
    }

    /// The request of a camera.
    pub fn live(&self, camera: &Camera) -> Option<&str> {
        self.cameras.get(camera).map(|request| request.live.as_str())
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        let over = |r: &Request| r.empty_since.is_some_and(|since| now >= since + LINGER);
        let ended: Vec<Camera> =
            self.cameras.iter().filter(|(_, r)| over(r)).map(|(camera, _)| camera.clone()).collect();
        for camera in ended {
            if let Some(request) = self.cameras.remove(&camera) {
                self.actions.push_back(Action::Stop { camera, live: request.live });
            }
        }
        for (camera, request) in self.cameras.iter_mut().filter(|(_, r)| r.next <= now) {
            request.said = now;
            request.next = now + if request.arriving { RENEW } else { ASK };
            let (camera, live) = (camera.clone(), request.live.clone());
            self.actions.push_back(Action::Start { camera, live });
        }
    }

    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::tick`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        let of = |r: &Request| r.empty_since.map_or(r.next, |since| r.next.min(since + LINGER));
        self.cameras.values().map(of).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn camera(name: &str) -> Camera {
        let [site, agent] = ["market", "box"];
        Camera { site: site.parse().unwrap(), agent: agent.parse().unwrap(), camera: name.parse().unwrap() }
    }

    fn actions(watching: &mut Watching) -> Vec<&'static str> {
        std::iter::from_fn(|| watching.poll())
            .map(|action| match action {
                Action::Start { .. } => "start",
                Action::Stop { .. } => "stop",
            })
            .collect()
    }

    #[test]
    fn one_request_for_all_and_it_ends_a_moment_after_the_last() {
        let (mut watching, gate, s) = (Watching::default(), camera("gate"), Duration::from_secs);
        assert_eq!(watching.came(s(0), &gate, 1, "a"), "a");
        assert_eq!(watching.came(s(0), &gate, 2, "b"), "a", "the same request");
        assert_eq!(actions(&mut watching), ["start"]);
        watching.arriving(s(1), &gate, true);
        assert!(watching.is_asked(&gate, "a") && !watching.is_asked(&gate, "b"));
        watching.tick(s(4));
        assert_eq!(actions(&mut watching), Vec::<&str>::new());
        watching.tick(s(5));
        assert_eq!(actions(&mut watching), ["start"], "again and again");
        watching.left(s(7), &gate, 1);
        watching.left(s(8), &gate, 2);
        watching.tick(s(12));
        assert_eq!(watching.came(s(12), &gate, 3, "c"), "a", "back at once");
        watching.left(s(13), &gate, 3);
        watching.tick(s(22));
        assert_eq!(actions(&mut watching).last(), Some(&"start"));
        watching.tick(s(23));
        assert_eq!(actions(&mut watching), ["stop"]);
        assert_eq!(watching.deadline(), None);
    }

    #[test]
    fn a_box_whose_pictures_do_not_come_is_asked_more_often() {
        let (mut watching, gate, s) = (Watching::default(), camera("gate"), Duration::from_secs);
        watching.came(s(0), &gate, 1, "a");
        watching.tick(s(1));
        watching.arriving(s(1), &gate, true);
        watching.arriving(s(3), &gate, false);
        assert_eq!(watching.deadline(), Some(s(4)));
        watching.tick(s(4));
        assert_eq!(actions(&mut watching), ["start", "start", "start"]);
    }

    proptest! {
        /// Driven by its deadlines: while somebody watches, no more than [`RENEW`] passes without a word; a
        /// while after nobody does, the box was told so, and nothing is left.
        #[test]
        fn the_box_always_knows(steps in prop::collection::vec((0u64..8_000, 0usize..3, 0u64..4, 0u8..4), 1..80)) {
            let (mut watching, mut now) = (Watching::default(), Duration::ZERO);
            let mut said: BTreeMap<Camera, Duration> = BTreeMap::new();
            let mut there: BTreeSet<(Camera, u64)> = BTreeSet::new();
            for (number, (wait, which, viewer, what)) in steps.into_iter().enumerate() {
                let until = now + Duration::from_millis(wait);
                while let Some(at) = watching.deadline().filter(|at| *at <= until) {
                    now = now.max(at);
                    watching.tick(now);
                    while let Some(action) = watching.poll() {
                        match action {
                            Action::Start { camera, .. } => { said.insert(camera, now); }
                            Action::Stop { camera, .. } => {
                                prop_assert!(!there.iter().any(|(c, _)| *c == camera));
                                said.remove(&camera);
                            }
                        }
                    }
                    for (camera, _) in &there {
                        prop_assert!(now - said[camera] <= RENEW);
                    }
                }
                now = until;
                let camera = camera(&format!("c{which}"));
                match what {
                    0 | 1 => {
                        watching.came(now, &camera, viewer, &format!("l{number}"));
                        there.insert((camera, viewer));
                    }
                    2 => {
                        watching.left(now, &camera, viewer);
                        there.remove(&(camera, viewer));
                    }
                    _ => watching.arriving(now, &camera, viewer % 2 == 0),
                }
                while let Some(Action::Start { camera, .. }) = watching.poll() {
                    said.insert(camera, now);
                }
            }
            for (camera, viewer) in there {
                watching.left(now, &camera, viewer);
            }
            watching.tick(now + LINGER);
            prop_assert_eq!(watching.deadline(), None);
        }
    }
}
