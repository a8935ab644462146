//! Deleting what is older than the settings allow to keep. When that is, is [`crate::retention`]'s.

use std::collections::BTreeMap;

use protocol::AlertId;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::{Store, StoreError, Tx, sql, sql_for};
use crate::evidence::Key;

/// Alerts deleted in one transaction: others write in between.
const PORTION: i64 = 500;
/// Where the wall clock at the last sweep is kept.
const SWEPT_AT: &str = "swept_at";

#[derive(FromRow)]
struct Row {
    agent: String,
    epoch: String,
    seq: i64,
}

/// Deletes what belongs to alerts by their ids. SQLite looks all of a key up only where it knows the types.
macro_rules! of_ids {
    ($table:literal, $seq:literal) => {
        sql_for(
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE (agent, epoch, ",
                $seq,
                ") IN
                    (SELECT CAST(value ->> 0 AS TEXT), CAST(value ->> 1 AS TEXT), CAST(value ->> 2 AS INTEGER)
                    FROM json_each($1))"
            ),
            concat!(
                "DELETE FROM ",
                $table,
                " d USING jsonb_array_elements($1::text::jsonb) AS t (value)
                    WHERE d.agent = value ->> 0 AND d.epoch = value ->> 1 AND d.",
                $seq,
                " = (value ->> 2)::bigint"
            ),
        )
    };
}

impl Store {
    /// The sites that have agents.
    pub async fn sites(&self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> =
            self.read().all(sql("SELECT DISTINCT site FROM agents ORDER BY site")).await?;
        Ok(rows.into_iter().map(|(site,)| site).collect())
    }

    /// Deletes some of a site's alerts that came before `before`, with everything that belongs to them, their stills
    /// first; how many. What is part of an incident that is still worked on stays.
    pub async fn sweep_alerts(&self, site: &str, before: i64) -> Result<usize, StoreError> {
        let text = "SELECT a.agent, a.epoch, a.seq FROM alerts a WHERE a.site = $1 AND a.received_at < $2
                AND NOT EXISTS (SELECT 1 FROM incidents i
                    JOIN incidents r ON r.site = i.site AND r.incident = coalesce(i.alias_of, i.incident)
                    WHERE i.site = a.site AND i.incident = a.incident
                        AND r.state NOT IN ('closed', 'false_alarm'))
            ORDER BY a.received_at LIMIT $3";
        let rows: Vec<Row> = self.read().all(sql(text).bind(site).bind(before).bind(PORTION)).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let rows = self.without_stills(rows).await?;
        let ids = ids(&rows);
        let mut tx = self.write().await?;
        for statement in [of_ids!("alerts", "seq"), of_ids!("courses", "of_seq"), of_ids!("stills", "seq")] {
            tx.execute(statement.bind(&ids)).await?;
        }
        forget_records(&mut tx, &rows).await?;
        tx.commit().await?;
        Ok(rows.len())
    }

    /// Deletes some stills that came before `before` and whose alert never did; how many.
    pub async fn sweep_stills(&self, before: i64) -> Result<usize, StoreError> {
        let text = "SELECT s.agent, s.epoch, s.seq FROM stills s WHERE s.received_at < $1
                AND NOT EXISTS (SELECT 1 FROM alerts a
                    WHERE a.agent = s.agent AND a.epoch = s.epoch AND a.seq = s.seq)
            ORDER BY s.received_at LIMIT $2";
        let rows: Vec<Row> = self.read().all(sql(text).bind(before).bind(PORTION)).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let rows = self.without_stills(rows).await?;
        let mut tx = self.write().await?;
        tx.execute(of_ids!("stills", "seq").bind(ids(&rows))).await?;
        tx.commit().await?;
        Ok(rows.len())
    }

    /// The wall clock at the last sweep by any hub.
    pub async fn swept_at(&self) -> Result<Option<i64>, StoreError> {
        let statement = sql("SELECT value FROM counters WHERE name = $1").bind(SWEPT_AT);
        Ok(self.read().optional::<(i64,)>(statement).await?.map(|(at,)| at))
    }

    pub async fn note_sweep(&self, at: i64) -> Result<(), StoreError> {
        let text = "INSERT INTO counters (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        let mut tx = self.write().await?;
        tx.execute(sql(text).bind(SWEPT_AT).bind(at)).await?;
        tx.commit().await
    }

    /// Deletes the stills of rows, before these: a picture that nobody knows of would stay for ever. The rows whose
    /// still may be there yet are left out, for the next sweep.
    async fn without_stills(&self, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        let keys = rows.iter().filter_map(Row::key).collect();
        let stay = self.evidence().delete(keys).await.map_err(|source| {
            let path = self.evidence().folder().to_owned();
            StoreError::File { doing: "delete old stills in", path, source }
        })?;
        if let Some((key, error)) = stay.first() {
            tracing::error!(?key, %error, count = stay.len(), "old stills not deleted");
            let stays = |row: &Row| row.key().is_some_and(|key| stay.iter().any(|(k, _)| *k == key));
            rows.retain(|row| !stays(row));
        }
        Ok(rows)
    }
}

impl Row {
    fn key(&self) -> Option<Key> {
        let (agent, epoch) = (self.agent.parse().ok()?, self.epoch.parse().ok()?);
        Some(Key::still(&AlertId { agent, epoch, seq: self.seq.cast_unsigned() }))
    }
}

fn ids(rows: &[Row]) -> String {
    Value::from_iter(rows.iter().map(|row| json!([row.agent, row.epoch, row.seq]))).to_string()
}

/// Deletes alerts' records and those before them that are no alerts, and notes that they were there.
async fn forget_records(tx: &mut Tx, rows: &[Row]) -> Result<(), StoreError> {
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for row in rows {
        let seq = last.entry((&row.agent, &row.epoch)).or_insert(row.seq);
        *seq = (*seq).max(row.seq);
    }
    for ((agent, epoch), seq) in last {
        let text = "INSERT INTO swept (agent, epoch, through) VALUES ($1, $2, $3)
            ON CONFLICT (agent, epoch) DO UPDATE SET through = excluded.through
            WHERE excluded.through > swept.through";
        tx.execute(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
        let text = "DELETE FROM records WHERE agent = $1 AND epoch = $2 AND seq <= $3 AND NOT EXISTS
            (SELECT 1 FROM alerts a WHERE a.agent = $1 AND a.epoch = $2 AND a.seq = records.seq)";
        tx.execute(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
    }
    Ok(())
}
