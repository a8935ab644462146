//! Working on incidents: what the settings say about it, and the photos that people attach.
//!
//! Owns the `[workflow]` section, calendars, procedures, and attachments on disk. What a step does is
//! `hub_core::workflow`'s, when something is due `hub_core::clocks`', where it is kept `store::steps`', and when the
//! hub wakes `work::watch`'s.

pub mod attachment;
pub mod calendar;
pub mod photo;
pub mod procedures;
pub mod rules;
pub mod settings;
pub mod watch;

use std::io;
use std::path::Path;
use std::sync::Arc;

use attachment::Attachments;
pub use rules::{Rules, RulesError};
pub use settings::Workflow;

/// What the API needs for it.
#[derive(Debug)]
pub struct Work {
    pub rules: Arc<Rules>,
    pub attachments: Attachments,
}

/// Why it cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error("cannot open the folder of attachments in {folder}: {source}")]
    Attachments {
        folder: String,
        #[source]
        source: io::Error,
    },
}

impl Work {
    /// Checks the settings once more and opens the folder of photos below `shared`, which all hubs of one database see.
    pub fn open(settings: &Workflow, shared: &Path) -> Result<Self, WorkError> {
        let rules = Arc::new(Rules::check(settings)?);
        let fail = |source| WorkError::Attachments { folder: shared.display().to_string(), source };
        Ok(Self { rules, attachments: Attachments::open(shared).map_err(fail)? })
    }
}
