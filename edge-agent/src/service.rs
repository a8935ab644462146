//! What the service manager is told: that the agent is up, that it is alive, that it is stopping.
//!
//! Owns the words to systemd and the judgement of what "alive" means. Without a service manager every
//! call does nothing. Restarting a hung agent is the unit's part (`WatchdogSec`), what a person does with the agent
//! `by_hand`'s.

pub mod by_hand;

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Handle;

/// Longest that the analysis may take over one frame. The slowest box needs a second.
pub const WORK_WITHIN: Duration = Duration::from_secs(20);
/// Longest that the threads of the uplink may take to get round to a task that does nothing.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// A part that must be alive, and whether it is.
pub type Part = (&'static str, bool);

/// Everything is started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The orderly end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the agent is alive, if every part is; otherwise names what is not and stays silent, so that
/// the service manager starts the agent anew.
pub fn sign_of_life(parts: &[Part], status: &str) {
    let dead = dead(parts);
    if dead.is_empty() {
        tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
    } else {
        let dead = dead.join(", ");
        tracing::error!(parts = dead, "does not work any more; the service manager will restart the agent");
        tell(&[NotifyState::Status(&format!("hangs: {dead}"))]);
    }
}

/// Whether the runtime that carries the uplink still gets round to new tasks.
pub async fn turns(runtime: &Handle) -> bool {
    turns_within(runtime, TURN_WITHIN).await
}

async fn turns_within(runtime: &Handle, limit: Duration) -> bool {
    tokio::time::timeout(limit, runtime.spawn(async {})).await.is_ok()
}

fn dead(parts: &[Part]) -> Vec<&'static str> {
    parts.iter().filter(|(_, alive)| !alive).map(|(name, _)| *name).collect()
}

fn tell(words: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dead_part_is_enough_and_is_named() {
        assert!(dead(&[("analysis", true), ("uplink", true)]).is_empty());
        assert_eq!(dead(&[("analysis", true), ("uplink", false)]), ["uplink"]);
    }

    #[test]
    fn a_runtime_whose_only_thread_is_held_up_is_noticed() {
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let (asking, other) = (runtime().unwrap(), runtime().unwrap());
        assert!(asking.block_on(turns(other.handle())));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (at_work, started) = std::sync::mpsc::channel();
        other.spawn(async move {
            let _ = at_work.send(());
            let _ = held.recv();
        });
        started.recv().unwrap();
        assert!(!asking.block_on(turns_within(other.handle(), Duration::from_millis(50))));
        drop(release);
        other.shutdown_background();
    }
}
