//! Test alarms: somebody asks for one, and the next picture of the camera that was analysed becomes it.
//!
//! Owns who waits for which camera. A test alarm goes the way of every alert (analysis, covering, spool,
//! uplink) and is marked as a test; a camera that sends no picture gets one without a still. What asks is
//! left to `control` and to the hub's orders.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{Body, CameraId, Epoch, Kind, Raised, Record, Severity, Still, TimeSource, Timestamp};
use serde::{Deserialize, Serialize};

use crate::spool::{Draft, SpoolError, SpoolHandle};

/// A picture that has not come by then does not come.
const PICTURE_WITHIN: Duration = Duration::from_secs(5);
/// Covering and storing a picture takes no longer.
const STORED_WITHIN: Duration = Duration::from_secs(20);
/// The rule that test alarms name.
const RULE: &str = "test-alarm";
/// As people read it, wherever the alert is shown.
const RULE_NAME: &str = "测试报警 / Test alarm";

/// Why no test alarm was raised.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    #[error("a test alarm of camera `{0}` is already under way: wait for it")]
    Busy(CameraId),
    #[error("the test alarm was not stored in time: look at the disk and at the agent's log")]
    Late,
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// A test alarm that is stored. `(epoch, seq)` is its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub epoch: Epoch,
    pub seq: u64,
    pub at: Timestamp,
    pub still: Still,
}

type Outcome = Result<Stored, DrillError>;

/// A test alarm that waits for its picture to be stored.
#[derive(Debug)]
pub struct Drill(SyncSender<Outcome>);

/// Who waits for a test alarm. Cheap to clone; one an agent.
#[derive(Debug, Clone, Default)]
pub struct Drills {
    waiting: Arc<Mutex<BTreeMap<CameraId, Drill>>>,
    /// How many wait: analysis looks at it for every frame.
    count: Arc<AtomicUsize>,
}

impl Drills {
    /// Raises a test alarm and returns once it is stored. Blocks for as long as it takes.
    pub fn raise(&self, camera: &CameraId, spool: &SpoolHandle) -> Outcome {
        self.raise_within(camera, spool, PICTURE_WITHIN)
    }

    fn raise_within(&self, camera: &CameraId, spool: &SpoolHandle, patience: Duration) -> Outcome {
        let outcome = self.register(camera)?;
        let answer = match outcome.recv_timeout(patience) {
            // Nobody took it: the camera sends nothing that could be analysed.
            Err(RecvTimeoutError::Timeout) if self.take(camera).is_some() => return blind(camera, spool),
            Err(RecvTimeoutError::Timeout) => outcome.recv_timeout(STORED_WITHIN),
            answer => answer,
        };
        match answer {
            Ok(outcome) => outcome,
            // It was taken, and then the cameras were started anew.
            Err(RecvTimeoutError::Disconnected) => blind(camera, spool),
            Err(RecvTimeoutError::Timeout) => Err(DrillError::Late),
        }
    }

    fn register(&self, camera: &CameraId) -> Result<Receiver<Outcome>, DrillError> {
        let (sender, receiver) = sync_channel(1);
        let mut waiting = self.lock();
        if waiting.contains_key(camera) {
            return Err(DrillError::Busy(camera.clone()));
        }
        waiting.insert(camera.clone(), Drill(sender));
        self.count.store(waiting.len(), Ordering::Release);
        Ok(receiver)
    }

    /// The test alarm that waits for a picture of this camera.
    pub fn take(&self, camera: &CameraId) -> Option<Drill> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = self.lock();
        let drill = waiting.remove(camera);
        self.count.store(waiting.len(), Ordering::Release);
        drill
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CameraId, Drill>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drill {
    /// Tells whoever waits how it went. Who no longer waits is not told.
    pub fn answer(self, stored: Result<Vec<Record>, SpoolError>) {
        let _ = self.0.try_send(outcome(stored));
    }
}

/// The body of a test alarm.
pub fn body(camera: &CameraId, still: Still) -> Body {
    Body::Raised(Raised {
        camera: camera.clone(),
        // A crossing has no end that somebody would wait for.
        kind: Kind::LineCrossed,
        rule: RULE.parse().unwrap_or_else(|_| unreachable!("`{RULE}` is a rule id")),
        rule_name: Some(RULE_NAME.to_owned()),
        severity: Severity::Low,
        direction: None,
        track: None,
        object_class: None,
        confidence: None,
        bounding_box: None,
        still,
        test: true,
    })
}

/// A test alarm without a picture.
fn blind(camera: &CameraId, spool: &SpoolHandle) -> Outcome {
    let body = body(camera, Still::None { reason: "no_picture".into() });
    let at = crate::alerts::now();
    let draft = Draft { at, time_source: TimeSource::Agent, uncertainty_ms: None, body, still: None };
    outcome(spool.append(vec![draft]))
}

fn outcome(stored: Result<Vec<Record>, SpoolError>) -> Outcome {
    let record = stored?.into_iter().next().ok_or(DrillError::Spool(SpoolError::Closed))?;
    let still = match record.body {
        Body::Raised(raised) => raised.still,
        _ => Still::None { reason: "not_wanted".into() },
    };
    Ok(Stored { epoch: record.epoch, seq: record.seq, at: record.at, still })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{Spool, SpoolConfig};

    fn spool(folder: &std::path::Path) -> SpoolHandle {
        Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(folder) }).unwrap().0
    }

    #[test]
    fn a_camera_without_pictures_gets_a_test_alarm_without_a_still() {
        let folder = tempfile::tempdir().unwrap();
        let (spool, drills) = (spool(folder.path()), Drills::default());
        let gate: CameraId = "gate".parse().unwrap();
        let stored = drills.raise_within(&gate, &spool, Duration::from_millis(1)).unwrap();
        assert_eq!(stored.still, Still::None { reason: "no_picture".into() });
        let sent = spool.take(1, 1 << 16).unwrap().unwrap();
        let record: Record = serde_json::from_slice(&sent[0]).unwrap();
        assert_eq!((record.seq, record.epoch), (stored.seq, stored.epoch));
        assert!(matches!(record.body, Body::Raised(raised) if raised.test && raised.camera == gate));
        assert!(drills.take(&gate).is_none(), "nobody waits any more");
        spool.close();
    }

    #[test]
    fn a_picture_is_for_its_own_camera_and_only_one_waits() {
        let drills = Drills::default();
        let (gate, yard): (CameraId, CameraId) = ("gate".parse().unwrap(), "yard".parse().unwrap());
        let waiting = drills.register(&gate).unwrap();
        assert!(matches!(drills.register(&gate), Err(DrillError::Busy(_))));
        assert!(drills.take(&yard).is_none());
        drills.take(&gate).unwrap().answer(Err(SpoolError::Closed));
        assert!(matches!(waiting.recv().unwrap(), Err(DrillError::Spool(SpoolError::Closed))));
    }
}
