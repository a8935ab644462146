//! Taking the identities of records: each is taken once, whatever comes how often.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{AgentId, Epoch, RejectReason};
use serde_json::{Value, json};

use super::{Arrival, Content, StoreError, content, letters};
use crate::credential::hex;
use crate::store::{Tx, sql, sql_for};

/// Records of a batch that were not there before and are not looked at yet, with their hashes.
#[derive(Default)]
pub(super) struct Claims<'b>(BTreeMap<(&'b AgentId, &'b Epoch, u64), Vec<u8>>);

impl<'b> Claims<'b> {
    /// Takes the identities of all good records of these messages by one statement.
    pub(super) async fn of(
        tx: &mut Tx,
        arrivals: impl Iterator<Item = &'b Arrival>,
    ) -> Result<Self, StoreError> {
        let mut claims = BTreeMap::new();
        for arrival in arrivals {
            let Content::Records(records) = &arrival.content else { continue };
            for (record, raw) in records.iter().flatten() {
                let id = (&arrival.agent, &record.epoch, record.seq);
                // The same once more in this batch is looked at by itself, as a record that is there.
                claims.entry(id).or_insert_with(|| content::hash(raw));
            }
        }
        if claims.is_empty() {
            return Ok(Self::default());
        }
        let values = claims
            .iter()
            .map(|((agent, epoch, seq), hash)| json!([agent.as_str(), epoch.as_str(), seq, hex(hash)]));
        let statement = sql_for(
            "INSERT INTO records (agent, epoch, seq, hash)
                SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM jsonb_each($1)
                WHERE NOT EXISTS (SELECT 1 FROM swept w
                    JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch
                        AND s.first <= value ->> 2 AND s.last >= value ->> 2
                    WHERE w.agent = value ->> 0 AND w.epoch = value ->> 1 AND w.through >= value ->> 2)
                ON CONFLICT (agent, epoch, seq) DO NOTHING RETURNING agent, epoch, seq",
            "INSERT INTO records (agent, epoch, seq, hash)
                SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, decode(value ->> 3, 'hex')
                FROM jsonb_array_elements($1::text::jsonb) AS t (value)
                WHERE NOT EXISTS (SELECT 1 FROM swept w
                    JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch
                        AND s.first <= (value ->> 2)::bigint AND s.last >= (value ->> 2)::bigint
                    WHERE w.agent = value ->> 0 AND w.epoch = value ->> 1
                        AND w.through >= (value ->> 2)::bigint)
                ON CONFLICT (agent, epoch, seq) DO NOTHING RETURNING agent, epoch, seq",
        );
        let new: Vec<(String, String, i64)> =
            tx.all(statement.bind(Value::from_iter(values).to_string())).await?;
        if new.len() < claims.len() {
            let new: BTreeSet<(&str, &str, u64)> =
                new.iter().map(|(a, e, s)| (a.as_str(), e.as_str(), s.cast_unsigned())).collect();
            claims.retain(|(agent, epoch, seq), _| new.contains(&(agent.as_str(), epoch.as_str(), *seq)));
        }
        Ok(Self(claims))
    }

    /// Whether the record was new and is looked at for the first time.
    pub(super) fn redeem(&mut self, agent: &'b AgentId, epoch: &'b Epoch, seq: u64) -> bool {
        self.0.remove(&(agent, epoch, seq)).is_some()
    }
}

/// Takes one record's identity; if it is taken already, by what content and whether that was refused.
pub(super) async fn take(
    tx: &mut Tx,
    agent: &AgentId,
    (epoch, seq): &(Epoch, u64),
    hash: &[u8],
    rejected: Option<RejectReason>,
) -> Result<Option<(Vec<u8>, Option<RejectReason>)>, StoreError> {
    let (agent, epoch, seq) = (agent.as_str(), epoch.as_str(), seq.cast_signed());
    let text = "INSERT INTO records (agent, epoch, seq, hash, rejected)
        SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM swept w
            JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch AND s.first <= $3 AND s.last >= $3
            WHERE w.agent = $1 AND w.epoch = $2 AND w.through >= $3)
        ON CONFLICT DO NOTHING";
    let claim = sql(text).bind(agent).bind(epoch).bind(seq).bind(hash);
    if tx.execute(claim.bind(rejected.map(letters::reason_word))).await? > 0 {
        return Ok(None);
    }
    let text = "SELECT hash, rejected FROM records WHERE agent = $1 AND epoch = $2 AND seq = $3";
    let row: Option<(Vec<u8>, Option<String>)> =
        tx.optional(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
    // No row: it was here and was deleted for its age, so what it said is not known any more.
    let (stored, rejected) = row.unwrap_or_else(|| (hash.to_vec(), None));
    Ok(Some((stored, rejected.as_deref().map(letters::reason_of))))
}
