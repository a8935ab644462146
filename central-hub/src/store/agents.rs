//! Agents: who may speak, who is there, and which camera works.

use std::collections::BTreeMap;

use protocol::{AgentId, AgentState, CameraState, Health, SiteId, Status, Timestamp};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, SqliteConnection};

use super::{Store, StoreError, changes};
use crate::clock::now_ms;

/// An agent as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct AgentView {
    pub site: String,
    pub agent: String,
    pub name: Option<String>,
    /// `online`, `offline` or `unknown`.
    pub state: String,
    pub version: Option<String>,
    pub since: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub cameras: Vec<CameraView>,
    pub health: Option<Value>,
}

#[derive(Debug, Clone, Serialize)]
pub struct CameraView {
    pub camera: String,
    pub name: Option<String>,
    pub state: String,
    pub since: Timestamp,
    pub reason: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

/// An agent that may log in.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Login {
    pub agent: String,
    pub site: String,
    pub key_hash: Vec<u8>,
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    New,
    Renewed,
    /// There already, and no renewal was asked for.
    Refused,
}

/// A line of `agent list`.
#[derive(Debug, Clone, FromRow)]
pub struct Listed {
    pub agent: String,
    pub site: String,
    pub name: Option<String>,
    pub state: String,
    pub revoked: bool,
}

#[derive(FromRow)]
struct AgentRow {
    site: String,
    agent: String,
    name: Option<String>,
    state: String,
    version: Option<String>,
    since: Option<i64>,
    last_seen: Option<i64>,
    health: Option<String>,
}

#[derive(FromRow)]
struct CameraRow {
    agent: String,
    camera: String,
    name: Option<String>,
    state: String,
    since: i64,
    reason: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
}

impl Store {
    /// Lets an agent in by the hash of its key. With `renew`, an agent that is there gets a new key.
    pub async fn enrol_agent(
        &self,
        site: &SiteId,
        agent: &AgentId,
        name: Option<&str>,
        key_hash: &[u8],
        renew: bool,
    ) -> Result<Enrolled, StoreError> {
        let mut tx = self.write().await?;
        let there: bool = sqlx::query_scalar("SELECT count(*) > 0 FROM agents WHERE agent = ?1")
            .bind(agent.as_str())
            .fetch_one(&mut *tx)
            .await?;
        if there && !renew {
            return Ok(Enrolled::Refused);
        }
        let sql = "INSERT INTO agents (agent, site, name, key_hash, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (agent) DO UPDATE SET site = excluded.site, name = coalesce(excluded.name, name),
                key_hash = excluded.key_hash, revoked_at = NULL";
        sqlx::query(sql)
            .bind(agent.as_str())
            .bind(site.as_str())
            .bind(name)
            .bind(key_hash)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?;
        let change = changes::log_agent(&mut tx, agent.as_str()).await?;
        tx.commit().await?;
        self.announce(change);
        Ok(if there { Enrolled::Renewed } else { Enrolled::New })
    }

    /// Takes an agent's key away; whether it had one.
    pub async fn revoke_agent(&self, agent: &AgentId) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let sql = "UPDATE agents SET key_hash = NULL, revoked_at = ?2, state = 'offline', since = ?2
            WHERE agent = ?1 AND key_hash IS NOT NULL";
        let done =
            sqlx::query(sql).bind(agent.as_str()).bind(now_ms()).execute(&mut *tx).await?.rows_affected() > 0;
        let change = changes::log_agent(&mut tx, agent.as_str()).await?;
        tx.commit().await?;
        self.announce(change);
        Ok(done)
    }

    pub async fn list_agents(&self) -> Result<Vec<Listed>, StoreError> {
        let sql = "SELECT agent, site, coalesce(own_name, name) AS name, state, key_hash IS NULL AS revoked
            FROM agents ORDER BY site, agent";
        Ok(sqlx::query_as(sql).fetch_all(&self.reader).await?)
    }

    /// The agents that may log in now.
    pub async fn logins(&self) -> Result<Vec<Login>, StoreError> {
        let sql = "SELECT agent, site, key_hash FROM agents WHERE key_hash IS NOT NULL";
        Ok(sqlx::query_as(sql).fetch_all(&self.reader).await?)
    }

    pub async fn login_of(&self, agent: &str) -> Result<Option<Login>, StoreError> {
        let sql = "SELECT agent, site, key_hash FROM agents WHERE agent = ?1 AND key_hash IS NOT NULL";
        Ok(sqlx::query_as(sql).bind(agent).fetch_optional(&self.reader).await?)
    }

    /// Whose key has this hash.
    pub async fn login_by_key(&self, key_hash: &[u8]) -> Result<Option<Login>, StoreError> {
        let sql = "SELECT agent, site, key_hash FROM agents WHERE key_hash = ?1";
        Ok(sqlx::query_as(sql).bind(key_hash).fetch_optional(&self.reader).await?)
    }

    /// After a start nobody has been heard yet: what was online or offline is unknown.
    pub async fn forget_presence(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let sql = "UPDATE agents SET state = 'unknown', since = ?1 WHERE state <> 'unknown' RETURNING agent";
        let agents: Vec<String> = sqlx::query_scalar(sql).bind(now_ms()).fetch_all(&mut *tx).await?;
        let mut latest = 0;
        for agent in agents {
            latest = changes::log_agent(&mut tx, &agent).await?;
        }
        tx.commit().await?;
        self.announce(latest);
        Ok(())
    }

    /// All agents, or one.
    pub async fn agents(&self, only: Option<&str>) -> Result<Vec<AgentView>, StoreError> {
        let sql = "SELECT agent, camera, name, state, since, reason, width, height FROM cameras
            WHERE ?1 IS NULL OR agent = ?1 ORDER BY agent, camera";
        let mut cameras: BTreeMap<String, Vec<CameraView>> = BTreeMap::new();
        for row in sqlx::query_as::<_, CameraRow>(sql).bind(only).fetch_all(&self.reader).await? {
            cameras.entry(row.agent).or_default().push(CameraView {
                camera: row.camera,
                name: row.name,
                state: row.state,
                since: Timestamp::from_unix_ms(row.since),
                reason: row.reason,
                width: row.width,
                height: row.height,
            });
        }
        let sql =
            "SELECT site, agent, coalesce(own_name, name) AS name, state, version, since, last_seen, health
            FROM agents WHERE ?1 IS NULL OR agent = ?1 ORDER BY site, agent";
        let rows: Vec<AgentRow> = sqlx::query_as(sql).bind(only).fetch_all(&self.reader).await?;
        Ok(rows
            .into_iter()
            .map(|row| AgentView {
                cameras: cameras.remove(&row.agent).unwrap_or_default(),
                site: row.site,
                agent: row.agent,
                name: row.name,
                state: row.state,
                version: row.version,
                since: row.since.map(Timestamp::from_unix_ms),
                last_seen: row.last_seen.map(Timestamp::from_unix_ms),
                health: row.health.and_then(|h| serde_json::from_str(&h).ok()),
            })
            .collect())
    }
}

/// Writes down an agent's word about itself; the change's number.
pub(super) async fn put_status(
    db: &mut SqliteConnection,
    agent: &str,
    status: &Status,
    now: i64,
) -> Result<i64, StoreError> {
    let state = match status.state {
        AgentState::Online => "online",
        AgentState::Offline => "offline",
    };
    // The last will carries neither name nor version: then the last known ones stand.
    let sql =
        "UPDATE agents SET state = ?2, own_name = coalesce(?3, own_name), version = coalesce(?4, version),
        since = ?5, last_seen = CASE ?2 WHEN 'online' THEN ?6 ELSE last_seen END WHERE agent = ?1";
    sqlx::query(sql)
        .bind(agent)
        .bind(state)
        .bind(&status.name)
        .bind(&status.version)
        .bind(status.since.map_or(now, Timestamp::unix_ms))
        .bind(now)
        .execute(&mut *db)
        .await?;
    if let Some(cameras) = &status.cameras {
        sqlx::query("DELETE FROM cameras WHERE agent = ?1").bind(agent).execute(&mut *db).await?;
        let sql = "INSERT OR REPLACE INTO cameras (agent, camera, name, state, since, reason, width, height)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        for camera in cameras {
            sqlx::query(sql)
                .bind(agent)
                .bind(camera.camera.as_str())
                .bind(&camera.name)
                .bind(camera_state(camera.state))
                .bind(camera.since.unix_ms())
                .bind(&camera.reason)
                .bind(camera.width)
                .bind(camera.height)
                .execute(&mut *db)
                .await?;
        }
    }
    changes::log_agent(db, agent).await
}

/// Writes down an agent's last figures; the change's number.
pub(super) async fn put_health(
    db: &mut SqliteConnection,
    agent: &str,
    health: &Health,
    now: i64,
) -> Result<i64, StoreError> {
    let json = serde_json::to_string(health)
        .map_err(|e| StoreError::Unreadable { what: "health", value: e.to_string() })?;
    let sql = "UPDATE agents SET health = ?2, last_seen = ?3 WHERE agent = ?1";
    sqlx::query(sql).bind(agent).bind(json).bind(now).execute(&mut *db).await?;
    changes::log_agent(db, agent).await
}

fn camera_state(state: CameraState) -> &'static str {
    match state {
        CameraState::Connecting => "connecting",
        CameraState::Live => "live",
        CameraState::Stalled => "stalled",
        CameraState::Offline => "offline",
        CameraState::Credentials => "credentials",
        CameraState::Unsupported => "unsupported",
        CameraState::Unknown => "unknown",
    }
}
