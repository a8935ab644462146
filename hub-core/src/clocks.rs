//! The clocks of an incident: what is to happen by when, and who is called when it does not.
//!
//! Owns targets, timetables, calendars and time zones. Time comes in as the hub's, ms since 1970. Invariants:
//! a target that was reached is never overdue; a pause and the hours in which a kind is not worked on do not
//! count; each mark is given once, also over a restart (what was given stands in the facts).

mod calendar;
mod timetable;
mod zone;

pub use calendar::{Calendar, Day, Hours};
pub use timetable::{ClockRules, Due, IncidentClock, Mark, Target, timetable};
pub use zone::Zone;
