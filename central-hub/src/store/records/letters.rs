//! Dead letters: what could not be taken, as it came, cut and kept to a bound.

use protocol::{Channel, Epoch, RejectReason};

use super::{Arrival, StoreError};
use crate::store::{Tx, sql};
use crate::uuid::uuid7;

/// How many are kept; the oldest go.
const KEPT: i64 = 10_000;
/// How much of each is kept.
const RAW_BYTES: usize = 16 * 1024;
const WHY_CHARS: usize = 500;

pub(super) async fn put(
    tx: &mut Tx,
    arrival: &Arrival,
    channel: Channel,
    id: Option<&(Epoch, u64)>,
    reason: RejectReason,
    why: &str,
    raw: &[u8],
) -> Result<(), StoreError> {
    let text =
        "INSERT INTO dead_letters (id, site, agent, channel, epoch, seq, reason, why, raw, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    tx.execute(
        sql(text)
            .bind(uuid7()?)
            .bind(arrival.site.as_str())
            .bind(arrival.agent.as_str())
            .bind(channel.as_str())
            .bind(id.map(|(epoch, _)| epoch.as_str()))
            .bind(id.map(|(_, seq)| seq.cast_signed()))
            .bind(reason_word(reason))
            .bind(why.chars().take(WHY_CHARS).collect::<String>())
            .bind(&raw[..raw.len().min(RAW_BYTES)])
            .bind(arrival.received_at),
    )
    .await?;
    Ok(())
}

pub(super) async fn prune(tx: &mut Tx) -> Result<(), StoreError> {
    let text = "DELETE FROM dead_letters
        WHERE id <= (SELECT id FROM dead_letters ORDER BY id DESC LIMIT 1 OFFSET $1)";
    tx.execute(sql(text).bind(KEPT)).await?;
    Ok(())
}

pub(super) fn reason_word(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Malformed => "malformed",
        RejectReason::UnknownType => "unknown_type",
        RejectReason::Forged => "forged",
        RejectReason::Conflict => "conflict",
        RejectReason::Other => "other",
    }
}

pub(super) fn reason_of(word: &str) -> RejectReason {
    match word {
        "malformed" => RejectReason::Malformed,
        "unknown_type" => RejectReason::UnknownType,
        "forged" => RejectReason::Forged,
        "conflict" => RejectReason::Conflict,
        _ => RejectReason::Other,
    }
}
