//! How long agents and cameras were up, down, or nobody knows: what passes between two things that are heard, by
//! local day.
//!
//! Owns what counts as what. Times are the hub's own, of receipt; who heard what, and the tables, are the shell's.
//! Invariants: what passes counts once, as one of the three, in the day in which it passed; a state lasts no
//! longer than somebody was there to know of it; a clock that is set back makes nothing of what already counted
//! undone, and a clock that is set ahead makes unknown time, no uptime.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use protocol::{AgentState, CameraState, Status};

use crate::figures::{day_and_hour, day_begins};

/// An agent that was not heard for so long is silent. It sends its health every 10 s.
pub const SILENT_MS: i64 = 60_000;
/// A hub that has not noted for so long that it runs did not run. It notes it every 10 s.
pub const LAPSE_MS: i64 = 60_000;
/// Of a longer time between two things only so much counts: a hub that was off for a year, or believed to be in
/// another century, is not worth a row for every day of it.
pub const LONGEST_MS: i64 = 31 * 86_400_000;
/// Cameras of one agent beyond these are not counted.
pub const MOST_CAMERAS: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Up,
    Down,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }

    /// What cannot be read is unknown.
    pub fn parse(text: &str) -> Self {
        match text {
            "up" => Self::Up,
            "down" => Self::Down,
            _ => Self::Unknown,
        }
    }
}

impl From<AgentState> for State {
    fn from(state: AgentState) -> Self {
        match state {
            AgentState::Online => Self::Up,
            AgentState::Offline => Self::Down,
        }
    }
}

impl From<CameraState> for State {
    fn from(state: CameraState) -> Self {
        match state {
            CameraState::Live => Self::Up,
            CameraState::Connecting
            | CameraState::Stalled
            | CameraState::Offline
            | CameraState::Credentials
            | CameraState::Unsupported => Self::Down,
            CameraState::Unknown => Self::Unknown,
        }
    }
}

/// Time spent in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    pub up_ms: i64,
    pub down_ms: i64,
    pub unknown_ms: i64,
}

impl Times {
    pub fn sum_ms(&self) -> i64 {
        self.up_ms.saturating_add(self.down_ms).saturating_add(self.unknown_ms)
    }

    fn add(&mut self, state: State, ms: i64) {
        let time = match state {
            State::Up => &mut self.up_ms,
            State::Down => &mut self.down_ms,
            State::Unknown => &mut self.unknown_ms,
        };
        *time = time.saturating_add(ms);
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, more: Self) {
        self.add(State::Up, more.up_ms);
        self.add(State::Down, more.down_ms);
        self.add(State::Unknown, more.unknown_ms);
    }
}

/// Times of one agent by camera and day since 1970; those of the agent itself under an empty name.
pub type Sums = BTreeMap<(String, i64), Times>;

/// What an agent and its cameras are since `at`; all before is in the sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub at: i64,
    pub agent: State,
    /// As the agent said last. While it is not up, nobody knows.
    pub cameras: BTreeMap<String, State>,
}

impl Open {
    /// Nothing is known of an agent before its first word.
    pub fn new(at: i64) -> Self {
        Self { at, agent: State::Unknown, cameras: BTreeMap::new() }
    }

    /// Counts what passed until `to`; beyond `known_to` nobody was there to know.
    pub fn pass(&mut self, known_to: i64, to: i64, offset_minutes: i16, sums: &mut Sums) {
        let from = self.at;
        self.at = to.max(from);
        let to = self.at.min(from.saturating_add(LONGEST_MS));
        let known_to = known_to.clamp(from, to);
        for (day, ms) in by_day(from, known_to, offset_minutes) {
            self.count(true, day, ms, sums);
        }
        for (day, ms) in by_day(known_to, to, offset_minutes) {
            self.count(false, day, ms, sums);
        }
    }

    /// An agent's word about itself. A camera that it does not name any more is no longer counted.
    pub fn said(&mut self, status: &Status) {
        self.agent = status.state.into();
        // The last will names none: then the last known ones stand.
        if let Some(cameras) = &status.cameras {
            let states = cameras.iter().take(MOST_CAMERAS);
            self.cameras = states.map(|c| (c.camera.to_string(), c.state.into())).collect();
        }
    }

    /// Counts until `now`, during which the hub ran, and an agent that said it was there was last heard at `last`.
    pub fn look(&mut self, online: bool, last: Option<i64>, now: i64, offset_minutes: i16, sums: &mut Sums) {
        let last = last.unwrap_or(self.at).min(now);
        let silent = now.saturating_sub(last) > SILENT_MS;
        if self.agent == State::Up && silent {
            let until = last.saturating_add(SILENT_MS);
            self.pass(until, until, offset_minutes, sums);
            self.agent = State::Unknown;
        } else if self.agent == State::Unknown && online && !silent && last > self.at {
            self.pass(last, last, offset_minutes, sums);
            self.agent = State::Up;
        }
        self.pass(now, now, offset_minutes, sums);
    }

    /// Nobody was there from `through` to `now`, or the clock was set: what passed in between is unknown.
    pub fn lapse(&mut self, through: i64, now: i64, offset_minutes: i16, sums: &mut Sums) {
        self.pass(through, now.max(through), offset_minutes, sums);
        self.at = now;
    }

    fn count(&self, known: bool, day: i64, ms: i64, sums: &mut Sums) {
        let agent = if known { self.agent } else { State::Unknown };
        sums.entry((String::new(), day)).or_default().add(agent, ms);
        for (camera, state) in &self.cameras {
            let state = if agent == State::Up { *state } else { State::Unknown };
            sums.entry((camera.clone(), day)).or_default().add(state, ms);
        }
    }
}

/// Whether a hub that last noted at `through` that it runs has run until `now`, by a clock that nobody set.
pub fn has_run(through: i64, now: i64) -> bool {
    (0..=LAPSE_MS).contains(&now.saturating_sub(through))
}

/// The local days that a time falls into, with how much of it.
fn by_day(from: i64, to: i64, offset_minutes: i16) -> impl Iterator<Item = (i64, i64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        if at >= to {
            return None;
        }
        let (day, _) = day_and_hour(at, offset_minutes);
        let next = day_begins(day.saturating_add(1), offset_minutes);
        // At the ends of what a number can say a day has no end.
        let end = if next > at { next.min(to) } else { to };
        let ms = end.saturating_sub(at);
        at = end;
        Some((day, ms))
    })
}

#[cfg(test)]
mod tests;
