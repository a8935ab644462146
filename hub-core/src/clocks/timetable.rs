//! From a standing and its rules to what is due when.

use std::collections::{BTreeMap, VecDeque};

use super::Calendar;
use crate::workflow::{Standing, State};

/// What is to be reached in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Counted from the opening.
    Acknowledge,
    /// Counted from the opening.
    Dispatch,
    /// Counted from the dispatch.
    Arrive,
    /// Counted from the opening.
    Resolve,
}

impl Target {
    pub const ALL: [Self; 4] = [Self::Acknowledge, Self::Dispatch, Self::Arrive, Self::Resolve];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Dispatch => "dispatch",
            Self::Arrive => "arrive",
            Self::Resolve => "resolve",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == name)
    }

    fn state(self) -> State {
        match self {
            Self::Acknowledge => State::Acknowledged,
            Self::Dispatch => State::Dispatched,
            Self::Arrive => State::OnScene,
            Self::Resolve => State::Resolved,
        }
    }
}

/// The rules of a kind at a severity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockRules {
    /// Target -> ms of working time. What is not named has no clock.
    pub targets: BTreeMap<Target, i64>,
    /// When each level is called in, ms of working time after a target was missed; the first is the shift lead.
    pub levels: Vec<i64>,
    pub calendar: Calendar,
}

/// What comes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Overdue(Target),
    /// Call this level in, because of this target.
    Escalate {
        level: u8,
        because: Target,
    },
}

/// A mark and its time, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub at: i64,
    pub mark: Mark,
}

/// All that comes due if nothing more is done, in order.
pub fn timetable(standing: &Standing, rules: &ClockRules) -> Vec<Due> {
    if standing.state.is_settled() {
        return Vec::new();
    }
    let after = |from: i64, wanted: i64| rules.calendar.after(from, wanted, &standing.pauses);
    let mut table = Vec::new();
    for (&target, &wanted) in &rules.targets {
        let from = match target {
            Target::Arrive => standing.reached_at(State::Dispatched),
            _ => Some(standing.clock_from),
        };
        let missed = from
            .filter(|_| standing.reached_at(target.state()).is_none())
            .and_then(|from| after(from, wanted));
        let Some(missed) = missed else { continue };
        table.push(Due { at: missed, mark: Mark::Overdue(target) });
        for (level, wait) in (1u8..).zip(&rules.levels) {
            let at = after(missed, *wait);
            table.extend(at.map(|at| Due { at, mark: Mark::Escalate { level, because: target } }));
        }
    }
    table.sort_unstable();
    table
}

/// The running clock of one incident: time goes in, marks come out.
#[derive(Debug, Clone)]
pub struct IncidentClock {
    ahead: VecDeque<Due>,
    outputs: VecDeque<Due>,
    level: u8,
}

impl IncidentClock {
    /// What the standing says was marked already is not marked again.
    pub fn new(standing: &Standing, rules: &ClockRules) -> Self {
        let mut ahead: VecDeque<_> = timetable(standing, rules).into();
        ahead.retain(|due| match due.mark {
            Mark::Overdue(target) => !standing.overdue.contains(&target),
            Mark::Escalate { level, .. } => level > standing.level,
        });
        Self { ahead, outputs: VecDeque::new(), level: standing.level }
    }

    pub fn handle(&mut self, now: i64) {
        while let Some(due) = self.ahead.pop_front_if(|due| due.at <= now) {
            match due.mark {
                Mark::Escalate { level, .. } if level <= self.level => continue,
                Mark::Escalate { level, .. } => self.level = level,
                Mark::Overdue(_) => {}
            }
            self.outputs.push_back(due);
        }
    }

    pub fn poll(&mut self) -> Option<Due> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle`] has something to do, and why.
    pub fn deadline(&self) -> Option<(i64, Mark)> {
        let ahead = self.ahead.iter().find(|due| match due.mark {
            Mark::Escalate { level, .. } => level > self.level,
            Mark::Overdue(_) => true,
        });
        ahead.map(|due| (due.at, due.mark))
    }
}
