//! `[incidents]`: what goes together and how bad it is, for all sites and apart for one.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::correlate::{self, Family, FamilyRule, Hours, Severity, SeverityRules, SiteRules};
use protocol::{Kind, SiteId};
use serde::Deserialize;
use settings::Span;

/// `[incidents]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Incidents {
    /// Alerts of one family no farther apart than this belong together; a family may say otherwise. Default `2m`.
    pub window: Span,
    /// Cameras whose places are no farther apart than so many metres are neighbours; 0: only those that are named
    /// as neighbours. Default 50.
    pub reach_metres: u32,
    /// Local time, ahead of UTC. Default `+08:00`.
    pub utc_offset: Offset,
    /// When sensitive places are sensitive, in local time. Default `22:00-06:00`.
    pub sensitive_hours: DayHours,
    /// An incident is one step worse from each of these numbers of alerts on. Default `[20, 200]`.
    pub worse_from: Vec<u64>,
    /// Kinds of alerts that may be one incident, by a name of yours. A kind that is in none is a family of its own.
    /// Default: `perimeter`, lines crossed and zones entered.
    pub families: BTreeMap<String, FamilySetting>,
    /// Alerts of a kind are at least so bad: `{ "LoiteringDetector/ObjectIsLoitering" = "medium" }`. Default: none.
    pub at_least: BTreeMap<Kind, Level>,
    /// What is otherwise at one site: the same names as above, each optional. Default: nothing.
    pub sites: BTreeMap<SiteId, SiteIncidents>,
}

/// `[incidents.families.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilySetting {
    pub kinds: BTreeSet<Kind>,
    /// Default: the general one.
    pub window: Option<Span>,
}

/// `[incidents.sites.SITE]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteIncidents {
    pub window: Option<Span>,
    pub reach_metres: Option<u32>,
    pub utc_offset: Option<Offset>,
    pub sensitive_hours: Option<DayHours>,
    pub worse_from: Option<Vec<u64>>,
    pub families: Option<BTreeMap<String, FamilySetting>>,
    pub at_least: Option<BTreeMap<Kind, Level>>,
}

/// A severity's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Low,
    Medium,
    High,
    Critical,
}

/// `+08:00`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Offset {
    pub minutes: i32,
}

/// `22:00-06:00`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DayHours(pub Hours);

/// What the types cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncidentsError {
    #[error("[{section}] {name} = \"{window}\" is out of range: 1s to 1d")]
    Window { section: String, name: String, window: Span },
    #[error("[{section}] reach_metres = {metres} is out of range: 0 to 5000")]
    Reach { section: String, metres: u32 },
    #[error("[{section}] worse_from = {steps:?} must count up from 2 or more, in at most 3 steps")]
    Steps { section: String, steps: Vec<u64> },
    #[error(
        "[{section}] families: `{family}` is no name: use 1 to 40 ASCII letters, digits, `-` or `_`; `test` is taken"
    )]
    FamilyName { section: String, family: String },
    #[error("[{section}] families: {kind} is in `{one}` and in `{other}`; a kind has one family")]
    KindTwice { section: String, kind: &'static str, one: String, other: String },
    #[error("[{section}] families: `{family}` names no kinds")]
    Empty { section: String, family: String },
}

impl Default for Incidents {
    fn default() -> Self {
        let perimeter =
            FamilySetting { kinds: BTreeSet::from([Kind::LineCrossed, Kind::ZoneEntered]), window: None };
        Self {
            window: span(2 * 60),
            reach_metres: 50,
            utc_offset: Offset { minutes: 8 * 60 },
            sensitive_hours: DayHours(Hours { from: 22 * 60, until: 6 * 60 }),
            worse_from: vec![20, 200],
            families: BTreeMap::from([("perimeter".to_owned(), perimeter)]),
            at_least: BTreeMap::new(),
            sites: BTreeMap::new(),
        }
    }
}

fn span(seconds: u64) -> Span {
    Span(std::time::Duration::from_secs(seconds))
}

impl Incidents {
    pub fn check(&self) -> Result<(), IncidentsError> {
        self.check_one("incidents")?;
        self.sites.keys().try_for_each(|site| self.at(site).check_one(&format!("incidents.sites.{site}")))
    }

    /// The rules of a site.
    pub fn rules(&self, site: &SiteId) -> SiteRules {
        let here = self.at(site);
        let window_ms = millis(here.window);
        let family = |(name, rule): (String, FamilySetting)| {
            let kinds = rule.kinds.iter().map(|k| k.as_str().to_owned()).collect();
            (Family(name), FamilyRule { kinds, window_ms: rule.window.map_or(window_ms, millis) })
        };
        SiteRules {
            families: here.families.into_iter().map(family).collect(),
            window_ms,
            reach_m: f64::from(here.reach_metres),
            severity: SeverityRules {
                at_least: here.at_least.iter().map(|(k, l)| (k.as_str().to_owned(), (*l).into())).collect(),
                sensitive: here.sensitive_hours.0,
                utc_offset_minutes: here.utc_offset.minutes,
                steps: here.worse_from,
            },
        }
    }

    /// What holds at a site, said in full.
    fn at(&self, site: &SiteId) -> Self {
        let mut here = Self { sites: BTreeMap::new(), ..self.clone() };
        let Some(own) = self.sites.get(site).cloned() else { return here };
        here.window = own.window.unwrap_or(here.window);
        here.reach_metres = own.reach_metres.unwrap_or(here.reach_metres);
        here.utc_offset = own.utc_offset.unwrap_or(here.utc_offset);
        here.sensitive_hours = own.sensitive_hours.unwrap_or(here.sensitive_hours);
        here.worse_from = own.worse_from.unwrap_or(here.worse_from);
        here.families = own.families.unwrap_or(here.families);
        here.at_least = own.at_least.unwrap_or(here.at_least);
        here
    }

    fn check_one(&self, section: &str) -> Result<(), IncidentsError> {
        let section = section.to_owned();
        let windows = self.families.iter().filter_map(|(name, rule)| Some((name.as_str(), rule.window?)));
        for (name, window) in std::iter::once(("window", self.window)).chain(windows) {
            if !(1_000..=86_400_000).contains(&millis(window)) {
                let name = if name == "window" { name.to_owned() } else { format!("families.{name}.window") };
                return Err(IncidentsError::Window { section, name, window });
            }
        }
        if self.reach_metres > 5000 {
            return Err(IncidentsError::Reach { section, metres: self.reach_metres });
        }
        let steps = &self.worse_from;
        if steps.len() > 3 || steps.first().is_some_and(|s| *s < 2) || steps.windows(2).any(|s| s[0] >= s[1])
        {
            return Err(IncidentsError::Steps { section, steps: steps.clone() });
        }
        let mut family_of: BTreeMap<Kind, &str> = BTreeMap::new();
        for (family, rule) in &self.families {
            let spelt = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if !(1..=40).contains(&family.len()) || !family.chars().all(spelt) || family == correlate::TEST {
                return Err(IncidentsError::FamilyName { section, family: family.clone() });
            }
            if rule.kinds.is_empty() {
                return Err(IncidentsError::Empty { section, family: family.clone() });
            }
            for kind in &rule.kinds {
                if let Some(one) = family_of.insert(*kind, family) {
                    let (one, other) = (one.to_owned(), family.clone());
                    return Err(IncidentsError::KindTwice { section, kind: kind.as_str(), one, other });
                }
            }
        }
        Ok(())
    }
}

fn millis(span: Span) -> i64 {
    i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX)
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
            Level::Critical => Self::Critical,
        }
    }
}

/// Minutes of `HH:MM`.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, most: u16| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|n: &u16| digits && *n <= most)
    };
    Some(number(hours, 23)? * 60 + number(minutes, 59)?)
}

impl TryFrom<String> for Offset {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => (0, ""),
        };
        let minutes = clock(rest).map(i32::from).filter(|m| sign != 0 && *m <= 14 * 60);
        let minutes =
            minutes.ok_or_else(|| format!("`{text}` is no distance from UTC: write it like +08:00"))?;
        Ok(Self { minutes: sign * minutes })
    }
}

impl TryFrom<String> for DayHours {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let ends = text.split_once('-').and_then(|(from, until)| clock(from).zip(clock(until)));
        let (from, until) =
            ends.ok_or_else(|| format!("`{text}` are no hours of the day: write them like 22:00-06:00"))?;
        Ok(Self(Hours { from, until }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Incidents, String> {
        let incidents: Incidents = settings::parse(text, Path::new("hub.toml")).map_err(|e| e.to_string())?;
        incidents.check().map_err(|e| e.to_string())?;
        Ok(incidents)
    }

    #[test]
    fn a_site_says_only_what_is_otherwise() {
        let incidents = read(
            "window = \"90s\"\n[at_least]\n\"LineDetector/Crossed\" = \"high\"\n[sites.school]\nutc_offset = \"-03:30\"\n\
             worse_from = []\n[sites.school.families.all]\nkinds = [\"LineDetector/Crossed\", \"LoiteringDetector/ObjectIsLoitering\"]\nwindow = \"10m\"\n",
        )
        .unwrap();
        let school = incidents.rules(&"school".parse().unwrap());
        assert_eq!(school.family("LoiteringDetector/ObjectIsLoitering", false), Family("all".into()));
        assert_eq!(school.window(&Family("all".into())), 600_000);
        assert_eq!(school.window(&school.family("FieldDetector/ObjectsInside", false)), 90_000);
        assert_eq!((school.severity.utc_offset_minutes, school.severity.steps.len()), (-210, 0));
        let market = incidents.rules(&"market".parse().unwrap());
        assert_eq!(market.family("FieldDetector/ObjectsInside", false), Family("perimeter".into()));
        assert_eq!(market.family("FieldDetector/ObjectsInside", true), Family("test".into()));
        assert_eq!(market.severity.steps, [20, 200]);
        assert_eq!(school.severity.at_least["LineDetector/Crossed"], Severity::High);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("window = \"0s\"", "out of range"),
            ("window = \"2 weeks\"", "unit"),
            ("reach_metres = 9000", "reach_metres = 9000"),
            ("worse_from = [20, 20]", "count up"),
            ("worse_from = [1]", "count up"),
            ("utc_offset = \"8\"", "+08:00"),
            ("utc_offset = \"+8:00\"", "+08:00"),
            ("utc_offset = \"\"", "+08:00"),
            ("sensitive_hours = \"22-6\"", "22:00-06:00"),
            ("sensitive_hours = \"22:00-24:00\"", "22:00-06:00"),
            ("[families.test]\nkinds = [\"LineDetector/Crossed\"]", "`test` is taken"),
            ("[families.a]\nkinds = []", "names no kinds"),
            ("[families.a]\nkinds = [\"LineDetector/Crosed\"]", "did you mean `LineDetector/Crossed`?"),
            (
                "[families.a]\nkinds = [\"LineDetector/Crossed\"]\n[families.b]\nkinds = [\"LineDetector/Crossed\"]",
                "`a` and in `b`",
            ),
            ("[sites.school]\nwindow = \"9d\"", "[incidents.sites.school] window"),
            ("[sites.school]\nwindw = \"9m\"", "did you mean `window`?"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
