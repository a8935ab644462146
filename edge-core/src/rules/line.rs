//! Line crossing with direction and hysteresis.
//!
//! A foot point counts as across once it changed sides between the line's ends, got a margin beyond
//! the line, and stayed for a moment. A wobble on the line, or a step over and straight back, is none.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{Direction, Kind};

use super::{Findings, LineRule, Sighting, Source, applies};
use crate::{FrameSize, Point};

#[derive(Debug)]
pub(super) struct Line {
    rule: LineRule,
    a: Point,
    b: Point,
    margin: f32,
    forget: Duration,
    walkers: BTreeMap<u64, Walker>,
}

/// What is known of one track.
#[derive(Debug)]
struct Walker {
    /// The side where it counts as being.
    home: Side,
    /// Its latest foot point and side.
    foot: Point,
    side: Side,
    /// Got a margin beyond the line in its latest sighting.
    clear: bool,
    /// Since it is not at home: its first sighting there, and whether it came through the line.
    away: Option<(Sighting, bool)>,
    seen_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Line {
    pub fn new(rule: LineRule, size: FrameSize, forget: Duration) -> Self {
        let (a, b) = (rule.a.to_pixels(size), rule.b.to_pixels(size));
        let margin = rule.margin * size.height as f32;
        Self { rule, a, b, margin, forget, walkers: BTreeMap::new() }
    }

    pub fn step(&mut self, now: Duration, sightings: &[Sighting], out: &mut Findings<'_>) {
        for sighting in sightings {
            if applies(&self.rule.classes, sighting.track.class) {
                self.see(sighting);
            }
        }
        self.settle(now, out);
        let forget = self.forget;
        self.walkers.retain(|_, w| now.saturating_sub(w.seen_at) <= forget);
    }

    pub fn clear(&mut self) {
        self.walkers.clear();
    }

    fn see(&mut self, sighting: &Sighting) {
        let foot = sighting.foot();
        let distance = signed_distance(self.a, self.b, foot);
        let side = if distance > 0.0 { Side::Right } else { Side::Left };
        let walker = match self.walkers.get_mut(&sighting.track.id) {
            Some(walker) => {
                if side != walker.side {
                    let through = meets(self.a, self.b, walker.foot, foot);
                    walker.away = (side != walker.home).then_some((*sighting, through));
                }
                walker
            }
            None => self.walkers.entry(sighting.track.id).or_insert(Walker {
                home: side,
                foot,
                side,
                clear: false,
                away: None,
                seen_at: sighting.at,
            }),
        };
        walker.foot = foot;
        walker.side = side;
        walker.clear = distance.abs() >= self.margin;
        walker.seen_at = sighting.at;
    }

    /// Who is clear of the line for long enough has a new home, and crossed if it came through.
    fn settle(&mut self, now: Duration, out: &mut Findings<'_>) {
        let settle = self.rule.settle;
        for walker in self.walkers.values_mut().filter(|w| w.clear) {
            let Some((since, through)) = walker.away else { continue };
            if now.saturating_sub(since.at) < settle {
                continue;
            }
            walker.home = walker.side;
            walker.away = None;
            let direction = match walker.side {
                Side::Left => Direction::Left,
                Side::Right => Direction::Right,
            };
            if through && self.rule.direction.is_none_or(|wanted| wanted == direction) {
                let source = Source {
                    kind: Kind::LineCrossed,
                    rule: &self.rule.id,
                    title: &self.rule.title,
                    severity: self.rule.severity,
                    direction: Some(direction),
                };
                out.raise(source, &since);
            }
        }
    }
}

/// Pixels from the line through `a` and `b`; positive on the right-hand side of one who looks from `a`
/// to `b` in the picture (y grows downwards).
fn signed_distance(a: Point, b: Point, p: Point) -> f32 {
    cross(a, b, p) / a.distance(b)
}

/// Whether the way from `from` to `to`, which changes sides, passes between the ends `a` and `b`.
fn meets(a: Point, b: Point, from: Point, to: Point) -> bool {
    (cross(from, to, a) > 0.0) != (cross(from, to, b) > 0.0)
}

fn cross(a: Point, b: Point, p: Point) -> f32 {
    (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)
}
