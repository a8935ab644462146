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

/// Messages of one agent under way: 16 of at most 64 records ...
const WINDOW: usize = 16;
/// ... or as many as a box has unacknowledged at its broker, where they are small and few wait: with one record each, 16
/// between two commits would be little.
const WINDOW_SMALL: usize = 64;
/// Together they are no more than this.
const SMALL_BYTES: usize = 64 * 1024;
/// Of the broker's queue towards the hub, 1,000 messages, this much is whoever's comes first ...
const COMMON: usize = 480;
/// ... and this much is shared by all evenly, so that everybody gets a word in.
const SHARED: usize = 480;
/// A message that was not committed after this time counts as lost on the way; its agent has it still.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// The windows of all agents. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Mutex<Windows>>);

#[derive(Debug, Default)]
struct Windows {
    of: HashMap<AgentId, Window>,
    /// Messages under way of all of them.
    under_way: usize,
}

#[derive(Debug, Default)]
struct Window {
    /// When each message set out, the oldest first, and its payload.
    under_way: VecDeque<(Instant, usize)>,
    bytes: usize,
    left: Arc<Notify>,
}

impl Backlog {
    /// Waits for room and takes it. Whether it had to wait.
    pub async fn enter(&self, agent: &AgentId, bytes: usize) -> bool {
        let mut waited = false;
        loop {
            let (left, until) = match self.try_enter(agent, bytes, Instant::now()) {
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
        let Windows { of, under_way } = &mut *windows;
        let Some(window) = of.get_mut(agent) else { return };
        *under_way -= window.pop();
        window.left.notify_one();
        // Somebody who waits has its own hold on `left`.
        if window.under_way.is_empty() && Arc::strong_count(&window.left) == 1 {
            of.remove(agent);
        }
    }

    /// Who tells of room, and when there is some at the latest.
    fn try_enter(&self, agent: &AgentId, bytes: usize, now: Instant) -> Result<(), (Arc<Notify>, Instant)> {
        let mut windows = self.lock();
        let Windows { of, under_way } = &mut *windows;
        let others = of.len() - usize::from(of.contains_key(agent));
        let window = of.entry(agent.clone()).or_default();
        while window.under_way.front().is_some_and(|(begun, _)| *begun + FORGOTTEN <= now) {
            *under_way -= window.pop();
        }
        let is_common = *under_way < COMMON;
        let is_small = window.bytes + bytes <= SMALL_BYTES;
        let most = match (is_common, is_small) {
            (true, true) => WINDOW_SMALL,
            (true, false) => WINDOW,
            (false, _) => (SHARED / (others + 1)).clamp(1, WINDOW),
        };
        match window.under_way.front() {
            Some((oldest, _)) if window.under_way.len() >= most => {
                Err((window.left.clone(), *oldest + FORGOTTEN))
            }
            _ => {
                window.under_way.push_back((now, bytes));
                window.bytes += bytes;
                *under_way += 1;
                Ok(())
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Windows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// Takes the oldest message out; how many that were.
    fn pop(&mut self) -> usize {
        let oldest = self.under_way.pop_front();
        self.bytes -= oldest.map_or(0, |(_, bytes)| bytes);
        usize::from(oldest.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = 500;

    fn agent(n: usize) -> AgentId {
        format!("box-{n}").parse().unwrap()
    }

    /// How many messages of this size an agent gets in.
    fn fill(backlog: &Backlog, n: usize, bytes: usize, now: Instant) -> usize {
        (0..).take_while(|_| backlog.try_enter(&agent(n), bytes, now).is_ok()).count()
    }

    #[test]
    fn each_has_its_window_by_number_and_by_size() {
        let (backlog, now) = (Backlog::default(), Instant::now());
        assert_eq!(fill(&backlog, 0, SMALL, now), WINDOW_SMALL);
        assert_eq!(fill(&backlog, 1, 128 * 1024, now), WINDOW, "others have room, and large ones less of it");
        assert_eq!(
            fill(&backlog, 2, SMALL_BYTES / 20, now),
            20,
            "between the two it is the size that counts"
        );
        backlog.leave(&agent(0));
        backlog.leave(&agent(1));
        assert_eq!((fill(&backlog, 0, SMALL, now), fill(&backlog, 1, 128 * 1024, now)), (1, 1));
        let later = now + FORGOTTEN;
        assert_eq!(fill(&backlog, 0, SMALL, later), WINDOW_SMALL, "what is lost leaves by time");
        for n in 0..3 {
            (0..WINDOW_SMALL).for_each(|_| backlog.leave(&agent(n)));
        }
        assert_eq!(backlog.lock().of.len(), 0, "who has nothing under way is not remembered");
        assert_eq!(backlog.lock().under_way, 0);
        backlog.leave(&agent(7));
    }

    #[test]
    fn many_do_not_overfill_the_way_and_everybody_gets_a_word_in() {
        for agents in [10, 30, 60, SHARED] {
            let (backlog, now) = (Backlog::default(), Instant::now());
            // All are there before any has filled its window.
            for n in 0..agents {
                backlog.try_enter(&agent(n), SMALL, now).unwrap();
            }
            let got: Vec<usize> = (0..agents).map(|n| 1 + fill(&backlog, n, SMALL, now)).collect();
            assert!(got.iter().sum::<usize>() <= COMMON + SHARED, "{agents}: {got:?}");
        }
        let (backlog, now) = (Backlog::default(), Instant::now());
        let got: Vec<usize> = (0..SHARED).map(|n| fill(&backlog, n, SMALL, now)).collect();
        assert!(got.iter().all(|got| *got > 0), "{got:?}");
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_something_is_committed() {
        let backlog = Backlog::default();
        for _ in 0..WINDOW_SMALL {
            assert!(!backlog.enter(&agent(0), SMALL).await);
        }
        let waiting = tokio::spawn({
            let backlog = backlog.clone();
            async move { backlog.enter(&agent(0), SMALL).await }
        });
        tokio::task::yield_now().await;
        backlog.leave(&agent(0));
        assert!(waiting.await.unwrap());
    }
}
