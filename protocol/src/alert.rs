//! Records: what an agent's spool holds and its `alert` messages carry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CameraId, Epoch, MAX_MESSAGE_BYTES, MAX_RECORDS, RuleId, Timestamp, VERSION};

/// agent -> hub: 1 to 64 records, at most 128 KiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertMessage {
    pub v: u32,
    pub records: Vec<Record>,
}

/// One record. `(agent, epoch, seq)` is its identity; the agent is in the topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    pub epoch: Epoch,
    /// Counts up from 1 within the epoch.
    pub seq: u64,
    /// When it happened (not when it was sent).
    pub at: Timestamp,
    #[serde(default)]
    pub time_source: TimeSource,
    /// How far `at` may be from true time, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty_ms: Option<u32>,
    /// Written while no disk could be: it would not survive a power cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_durable: bool,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// A rule found something.
    Raised(Raised),
    /// More about an earlier record.
    Updated(Updated),
    /// What an earlier record raised is over.
    Ended { of_seq: u64 },
    /// Records that were given up before they were settled. Nothing is dropped silently.
    Gap(Gap),
    /// Something happened to the agent itself or to a camera.
    AgentEvent(AgentEvent),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Raised {
    pub camera: CameraId,
    pub kind: Kind,
    pub rule: RuleId,
    /// The rule's name as people read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_name: Option<String>,
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// A number that lives in one camera's view and dies when the object leaves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_class: Option<ObjectClass>,
    /// The detector's confidence, 0..1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub bounding_box: Option<BoundingBox>,
    pub still: Still,
    /// A test alarm, made by an installer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Updated {
    pub of_seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still: Option<Still>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    pub count: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    /// The severity of what was given up, or absent where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Severity>,
    /// `cap`, `age`, `damage` or `too_large`.
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentEvent {
    /// `started`, `camera_lost`, `camera_restored`, `credentials_refused`, `provider_fell_back`,
    /// `clock_stepped`, `storage_failed`, `redaction_failed`, `spool_rebuilt`, `decoder_restarted`, ...
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was found, in the words of the ONVIF Analytics rule engine (topics below
/// `tns1:RuleEngine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    #[serde(rename = "LineDetector/Crossed")]
    LineCrossed,
    #[serde(rename = "FieldDetector/ObjectsInside")]
    ZoneEntered,
    #[serde(rename = "LoiteringDetector/ObjectIsLoitering")]
    Loitering,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::LineCrossed, Kind::ZoneEntered, Kind::Loitering];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::LineCrossed => "LineDetector/Crossed",
            Kind::ZoneEntered => "FieldDetector/ObjectsInside",
            Kind::Loitering => "LoiteringDetector/ObjectIsLoitering",
        }
    }
}

/// ONVIF's word for a line crossing: looking along the line from its first to its last point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the right-hand side to the left-hand side.
    Left,
    /// From the left-hand side to the right-hand side.
    Right,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Left => "left",
            Direction::Right => "right",
        }
    }
}

/// Object classes in ONVIF's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObjectClass {
    Human,
    Bicycle,
    Motorcycle,
    Car,
    Bus,
    Truck,
    Animal,
    Bag,
    Other,
}

impl ObjectClass {
    pub const ALL: [ObjectClass; 9] = [
        ObjectClass::Human,
        ObjectClass::Bicycle,
        ObjectClass::Motorcycle,
        ObjectClass::Car,
        ObjectClass::Bus,
        ObjectClass::Truck,
        ObjectClass::Animal,
        ObjectClass::Bag,
        ObjectClass::Other,
    ];
}

/// How bad, as the rule was told. Low is given up before high when a spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// Where `at` comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// The camera's clock, by RTCP sender reports.
    Camera,
    /// The agent's clock, when the frame came in.
    #[default]
    Agent,
    /// A clip's own time line (replay).
    Media,
}

/// The picture that belongs to an alert. It travels apart, by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Still {
    /// Made; on its way.
    Pending,
    /// The hub has it.
    Sent,
    /// There is none, and why: `redaction_failed`, `given_up`, `no_space`, `no_disk`, `too_large`,
    /// `not_stored`, `not_wanted`.
    None { reason: String },
}

/// Normalised to the frame: 0..1, origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoundingBox {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// Why a whole message could not be read. A single bad record is told apart: see [`parse`].
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("alert message of {bytes} bytes: at most {MAX_MESSAGE_BYTES} are allowed")]
    TooLarge { bytes: usize },
    #[error("alert message is not JSON of the expected shape: {0}")]
    Json(#[from] serde_json::Error),
    #[error("alert message of version {0}: this side reads up to version {VERSION}")]
    Version(u64),
    #[error("alert message with {0} records: 1 to {MAX_RECORDS} are allowed")]
    Count(usize),
}

/// A record that could not be read, with its identity as far as it could.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRecord {
    pub epoch: Option<Epoch>,
    pub seq: Option<u64>,
    pub unknown_type: bool,
    pub why: String,
    pub raw: Value,
}

/// A record with its raw JSON, or what is wrong with it.
pub type ReadRecord = Result<(Record, Value), BadRecord>;

/// Reads a message record by record, so that one poison record does not take 63 good ones with it.
/// Each good record comes with its raw JSON, in which fields of newer versions are kept.
pub fn parse(payload: &[u8]) -> Result<Vec<ReadRecord>, MessageError> {
    if payload.len() > MAX_MESSAGE_BYTES {
        return Err(MessageError::TooLarge { bytes: payload.len() });
    }
    #[derive(Deserialize)]
    struct Envelope {
        v: u64,
        records: Vec<Value>,
    }
    let envelope: Envelope = serde_json::from_slice(payload)?;
    if envelope.v == 0 || envelope.v > u64::from(VERSION) {
        return Err(MessageError::Version(envelope.v));
    }
    if envelope.records.is_empty() || envelope.records.len() > MAX_RECORDS {
        return Err(MessageError::Count(envelope.records.len()));
    }
    Ok(envelope.records.into_iter().map(parse_record).collect())
}

fn parse_record(raw: Value) -> ReadRecord {
    let error = match serde_json::from_value::<Record>(raw.clone()) {
        Ok(record) => match record.check() {
            Ok(()) => return Ok((record, raw)),
            Err(why) => why.to_owned(),
        },
        Err(e) => e.to_string(),
    };
    let kind = raw.get("type").and_then(Value::as_str);
    Err(BadRecord {
        epoch: raw.get("epoch").and_then(Value::as_str).and_then(|e| e.parse().ok()),
        seq: raw.get("seq").and_then(Value::as_u64).filter(|s| *s > 0),
        unknown_type: kind
            .is_some_and(|k| !["raised", "updated", "ended", "gap", "agent_event"].contains(&k)),
        why: error,
        raw,
    })
}

impl Record {
    /// What the types cannot say.
    fn check(&self) -> Result<(), &'static str> {
        if self.seq == 0 || self.seq > i64::MAX as u64 {
            return Err("seq must be 1 or more and fit into 63 bits");
        }
        match &self.body {
            Body::Raised(r) => {
                if r.confidence.is_some_and(|c| !(0.0..=1.0).contains(&c)) {
                    return Err("confidence must be within 0..1");
                }
                if r.bounding_box.is_some_and(|b| !b.is_inside_frame()) {
                    return Err("box must lie within the frame, 0..1");
                }
            }
            Body::Updated(Updated { of_seq, .. }) | Body::Ended { of_seq } => {
                if *of_seq == 0 || *of_seq >= self.seq {
                    return Err("of_seq must name an earlier record");
                }
            }
            Body::Gap(g) => {
                if g.first_seq == 0 || g.first_seq > g.last_seq || g.last_seq > i64::MAX as u64 {
                    return Err("gap must name a range of records");
                }
            }
            Body::AgentEvent(_) => {}
        }
        Ok(())
    }
}

impl BoundingBox {
    fn is_inside_frame(&self) -> bool {
        const SLACK: f32 = 1e-4;
        let ok = |from: f32, size: f32| {
            from.is_finite()
                && size.is_finite()
                && from >= -SLACK
                && size >= 0.0
                && from + size <= 1.0 + SLACK
        };
        ok(self.left, self.width) && ok(self.top, self.height)
    }
}

fn is_false(b: &bool) -> bool {
    !*b
}
