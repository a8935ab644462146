//! What the hub wishes agents' configurations to be, and what agents say of it.

use protocol::{AgentId, ConfigReport, ConfigState, ConfigWhy, DesiredConfig, SiteId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use super::changes::Subject;
use super::{Store, StoreError, Tx, agents, audit, sql};
use crate::clock::now_ms;

/// Stands in for a text that only the box knows: this database was restored from before it was made.
const UNKNOWN_TEXT: &str = "# The box reported this generation; the database that held its text is gone.\n";
/// Generations count up; one beyond this is no honest report.
const MOST: u64 = 1 << 53;
/// Longest reason that is kept.
const REASON_CHARS: usize = 500;

/// What is wished of an agent, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AgentConfig")]
pub struct ConfigView {
    /// The newest generation that is wished; 0 where none was ever.
    pub generation: u64,
    /// `pending` (the agent has not looked at it yet), `trying`, `applied`, `refused` or `rolled_back`.
    pub state: &'static str,
    /// Why it was not taken, or what of it was left.
    pub reason: Option<String>,
    /// The same in a form for every language, where it is a usual reason.
    pub why: Option<ConfigWhy>,
    /// The generation in force, as the agent last said.
    pub applied: Option<u64>,
    /// The generation on trial, as the agent last said, where that is not the newest.
    pub trying: Option<u64>,
    /// What stands against settings that were changed at the box.
    pub local: Option<String>,
}

/// One generation, as it is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub site: SiteId,
    pub agent: AgentId,
    pub config: DesiredConfig,
}

#[derive(FromRow)]
struct NewestRow {
    agent: String,
    generation: i64,
    report: Option<String>,
}

#[derive(FromRow)]
struct WishRow {
    site: String,
    agent: String,
    generation: i64,
    toml: String,
    created_at: i64,
}

impl Store {
    /// Writes down the next wish; its generation. `None`: there is no such agent.
    pub async fn put_config(
        &self,
        agent: &AgentId,
        toml: &str,
        actor: &str,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.write().await?;
        agents::lock(&mut tx, agent).await?;
        let (there,): (bool,) =
            tx.one(sql("SELECT count(*) > 0 FROM agents WHERE agent = $1").bind(agent.as_str())).await?;
        if !there {
            return Ok(None);
        }
        let text = "INSERT INTO configs (agent, generation, toml, created_at)
            SELECT $1, coalesce(max(generation), 0) + 1, $2, $3 FROM configs WHERE agent = $1 RETURNING generation";
        let (generation,): (i64,) = tx.one(sql(text).bind(agent.as_str()).bind(toml).bind(now_ms())).await?;
        let detail = format!("Configuration {generation} is wished, {} bytes.", toml.len());
        audit::log(&mut tx, "configured", actor, Some(agent.as_str()), &detail).await?;
        tx.changed(Subject::Agent(agent.to_string()));
        tx.commit().await?;
        Ok(Some(generation.cast_unsigned()))
    }

    /// The newest generation of every agent that has one.
    pub async fn newest_configs(&self) -> Result<Vec<(AgentId, u64)>, StoreError> {
        let text =
            "SELECT c.agent, max(c.generation) AS generation, CAST(NULL AS TEXT) AS report FROM configs c
            JOIN agents a USING (agent) GROUP BY c.agent";
        let rows: Vec<NewestRow> = self.read().all(sql(text)).await?;
        rows.into_iter().map(|row| Ok((agent_id(&row.agent)?, row.generation.cast_unsigned()))).collect()
    }

    /// The newest wish of an agent, whole.
    pub async fn newest_config(&self, agent: &AgentId) -> Result<Option<Wish>, StoreError> {
        let text = "SELECT a.site, c.agent, c.generation, c.toml, c.created_at FROM configs c
            JOIN agents a USING (agent) WHERE c.agent = $1 ORDER BY c.generation DESC LIMIT 1";
        let row: Option<WishRow> = self.read().optional(sql(text).bind(agent.as_str())).await?;
        let Some(row) = row else { return Ok(None) };
        let site = row.site.parse().map_err(|_| unreadable("agents.site", &row.site))?;
        let config = DesiredConfig {
            v: protocol::VERSION,
            generation: row.generation.cast_unsigned(),
            issued_at: Timestamp::from_unix_ms(row.created_at),
            toml: row.toml,
        };
        Ok(Some(Wish { site, agent: agent_id(&row.agent)?, config }))
    }

    /// Of each agent, or of one: what is wished, and what became of it.
    pub async fn config_views(&self, only: Option<&str>) -> Result<Vec<(String, ConfigView)>, StoreError> {
        let text = "SELECT agent, max(generation) AS generation,
                (SELECT r.report FROM configs r WHERE r.agent = c.agent AND r.report IS NOT NULL
                    ORDER BY r.generation DESC LIMIT 1) AS report
            FROM configs c WHERE $1 IS NULL OR agent = $1 GROUP BY agent";
        let rows: Vec<NewestRow> = self.read().all(sql(text).bind(only)).await?;
        let view = |row: NewestRow| {
            let report = row.report.as_deref().and_then(|json| serde_json::from_str(json).ok());
            (row.agent, view(row.generation.cast_unsigned(), report))
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

/// Writes down what an agent says of a wish.
pub(super) async fn put_report(tx: &mut Tx, agent: &str, report: &ConfigReport) -> Result<(), StoreError> {
    if report.generation == 0 || report.generation > MOST {
        return Ok(());
    }
    let cut = |text: &Option<String>| text.as_ref().map(|t| t.chars().take(REASON_CHARS).collect());
    let why = report.why.as_ref().map(|why| ConfigWhy { detail: cut(&why.detail), ..why.clone() });
    let kept = ConfigReport { reason: cut(&report.reason), why, local: cut(&report.local), ..report.clone() };
    let json = serde_json::to_string(&kept)
        .map_err(|e| StoreError::Unreadable { what: "config report", value: e.to_string() })?;
    let generation = report.generation.cast_signed();
    let text = "UPDATE configs SET report = $3 WHERE agent = $1 AND generation = $2";
    let known = tx.execute(sql(text).bind(agent).bind(generation).bind(&json)).await?;
    if known > 0 {
        return Ok(());
    }
    // The box has seen a generation that this database never made: the next one must count from there, or
    // the box would take it for an old one. One such row an agent, however much it says.
    let text = "DELETE FROM configs WHERE agent = $1 AND toml = $2";
    tx.execute(sql(text).bind(agent).bind(UNKNOWN_TEXT)).await?;
    let text = "INSERT INTO configs (agent, generation, toml, created_at, report)
        SELECT $1, $2, $3, $4, $5 FROM agents WHERE agent = $1";
    tx.execute(sql(text).bind(agent).bind(generation).bind(UNKNOWN_TEXT).bind(now_ms()).bind(&json)).await?;
    Ok(())
}

fn view(generation: u64, report: Option<ConfigReport>) -> ConfigView {
    let (applied, local) = report.as_ref().map_or((None, None), |r| (r.applied, r.local.clone()));
    let on_trial = |r: &ConfigReport| (r.state == ConfigState::Trying).then_some(r.generation).or(r.trying);
    let trying = report.as_ref().and_then(on_trial).filter(|on_trial| *on_trial != generation);
    let current = report.filter(|r| r.generation == generation);
    let state = match current.as_ref().map(|r| r.state) {
        None | Some(ConfigState::Unknown) => "pending",
        Some(ConfigState::Trying) => "trying",
        Some(ConfigState::Applied) => "applied",
        Some(ConfigState::Refused) => "refused",
        Some(ConfigState::RolledBack) => "rolled_back",
    };
    let (reason, why) = current.map_or((None, None), |r| (r.reason, r.why));
    ConfigView { generation, state, reason, why, applied, trying, local }
}

fn agent_id(text: &str) -> Result<AgentId, StoreError> {
    text.parse().map_err(|_| unreadable("configs.agent", text))
}

fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable { what, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use protocol::ConfigWhyCode;

    use super::*;

    async fn report(store: &Store, generation: u64, state: ConfigState, applied: Option<u64>) {
        let reason = (state == ConfigState::Refused).then(|| "长".repeat(2000));
        let why = reason.as_ref().map(|text: &String| ConfigWhy {
            code: ConfigWhyCode::Unreadable,
            camera: None,
            detail: Some(text.clone()),
            seconds: None,
        });
        let trying = reason.as_ref().map(|_| generation - 1);
        let report = ConfigReport { applied, generation, state, trying, reason, why, local: None };
        let mut tx = store.write().await.unwrap();
        put_report(&mut tx, "gate", &report).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn shown(store: &Store) -> ConfigView {
        store.config_views(Some("gate")).await.unwrap().remove(0).1
    }

    async fn with_agent(folder: &std::path::Path) -> Store {
        let store = Store::open(folder, &Default::default()).await.unwrap();
        let mut tx = store.write().await.unwrap();
        let (site, agent) = ("market".parse().unwrap(), "gate".parse().unwrap());
        crate::store::agents::let_in(&mut tx, &site, &agent, None).await.unwrap();
        tx.commit().await.unwrap();
        store
    }

    #[tokio::test]
    async fn generations_count_up_and_show_what_became_of_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let store = with_agent(folder.path()).await;
        let agent: AgentId = "gate".parse().unwrap();
        let put = |text: &'static str| store.put_config(&agent, text, audit::OPERATOR);
        assert_eq!(store.put_config(&"yard".parse().unwrap(), "", audit::OPERATOR).await.unwrap(), None);
        assert_eq!(put("# one\n").await.unwrap(), Some(1));
        assert_eq!(shown(&store).await.state, "pending");
        report(&store, 1, ConfigState::Applied, Some(1)).await;
        assert_eq!(put("# two\n").await.unwrap(), Some(2));
        let view = shown(&store).await;
        assert_eq!((view.generation, view.state, view.applied), (2, "pending", Some(1)));
        report(&store, 2, ConfigState::Trying, Some(1)).await;
        assert_eq!((shown(&store).await.state, shown(&store).await.trying), ("trying", None));
        assert_eq!(put("# three\n").await.unwrap(), Some(3));
        assert_eq!((shown(&store).await.state, shown(&store).await.trying), ("pending", Some(2)));
        report(&store, 3, ConfigState::Refused, Some(1)).await;
        let view = shown(&store).await;
        assert_eq!((view.state, view.applied, view.trying), ("refused", Some(1), Some(2)));
        assert_eq!(view.reason.unwrap().chars().count(), REASON_CHARS);
        assert_eq!(view.why.unwrap().detail.unwrap().chars().count(), REASON_CHARS);
        let wish = store.newest_config(&agent).await.unwrap().unwrap();
        assert_eq!(
            (wish.config.generation, wish.config.toml.as_str(), wish.site.as_str()),
            (3, "# three\n", "market")
        );
        let audited = store.audited("configured", 10).await.unwrap();
        assert_eq!((audited.len(), audited[0].object.as_deref()), (3, Some("gate")));
        assert!(!audited[0].detail.contains("# three"));
    }

    #[tokio::test]
    async fn a_restored_database_counts_on_from_what_the_box_has_seen() {
        let folder = tempfile::tempdir().unwrap();
        let store = with_agent(folder.path()).await;
        let agent: AgentId = "gate".parse().unwrap();
        report(&store, 0, ConfigState::Applied, None).await;
        assert!(store.newest_configs().await.unwrap().is_empty());
        for generation in 5..50 {
            report(&store, generation, ConfigState::Applied, Some(generation)).await;
        }
        report(&store, u64::MAX, ConfigState::Applied, None).await;
        let (rows,): (i64,) = store.read().one(sql("SELECT count(*) FROM configs")).await.unwrap();
        assert_eq!(rows, 1);
        assert_eq!(store.put_config(&agent, "# next\n", audit::OPERATOR).await.unwrap(), Some(50));
        assert_eq!(store.newest_configs().await.unwrap(), [(agent, 50)]);
    }
}
