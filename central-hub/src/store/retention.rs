//! Deleting what is older than the settings allow to keep. When that is, is [`crate::retention`]'s.

use protocol::AlertId;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, sql};
use crate::still;

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
        self.remove_stills(&rows);
        let mut tx = self.write().await?;
        for row in &rows {
            for text in [
                "DELETE FROM alerts WHERE agent = $1 AND epoch = $2 AND seq = $3",
                "DELETE FROM courses WHERE agent = $1 AND epoch = $2 AND of_seq = $3",
                "DELETE FROM stills WHERE agent = $1 AND epoch = $2 AND seq = $3",
            ] {
                tx.execute(sql(text).bind(&row.agent).bind(&row.epoch).bind(row.seq)).await?;
            }
            forget_records(&mut tx, row).await?;
        }
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
        self.remove_stills(&rows);
        let mut tx = self.write().await?;
        for row in &rows {
            let text = "DELETE FROM stills WHERE agent = $1 AND epoch = $2 AND seq = $3";
            tx.execute(sql(text).bind(&row.agent).bind(&row.epoch).bind(row.seq)).await?;
        }
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

    /// Before their rows: a picture that nobody knows of would stay for ever.
    fn remove_stills(&self, rows: &[Row]) {
        for row in rows {
            let (Ok(agent), Ok(epoch)) = (row.agent.parse(), row.epoch.parse()) else { continue };
            let id = AlertId { agent, epoch, seq: row.seq.cast_unsigned() };
            match std::fs::remove_file(still::path(self.shared(), &id)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::error!(agent = row.agent, %error, "old still not deleted");
                }
                _ => {}
            }
        }
    }
}

/// Deletes an alert's record and those before it that are no alerts, and notes that they were there.
async fn forget_records(tx: &mut Tx, Row { agent, epoch, seq }: &Row) -> Result<(), StoreError> {
    let text = "INSERT INTO swept (agent, epoch, through) VALUES ($1, $2, $3)
        ON CONFLICT (agent, epoch) DO UPDATE SET through = excluded.through WHERE excluded.through > swept.through";
    tx.execute(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
    let text = "DELETE FROM records WHERE agent = $1 AND epoch = $2 AND seq <= $3 AND NOT EXISTS
        (SELECT 1 FROM alerts a WHERE a.agent = $1 AND a.epoch = $2 AND a.seq = records.seq)";
    tx.execute(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
    Ok(())
}
