//! The `[workflow]` section of the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hub_core::procedure::Wording;
use protocol::SiteId;
use serde::Deserialize;
use settings::Span;

/// `[workflow]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workflow {
    /// The time of sheets and messages: an offset like `+08:00`, or a name like `Asia/Shanghai`. Default `+08:00`.
    pub zone: String,
    /// Alerts that come so soon after an incident was resolved or closed do not open it again. Default `30s`.
    pub reopen_after: Span,
    /// The same after a false alarm. Default `10m`.
    pub reopen_after_false_alarm: Span,
    /// The folder of operating procedures, one TOML file each. Default: none.
    pub procedures: Option<PathBuf>,
    /// Working hours by name. Default: none; every kind is worked on round the clock.
    pub calendars: BTreeMap<String, Hours>,
    /// Clocks; the first that names kind and severity counts, then 60 s to acknowledge and 5 min to dispatch.
    pub clocks: Vec<Clock>,
    /// What people open by hand. Default: what a township sees most.
    pub kinds: Vec<Kind>,
}

/// `[workflow.calendars.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hours {
    /// Default: that of `[workflow]`.
    pub zone: Option<String>,
    /// Hours like `09:00-17:30`, by day. A day that is not named is free.
    pub monday: Vec<String>,
    pub tuesday: Vec<String>,
    pub wednesday: Vec<String>,
    pub thursday: Vec<String>,
    pub friday: Vec<String>,
    pub saturday: Vec<String>,
    pub sunday: Vec<String>,
    /// Days like `2026-10-01` that are free.
    pub holidays: Vec<String>,
    /// Days with hours of their own, whatever weekday or holiday they are.
    pub make_up: BTreeMap<String, Vec<String>>,
}

/// `[[workflow.clocks]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// For these kinds; none named: for all.
    pub kinds: Vec<String>,
    /// For these severities; none named: for all.
    pub severities: Vec<String>,
    /// From the opening. What is not named has no clock.
    pub acknowledge: Option<Span>,
    /// From the opening.
    pub dispatch: Option<Span>,
    /// From the dispatch.
    pub arrive: Option<Span>,
    /// From the opening.
    pub resolve: Option<Span>,
    /// When each level is called in after a target was missed; the first is the shift lead. Default `["0s", "5m"]`.
    pub escalate: Option<Vec<Span>>,
    /// A name of `[workflow.calendars]`. Default: round the clock.
    pub calendar: Option<String>,
}

/// `[[workflow.kinds]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its id: letters, digits, `-` and `_`.
    pub kind: String,
    /// What people read in Chinese.
    pub zh: String,
    /// What people read in English.
    pub en: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Only at these sites; none named: at all.
    #[serde(default)]
    pub sites: Vec<SiteId>,
}

impl Kind {
    pub fn name(&self) -> Wording {
        Wording { zh: self.zh.clone(), en: self.en.clone() }
    }
}

impl Default for Workflow {
    fn default() -> Self {
        let kind = |(kind, severity, zh, en): (&str, &str, &str, &str)| Kind {
            kind: kind.to_owned(),
            zh: zh.to_owned(),
            en: en.to_owned(),
            severity: severity.to_owned(),
            sites: Vec::new(),
        };
        Self {
            zone: "+08:00".to_owned(),
            reopen_after: Span(Duration::from_secs(30)),
            reopen_after_false_alarm: Span(Duration::from_secs(600)),
            procedures: None,
            calendars: BTreeMap::new(),
            clocks: Vec::new(),
            kinds: KINDS.into_iter().map(kind).collect(),
        }
    }
}

const KINDS: [(&str, &str, &str, &str); 8] = [
    ("fire_lane_blocked", "high", "消防通道堵塞", "blocked fire lane"),
    ("quarrel", "medium", "邻里纠纷", "quarrel between neighbours"),
    ("help_needed", "high", "群众求助", "somebody needs help"),
    ("road_damage", "medium", "道路损坏", "damaged road"),
    ("street_light", "low", "路灯损坏", "broken street light"),
    ("rubbish", "low", "垃圾堆积", "heap of rubbish"),
    ("water_leak", "medium", "水管漏水", "leaking water pipe"),
    ("other", "low", "其他", "something else"),
];
