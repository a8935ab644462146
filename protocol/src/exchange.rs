//! An incident as other departments' systems get it: what happened, where, and how far the work on it is.
//!
//! Owns the shape of the JSON exchange; CAP 1.2, CSV and webhooks say the same in their own forms. It holds
//! facts of the event and of our work alone: no picture, no sound, no track, no name of an operator, no note
//! that somebody wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentId, CameraId, SiteId, Timestamp};

/// The version of this shape. Fields are only ever added.
pub const EXCHANGE_VERSION: u32 = 1;

/// One incident at one of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    pub v: u32,
    pub site: SiteId,
    /// What people call the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_name: Option<String>,
    /// A UUID, version 7, minted by the hub. It stays the same for the incident's life.
    pub incident: String,
    /// Counts up with every change; of two messages about one incident the higher one is the newer.
    pub version: u64,
    /// An ONVIF word (`LineDetector/Crossed`, ...) or one of the site's own list.
    pub kind: String,
    pub kind_name: Names,
    pub severity: Severity,
    pub state: State,
    pub origin: Origin,
    /// A test alarm. Nobody needs to go anywhere.
    #[serde(default)]
    pub test: bool,
    /// The site holds an exercise.
    #[serde(default)]
    pub exercise: bool,
    /// When it began: the first alert's time, or when it was reported.
    pub opened_at: Timestamp,
    /// When the last alert of it was.
    pub last_at: Timestamp,
    /// When its state last changed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// How many alerts it holds.
    pub alerts: u64,
    /// The cameras that saw it; at most 100 are named.
    #[serde(default)]
    pub cameras: Vec<Camera>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Incidents that turned out to be this one. Messages about them are superseded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absorbed: Vec<String>,
    /// This one turned out to be another, older one: go on with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absorbed_by: Option<String>,
    pub codes: Codes,
}

/// A name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Names {
    pub zh: String,
    pub en: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    New,
    Acknowledged,
    Dispatched,
    OnScene,
    Resolved,
    Closed,
    FalseAlarm,
}

/// Who opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Cameras.
    Alerts,
    /// An operator, by hand.
    Operator,
    /// A grid member, on the phone.
    Grid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Camera {
    pub agent: AgentId,
    pub camera: CameraId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Where it is, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// WGS 84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Circle>,
    /// WGS 84, closed: the last point is the first again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub polygon: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Circle {
    pub centre: Point,
    pub radius_m: f64,
}

/// Degrees, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    pub latitude: f64,
    pub longitude: f64,
}

/// What other standards call the kind: `docs/ref/kinds.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Codes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onvif_topic: Option<String>,
    pub gbt28181: AlarmCode,
}

/// The fields of GB/T 28181's alarm notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmCode {
    pub edition: String,
    pub alarm_priority: u8,
    pub alarm_method: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_type: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<u8>,
}

impl Codes {
    /// The codes of a kind at a severity.
    pub fn of(kind: &str, severity: Severity) -> Self {
        let terms = crate::kinds::terms(kind);
        Self {
            onvif_topic: terms.onvif.map(str::to_owned),
            gbt28181: AlarmCode {
                edition: crate::kinds::GBT28181_EDITION.to_owned(),
                alarm_priority: crate::kinds::severity(severity.as_str()).0,
                alarm_method: terms.alarm.method,
                alarm_type: terms.alarm.alarm_type,
                event_type: terms.alarm.event_type,
            },
        }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub fn zh(self) -> &'static str {
        match self {
            Self::Low => "低",
            Self::Medium => "中",
            Self::High => "高",
            Self::Critical => "紧急",
        }
    }
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::New,
        Self::Acknowledged,
        Self::Dispatched,
        Self::OnScene,
        Self::Resolved,
        Self::Closed,
        Self::FalseAlarm,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::Dispatched => "dispatched",
            Self::OnScene => "on_scene",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::FalseAlarm => "false_alarm",
        }
    }

    /// As people read it: Chinese, English.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::New => ("未处理", "new"),
            Self::Acknowledged => ("已确认", "acknowledged"),
            Self::Dispatched => ("已派遣", "dispatched"),
            Self::OnScene => ("已到场", "on scene"),
            Self::Resolved => ("已处置", "resolved"),
            Self::Closed => ("已办结", "closed"),
            Self::FalseAlarm => ("误报", "false alarm"),
        }
    }

    /// Nobody works on it any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed | Self::FalseAlarm)
    }
}
