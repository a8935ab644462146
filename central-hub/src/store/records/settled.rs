//! Which records of an epoch are settled: in memory as of the last commit, and in the transaction.

use std::collections::{BTreeMap, HashMap};

use hub_core::RangeSet;
use protocol::{AgentId, Epoch};
use serde_json::{Value, json};

use super::StoreError;
use super::batch::TouchedEpochs;
use crate::store::{Tx, sql_for};

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

/// Adds what a batch settled, in memory and in the transaction; the sets in the order of `touched`. The cache itself is
/// not touched: the commit may still fail.
pub(super) async fn add(
    tx: &mut Tx,
    cache: &SettledCache,
    touched: &TouchedEpochs,
) -> Result<Vec<((AgentId, Epoch), RangeSet)>, StoreError> {
    let keys = touched.keys().map(|(_, agent, epoch)| (agent.clone(), epoch.clone()));
    // What another hub has settled meanwhile is not in this one's memory.
    let known = |key: &(AgentId, Epoch)| cache.0.get(key).filter(|_| !tx.has_rivals()).cloned();
    let known: Vec<_> = keys.map(|key| (known(&key), key)).collect();
    let unknown = known.iter().filter(|(set, _)| set.is_none()).map(|(_, key)| key);
    let mut stored = stored(tx, unknown).await?;
    let (mut sets, mut gone, mut grown) = (Vec::with_capacity(known.len()), vec![], vec![]);
    for ((before, key), touched) in known.into_iter().zip(touched.values()) {
        let (agent, epoch) = (key.0.as_str(), key.1.as_str());
        let before =
            before.or_else(|| stored.remove(&(agent.to_owned(), epoch.to_owned()))).unwrap_or_default();
        let mut after = before.clone();
        for (first, last) in &touched.ranges {
            after.insert_range(*first, *last);
        }
        // Nearly always a range has only grown.
        let begun = before.iter().filter(|(first, _)| !starts(&after, *first));
        gone.extend(begun.map(|(first, _)| json!([agent, epoch, first])));
        let new = after.iter().filter(|(first, last)| before.range_of(*first) != Some((*first, *last)));
        grown.extend(new.map(|(first, last)| json!([agent, epoch, first, last])));
        sets.push((key, after));
    }
    let delete = sql_for(
        "DELETE FROM settled WHERE (agent, epoch, first) IN
            (SELECT CAST(value ->> 0 AS TEXT), CAST(value ->> 1 AS TEXT), CAST(value ->> 2 AS INTEGER) FROM jsonb_each($1))",
        "DELETE FROM settled s USING jsonb_array_elements($1::text::jsonb) AS t (value)
            WHERE s.agent = value ->> 0 AND s.epoch = value ->> 1 AND s.first = (value ->> 2)::bigint",
    );
    let upsert = sql_for(
        "INSERT INTO settled (agent, epoch, first, last)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each($1) WHERE true
            ON CONFLICT (agent, epoch, first) DO UPDATE SET last = excluded.last",
        "INSERT INTO settled (agent, epoch, first, last)
            SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, (value ->> 3)::bigint
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)
            ON CONFLICT (agent, epoch, first) DO UPDATE SET last = excluded.last",
    );
    for (statement, values) in [(delete, gone), (upsert, grown)] {
        if !values.is_empty() {
            tx.execute(statement.bind(Value::from(values).to_string())).await?;
        }
    }
    Ok(sets)
}

/// What is settled of these epochs, by the database.
async fn stored<'a>(
    tx: &mut Tx,
    keys: impl Iterator<Item = &'a (AgentId, Epoch)>,
) -> Result<BTreeMap<(String, String), RangeSet>, StoreError> {
    let keys: Vec<Value> = keys.map(|(agent, epoch)| json!([agent.as_str(), epoch.as_str()])).collect();
    let mut sets: BTreeMap<(String, String), RangeSet> = BTreeMap::new();
    if keys.is_empty() {
        return Ok(sets);
    }
    let text = sql_for(
        "SELECT agent, epoch, first, last FROM settled
            WHERE (agent, epoch) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))",
        "SELECT agent, epoch, first, last FROM settled WHERE (agent, epoch) IN
            (SELECT value ->> 0, value ->> 1 FROM jsonb_array_elements($1::text::jsonb) AS t (value))",
    );
    let rows: Vec<(String, String, i64, i64)> = tx.all(text.bind(Value::from(keys).to_string())).await?;
    for (agent, epoch, first, last) in rows {
        let set = sets.entry((agent, epoch)).or_default();
        set.insert_range(first.cast_unsigned(), last.cast_unsigned());
    }
    Ok(sets)
}

fn starts(set: &RangeSet, first: u64) -> bool {
    set.range_of(first).is_some_and(|(begins, _)| begins == first)
}
