//! How much of each agent is between the broker and the database.
//!
//! The way is one for all. An agent that fills it would make the others wait, so each has a window:
//! what is beyond is not read from its line before something of it is committed. What gets lost on the
//! way (a link that breaks) leaves the window by time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::AgentId;
use tokio::sync::Notify;

/// Messages of one agent under way: 16 of at most 64 records.
const WINDOW: usize = 16;
/// Messages of all agents under way; the broker's queue towards the hub holds 1,000.
const ALL: usize = 960;
/// A message that was not committed after this time counts as lost on the way; its agent has it still.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The windows of all agents. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Mutex<HashMap<AgentId, Window>>>);

#[derive(Debug, Default)]
struct Window {
    /// When each message set out, the oldest first.
    under_way: VecDeque<Instant>,
    left: Arc<Notify>,
}

impl Backlog {
    /// Waits for room and takes it. Whether it had to wait.
    pub async fn enter(&self, agent: &AgentId) -> bool {
        let mut waited = false;
        loop {
            let (left, until) = match self.try_enter(agent, Instant::now()) {
                Ok(()) => return waited,
                Err(full) => full,
            };
            waited = true;
            let _ = tokio::time::timeout_at(until.into(), left.notified()).await;
        }
    }

    /// A message of this agent is committed, or refused for good.
    pub fn leave(&self, agent: &AgentId) {
        let mut windows = self.lock();
        let Some(window) = windows.get_mut(agent) else { return };
        window.under_way.pop_front();
        window.left.notify_one();
        // Somebody who waits has its own hold on `left`.
        if window.under_way.is_empty() && Arc::strong_count(&window.left) == 1 {
            windows.remove(agent);
        }
    }

    /// Who tells of room, and when there is some at the latest.
    fn try_enter(&self, agent: &AgentId, now: Instant) -> Result<(), (Arc<Notify>, Instant)> {
        let mut windows = self.lock();
        let others = windows.len() - usize::from(windows.contains_key(agent));
        let most = (ALL / (others + 1)).clamp(1, WINDOW);
        let window = windows.entry(agent.clone()).or_default();
        while window.under_way.front().is_some_and(|begun| *begun + FORGOTTEN <= now) {
            window.under_way.pop_front();
        }
        match window.under_way.front() {
            Some(oldest) if window.under_way.len() >= most => Err((window.left.clone(), *oldest + FORGOTTEN)),
            _ => {
                window.under_way.push_back(now);
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(n: usize) -> AgentId {
        format!("box-{n}").parse().unwrap()
    }

    #[test]
    fn each_has_its_window_and_all_share_the_way() {
        let (backlog, now) = (Backlog::default(), Instant::now());
        for _ in 0..WINDOW {
            backlog.try_enter(&agent(0), now).unwrap();
        }
        assert!(backlog.try_enter(&agent(0), now).is_err());
        backlog.try_enter(&agent(1), now).expect("others have room");
        backlog.leave(&agent(0));
        backlog.try_enter(&agent(0), now).unwrap();
        assert!(backlog.try_enter(&agent(0), now + FORGOTTEN).is_ok(), "what is lost leaves by time");
        for n in 2..ALL / 2 {
            backlog.try_enter(&agent(n), now).expect("everybody gets a word in");
        }
        backlog.try_enter(&agent(ALL / 2 - 1), now).unwrap();
        assert!(backlog.try_enter(&agent(ALL / 2 - 1), now).is_err(), "with many, the windows shrink");
        for n in 2..ALL / 2 {
            backlog.leave(&agent(n));
        }
        backlog.leave(&agent(1));
        assert!(backlog.lock().len() <= 3, "who has nothing under way is not remembered");
        backlog.leave(&agent(7));
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_something_is_committed() {
        let backlog = Backlog::default();
        for _ in 0..WINDOW {
            assert!(!backlog.enter(&agent(0)).await);
        }
        let waiting = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.enter(&agent(0)).await }
        });
        tokio::task::yield_now().await;
        backlog.leave(&agent(0));
        assert!(waiting.await.unwrap());
    }
}
