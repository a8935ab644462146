//! Behaviour rules: what tracks do that somebody wants to know.
//!
//! Owns the rules' configuration, the findings, and the state that a rule keeps of each track. Tracks
//! come from `track`; turning findings into alerts is left to `alert`. A rule judges by the foot point
//! (the middle of a box's lower edge) of objects that are seen, never by predicted places.

mod line;
mod zone;

use std::time::Duration;

use protocol::{Direction, Kind, ObjectClass, RuleId, Severity};

use crate::polygon::Polygon;
use crate::track::Track;
use crate::{FrameSize, Point, Rect};

use line::Line;
use zone::Zone;

/// Raised when somebody crosses from one side of a line to the other and stays there.
#[derive(Debug, Clone, PartialEq)]
pub struct LineRule {
    pub id: RuleId,
    /// As people read it.
    pub title: Option<String>,
    /// Where the line begins, normalised.
    pub a: Point,
    /// Where it ends, normalised. It does not go on beyond its ends.
    pub b: Point,
    /// Only crossings in this direction; both if `None`.
    pub direction: Option<Direction>,
    pub severity: Severity,
    /// Only objects of these classes; all if empty.
    pub classes: Vec<ObjectClass>,
    /// How far beyond the line the foot point must get, as a share of the picture's height.
    pub margin: f32,
    /// How long it must stay beyond the line.
    pub settle: Duration,
}

/// Raised when somebody enters an area, when somebody stays there for long, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneRule {
    pub id: RuleId,
    /// As people read it.
    pub title: Option<String>,
    /// Normalised.
    pub area: Polygon,
    /// Whether entering is a finding.
    pub entry: bool,
    /// Whether staying is a finding, and from when on. Once a visit.
    pub loitering: Option<Duration>,
    pub severity: Severity,
    /// Only objects of these classes; all if empty.
    pub classes: Vec<ObjectClass>,
    /// How long a foot point must be inside (or outside) before it counts as entered (or left).
    pub settle: Duration,
    /// A visitor who is lost from sight inside, and found again nearby within this time, goes on
    /// with the same visit: position and time only.
    pub bridge: Duration,
}

impl LineRule {
    pub const MARGIN: f32 = 0.007;
    pub const SETTLE: Duration = Duration::from_millis(500);
}

impl ZoneRule {
    pub const SETTLE: Duration = Duration::from_millis(500);
    pub const BRIDGE: Duration = Duration::from_millis(2500);
}

/// A finding begins or is over. A line crossing is over at once and has no `Ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Raised,
    Ended,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub phase: Phase,
    /// Counts up from 1 in each scene; an `Ended` bears the number of its `Raised`.
    pub number: u64,
    pub kind: Kind,
    pub rule: RuleId,
    pub rule_name: Option<String>,
    pub severity: Severity,
    /// Of a line crossing.
    pub direction: Option<Direction>,
    /// Whose box follows. The `Ended` of a visit may bear another track: it went on under a new number.
    pub track: u64,
    pub class: ObjectClass,
    pub confidence: f32,
    /// In pixels, at `frame`.
    pub bbox: Rect,
    /// The frame, counted from 1, in which the condition became true: crossed, entered, stayed for
    /// long enough, or left. The finding may come some frames later, when it was seen to last.
    pub frame: u64,
    /// That frame's media time.
    pub at: Duration,
}

/// A track in one frame, with what a finding needs of that frame.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    frame: u64,
    at: Duration,
    track: Track,
}

impl Sighting {
    fn foot(&self) -> Point {
        self.track.bbox.foot()
    }
}

/// All rules of a camera, over one picture size.
#[derive(Debug)]
pub(crate) struct Rules {
    lines: Vec<Line>,
    zones: Vec<Zone>,
    findings: u64,
}

impl Rules {
    /// `forget`: how long a track may stay unseen and come back under its number.
    pub fn new(lines: &[LineRule], zones: &[ZoneRule], size: FrameSize, forget: Duration) -> Self {
        Self {
            lines: lines.iter().map(|rule| Line::new(rule.clone(), size, forget)).collect(),
            zones: zones.iter().map(|rule| Zone::new(rule.clone(), size)).collect(),
            findings: 0,
        }
    }

    /// One frame. Findings come in the order of the rules, lines first.
    pub fn step(&mut self, frame: u64, at: Duration, tracks: &[Track]) -> Vec<Finding> {
        let mut out = Findings { found: Vec::new(), last: &mut self.findings };
        let sightings: Vec<Sighting> =
            tracks.iter().filter(|t| t.seen).map(|&track| Sighting { frame, at, track }).collect();
        for line in &mut self.lines {
            line.step(at, &sightings, &mut out);
        }
        for zone in &mut self.zones {
            zone.step(frame, at, &sightings, &mut out);
        }
        out.found
    }

    /// The stream jumped: every visit is over, no crossing spans the jump.
    pub fn discontinuity(&mut self, frame: u64, at: Duration) -> Vec<Finding> {
        let mut out = Findings { found: Vec::new(), last: &mut self.findings };
        for line in &mut self.lines {
            line.clear();
        }
        for zone in &mut self.zones {
            zone.clear(frame, at, &mut out);
        }
        out.found
    }
}

/// Where rules put what they find.
struct Findings<'a> {
    found: Vec<Finding>,
    last: &'a mut u64,
}

/// The part of a finding that comes from its rule.
struct Source<'a> {
    kind: Kind,
    rule: &'a RuleId,
    title: &'a Option<String>,
    severity: Severity,
    direction: Option<Direction>,
}

impl Findings<'_> {
    /// Answers the number of the new finding.
    fn raise(&mut self, source: Source<'_>, sighting: &Sighting) -> u64 {
        *self.last += 1;
        self.push(Phase::Raised, *self.last, source, sighting);
        *self.last
    }

    fn end(&mut self, number: u64, source: Source<'_>, sighting: &Sighting) {
        self.push(Phase::Ended, number, source, sighting);
    }

    fn push(&mut self, phase: Phase, number: u64, source: Source<'_>, sighting: &Sighting) {
        let Track { id, class, confidence, bbox, .. } = sighting.track;
        self.found.push(Finding {
            phase,
            number,
            kind: source.kind,
            rule: source.rule.clone(),
            rule_name: source.title.clone(),
            severity: source.severity,
            direction: source.direction,
            track: id,
            class,
            confidence,
            bbox,
            frame: sighting.frame,
            at: sighting.at,
        });
    }
}

fn applies(classes: &[ObjectClass], class: ObjectClass) -> bool {
    classes.is_empty() || classes.contains(&class)
}
