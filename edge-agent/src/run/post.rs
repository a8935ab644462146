//! The running agent as a keeper's station: loads, ends and starts what a configuration says.

use std::sync::Arc;

use edge_core::trial::Reason;
use protocol::ConfigReport;
use tokio::sync::watch;

use crate::board::Board;
use crate::config::Config;
use crate::desired::keeper::Station;
use crate::drill::Drills;
use crate::live::Live;
use crate::spool::SpoolHandle;
use crate::watching::{Lost, Measured, Prepared, Watching};

use super::checking;

pub(super) struct Post {
    pub spool: SpoolHandle,
    pub board: Board,
    pub lost: Lost,
    pub drills: Drills,
    pub live: Live,
    pub watching: Option<Watching>,
    /// What the reporter measures.
    pub measured: watch::Sender<Option<Arc<Measured>>>,
}

/// Loads everything, and asks that whoever has a user has a password.
pub(super) fn check(config: &Config) -> Result<Prepared, Reason> {
    let config = config.clone();
    checking::within(checking::LONGEST, move || Prepared::load(&config).map_err(|error| in_one_line(&error)))
}

impl Station for Post {
    type Ready = Prepared;

    fn check(&self, config: &Config) -> Result<Prepared, Reason> {
        check(config)
    }

    fn switch(&mut self, config: &Config, ready: Prepared) -> Result<(), String> {
        let mut before = self.watching.take();
        let kept = before.as_mut().map(|b| b.release(config, &ready)).unwrap_or_default();
        if before.is_some() {
            tracing::info!(
                kept = kept.len(),
                of = config.cameras.len(),
                "another configuration; cameras go on or start anew"
            );
            // Nothing is measured until the next ones are there.
            self.measured.send_replace(None);
        }
        let started = Watching::start(
            config,
            ready,
            kept,
            &self.spool,
            &self.board,
            &self.lost,
            (&self.drills, &self.live),
        );
        // Only now: until here it took what the kept cameras said.
        if let Some(before) = before {
            before.stop();
        }
        let watching = started.map_err(|error| in_one_line(&error))?;
        self.measured.send_replace(Some(watching.measured()));
        self.watching = Some(watching);
        Ok(())
    }

    fn settle(&mut self, config: &Config) {
        if self.spool.set_cap(config.spool.cap.0).is_err() {
            tracing::error!("the spool has ended and takes no new size");
        }
    }

    fn report(&mut self, report: Option<ConfigReport>) {
        self.board.set_config(report);
    }
}

fn in_one_line(error: &anyhow::Error) -> String {
    settings::in_one_line(error.as_ref())
}
