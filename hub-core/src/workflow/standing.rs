//! Where an incident stands: the fold over its facts.
//!
//! A life of an incident is from its opening, or re-opening, to the next re-opening. Within a life progress is
//! the farthest that anybody reported; what comes late never takes it back. Joined incidents are folded each by
//! itself, with the steps that were meant for them, and then seen together: as long as one is open, all are.

use std::collections::{BTreeMap, BTreeSet};

use super::{Actor, Assignee, Deed, Fact, Facts, Part, Step, StepKind};
use crate::clocks::Target;

/// The states, in the order of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    New,
    Acknowledged,
    Dispatched,
    OnScene,
    Resolved,
    Closed,
    FalseAlarm,
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

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Nothing runs any more: resolved, closed or a false alarm.
    pub fn is_settled(self) -> bool {
        self >= Self::Resolved
    }

    /// How far that is. A closed incident and a false alarm are both at the end.
    fn progress(self) -> u8 {
        (self as u8).min(Self::Closed as u8)
    }
}

/// When alerts open a settled incident again: not those that still trickle in from what was just dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopening {
    /// Quiet time after resolving or closing, ms.
    pub after_resolved: i64,
    /// Quiet time after a false alarm, ms: rain before a lens rains on.
    pub after_false_alarm: i64,
}

impl Default for Reopening {
    fn default() -> Self {
        Self { after_resolved: 30_000, after_false_alarm: 600_000 }
    }
}

/// Who got how far, when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub state: State,
    pub at: i64,
    pub by: String,
}

/// A time in which the clocks waited; without an end, they wait still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pause {
    pub from: i64,
    pub to: Option<i64>,
}

/// Where an incident stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    /// How often it was opened again.
    pub reopened: u32,
    /// When the clocks of this life began, ms.
    pub clock_from: i64,
    /// The milestones of this life, in order. Some may be skipped.
    pub reached: Vec<Reached>,
    pub assigned: Option<Assignee>,
    /// Who said "I go", and when.
    pub accepted: Option<(i64, String)>,
    /// In order, apart from each other.
    pub pauses: Vec<Pause>,
    /// Targets that were noted as missed in this life.
    pub overdue: BTreeSet<Target>,
    /// How far up it was called in this life; 0: not at all.
    pub level: u8,
    /// The last step of somebody: who, what, when.
    pub last: Option<(Actor, StepKind, i64)>,
}

impl Standing {
    fn opened(clock_from: i64) -> Self {
        Self {
            state: State::New,
            reopened: 0,
            clock_from,
            reached: Vec::new(),
            assigned: None,
            accepted: None,
            pauses: Vec::new(),
            overdue: BTreeSet::new(),
            level: 0,
            last: None,
        }
    }

    /// When this state, or one beyond it, was first reached in this life.
    pub fn reached_at(&self, state: State) -> Option<i64> {
        self.reached.iter().find(|r| r.state.progress() >= state.progress()).map(|r| r.at)
    }

    /// When it was settled, if it is.
    pub fn settled_at(&self) -> Option<i64> {
        self.reached_at(State::Resolved)
    }

    pub fn is_paused(&self) -> bool {
        self.pauses.last().is_some_and(|p| p.to.is_none())
    }

    fn apply(&mut self, fact: &Fact, reopening: &Reopening) {
        match &fact.deed {
            Deed::Step { by, step } => {
                self.step(fact.at, by, step);
                self.last = Some((by.clone(), step.kind, fact.at));
            }
            Deed::Alert { happened } => {
                // A box whose clock is ahead does not open what was settled after all.
                if self.flares_up((*happened).min(fact.at), reopening) {
                    self.open_again(fact.at);
                }
            }
            Deed::Overdue(target) => {
                self.overdue.insert(*target);
            }
            Deed::Escalated { level } => self.level = self.level.max(*level),
            Deed::ClockSet { by } => self.clock_set(*by),
            Deed::Absorbed { .. } => {}
        }
    }

    /// What was written by the old clock is read by the new one: as much time has gone by as had before.
    fn clock_set(&mut self, by: i64) {
        let move_it = |at: &mut i64| *at = at.saturating_add(by);
        move_it(&mut self.clock_from);
        self.reached.iter_mut().for_each(|r| move_it(&mut r.at));
        self.accepted.iter_mut().for_each(|(at, _)| move_it(at));
        self.last.iter_mut().for_each(|(_, _, at)| move_it(at));
        for pause in &mut self.pauses {
            move_it(&mut pause.from);
            pause.to.iter_mut().for_each(move_it);
        }
    }

    fn step(&mut self, at: i64, by: &Actor, step: &Step) {
        match step.kind {
            StepKind::Acknowledge => self.reach(State::Acknowledged, at, by),
            StepKind::Dispatch if !self.state.is_settled() => {
                self.reach(State::Dispatched, at, by);
                self.assigned = step.to.clone();
                self.accepted = None;
            }
            StepKind::Assign if !self.state.is_settled() => self.assigned = step.to.clone(),
            StepKind::Accept if !self.state.is_settled() => {
                self.reach(State::Dispatched, at, by);
                self.accepted.get_or_insert((at, by.id.clone()));
            }
            StepKind::Arrive => self.reach(State::OnScene, at, by),
            StepKind::Resolve => self.reach(State::Resolved, at, by),
            StepKind::Close => self.reach(State::Closed, at, by),
            StepKind::FalseAlarm => self.reach(State::FalseAlarm, at, by),
            StepKind::Reopen if self.state.is_settled() => {
                self.open_again(at);
                self.reach(State::Acknowledged, at, by);
            }
            StepKind::Pause if !self.state.is_settled() && !self.is_paused() => {
                self.pauses.push(Pause { from: at, to: None });
            }
            StepKind::Resume => self.resume(at),
            StepKind::Dispatch
            | StepKind::Assign
            | StepKind::Accept
            | StepKind::Reopen
            | StepKind::Pause
            | StepKind::Note
            | StepKind::Attach
            | StepKind::Answer => {}
        }
    }

    fn reach(&mut self, state: State, at: i64, by: &Actor) {
        if state.progress() > self.state.progress() {
            self.state = state;
            self.reached.push(Reached { state, at, by: by.id.clone() });
            if state.is_settled() {
                self.resume(at);
            }
        }
    }

    fn resume(&mut self, at: i64) {
        if let Some(Pause { to: to @ None, .. }) = self.pauses.last_mut() {
            *to = Some(at);
        }
    }

    fn flares_up(&self, at: i64, reopening: &Reopening) -> bool {
        let quiet = match self.state {
            State::FalseAlarm => reopening.after_false_alarm,
            _ => reopening.after_resolved,
        };
        self.settled_at().is_some_and(|settled| at > settled.saturating_add(quiet))
    }

    /// The next life. Whom it was given to is known, but they are not under way.
    fn open_again(&mut self, at: i64) {
        let before = std::mem::replace(self, Self::opened(at));
        self.reopened = before.reopened + 1;
        self.assigned = before.assigned;
        self.last = before.last;
    }

    /// The same, seen together with a part that was joined.
    fn with(self, other: Self) -> Self {
        let (mut leading, following) = match self.leads(&other) {
            true => (self, other),
            false => (other, self),
        };
        if leading.state.is_settled() == following.state.is_settled() {
            leading.clock_from = leading.clock_from.min(following.clock_from);
            leading.overdue.extend(following.overdue);
            leading.level = leading.level.max(following.level);
            leading.pauses = together(leading.pauses, following.pauses);
        }
        leading.reopened = leading.reopened.max(following.reopened);
        leading.assigned = leading.assigned.or(following.assigned);
        leading.last = later(leading.last, following.last);
        leading
    }

    /// Whether this one says how all of them stand: an open one before a settled one, among open ones the
    /// farthest (somebody is at it), among settled ones the one that still needs closing, a false alarm last.
    fn leads(&self, other: &Self) -> bool {
        match (self.state.is_settled(), other.state.is_settled()) {
            (false, true) => true,
            (true, false) => false,
            (false, false) => self.state >= other.state,
            (true, true) => self.state <= other.state,
        }
    }
}

type Last = Option<(Actor, StepKind, i64)>;

fn later(a: Last, b: Last) -> Last {
    let at = |last: &Last| last.as_ref().map(|(by, kind, at)| (*at, by.id.clone(), *kind));
    if at(&a) >= at(&b) { a } else { b }
}

/// Times in which either waited, as times apart from each other.
fn together(mut a: Vec<Pause>, b: Vec<Pause>) -> Vec<Pause> {
    a.extend(b);
    a.sort_unstable();
    let mut apart: Vec<Pause> = Vec::new();
    for pause in a {
        match apart.last_mut() {
            Some(last) if last.to.is_none_or(|to| to >= pause.from) => {
                last.to = last.to.zip(pause.to).map(|(x, y)| x.max(y));
            }
            _ => apart.push(pause),
        }
    }
    apart
}

/// Where an incident stands that consists of these parts (at least one), by all their facts.
pub fn fold(parts: &[Part], facts: &Facts, reopening: &Reopening) -> Standing {
    let joins = joins(facts);
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort();
    let each = parts.iter().map(|part| {
        let mut standing = Standing::opened(part.clock_from);
        let meant = facts.iter().filter(|f| is_meant_for(&part.incident, f, &joins));
        meant.for_each(|fact| standing.apply(fact, reopening));
        standing
    });
    each.reduce(Standing::with).unwrap_or_else(|| Standing::opened(0))
}

/// Part -> when it was joined to what, in order. An operator may join and part them more than once.
type Joins<'a> = BTreeMap<&'a str, Vec<(i64, &'a str)>>;

fn joins(facts: &Facts) -> Joins<'_> {
    let mut joins = Joins::new();
    for fact in facts.iter() {
        if let Deed::Absorbed { incident } = &fact.deed {
            joins.entry(incident.as_str()).or_default().push((fact.at, fact.incident.as_str()));
        }
    }
    joins
}

/// A fact is meant for the part it was written down for, and for what was joined to that at the time.
fn is_meant_for(part: &str, fact: &Fact, joins: &Joins<'_>) -> bool {
    let mut at = part;
    // As many hops as there are joins: a ring, which nobody should write, ends too.
    for _ in 0..=joins.len() {
        if at == fact.incident {
            return true;
        }
        let joined = joins.get(at).and_then(|all| all.iter().rev().find(|(when, _)| *when <= fact.at));
        match joined {
            Some((_, into)) => at = into,
            None => return false,
        }
    }
    false
}
