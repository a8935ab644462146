//! Working on incidents: what the settings say about it, and the photos that people attach.
//!
//! Owns the `[workflow]` section, calendars, procedures, and what counts as a photo. What a step does is
//! `hub_core::workflow`'s, when something is due `hub_core::clocks`', where it is kept `store::steps`', and when the
//! hub wakes `work::watch`'s.

pub mod attachment;
pub mod calendar;
pub mod photo;
pub mod procedures;
pub mod rules;
pub mod settings;
pub mod watch;

use std::sync::Arc;

pub use rules::{Rules, RulesError};
pub use settings::Workflow;

/// What the API needs for it.
#[derive(Debug)]
pub struct Work {
    pub rules: Arc<Rules>,
}

impl Work {
    /// Checks the settings once more.
    pub fn open(settings: &Workflow) -> Result<Self, RulesError> {
        Ok(Self { rules: Arc::new(Rules::check(settings)?) })
    }
}
