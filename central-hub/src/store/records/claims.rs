//! Taking the identities of records: each is taken once, whatever comes how often.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{AgentId, Epoch, RejectReason};
use serde_json::{Value, json};

use super::{Arrival, Content, StoreError, content, letters};
use crate::credential::hex;
use crate::store::{Tx, sql, sql_for};

type Id<'b> = (&'b AgentId, &'b Epoch, u64);

/// The good records of a batch by their identities: which are new, and what is stored under the others. A box that sends a
/// backlog again costs two statements, not two a record.
#[derive(Default)]
pub(super) struct Claims<'b>(BTreeMap<Id<'b>, Claimed>);

struct Claimed {
    /// Not there before, and not looked at yet.
    is_new: bool,
    stored: Stored,
}

/// What is stored under an identity.
pub(super) struct Stored {
    /// None where the record was deleted for its age: what it said is not known any more.
    hash: Option<Vec<u8>>,
    pub(super) rejected: Option<RejectReason>,
}

impl Stored {
    pub(super) fn is(&self, hash: &[u8]) -> bool {
        self.hash.as_deref().is_none_or(|stored| stored == hash)
    }
}

impl<'b> Claims<'b> {
    /// Takes the identities of all good records of these messages.
    pub(super) async fn of(
        tx: &mut Tx,
        arrivals: impl Iterator<Item = &'b Arrival>,
    ) -> Result<Self, StoreError> {
        let mut claims = BTreeMap::new();
        for arrival in arrivals {
            let Content::Records(records) = &arrival.content else { continue };
            for (record, raw) in records.iter().flatten() {
                let id = (&arrival.agent, &record.epoch, record.seq);
                // The same once more in this batch is looked at as a record that is there.
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
        let new: BTreeSet<(&str, &str, u64)> =
            new.iter().map(|(a, e, s)| (a.as_str(), e.as_str(), s.cast_unsigned())).collect();
        let mut claims: BTreeMap<Id<'b>, Claimed> = claims
            .into_iter()
            .map(|(id, hash)| {
                let is_new = new.contains(&(id.0.as_str(), id.1.as_str(), id.2));
                let stored = Stored { hash: is_new.then_some(hash), rejected: None };
                (id, Claimed { is_new, stored })
            })
            .collect();
        find_stored(tx, &mut claims).await?;
        Ok(Self(claims))
    }

    /// What is stored under a record's identity; none where it is new and looked at for the first time.
    pub(super) fn redeem(&mut self, agent: &'b AgentId, epoch: &'b Epoch, seq: u64) -> Option<&Stored> {
        let claimed = self.0.get_mut(&(agent, epoch, seq))?;
        let is_new = std::mem::take(&mut claimed.is_new);
        (!is_new).then_some(&claimed.stored)
    }
}

/// Finds what is stored under identities that were taken before.
async fn find_stored(tx: &mut Tx, claims: &mut BTreeMap<Id<'_>, Claimed>) -> Result<(), StoreError> {
    let old = claims.iter().filter(|(_, claimed)| !claimed.is_new);
    let old: Vec<Value> = old.map(|((a, e, s), _)| json!([a.as_str(), e.as_str(), s])).collect();
    if old.is_empty() {
        return Ok(());
    }
    let statement = sql_for(
        "SELECT agent, epoch, seq, hash, rejected FROM records WHERE (agent, epoch, seq) IN
            (SELECT CAST(value ->> 0 AS TEXT), CAST(value ->> 1 AS TEXT), CAST(value ->> 2 AS INTEGER) FROM jsonb_each($1))",
        "SELECT agent, epoch, seq, hash, rejected FROM jsonb_array_elements($1::text::jsonb) AS t (value)
            JOIN records r ON r.agent = value ->> 0 AND r.epoch = value ->> 1 AND r.seq = (value ->> 2)::bigint",
    );
    let rows: Vec<(String, String, i64, Vec<u8>, Option<String>)> =
        tx.all(statement.bind(Value::from(old).to_string())).await?;
    let mut rows: BTreeMap<(String, String, u64), (Vec<u8>, Option<String>)> = rows
        .into_iter()
        .map(|(agent, epoch, seq, hash, rejected)| ((agent, epoch, seq.cast_unsigned()), (hash, rejected)))
        .collect();
    for ((agent, epoch, seq), claimed) in claims.iter_mut().filter(|(_, claimed)| !claimed.is_new) {
        let id = (agent.as_str().to_owned(), epoch.as_str().to_owned(), *seq);
        if let Some((hash, rejected)) = rows.remove(&id) {
            let rejected = rejected.as_deref().map(letters::reason_of);
            claimed.stored = Stored { hash: Some(hash), rejected };
        }
    }
    Ok(())
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
