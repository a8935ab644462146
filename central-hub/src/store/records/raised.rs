//! The alerts of a batch: each gets its incident, then all are stored by one statement.

use protocol::{Raised, Record};
use serde_json::{Value, json};

use super::body::{still_words, without_nul, word};
use super::{Arrival, Store, StoreError};
use crate::incidents;
use crate::store::changes::Subject;
use crate::store::incidents::place::{Placed, place};
use crate::store::{Sql, Tx, sql_for};

/// An alert that was not there before.
pub(super) struct New<'a> {
    pub(super) arrival: &'a Arrival,
    pub(super) record: &'a Record,
    pub(super) raised: &'a Raised,
    pub(super) raw: &'a Value,
}

/// Stores alerts with their incidents.
pub(super) async fn put(store: &Store, tx: &mut Tx, alerts: &[New<'_>]) -> Result<(), StoreError> {
    let placing: Vec<_> = alerts
        .iter()
        .map(|New { arrival, record, raised, .. }| {
            let alert = incidents::alert(arrival.agent.as_str(), record, raised, arrival.received_at);
            (arrival.site.as_str(), alert)
        })
        .collect();
    let placed = place(store, tx, &placing).await?;
    let mut rows = Vec::with_capacity(alerts.len());
    for (new, Placed { incident, because }) in alerts.iter().zip(placed) {
        rows.push(values(new, &incident, because));
        let (epoch, seq) = (new.record.epoch.as_str().to_owned(), new.record.seq.cast_signed());
        tx.changed(Subject::Alert { agent: new.arrival.agent.as_str().to_owned(), epoch, seq });
    }
    if !rows.is_empty() {
        tx.execute(insert().bind(Value::from(rows).to_string())).await?;
    }
    Ok(())
}

/// A row in the order of [`insert`].
fn values(new: &New<'_>, incident: &str, because: Option<String>) -> Value {
    let New { arrival, record, raised, raw } = new;
    let (still_state, still_reason) = still_words(&raised.still);
    let bounding_box = raised.bounding_box.as_ref().and_then(|b| serde_json::to_string(b).ok());
    json!([
        arrival.agent.as_str(),
        record.epoch.as_str(),
        record.seq,
        arrival.site.as_str(),
        raised.camera.as_str(),
        raised.kind.as_str(),
        raised.rule.as_str(),
        raised.rule_name.as_deref().map(without_nul),
        word(&raised.severity),
        raised.direction.map(|d| d.as_str()),
        raised.track.map(u64::cast_signed),
        raised.object_class.as_ref().and_then(word),
        raised.confidence,
        bounding_box,
        raised.test,
        record.at.unix_ms(),
        word(&record.time_source),
        record.uncertainty_ms,
        record.not_durable,
        arrival.received_at,
        still_state,
        still_reason.map(without_nul),
        raw.to_string(),
        incident,
        because,
    ])
}

fn insert() -> Sql<'static> {
    macro_rules! into {
        ($select:literal) => {
            concat!(
                "INSERT INTO alerts (agent, epoch, seq, site, camera, kind, rule, rule_name, severity, direction, track,
                    object_class, confidence, box, test, at, time_source, uncertainty_ms, not_durable, received_at,
                    still_state, still_reason, raw, incident, because) ",
                $select
            )
        };
    }
    sql_for(
        into!(
            "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
                value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20, value ->> 21,
                value ->> 22, value ->> 23, value ->> 24
            FROM jsonb_each($1)"
        ),
        into!(
            "SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8, value ->> 9, (value ->> 10)::bigint, value ->> 11, (value ->> 12)::real,
                value ->> 13, (value ->> 14)::boolean, (value ->> 15)::bigint, value ->> 16, (value ->> 17)::bigint,
                (value ->> 18)::boolean, (value ->> 19)::bigint, value ->> 20, value ->> 21, value ->> 22, value ->> 23,
                value ->> 24
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)"
        ),
    )
}
