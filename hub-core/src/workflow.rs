//! How an incident is worked on: facts in, where it stands out; and which step whom is open to.
//!
//! Owns the states, the steps, the fold and the refusals. Clocks and deadlines are [`crate::clocks`]'; which
//! alerts make an incident is the correlation's. Invariants: the standing is a function of the *set* of facts,
//! whatever order they came in; no fact is an error ("closed" before "opened" is as good as the other way
//! round); what [`permit`] lets through changes the standing, or is a note in its history.

mod facts;
mod permit;
mod standing;
mod words;

pub use facts::{Actor, Assignee, Deed, Fact, Facts, Part, Role, Step, StepKind};
pub use permit::{Refusal, Seat, permit, steps_open_to};
pub use standing::{Pause, Reached, Reopening, Standing, State, fold};
pub use words::{Language, refused_because, state_name, step_name};
