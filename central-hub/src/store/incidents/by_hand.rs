//! Splitting and merging: versioned, audited, and told to whoever watches.

use std::collections::BTreeSet;

use hub_core::correlate::{self, Alert, AlertKey, Camera, Refused, Severity};
use protocol::AlertId;

use super::rows;
use super::site::Site;
use crate::incidents::Why;
use crate::store::audit::Note;
use crate::store::{Store, StoreError, Tx, sql, sql_for};
use crate::uuid::uuid7;

/// Why an incident stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    #[error("there is no such incident")]
    Unknown,
    /// Somebody was first.
    #[error("the incident was changed meanwhile: it is at version {version} now")]
    Changed { version: i64 },
    #[error("choose the alerts to take out")]
    NothingChosen,
    #[error("all of its alerts were chosen: nothing would be left")]
    NothingLeft,
    #[error("alert {0} is not in this incident")]
    NotInIt(String),
    #[error("an incident cannot be merged with itself")]
    Same,
}

impl From<Refused> for Stays {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoSuchIncident(_) => Self::Unknown,
            Refused::NothingChosen => Self::NothingChosen,
            Refused::NothingLeft => Self::NothingLeft,
            Refused::NotInIt(AlertKey { agent, epoch, seq }) => {
                Self::NotInIt(format!("{agent}/{epoch}/{seq}"))
            }
            Refused::Same => Self::Same,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct AlertRow {
    pub(super) site: String,
    agent: String,
    epoch: String,
    seq: i64,
    camera: String,
    kind: String,
    severity: String,
    test: bool,
    at: i64,
    received_at: i64,
}

impl Store {
    /// Takes alerts out of an incident into a new one; its id.
    pub async fn split_incident(
        &self,
        user: &str,
        site: &str,
        incident: &str,
        version: i64,
        chosen: &[AlertId],
    ) -> Result<Result<String, Stays>, StoreError> {
        let mut tx = self.write().await?;
        let mut work = Site::lock(self, &mut tx, site).await?;
        if let Err(stays) = claim(&mut tx, site, incident, Some(version)).await? {
            return Ok(Err(stays));
        }
        work.load_incidents(&mut tx, &[incident.to_owned()]).await?;
        let alerts = alerts_of(&mut tx, site, incident).await?;
        let keys: BTreeSet<AlertKey> = chosen.iter().map(key).collect();
        let (new, rules, pin) = (uuid7()?, work.rules(), work.next_pin());
        let done = work.known().split(
            &rules.site,
            &rules.topology,
            rows::id(incident)?,
            &alerts,
            &keys,
            rows::id(&new)?,
            pin,
        );
        if let Err(refused) = done {
            return Ok(Err(refused.into()));
        }
        work.write(&mut tx).await?;
        let because = serde_json::to_string(&Why::Split).unwrap_or_default();
        for key in &keys {
            let text = "UPDATE alerts SET incident = $4, because = $5
                WHERE agent = $1 AND epoch = $2 AND seq = $3";
            let statement = sql(text).bind(&key.agent).bind(&key.epoch).bind(key.seq.cast_signed());
            tx.execute(statement.bind(&new).bind(&because)).await?;
        }
        let detail = format!("{} of its alerts split off as {new}.", keys.len());
        tx.audit(Note::new("incident_split", user, &detail).at_site(site).to(incident));
        tx.commit().await?;
        Ok(Ok(new))
    }

    /// Makes two incidents one; the id of the older, which it is afterwards.
    pub async fn merge_incidents(
        &self,
        user: &str,
        site: &str,
        incident: &str,
        version: i64,
        other: &str,
    ) -> Result<Result<String, Stays>, StoreError> {
        let mut tx = self.write().await?;
        let mut work = Site::lock(self, &mut tx, site).await?;
        if incident == other {
            return Ok(Err(Stays::Same));
        }
        for (id, version) in [(incident, Some(version)), (other, None)] {
            if let Err(stays) = claim(&mut tx, site, id, version).await? {
                return Ok(Err(stays));
            }
        }
        work.load_incidents(&mut tx, &[incident.to_owned(), other.to_owned()]).await?;
        let pin = work.next_pin();
        let merged = match work.known().merge(rows::id(incident)?, rows::id(other)?, pin) {
            Ok(survivor) => survivor.to_string(),
            Err(refused) => return Ok(Err(refused.into())),
        };
        work.write(&mut tx).await?;
        let detail = format!("Merged with {other} as {merged}.");
        tx.audit(Note::new("incident_merged", user, &detail).at_site(site).to(incident));
        tx.commit().await?;
        Ok(Ok(merged))
    }
}

/// Takes the incident's next version, if it is still at `version`.
async fn claim(
    tx: &mut Tx,
    site: &str,
    incident: &str,
    version: Option<i64>,
) -> Result<Result<(), Stays>, StoreError> {
    let text = "UPDATE incidents SET version = version + 1
        WHERE site = $1 AND incident = $2 AND alias_of IS NULL AND version = coalesce($3, version)";
    if tx.execute(sql(text).bind(site).bind(incident).bind(version)).await? > 0 {
        return Ok(Ok(()));
    }
    let text = "SELECT version FROM incidents WHERE site = $1 AND incident = $2 AND alias_of IS NULL";
    let now: Option<(i64,)> = tx.optional(sql(text).bind(site).bind(incident)).await?;
    Ok(Err(now.map_or(Stays::Unknown, |(version,)| Stays::Changed { version })))
}

async fn alerts_of(tx: &mut Tx, site: &str, incident: &str) -> Result<Vec<Alert>, StoreError> {
    let parts = "SELECT incident FROM incidents WHERE site = $1 AND incident = $2
        UNION ALL SELECT incident FROM incidents WHERE site = $1 AND alias_of = $2";
    let parts: Vec<(String,)> = tx.all(sql(parts).bind(site).bind(incident)).await?;
    let parts: Vec<String> = parts.into_iter().map(|(id,)| id).collect();
    let text = sql_for(
        "SELECT site, agent, epoch, seq, camera, kind, severity, test, at, received_at FROM alerts
            WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))",
        "SELECT site, agent, epoch, seq, camera, kind, severity, test, at, received_at FROM alerts
            WHERE site = $1 AND incident = ANY($2)",
    );
    let rows: Vec<AlertRow> = tx.all(text.bind(site).bind(parts)).await?;
    rows.into_iter().map(Alert::try_from).collect()
}

fn key(id: &AlertId) -> AlertKey {
    AlertKey { agent: id.agent.as_str().to_owned(), epoch: id.epoch.as_str().to_owned(), seq: id.seq }
}

impl TryFrom<AlertRow> for correlate::Alert {
    type Error = StoreError;
    fn try_from(row: AlertRow) -> Result<Self, StoreError> {
        let severity = Severity::of_word(&row.severity)
            .ok_or(StoreError::Unreadable { what: "alerts.severity", value: row.severity })?;
        Ok(Self {
            camera: Camera { agent: row.agent.clone(), camera: row.camera },
            key: AlertKey { agent: row.agent, epoch: row.epoch, seq: row.seq.cast_unsigned() },
            kind: row.kind,
            severity,
            test: row.test,
            at: row.at,
            received_at: row.received_at,
        })
    }
}
