//! What the settings say about working on incidents, checked and ready for the cores.

use std::collections::BTreeMap;
use std::time::Duration;

use hub_core::clocks::{Calendar, ClockRules, Target, Zone};
use hub_core::procedure::Procedure;
use hub_core::workflow::Reopening;
use protocol::Timestamp;

use super::calendar::{self, NoCalendar};
use super::procedures::{self, Procedures, ProceduresError};
use super::settings::{Clock, Kind, Workflow};

/// The severities, least first.
pub const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];
/// Shortest clock; below it everything would be overdue at once.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// Most levels of escalation.
const MOST_LEVELS: usize = 8;

/// Why the `[workflow]` section was refused.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("[workflow] zone: {0}")]
    Zone(#[source] NoCalendar),
    #[error("[workflow.calendars.{name}] {source}")]
    Calendar {
        name: String,
        #[source]
        source: NoCalendar,
    },
    #[error("[[workflow.clocks]] number {number}: {what}")]
    Clock { number: usize, what: String },
    #[error("[[workflow.kinds]] `{kind}`: {what}")]
    Kind { kind: String, what: String },
    #[error("[workflow] procedures: {0}")]
    Procedures(#[from] ProceduresError),
}

/// Everything the cores need to know.
#[derive(Debug)]
pub struct Rules {
    pub zone: Zone,
    pub reopening: Reopening,
    clocks: Vec<(Clock, ClockRules)>,
    otherwise: ClockRules,
    kinds: Vec<Kind>,
    procedures: Procedures,
}

impl Rules {
    pub fn check(settings: &Workflow) -> Result<Self, RulesError> {
        let zone = calendar::zone(&settings.zone).map_err(RulesError::Zone)?;
        let mut calendars = BTreeMap::new();
        for (name, hours) in &settings.calendars {
            let calendar = calendar::read(hours, &zone)
                .map_err(|source| RulesError::Calendar { name: name.clone(), source })?;
            calendars.insert(name.as_str(), calendar);
        }
        let mut clocks = Vec::new();
        for (number, clock) in (1..).zip(&settings.clocks) {
            let rules = clock_rules(clock, &calendars);
            clocks.push((clock.clone(), rules.map_err(|what| RulesError::Clock { number, what })?));
        }
        check_kinds(&settings.kinds)?;
        let otherwise = Clock {
            acknowledge: Some(settings::Span(Duration::from_secs(60))),
            dispatch: Some(settings::Span(Duration::from_secs(300))),
            ..Clock::default()
        };
        let otherwise = clock_rules(&otherwise, &calendars);
        Ok(Self {
            zone,
            reopening: Reopening {
                after_resolved: ms(settings.reopen_after.0),
                after_false_alarm: ms(settings.reopen_after_false_alarm.0),
            },
            clocks,
            otherwise: otherwise.map_err(|what| RulesError::Clock { number: 0, what })?,
            kinds: settings.kinds.clone(),
            procedures: match &settings.procedures {
                Some(folder) => procedures::load(folder)?,
                None => Procedures::new(),
            },
        })
    }

    /// The clocks of a kind at a severity: the first that names both.
    pub fn clocks(&self, kind: &str, severity: &str) -> &ClockRules {
        let names = |list: &[String], word: &str| list.is_empty() || list.iter().any(|w| w == word);
        let found = self.clocks.iter().find(|(c, _)| names(&c.kinds, kind) && names(&c.severities, severity));
        found.map_or(&self.otherwise, |(_, rules)| rules)
    }

    /// What can be opened by hand at a site.
    pub fn kinds<'a>(&'a self, site: &'a str) -> impl Iterator<Item = &'a Kind> {
        self.kinds.iter().filter(move |k| k.sites.is_empty() || k.sites.iter().any(|s| s.as_str() == site))
    }

    pub fn procedure(&self, kind: &str) -> Option<&Procedure> {
        self.procedures.get(kind)
    }

    /// A time as people here read it: `2026-11-23 09:00:05`.
    pub fn clock(&self, at: i64) -> String {
        let text = Timestamp::from_unix_ms(self.zone.local(at)).to_string();
        text.replacen('T', " ", 1).chars().take("2026-11-23 09:00:05".len()).collect()
    }
}

fn clock_rules(clock: &Clock, calendars: &BTreeMap<&str, Calendar>) -> Result<ClockRules, String> {
    if let Some(wrong) = clock.severities.iter().find(|s| !SEVERITIES.contains(&s.as_str())) {
        return Err(format!("there is no severity `{wrong}`; there are {}", SEVERITIES.join(", ")));
    }
    let targets = [
        (Target::Acknowledge, clock.acknowledge),
        (Target::Dispatch, clock.dispatch),
        (Target::Arrive, clock.arrive),
        (Target::Resolve, clock.resolve),
    ];
    let targets: BTreeMap<_, _> = targets.into_iter().filter_map(|(t, span)| Some((t, span?.0))).collect();
    if let Some((target, _)) = targets.iter().find(|(_, d)| !(SHORTEST..=LONGEST).contains(*d)) {
        return Err(format!("{} must be between 1s and 366d", target.as_str()));
    }
    let levels = match &clock.escalate {
        Some(levels) => levels.iter().map(|s| s.0).collect(),
        None => vec![Duration::ZERO, Duration::from_secs(300)],
    };
    if levels.len() > MOST_LEVELS || !levels.is_sorted() || levels.iter().any(|l| *l > LONGEST) {
        return Err(format!("escalate must be at most {MOST_LEVELS} times, each at least the one before"));
    }
    let calendar = match &clock.calendar {
        None => Calendar::RoundTheClock,
        Some(name) => match calendars.get(name.as_str()) {
            Some(calendar) => calendar.clone(),
            None => return Err(format!("there is no [workflow.calendars.{name}]")),
        },
    };
    let targets = targets.into_iter().map(|(target, span)| (target, ms(span))).collect();
    Ok(ClockRules { targets, levels: levels.into_iter().map(ms).collect(), calendar })
}

fn check_kinds(kinds: &[Kind]) -> Result<(), RulesError> {
    for (n, kind) in kinds.iter().enumerate() {
        let fail = |what: String| RulesError::Kind { kind: kind.kind.clone(), what };
        let is_id = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=64).contains(&kind.kind.len()) || !kind.kind.bytes().all(is_id) {
            return Err(fail("a kind is 1 to 64 ASCII letters, digits, `-` or `_`".into()));
        }
        if kinds[..n].iter().any(|other| other.kind == kind.kind) {
            return Err(fail("it is there twice".into()));
        }
        if [&kind.zh, &kind.en].iter().any(|text| text.trim().is_empty() || text.chars().count() > 80) {
            return Err(fail("it needs a name in both languages (zh, en) of at most 80 letters".into()));
        }
        if !SEVERITIES.contains(&kind.severity.as_str()) {
            let known = SEVERITIES.join(", ");
            return Err(fail(format!("there is no severity `{}`; there are {known}", kind.severity)));
        }
    }
    Ok(())
}

fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Result<Rules, String> {
        let settings = settings::parse(text, std::path::Path::new("hub.toml")).map_err(|e| e.to_string())?;
        Rules::check(&settings).map_err(|e| e.to_string())
    }

    #[test]
    fn the_first_clock_that_names_kind_and_severity_counts() {
        let rules = rules(
            "[[clocks]]\nkinds = [\"street_light\"]\nresolve = \"3d\"\ncalendar = \"office\"\n\
             [[clocks]]\nseverities = [\"critical\"]\nacknowledge = \"30s\"\nescalate = [\"0s\", \"1m\", \"2m\"]\n\
             [calendars.office]\nmonday = [\"09:00-12:00\", \"13:30-17:30\"]\nholidays = [\"2026-10-01\"]\n",
        );
        let rules = rules.unwrap();
        let light = rules.clocks("street_light", "critical");
        assert_eq!(light.targets, BTreeMap::from([(Target::Resolve, 3 * 86_400_000)]));
        assert!(matches!(light.calendar, Calendar::Hours { .. }));
        assert_eq!(rules.clocks("quarrel", "critical").levels, [0, 60_000, 120_000]);
        let otherwise = &rules.clocks("quarrel", "low").targets;
        assert_eq!(otherwise, &BTreeMap::from([(Target::Acknowledge, 60_000), (Target::Dispatch, 300_000)]));
        assert_eq!(rules.clock(1_795_392_000_000), "2026-11-23 08:00:00");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str, word: &str| {
            let error = rules(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        };
        wrong("zone = \"Mars/Base\"\n", "Mars/Base");
        wrong("[[clocks]]\nacknowledge = \"0s\"\n", "number 1: acknowledge");
        wrong("[[clocks]]\nescalate = [\"5m\", \"0s\"]\n", "each at least the one before");
        wrong("[[clocks]]\ncalendar = \"x\"\n", "[workflow.calendars.x]");
        wrong("[[clocks]]\nseverities = [\"worst\"]\n", "`worst`");
        wrong("[[clocks]]\nkind = [\"a\"]\n", "did you mean `kinds`?");
        wrong("[calendars.a]\nmonday = [\"9-5\"]\n", "[workflow.calendars.a] `9-5`");
        wrong("[[kinds]]\nkind = \"a b\"\nzh = \"a\"\nen = \"a\"\nseverity = \"low\"\n", "`a b`");
        wrong("[[kinds]]\nkind = \"a\"\nzh = \"\"\nen = \"a\"\nseverity = \"low\"\n", "both languages");
        wrong("procedures = \"/nowhere\"\n", "/nowhere");
    }
}
