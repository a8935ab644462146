//! The alerts thread: findings and agent events become records, with their still.
//!
//! Owns the redactor and the only path from a frame to bytes that may leave. A still that cannot be
//! covered is left out and the alert says so; the alert itself always goes on.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use edge_core::{Detection, Finding, FrameSize, Phase, alert};
use protocol::{AgentEvent, Body, CameraId, Epoch, Kind, Record, Still, TimeSource, Timestamp};

use crate::analysis::{Stamp, size_of};
use crate::decode::Frame;
use crate::drill::{self, Drill};
use crate::redact::{Picture, RedactError, Redactor};
use crate::spool::{Draft, SpoolError, SpoolHandle};

/// What becomes records.
pub enum Event {
    /// What rules found in one frame, with what the detector saw in it.
    Findings { camera: usize, frame: Box<Frame>, detections: Vec<Detection>, findings: Vec<Finding> },
    /// What was going on at a camera is over, because its stream broke off.
    Over { camera: usize, stamp: Stamp, findings: Vec<Finding> },
    /// Somebody asked for a test alarm: this frame becomes it.
    Test { camera: usize, frame: Box<Frame>, detections: Vec<Detection>, drill: Drill },
    /// Something happened to a camera or to the agent itself.
    Agent(AgentEvent),
    /// Nothing more comes: what was sent before is written.
    Stop,
}

/// The state of the alerts thread.
pub struct Alerts {
    redactor: Redactor,
    quality: u8,
    spool: SpoolHandle,
    cameras: Vec<CameraId>,
    /// Which record raised what is still going on, by camera and finding number.
    open: BTreeMap<(usize, u64), u64>,
    epoch: Option<Epoch>,
    redaction_failed: Vec<bool>,
}

impl Alerts {
    pub fn new(redactor: Redactor, quality: u8, spool: SpoolHandle, cameras: Vec<CameraId>) -> Self {
        let redaction_failed = vec![false; cameras.len()];
        Self { redactor, quality, spool, cameras, open: BTreeMap::new(), epoch: None, redaction_failed }
    }

    /// Runs until [`Event::Stop`], or until every sender of the inbox is gone; what was sent is written.
    pub fn run(mut self, inbox: &Receiver<Event>) {
        for event in inbox {
            if matches!(event, Event::Stop) {
                return;
            }
            if let Err(error) = self.write(event) {
                tracing::error!(%error, "an alert could not be written");
            }
        }
    }

    fn write(&mut self, event: Event) -> Result<(), SpoolError> {
        match event {
            Event::Stop => Ok(()),
            Event::Agent(event) => self.spool.append(vec![agent_event(event)]).map(drop),
            Event::Findings { camera, frame, detections, findings } => {
                let still = findings
                    .iter()
                    .any(|finding| finding.phase == Phase::Raised)
                    .then(|| self.still(camera, &frame, &detections));
                let (stamp, size) = (Stamp::of(&frame), size_of(&frame));
                drop(frame); // a decoder has few
                self.write_findings(camera, stamp, size, still, &findings)
            }
            Event::Test { camera, frame, detections, drill } => {
                self.write_test(camera, *frame, &detections, drill);
                Ok(())
            }
            Event::Over { camera, stamp, findings } => {
                self.write_findings(camera, stamp, FrameSize { width: 1, height: 1 }, None, &findings)
            }
        }
    }

    fn write_findings(
        &mut self,
        camera: usize,
        stamp: Stamp,
        size: FrameSize,
        picture: Option<Result<Vec<u8>, &'static str>>,
        findings: &[Finding],
    ) -> Result<(), SpoolError> {
        let (jpeg, still) = match picture {
            Some(Ok(jpeg)) => (Some(jpeg), Still::Pending),
            Some(Err(reason)) => (None, Still::None { reason: reason.into() }),
            None => (None, Still::None { reason: "not_wanted".into() }),
        };
        let mut drafts = Vec::with_capacity(findings.len());
        let mut raised = Vec::new();
        for finding in findings {
            let (body, picture) = match finding.phase {
                Phase::Raised => {
                    raised.push((drafts.len(), finding.number));
                    (alert::raised(finding, &self.cameras[camera], size, still.clone()), jpeg.clone())
                }
                Phase::Ended => match self.open.remove(&(camera, finding.number)) {
                    Some(seq) => (alert::ended(seq), None),
                    None => continue,
                },
            };
            drafts.push(draft(stamp, finding, body, picture));
        }
        if drafts.is_empty() {
            return Ok(());
        }
        let records = self.spool.append(drafts)?;
        self.remember(camera, &raised, findings, &records);
        Ok(())
    }

    /// An error is told to whoever asked, and to nobody else.
    fn write_test(&mut self, camera: usize, frame: Frame, detections: &[Detection], drill: Drill) {
        let picture = self.still(camera, &frame, detections);
        let stamp = Stamp::of(&frame);
        let at = stamp.wall_time(frame.media_time);
        drop(frame); // a decoder has few
        let (still, state) = match picture {
            Ok(jpeg) => (Some(jpeg), Still::Pending),
            Err(reason) => (None, Still::None { reason: reason.into() }),
        };
        let body = drill::body(&self.cameras[camera], state);
        let (time_source, uncertainty_ms) = (stamp.time_source, stamp.uncertainty_ms);
        drill.answer(self.spool.append(vec![Draft { at, time_source, uncertainty_ms, body, still }]));
    }

    /// A covered JPEG, or why there is none.
    fn still(
        &mut self,
        camera: usize,
        frame: &Frame,
        detections: &[Detection],
    ) -> Result<Vec<u8>, &'static str> {
        let covered = Picture::from_planes(&frame.planes())
            .map_err(RedactError::from)
            .and_then(|picture| self.redactor.cover(picture, detections))
            .and_then(|redacted| redacted.to_jpeg(self.quality));
        let failed = covered.is_err();
        if failed != std::mem::replace(&mut self.redaction_failed[camera], failed) {
            tracing::warn!(camera = %self.cameras[camera], failed, "covering faces changed state");
        }
        covered.map(|jpeg| jpeg.into_bytes()).map_err(|error| {
            tracing::error!(camera = %self.cameras[camera], %error, "a still could not be covered and was left out");
            "redaction_failed"
        })
    }

    /// Keeps the numbers of what will have an end. They count within one epoch of the spool.
    fn remember(&mut self, camera: usize, raised: &[(usize, u64)], findings: &[Finding], records: &[Record]) {
        if let Some(record) = records.first()
            && self.epoch.as_ref() != Some(&record.epoch)
        {
            self.open.clear();
            self.epoch = Some(record.epoch.clone());
        }
        for (index, number) in raised {
            let ends = findings.iter().any(|f| f.number == *number && f.kind != Kind::LineCrossed);
            if let Some(record) = records.get(*index)
                && ends
            {
                self.open.insert((camera, *number), record.seq);
            }
        }
    }
}

fn agent_event(event: AgentEvent) -> Draft {
    Draft {
        at: now(),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        body: Body::AgentEvent(event),
        still: None,
    }
}

/// Dated at the time at which the finding's condition became true, which may be some frames ago.
fn draft(stamp: Stamp, finding: &Finding, body: Body, still: Option<Vec<u8>>) -> Draft {
    Draft {
        at: stamp.wall_time(finding.at),
        time_source: stamp.time_source,
        uncertainty_ms: stamp.uncertainty_ms,
        body,
        still,
    }
}

/// The agent's clock.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(since.as_millis() as i64)
}
