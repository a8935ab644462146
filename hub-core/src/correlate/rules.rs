//! A site's rules for what goes together, and its places.

use std::collections::{BTreeMap, BTreeSet};

use super::{Camera, SeverityRules};

/// Kinds of alerts that may be one incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family(pub String);

/// The family of test alerts; settings cannot name another so.
pub const TEST: &str = "test";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyRule {
    pub kinds: BTreeSet<String>,
    pub window_ms: i64,
}

/// What goes together at a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteRules {
    /// A kind that is in none of these is a family of its own.
    pub families: BTreeMap<Family, FamilyRule>,
    /// The window of families that have none of their own.
    pub window_ms: i64,
    /// Cameras are neighbours where their places are no farther apart than this; 0: only those that are
    /// named as neighbours.
    pub reach_m: f64,
    pub severity: SeverityRules,
}

impl SiteRules {
    pub fn family(&self, kind: &str, test: bool) -> Family {
        if test {
            return Family(TEST.to_owned());
        }
        let named = self.families.iter().find(|(_, rule)| rule.kinds.contains(kind));
        named.map_or_else(|| Family(kind.to_owned()), |(family, _)| family.clone())
    }

    pub fn window(&self, family: &Family) -> i64 {
        self.families.get(family).map_or(self.window_ms, |rule| rule.window_ms)
    }

    /// The widest window of all.
    pub fn widest_window(&self) -> i64 {
        self.families.values().map(|rule| rule.window_ms).fold(self.window_ms, i64::max)
    }
}

/// Hours of the day, from a minute (included) to another (not included), perhaps over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hours {
    pub from: u16,
    pub until: u16,
}

impl Hours {
    /// Equal ends are the whole day.
    pub fn contain(self, minute: u16) -> bool {
        match self.from.cmp(&self.until) {
            std::cmp::Ordering::Less => (self.from..self.until).contains(&minute),
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => minute >= self.from || minute < self.until,
        }
    }
}

/// Where a camera is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Position {
    /// Metres on the site's plan.
    Plan { x: f64, y: f64 },
    /// WGS 84, degrees.
    Earth { lat: f64, lon: f64 },
}

/// Mean radius of the earth in metres (IUGG).
const EARTH_M: f64 = 6_371_008.8;

impl Position {
    /// Metres between two positions of one kind. On the earth: an equirectangular projection, good to
    /// a thousandth at the distances of neighbours.
    pub fn distance(self, other: Self) -> Option<f64> {
        match (self, other) {
            (Self::Plan { x, y }, Self::Plan { x: ox, y: oy }) => Some((x - ox).hypot(y - oy)),
            (Self::Earth { lat, lon }, Self::Earth { lat: olat, lon: olon }) => {
                let turn = (lon - olon + 540.0).rem_euclid(360.0) - 180.0;
                let east = turn.to_radians() * ((lat + olat) / 2.0).to_radians().cos();
                Some(EARTH_M * east.hypot((lat - olat).to_radians()))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub camera: Camera,
    pub position: Option<Position>,
    pub sensitive: bool,
}

/// How two cameras stand to each other; the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    Same,
    /// Named as neighbours.
    Neighbour,
    /// Within the site's reach: so many decimetres apart.
    Near {
        decimetres: u32,
    },
}

/// Which cameras of a site are neighbours, worked out once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    neighbours: BTreeMap<Camera, BTreeMap<Camera, Relation>>,
    sensitive: BTreeSet<Camera>,
}

impl Topology {
    /// Neighbours by name count both ways.
    pub fn new(places: &[Place], named: &[(Camera, Camera)], reach_m: f64) -> Self {
        let mut topology = Self::default();
        topology.sensitive.extend(places.iter().filter(|p| p.sensitive).map(|p| p.camera.clone()));
        for (i, one) in places.iter().enumerate() {
            for other in &places[i + 1..] {
                let Some((a, b)) = one.position.zip(other.position) else { continue };
                if let Some(metres) = a.distance(b).filter(|m| reach_m > 0.0 && *m <= reach_m) {
                    let decimetres = (metres * 10.0).round() as u32;
                    topology.join(&one.camera, &other.camera, Relation::Near { decimetres });
                }
            }
        }
        for (one, other) in named {
            topology.join(one, other, Relation::Neighbour);
        }
        topology
    }

    pub fn neighbours(&self, camera: &Camera) -> impl Iterator<Item = (&Camera, &Relation)> {
        self.neighbours.get(camera).into_iter().flatten()
    }

    pub fn is_sensitive(&self, camera: &Camera) -> bool {
        self.sensitive.contains(camera)
    }

    fn join(&mut self, one: &Camera, other: &Camera, relation: Relation) {
        if one != other {
            self.neighbours.entry(one.clone()).or_default().insert(other.clone(), relation);
            self.neighbours.entry(other.clone()).or_default().insert(one.clone(), relation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight() {
        let night = Hours { from: 22 * 60, until: 6 * 60 };
        assert!(night.contain(23 * 60) && night.contain(0) && !night.contain(6 * 60));
        let day = Hours { from: 8 * 60, until: 18 * 60 };
        assert!(day.contain(8 * 60) && !day.contain(18 * 60));
        assert!(Hours::default().contain(700));
    }

    #[test]
    fn distances_on_plan_and_earth() {
        let plan = |x, y| Position::Plan { x, y };
        assert_eq!(plan(0.0, 0.0).distance(plan(3.0, 4.0)), Some(5.0));
        let earth = |lat, lon| Position::Earth { lat, lon };
        // A hundredth of a degree of latitude is 1,112 m anywhere.
        let north = earth(31.23, 121.47).distance(earth(31.24, 121.47)).unwrap();
        assert!((north - 1112.0).abs() < 1.0, "{north}");
        let east = earth(60.0, 179.995).distance(earth(60.0, -179.995)).unwrap();
        assert!((east - 556.0).abs() < 1.0, "over the date line: {east}");
        assert_eq!(plan(0.0, 0.0).distance(earth(0.0, 0.0)), None);
    }
}
