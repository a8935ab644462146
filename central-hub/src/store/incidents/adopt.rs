//! Alerts that were stored before there were incidents get theirs while the hub runs, the oldest first. In which order is all
//! the same to the outcome.

use hub_core::correlate::Alert;
use serde_json::{Value, json};

use super::by_hand::AlertRow;
use super::place::{Placed, place};
use crate::store::{Store, StoreError, sql, sql_for};

/// Alerts of one transaction.
const PORTION: i64 = 500;

impl Store {
    /// Places one portion; how many there were. 0: all have their incident.
    pub async fn adopt_alerts(&self) -> Result<usize, StoreError> {
        self.retrying(|| self.adopt_portion()).await
    }

    async fn adopt_portion(&self) -> Result<usize, StoreError> {
        let mut tx = self.write().await?;
        tx.lock("adopt").await?;
        let text = "SELECT site, agent, epoch, seq, camera, kind, severity, test, at, received_at FROM alerts
            WHERE incident IS NULL ORDER BY at LIMIT $1";
        let rows: Vec<AlertRow> = tx.all(sql(text).bind(PORTION)).await?;
        let count = rows.len();
        let mut alerts = Vec::with_capacity(count);
        for row in rows {
            alerts.push((row.site.clone(), Alert::try_from(row)?));
        }
        let placed = place(self, &mut tx, &alerts).await?;
        let placed: Vec<Value> = placed
            .into_iter()
            .zip(alerts)
            .map(|(Placed { incident, because }, (_, Alert { key, .. }))| {
                json!([key.agent, key.epoch, key.seq, incident, because])
            })
            .collect();
        if !placed.is_empty() {
            let statement = sql_for(
                "UPDATE alerts SET incident = t.value ->> 3, because = t.value ->> 4 FROM jsonb_each($1) AS t
                    WHERE agent = t.value ->> 0 AND epoch = t.value ->> 1 AND seq = t.value ->> 2",
                "UPDATE alerts SET incident = value ->> 3, because = value ->> 4
                    FROM jsonb_array_elements($1::text::jsonb) AS t (value)
                    WHERE agent = value ->> 0 AND epoch = value ->> 1 AND seq = (value ->> 2)::bigint",
            );
            tx.execute(statement.bind(Value::from(placed).to_string())).await?;
        }
        tx.commit().await?;
        Ok(count)
    }
}
