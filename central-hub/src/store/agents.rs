//! Agents: who may speak, who is there, and which camera works.

use std::collections::BTreeMap;

use protocol::{AgentId, AgentState, CameraState, Health, SiteId, Status, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;

use super::changes::Subject;
use super::configs::{self, ConfigView};
use super::{Store, StoreError, Tx, audit, sql, uptime};
use crate::clock::now_ms;

/// An agent as the API shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Agent")]
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
    /// What the hub wishes its configuration to be, where it wishes anything.
    pub config: Option<ConfigView>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AgentCamera")]
pub struct CameraView {
    pub camera: String,
    pub name: Option<String>,
    pub state: String,
    pub since: Timestamp,
    pub reason: Option<String>,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

/// A line of `agent list`.
#[derive(Debug, Clone, FromRow)]
pub struct Listed {
    pub agent: String,
    pub site: String,
    pub name: Option<String>,
    pub state: String,
    /// When the latest of its valid certificates ends; none where it has none.
    pub valid_until: Option<i64>,
    pub revoked: bool,
    /// Two boxes were seen with its certificate; what was seen.
    pub held_why: Option<String>,
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
    /// Takes everything away from an agent: its certificates, and tokens that are open for it. Whether
    /// there was anything to take.
    pub async fn revoke_agent(&self, agent: &AgentId, actor: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        lock(&mut tx, agent).await?;
        let text = "UPDATE certificates SET state = 'revoked', ended_at = $2
            WHERE agent = $1 AND state IN ('pending', 'active')";
        let ended = tx.execute(sql(text).bind(agent.as_str()).bind(now)).await?;
        let text = "DELETE FROM tokens WHERE agent = $1 AND redeemed_at IS NULL AND expires_at > $2";
        let tokens = tx.execute(sql(text).bind(agent.as_str()).bind(now)).await?;
        let text = "UPDATE agents SET revoked_at = $2, state = 'offline', since = $2
            WHERE agent = $1 AND revoked_at IS NULL";
        let there = tx.execute(sql(text).bind(agent.as_str()).bind(now)).await?;
        if ended + tokens + there == 0 {
            return Ok(false);
        }
        let detail = format!("{ended} valid certificates and {tokens} open tokens were taken away.");
        audit::log(&mut tx, "revoked", actor, Some(agent.as_str()), &detail).await?;
        tx.changed(Subject::Agent(agent.to_string()));
        tx.commit().await?;
        Ok(true)
    }

    /// Two boxes were seen with one certificate: no new connection until an operator decides. Whether it
    /// was not held already.
    pub async fn hold_agent(&self, agent: &AgentId, why: &str, actor: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let held = hold(&mut tx, agent, why, actor).await?;
        tx.commit().await?;
        Ok(held)
    }

    /// Ends what [`Self::hold_agent`] began; whether it was held.
    pub async fn release_agent(&self, agent: &AgentId, actor: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE agents SET held_at = NULL, held_why = NULL
            WHERE agent = $1 AND held_at IS NOT NULL";
        if tx.execute(sql(text).bind(agent.as_str())).await? == 0 {
            return Ok(false);
        }
        audit::log(&mut tx, "released", actor, Some(agent.as_str()), "It may connect again.").await?;
        tx.changed(Subject::Agent(agent.to_string()));
        tx.commit().await?;
        Ok(true)
    }

    /// The name that its token gave it.
    pub async fn given_name(&self, agent: &AgentId) -> Result<Option<String>, StoreError> {
        let text = "SELECT name FROM agents WHERE agent = $1";
        let row = self.read().optional::<(Option<String>,)>(sql(text).bind(agent.as_str())).await?;
        Ok(row.and_then(|(name,)| name))
    }

    pub async fn list_agents(&self) -> Result<Vec<Listed>, StoreError> {
        let text =
            "SELECT agent, site, coalesce(own_name, name) AS name, state, revoked_at IS NOT NULL AS revoked,
            held_why, (SELECT max(c.not_after) FROM certificates c WHERE c.agent = agents.agent
                AND c.state IN ('pending', 'active')) AS valid_until
            FROM agents ORDER BY site, agent";
        self.read().all(sql(text)).await
    }

    /// After a start nobody has been heard yet: what was online or offline is unknown.
    pub async fn forget_presence(&self, now: i64) -> Result<(), StoreError> {
        self.forget_uptime(now).await?;
        let mut tx = self.write().await?;
        let text = "UPDATE agents SET state = 'unknown', since = $1 WHERE state <> 'unknown' RETURNING agent";
        for (agent,) in tx.all::<(String,)>(sql(text).bind(now)).await? {
            tx.changed(Subject::Agent(agent));
        }
        tx.commit().await
    }

    /// All agents, or one.
    pub async fn agents(&self, only: Option<&str>) -> Result<Vec<AgentView>, StoreError> {
        let text = "SELECT agent, camera, name, state, since, reason, width, height FROM cameras
            WHERE $1 IS NULL OR agent = $1 ORDER BY agent, camera";
        let mut cameras: BTreeMap<String, Vec<CameraView>> = BTreeMap::new();
        for row in self.read().all::<CameraRow>(sql(text).bind(only)).await? {
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
        let text =
            "SELECT site, agent, coalesce(own_name, name) AS name, state, version, since, last_seen, health
            FROM agents WHERE $1 IS NULL OR agent = $1 ORDER BY site, agent";
        let rows: Vec<AgentRow> = self.read().all(sql(text).bind(only)).await?;
        let mut configs: BTreeMap<String, ConfigView> = self.config_views(only).await?.into_iter().collect();
        Ok(rows
            .into_iter()
            .map(|row| AgentView {
                cameras: cameras.remove(&row.agent).unwrap_or_default(),
                config: configs.remove(&row.agent),
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

/// Held by whoever reads what there is of an agent and decides upon it.
pub(super) async fn lock(tx: &mut Tx, agent: &AgentId) -> Result<(), StoreError> {
    tx.lock(&format!("agent/{agent}")).await
}

/// [`Store::hold_agent`] within somebody's transaction; whether it was not held already.
pub(super) async fn hold(tx: &mut Tx, agent: &AgentId, why: &str, actor: &str) -> Result<bool, StoreError> {
    let text = "UPDATE agents SET held_at = $2, held_why = $3 WHERE agent = $1 AND held_at IS NULL";
    if tx.execute(sql(text).bind(agent.as_str()).bind(now_ms()).bind(why)).await? == 0 {
        return Ok(false);
    }
    audit::log(tx, "held", actor, Some(agent.as_str()), why).await?;
    tx.changed(Subject::Agent(agent.to_string()));
    Ok(true)
}

/// Lets an agent in, anew where it was taken away.
pub(super) async fn let_in(
    tx: &mut Tx,
    site: &SiteId,
    agent: &AgentId,
    name: Option<&str>,
) -> Result<(), StoreError> {
    let text = "INSERT INTO agents (agent, site, name, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (agent) DO UPDATE SET site = excluded.site, name = coalesce(excluded.name, agents.name),
            revoked_at = NULL, held_at = NULL, held_why = NULL";
    tx.execute(sql(text).bind(agent.as_str()).bind(site.as_str()).bind(name).bind(now_ms())).await?;
    tx.changed(Subject::Agent(agent.to_string()));
    Ok(())
}

/// Writes down an agent's word about itself.
pub(super) async fn put_status(
    tx: &mut Tx,
    agent: &str,
    status: &Status,
    now: i64,
    offset_minutes: i16,
) -> Result<(), StoreError> {
    let state = match status.state {
        AgentState::Online => "online",
        AgentState::Offline => "offline",
    };
    // The last will carries neither name nor version: then the last known ones stand.
    let text = uptime::before!(
        "UPDATE agents SET state = $2, own_name = coalesce($3, own_name), version = coalesce($4, version),
        since = $5, last_seen = CASE $2 WHEN 'online' THEN $6 ELSE last_seen END WHERE agent = $1"
    );
    let statement = sql(text)
        .bind(agent)
        .bind(state)
        .bind(&status.name)
        .bind(&status.version)
        .bind(status.since.map_or(now, Timestamp::unix_ms))
        .bind(now);
    if let Some(before) = tx.optional(statement).await? {
        uptime::said(tx, agent, &before, status, now, offset_minutes).await?;
    }
    if let Some(report) = &status.config {
        configs::put_report(tx, agent, report).await?;
    }
    if let Some(cameras) = &status.cameras {
        tx.execute(sql("DELETE FROM cameras WHERE agent = $1").bind(agent)).await?;
        let text = "INSERT INTO cameras (agent, camera, name, state, since, reason, width, height)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (agent, camera) DO UPDATE SET name = excluded.name, state = excluded.state,
                since = excluded.since, reason = excluded.reason, width = excluded.width, height = excluded.height";
        for camera in cameras {
            tx.execute(
                sql(text)
                    .bind(agent)
                    .bind(camera.camera.as_str())
                    .bind(&camera.name)
                    .bind(camera_state(camera.state))
                    .bind(camera.since.unix_ms())
                    .bind(&camera.reason)
                    .bind(camera.width)
                    .bind(camera.height),
            )
            .await?;
        }
    }
    tx.changed(Subject::Agent(agent.to_owned()));
    Ok(())
}

/// Writes down an agent's last figures.
pub(super) async fn put_health(
    tx: &mut Tx,
    agent: &str,
    health: &Health,
    now: i64,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(health)
        .map_err(|e| StoreError::Unreadable { what: "health", value: e.to_string() })?;
    let text = "UPDATE agents SET health = $2, last_seen = $3 WHERE agent = $1";
    tx.execute(sql(text).bind(agent).bind(json).bind(now)).await?;
    tx.changed(Subject::Agent(agent.to_owned()));
    Ok(())
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
