//! `[retention]`: how long alerts and their stills are kept, and the task that deletes them after that.
//!
//! Nothing younger than the floor goes, whatever else is set; nothing older than the ceiling stays for more than an
//! hour, except what belongs to an incident that is still worked on. Age counts from the hub's receipt, and only while
//! its clock is believed ([`hub_core::retention`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hub_core::retention::{ClockTrust, Look};
use protocol::SiteId;
use serde::Deserialize;
use settings::Span;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::store::{Store, StoreError, once};

/// How often it is looked for what is too old.
const EVERY: Duration = Duration::from_secs(600);
const SHORTEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Alerts and stills are kept at least so long; what the law or your authority demands. Default `30d`.
    pub floor: Span,
    /// And at most so long. Default `180d`.
    pub ceiling: Span,
    /// Another ceiling for a site, no lower than the floor: `{ market = "90d" }`. Default: none.
    pub sites: BTreeMap<SiteId, Span>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |n| Span(SHORTEST * n);
        Self { floor: days(30), ceiling: days(180), sites: BTreeMap::new() }
    }
}

/// What the types cannot say.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error("[retention] floor must be at least 1d")]
    Floor,
    #[error("[retention] ceiling = {ceiling} is below floor = {floor}: nothing may go before the floor")]
    Below { ceiling: String, floor: String },
}

impl Retention {
    pub fn check(&self) -> Result<(), RetentionError> {
        if self.floor.0 < SHORTEST {
            return Err(RetentionError::Floor);
        }
        match [&self.ceiling].into_iter().chain(self.sites.values()).find(|c| **c < self.floor) {
            Some(ceiling) => {
                let (ceiling, floor) = (ceiling.to_string(), self.floor.to_string());
                Err(RetentionError::Below { ceiling, floor })
            }
            None => Ok(()),
        }
    }

    /// What a site's alerts must have come after to stay, at a time.
    pub fn horizon(&self, site: &str, now: i64) -> i64 {
        let ceiling =
            self.sites.iter().find(|(id, _)| id.as_str() == site).map_or(self.ceiling, |(_, span)| *span);
        now.saturating_sub(i64::try_from(ceiling.0.max(self.floor.0).as_millis()).unwrap_or(i64::MAX))
    }
}

/// Deletes what is too old, until stopped. Among several hubs the one that leads does it.
pub async fn run(store: Store, retention: Retention, leads: watch::Receiver<bool>, stop: CancellationToken) {
    let begun = Instant::now();
    let look = || Look { wall: now_ms(), steady: begun.elapsed() };
    let before = store.swept_at().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "last sweep not known");
        None
    });
    let mut trust = ClockTrust::new(look(), before);
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = look();
        if !trust.look(now) || !*leads.borrow() {
            continue;
        }
        let swept = tokio::select! {
            () = stop.cancelled() => return,
            swept = sweep(&store, &retention, now.wall) => swept,
        };
        match swept {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old alerts and stills deleted"),
            Err(error) => tracing::warn!(%error, "old alerts not deleted, trying again"),
        }
    }
}

/// Deletes everything that is too old at `now`; how many alerts and stills.
pub async fn sweep(store: &Store, retention: &Retention, now: i64) -> Result<usize, StoreError> {
    let mut count = 0;
    for site in store.sites().await? {
        let horizon = retention.horizon(&site, now);
        loop {
            let deleted = store.retrying(|| store.sweep_alerts(&site, horizon)).await?;
            if deleted == 0 {
                break;
            }
            count += deleted;
        }
    }
    // A still without an alert has no site: the general ceiling.
    let horizon = retention.horizon("", now);
    loop {
        let deleted = store.retrying(|| store.sweep_stills(horizon)).await?;
        if deleted == 0 {
            break;
        }
        count += deleted;
    }
    while store.retrying(|| store.sweep_answers(now.saturating_sub(once::KEPT_MS))).await? > 0 {}
    store.note_sweep(now).await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ceiling_is_below_the_floor() {
        let parse =
            |text: &str| -> Retention { settings::parse(text, std::path::Path::new("hub.toml")).unwrap() };
        Retention::default().check().unwrap();
        parse("floor = \"30d\"\nceiling = \"30d\"\nsites = { market = \"90d\" }").check().unwrap();
        for text in ["ceiling = \"29d\"", "sites = { market = \"7d\" }", "floor = \"1h\""] {
            assert!(parse(text).check().is_err(), "{text}");
        }
        let retention = parse("floor = \"1d\"\nceiling = \"2d\"\nsites = { market = \"3d\" }");
        let day = 86_400_000;
        assert_eq!(
            (retention.horizon("market", 10 * day), retention.horizon("school", 10 * day)),
            (7 * day, 8 * day)
        );
    }
}
