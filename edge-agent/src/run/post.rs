//! The running agent as a keeper's station: loads, ends and starts what a configuration says.

use std::sync::Arc;

use protocol::ConfigReport;
use tokio::sync::watch;

use crate::board::Board;
use crate::config::Config;
use crate::desired::keeper::Station;
use crate::drill::Drills;
use crate::spool::SpoolHandle;
use crate::watching::{Lost, Measured, Prepared, Watching};

pub(super) struct Post {
    pub spool: SpoolHandle,
    pub board: Board,
    pub lost: Lost,
    pub drills: Drills,
    pub watching: Option<Watching>,
    /// What the reporter measures.
    pub measured: watch::Sender<Option<Arc<Measured>>>,
}

/// Loads everything, and asks that whoever has a user has a password.
pub(super) fn check(config: &Config) -> Result<Prepared, String> {
    Prepared::load(config).map_err(|error| in_one_line(&error))
}

impl Station for Post {
    type Ready = Prepared;

    fn check(&self, config: &Config) -> Result<Prepared, String> {
        check(config)
    }

    fn switch(&mut self, config: &Config, ready: Prepared) -> Result<(), String> {
        if let Some(watching) = self.watching.take() {
            tracing::info!("cameras start anew");
            // Nothing is measured until the next ones are there.
            self.measured.send_replace(None);
            watching.stop();
        }
        let started = Watching::start(config, ready, &self.spool, &self.board, &self.lost, &self.drills);
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

/// The error and its causes; many of ours name their cause themselves already.
fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        known if known.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}
