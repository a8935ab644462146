//! Zone entry and loitering: visits to an area.
//!
//! A visit begins when a foot point enters and ends when it left, or was lost for longer than the
//! bridge. A visitor who is lost inside hands the visit on to whoever turns up nearby in time, so that
//! a broken track does not start the clock again.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Kind;

use super::{Findings, Sighting, Source, ZoneRule, applies};
use crate::FrameSize;
use crate::polygon::Polygon;

/// How near a lost visitor another track must begin to go on with the visit, in heights of the box.
const NEARBY_HEIGHTS: f32 = 1.0;

#[derive(Debug)]
pub(super) struct Zone {
    rule: ZoneRule,
    area: Polygon,
    /// By track, those whose foot point is or was a moment ago inside.
    visits: BTreeMap<u64, Visit>,
    /// When each track was seen last; who is not here is new.
    known: BTreeMap<u64, Duration>,
}

#[derive(Debug, Clone)]
struct Visit {
    first: Sighting,
    /// The latest sighting inside or outside.
    latest: Sighting,
    /// The first sighting outside since the foot point was last inside.
    outside: Option<Sighting>,
    entry: Stage,
    loitering: Stage,
}

/// How far one kind of finding of a visit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Raised(u64),
}

impl Zone {
    pub fn new(rule: ZoneRule, size: FrameSize) -> Self {
        let area = rule.area.to_pixels(size);
        Self { rule, area, visits: BTreeMap::new(), known: BTreeMap::new() }
    }

    pub fn step(&mut self, frame: u64, now: Duration, sightings: &[Sighting], out: &mut Findings<'_>) {
        for sighting in sightings {
            if applies(&self.rule.classes, sighting.track.class) {
                self.see(sighting, sightings);
            }
        }
        for visit in self.visits.values_mut() {
            visit.raise(&self.rule, now, out);
        }
        self.end(frame, now, out);
    }

    pub fn clear(&mut self, frame: u64, at: Duration, out: &mut Findings<'_>) {
        for visit in std::mem::take(&mut self.visits).into_values() {
            let track = visit.latest.track;
            visit.end(&self.rule, &Sighting { frame, at, track }, out);
        }
        self.known.clear();
    }

    fn see(&mut self, sighting: &Sighting, all: &[Sighting]) {
        let id = sighting.track.id;
        let inside = self.area.contains(sighting.foot());
        let is_new = self.known.insert(id, sighting.at).is_none();
        if inside
            && is_new
            && let Some(visit) = self.take_over(sighting, all)
        {
            self.visits.insert(id, visit);
        }
        if let Some(visit) = self.visits.get_mut(&id) {
            visit.latest = *sighting;
            visit.outside = if inside { None } else { visit.outside.or(Some(*sighting)) };
        } else if inside {
            self.visits.insert(id, Visit::begin(*sighting));
        }
    }

    /// The visit of the nearest visitor who was lost inside and may be this new track.
    fn take_over(&mut self, new: &Sighting, all: &[Sighting]) -> Option<Visit> {
        let is_seen = |id: u64| all.iter().any(|s| s.track.id == id);
        let reach = NEARBY_HEIGHTS * new.track.bbox.height;
        let (_, from) = self
            .visits
            .iter()
            .filter(|(id, v)| {
                !is_seen(**id) && v.outside.is_none() && v.latest.track.class == new.track.class
            })
            .map(|(id, v)| (v.latest.foot().distance(new.foot()), *id))
            .filter(|(distance, _)| *distance <= reach)
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        self.visits.remove(&from)
    }

    /// Ends the visits of those who left, and of those who were lost for too long.
    fn end(&mut self, frame: u64, now: Duration, out: &mut Findings<'_>) {
        let rule = &self.rule;
        let over = |v: &Visit| {
            v.outside.is_some_and(|o| now.saturating_sub(o.at) >= rule.settle)
                || now.saturating_sub(v.latest.at) > rule.bridge
        };
        for (_, visit) in self.visits.extract_if(.., |_, v| over(v)) {
            let track = visit.latest.track;
            let last = visit.outside.unwrap_or(Sighting { frame, at: now, track });
            visit.end(rule, &last, out);
        }
        let bridge = rule.bridge;
        self.known.retain(|_, seen_at| now.saturating_sub(*seen_at) <= bridge);
    }
}

impl Visit {
    fn begin(first: Sighting) -> Self {
        Self { first, latest: first, outside: None, entry: Stage::Waiting, loitering: Stage::Waiting }
    }

    fn raise(&mut self, rule: &ZoneRule, now: Duration, out: &mut Findings<'_>) {
        if self.outside.is_some() || self.latest.at != now {
            return;
        }
        let stayed = now.saturating_sub(self.first.at);
        if rule.entry && self.entry == Stage::Waiting && stayed >= rule.settle {
            self.entry = Stage::Raised(out.raise(source(rule, Kind::ZoneEntered), &self.first));
        }
        let long = rule.loitering.is_some_and(|limit| stayed >= limit);
        if long && self.loitering == Stage::Waiting {
            self.loitering = Stage::Raised(out.raise(source(rule, Kind::Loitering), &self.latest));
        }
    }

    fn end(self, rule: &ZoneRule, last: &Sighting, out: &mut Findings<'_>) {
        for (stage, kind) in [(self.entry, Kind::ZoneEntered), (self.loitering, Kind::Loitering)] {
            if let Stage::Raised(number) = stage {
                out.end(number, source(rule, kind), last);
            }
        }
    }
}

fn source(rule: &ZoneRule, kind: Kind) -> Source<'_> {
    Source { kind, rule: &rule.id, title: &rule.title, severity: rule.severity, direction: None }
}
