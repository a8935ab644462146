//! The hub's own eye on the clocks: wakes when something comes due, marks it, calls in the next level.
//!
//! Knows nothing that is not in the database: a restart goes on where it stopped, and of several hubs the first to
//! hold an incident's row gives its marks. The time is the database's, so that all hubs share it. It is
//! compared with the monotonic clock: where it jumped, what is worked on goes along and nothing is overdue by it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Rules;
use crate::store::steps::ClockStep;
use crate::store::{Store, StoreError};

/// How often it looks; what comes due earlier than that wakes it.
const LOOK: Duration = Duration::from_secs(1);
/// After something went wrong.
const LOOK_AFTER_ERROR: Duration = Duration::from_secs(5);
/// A jump of the clock by less is none: it is set right slowly, and a busy database answers late.
const JUMP_MS: i64 = 10_000;

/// What it remembers between looks.
#[derive(Debug, Default)]
pub struct Watch {
    /// When it last looked: by the database's clock (ms), and by the monotonic one.
    last: Option<(i64, Instant)>,
}

/// Watches until it is told to stop.
pub async fn run(store: Store, rules: Arc<Rules>, stop: CancellationToken) {
    let mut watch = Watch::default();
    loop {
        let wait = match watch.look_now(&store, &rules).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "incidents' clocks not looked at");
                LOOK_AFTER_ERROR
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Watch {
    async fn look_now(&mut self, store: &Store, rules: &Rules) -> Result<Duration, StoreError> {
        let now = store.time().await?;
        self.look(store, rules, now, Instant::now()).await
    }

    /// Looks once, at these times; how long nothing comes due.
    pub async fn look(
        &mut self,
        store: &Store,
        rules: &Rules,
        now: i64,
        monotonic: Instant,
    ) -> Result<Duration, StoreError> {
        if let Some((before, then)) = self.last {
            let passed = i64::try_from(monotonic.duration_since(then).as_millis()).unwrap_or(i64::MAX);
            let by = now - before - passed;
            if by.abs() > JUMP_MS {
                let moved = store.set_clocks(rules, ClockStep { now, by }).await?;
                tracing::warn!(by_ms = by, incidents = moved, "the clock was set; open incidents go along");
            }
        }
        self.last = Some((now, monotonic));
        loop {
            let (given, more) = store.give_due(rules, now).await?;
            if given > 0 {
                tracing::info!(marks = given, "incidents are overdue");
            }
            if !more {
                break;
            }
        }
        let next = store.next_mark().await?.map_or(LOOK, |at| {
            Duration::from_millis(u64::try_from(at - now).unwrap_or(0)).max(Duration::from_millis(10))
        });
        Ok(next.min(LOOK))
    }
}
