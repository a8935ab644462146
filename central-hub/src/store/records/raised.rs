//! The alerts of a batch: each gets its incident, then all are stored by one statement.

use std::collections::BTreeMap;

use protocol::{Raised, Record};
use serde_json::{Value, json};

use super::body::{still_words, word};
use super::{Arrival, Store, StoreError};
use crate::incidents::{self, Why};
use crate::store::changes::Subject;
use crate::store::incidents::site::Site;
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
    let mut sites: BTreeMap<&str, Vec<&New<'_>>> = BTreeMap::new();
    for alert in alerts {
        sites.entry(alert.arrival.site.as_str()).or_default().push(alert);
    }
    let mut rows = Vec::with_capacity(alerts.len());
    // In the order of their names: two hubs that write at once must not wait for each other.
    for (name, alerts) in sites {
        let mut site = Site::lock(store, tx, name).await?;
        site.load_around(tx, alerts.iter().map(|new| new.record.at.unix_ms())).await?;
        for new in alerts {
            let agent = new.arrival.agent.as_str();
            let joined =
                site.take(&incidents::alert(agent, new.record, new.raised, new.arrival.received_at))?;
            let because = match Why::from(joined.because) {
                Why::Opened => None,
                why => serde_json::to_string(&why).ok(),
            };
            rows.push(values(new, &joined.cluster.to_string(), because));
            let (epoch, seq) = (new.record.epoch.as_str().to_owned(), new.record.seq.cast_signed());
            tx.changed(Subject::Alert { agent: agent.to_owned(), epoch, seq });
        }
        site.write(tx).await?;
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
    // No text in PostgreSQL holds a NUL (see `store::sql`); ids never do.
    let text = |t: &str| t.replace('\0', "\u{fffd}");
    json!([
        arrival.agent.as_str(),
        record.epoch.as_str(),
        record.seq,
        arrival.site.as_str(),
        raised.camera.as_str(),
        raised.kind.as_str(),
        raised.rule.as_str(),
        raised.rule_name.as_deref().map(text),
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
        still_reason.map(text),
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
            FROM json_each($1)"
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
