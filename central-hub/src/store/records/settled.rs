//! Which records of an epoch are settled: in memory as of the last commit, and in the transaction.

use std::collections::HashMap;

use hub_core::RangeSet;
use protocol::{AgentId, Epoch};

use super::StoreError;
use crate::store::{Tx, sql};

/// Epochs whose settled ranges are kept in memory.
const CACHED_EPOCHS: usize = 1024;

/// What is settled, as of the last commit. Belongs to the one task that writes records.
#[derive(Debug, Default)]
pub struct SettledCache(HashMap<(AgentId, Epoch), RangeSet>);

impl SettledCache {
    /// Takes over what a commit settled.
    pub(super) fn committed(&mut self, sets: Vec<((AgentId, Epoch), RangeSet)>) {
        if self.0.len() > CACHED_EPOCHS {
            self.0.clear();
        }
        self.0.extend(sets);
    }
}

/// Adds what a batch settled, in memory and in the transaction. The cache itself is not touched: the
/// commit may still fail.
pub(super) async fn add(
    tx: &mut Tx,
    cache: &SettledCache,
    agent: &AgentId,
    epoch: &Epoch,
    ranges: &[(u64, u64)],
) -> Result<RangeSet, StoreError> {
    let key = (agent.clone(), epoch.clone());
    // What another hub has settled meanwhile is not in this one's memory.
    let before = match cache.0.get(&key).filter(|_| !tx.has_rivals()) {
        Some(set) => set.clone(),
        None => {
            let text = "SELECT first, last FROM settled WHERE agent = $1 AND epoch = $2";
            let query = sql(text).bind(agent.as_str()).bind(epoch.as_str());
            let rows: Vec<(i64, i64)> = tx.all(query).await?;
            rows.into_iter().map(|(f, l)| (f.cast_unsigned(), l.cast_unsigned())).collect()
        }
    };
    let mut after = before.clone();
    for (first, last) in ranges {
        after.insert_range(*first, *last);
    }
    // Nearly always a range has only grown: one statement.
    for (first, _) in before.iter().filter(|(first, _)| !starts(&after, *first)) {
        tx.execute(
            sql("DELETE FROM settled WHERE agent = $1 AND epoch = $2 AND first = $3")
                .bind(agent.as_str())
                .bind(epoch.as_str())
                .bind(first.cast_signed()),
        )
        .await?;
    }
    for (first, last) in after.iter().filter(|(first, last)| before.range_of(*first) != Some((*first, *last)))
    {
        tx.execute(
            sql("INSERT INTO settled (agent, epoch, first, last) VALUES ($1, $2, $3, $4)
                ON CONFLICT (agent, epoch, first) DO UPDATE SET last = excluded.last")
            .bind(agent.as_str())
            .bind(epoch.as_str())
            .bind(first.cast_signed())
            .bind(last.cast_signed()),
        )
        .await?;
    }
    Ok(after)
}

fn starts(set: &RangeSet, first: u64) -> bool {
    set.range_of(first).is_some_and(|(begins, _)| begins == first)
}
