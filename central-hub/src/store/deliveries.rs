//! What webhooks' receivers are to be told: one row an incident and receiver, written in the transaction that
//! reads the change log on, so that no commit is missed and none is told twice.
//!
//! A row means the incident's latest version. Versions that come while an earlier one waits are told as one:
//! a storm of alerts costs a receiver no more than it can take.

use super::{Store, StoreError, Tx, sql};

/// A message that is due, taken on by this process until `due`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub site: String,
    pub incident: String,
    pub version: i64,
    pub since: i64,
    pub attempts: i64,
}

/// How a receiver stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    pub waiting: i64,
    pub told: i64,
    pub given_up: i64,
    /// Since when the oldest one waits.
    pub oldest: Option<i64>,
}

/// What becomes of a message after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After<'a> {
    Told,
    Again { due: i64, error: &'a str },
    GivenUp { error: &'a str },
}

/// Notes that a receiver is to be told of an incident's version.
pub(super) async fn note(
    tx: &mut Tx,
    receiver: &str,
    site: &str,
    incident: &str,
    version: i64,
    now: i64,
) -> Result<(), StoreError> {
    // A row that waits keeps its place; one that is done or was given up begins anew.
    let statement = sql("INSERT INTO deliveries (site, receiver, incident, version, state, since, due)
            VALUES ($1, $2, $3, $4, 'waiting', $5, $5)
        ON CONFLICT (site, receiver, incident) DO UPDATE SET
            version = excluded.version,
            state = 'waiting',
            since = CASE deliveries.state WHEN 'waiting' THEN deliveries.since ELSE excluded.since END,
            due = CASE deliveries.state WHEN 'waiting' THEN deliveries.due ELSE excluded.due END,
            attempts = CASE deliveries.state WHEN 'waiting' THEN deliveries.attempts ELSE 0 END
        WHERE deliveries.version < excluded.version");
    tx.execute(statement.bind(site).bind(receiver).bind(incident).bind(version).bind(now)).await?;
    Ok(())
}

impl Store {
    /// Takes on the messages that are due, oldest first: nobody else does until `until`.
    pub async fn take_due(
        &self,
        receiver: &str,
        now: i64,
        until: i64,
        most: u32,
    ) -> Result<Vec<Due>, StoreError> {
        let due = "SELECT 1 FROM deliveries WHERE receiver = $1 AND due <= $2 AND state = 'waiting' LIMIT 1";
        if self.read().optional::<(i32,)>(sql(due).bind(receiver).bind(now)).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.write().await?;
        tx.lock(&format!("deliveries {receiver}")).await?;
        let statement = sql("UPDATE deliveries SET due = $3, attempts = attempts + 1
            WHERE receiver = $1 AND state = 'waiting' AND (site, incident) IN (
                SELECT site, incident FROM deliveries
                WHERE receiver = $1 AND due <= $2 AND state = 'waiting' ORDER BY due LIMIT $4)
            RETURNING site, incident, version, since, attempts");
        let mut taken: Vec<Due> = tx.all(statement.bind(receiver).bind(now).bind(until).bind(most)).await?;
        tx.commit().await?;
        taken.sort_by(|a, b| (a.since, &a.site, &a.incident).cmp(&(b.since, &b.site, &b.incident)));
        Ok(taken)
    }

    /// When the next message of a receiver is due.
    pub async fn next_due(&self, receiver: &str) -> Result<Option<i64>, StoreError> {
        let statement = sql("SELECT min(due) FROM deliveries WHERE receiver = $1 AND state = 'waiting'");
        Ok(self.read().one::<(Option<i64>,)>(statement.bind(receiver)).await?.0)
    }

    /// Notes what an attempt came to. `told` is the version that was sent: where a newer one is to be told
    /// by now, it waits for its own attempt.
    pub async fn attempted(
        &self,
        receiver: &str,
        due: &Due,
        told: i64,
        after: &After<'_>,
        now: i64,
    ) -> Result<(), StoreError> {
        let statement = match after {
            After::Told => sql(
                "UPDATE deliveries SET told = CASE WHEN told < $4 THEN $4 ELSE told END, error = NULL, attempts = 0,
                    state = CASE WHEN version <= $4 THEN 'told' ELSE 'waiting' END, due = $5
                WHERE site = $1 AND receiver = $2 AND incident = $3",
            )
            .bind(&due.site)
            .bind(receiver)
            .bind(&due.incident)
            .bind(told)
            .bind(now),
            After::Again { due: at, error } => sql(
                "UPDATE deliveries SET due = $4, error = $5
                WHERE site = $1 AND receiver = $2 AND incident = $3 AND state = 'waiting'",
            )
            .bind(&due.site)
            .bind(receiver)
            .bind(&due.incident)
            .bind(*at)
            .bind(*error),
            After::GivenUp { error } => sql(
                "UPDATE deliveries SET state = 'given_up', error = $5
                WHERE site = $1 AND receiver = $2 AND incident = $3 AND version <= $4",
            )
            .bind(&due.site)
            .bind(receiver)
            .bind(&due.incident)
            .bind(told)
            .bind(*error),
        };
        let mut tx = self.write().await?;
        tx.execute(statement).await?;
        tx.commit().await
    }

    /// How much waits for a receiver.
    pub async fn receiver_standing(&self, receiver: &str) -> Result<Standing, StoreError> {
        let statement = sql("SELECT count(CASE state WHEN 'waiting' THEN 1 END) AS waiting,
                count(CASE state WHEN 'told' THEN 1 END) AS told,
                count(CASE state WHEN 'given_up' THEN 1 END) AS given_up,
                min(CASE state WHEN 'waiting' THEN since END) AS oldest
            FROM deliveries WHERE receiver = $1");
        self.read().one(statement.bind(receiver)).await
    }

    /// The newest error of a receiver.
    pub async fn receiver_error(&self, receiver: &str) -> Result<Option<String>, StoreError> {
        let statement = sql(
            "SELECT error FROM deliveries WHERE receiver = $1 AND error IS NOT NULL ORDER BY due DESC LIMIT 1",
        );
        Ok(self.read().optional::<(String,)>(statement.bind(receiver)).await?.map(|(error,)| error))
    }
}
