//! Alerts that were stored before there were incidents get theirs while the hub runs, the oldest first. In which order is all
//! the same to the outcome.

use std::collections::BTreeMap;

use hub_core::correlate::Alert;
use serde_json::{Value, json};

use super::by_hand::AlertRow;
use super::site::Site;
use crate::incidents::Why;
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
        let mut sites: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
        for row in rows {
            sites.entry(row.site.clone()).or_default().push(row.try_into()?);
        }
        let mut placed = Vec::with_capacity(count);
        for (name, alerts) in sites {
            let mut site = Site::lock(self, &mut tx, &name).await?;
            site.load_around(&mut tx, alerts.iter().map(|a| a.at)).await?;
            for alert in alerts {
                let joined = site.take(&alert)?;
                let because = match Why::from(joined.because) {
                    Why::Opened => None,
                    why => serde_json::to_string(&why).ok(),
                };
                let key = alert.key;
                placed.push(json!([key.agent, key.epoch, key.seq, joined.cluster.to_string(), because]));
            }
            site.write(&mut tx).await?;
        }
        if !placed.is_empty() {
            let statement = sql_for(
                "UPDATE alerts SET incident = t.value ->> 3, because = t.value ->> 4 FROM json_each($1) AS t
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
