//! What each type of record changes. None of it depends on the order of arrival.

use protocol::{Body, Gap, Record, Still};
use serde::Serialize;
use serde_json::Value;

use super::{Arrival, StoreError};
use crate::store::changes::Subject;
use crate::store::{Tx, sql, sql_for};

/// Stores a record that was not there before, and is no new alert.
pub(super) async fn put(tx: &mut Tx, arrival: &Arrival, record: &Record) -> Result<(), StoreError> {
    let (agent, epoch) = (arrival.agent.as_str(), record.epoch.as_str());
    let about = match &record.body {
        // Alerts have their own way: `raised`.
        Body::Raised(_) => return Ok(()),
        Body::Ended { of_seq } => {
            let statement = sql_for(
                "INSERT INTO courses (agent, epoch, of_seq, ended_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (agent, epoch, of_seq) DO UPDATE
                    SET ended_at = min(coalesce(ended_at, excluded.ended_at), excluded.ended_at)",
                "INSERT INTO courses (agent, epoch, of_seq, ended_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (agent, epoch, of_seq) DO UPDATE
                    SET ended_at = least(courses.ended_at, excluded.ended_at)",
            );
            let statement = statement.bind(agent).bind(epoch).bind(of_seq.cast_signed());
            tx.execute(statement.bind(record.at.unix_ms())).await?;
            *of_seq
        }
        Body::Updated(updated) => {
            let Some(still) = &updated.still else { return Ok(()) };
            let (state, reason) = still_words(still);
            let text = "INSERT INTO courses (agent, epoch, of_seq, still_seq, still_state, still_reason)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (agent, epoch, of_seq) DO UPDATE SET still_seq = excluded.still_seq,
                    still_state = excluded.still_state, still_reason = excluded.still_reason
                WHERE excluded.still_seq > courses.still_seq";
            tx.execute(
                sql(text)
                    .bind(agent)
                    .bind(epoch)
                    .bind(updated.of_seq.cast_signed())
                    .bind(record.seq.cast_signed())
                    .bind(state)
                    .bind(reason),
            )
            .await?;
            updated.of_seq
        }
        Body::Gap(gap) => return put_gap(tx, arrival, record, gap).await,
        Body::AgentEvent(event) => {
            let text = "INSERT INTO agent_events (agent, epoch, seq, event, camera, reason, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
            tx.execute(
                sql(text)
                    .bind(agent)
                    .bind(epoch)
                    .bind(record.seq.cast_signed())
                    .bind(&event.event)
                    .bind(event.camera.as_ref().map(|c| c.as_str()))
                    .bind(&event.reason)
                    .bind(record.at.unix_ms()),
            )
            .await?;
            return Ok(());
        }
    };
    tx.changed(Subject::Alert { agent: agent.into(), epoch: epoch.into(), seq: about.cast_signed() });
    Ok(())
}

/// The records that a gap settles besides itself: all of its range, but only where all of it was
/// given up. A gap of the low ones among high ones settles none: the high ones still come.
pub(super) fn given_up(record: &Record) -> Option<(u64, u64)> {
    match &record.body {
        Body::Gap(gap) if gap.count > gap.last_seq - gap.first_seq => Some((gap.first_seq, gap.last_seq)),
        _ => None,
    }
}

async fn put_gap(tx: &mut Tx, arrival: &Arrival, record: &Record, gap: &Gap) -> Result<(), StoreError> {
    tracing::error!(agent = %arrival.agent, count = gap.count, cause = gap.cause, "agent gave records up");
    let text = "INSERT INTO gaps (agent, epoch, seq, count, first_seq, last_seq, class, cause, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    tx.execute(
        sql(text)
            .bind(arrival.agent.as_str())
            .bind(record.epoch.as_str())
            .bind(record.seq.cast_signed())
            .bind(i64::try_from(gap.count).unwrap_or(i64::MAX))
            .bind(gap.first_seq.cast_signed())
            .bind(gap.last_seq.cast_signed())
            .bind(gap.class.as_ref().and_then(word))
            .bind(&gap.cause)
            .bind(record.at.unix_ms()),
    )
    .await?;
    Ok(())
}

pub(super) fn still_words(still: &Still) -> (&'static str, Option<&str>) {
    match still {
        Still::Pending => ("pending", None),
        Still::Sent => ("sent", None),
        Still::None { reason } => ("none", Some(reason)),
    }
}

/// An enum's word on the wire.
pub(super) fn word(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Some(word),
        _ => None,
    }
}
