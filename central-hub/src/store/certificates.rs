//! The list of certificates: what is not on it as valid is worth nothing.

use protocol::enrol::Identity;
use protocol::{AgentId, SiteId};
use sqlx::FromRow;

use super::{Store, StoreError};

/// A certificate that is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub serial: String,
    pub identity: Identity,
    pub state: State,
    /// Milliseconds since 1970.
    pub not_after: i64,
    /// Two boxes were seen with it.
    pub held: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Renewed, not confirmed yet, and valid.
    Pending,
    Active,
    Superseded,
    Revoked,
}

impl State {
    pub fn is_valid(self) -> bool {
        matches!(self, State::Pending | State::Active)
    }
}

#[derive(FromRow)]
struct Row {
    serial: String,
    site: String,
    agent: String,
    state: String,
    not_after: i64,
    held: bool,
}

const COLUMNS: &str = "SELECT c.serial, c.site, c.agent, c.state, c.not_after, a.held_at IS NOT NULL AS held
    FROM certificates c JOIN agents a USING (agent)";

impl Store {
    /// What the list says of a serial number.
    pub async fn certificate(&self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.serial = ?1"));
        let row: Option<Row> = sqlx::query_as(sql).bind(serial).fetch_optional(&self.reader).await?;
        row.map(certificate).transpose()
    }

    /// Everything that is valid now.
    pub async fn valid_certificates(&self) -> Result<Vec<Certificate>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.state IN ('pending', 'active')"));
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.reader).await?;
        rows.into_iter().map(certificate).collect()
    }
}

fn certificate(row: Row) -> Result<Certificate, StoreError> {
    let unreadable = |what, value: &str| StoreError::Unreadable { what, value: value.to_owned() };
    let site: SiteId = row.site.parse().map_err(|_| unreadable("certificates.site", &row.site))?;
    let agent: AgentId = row.agent.parse().map_err(|_| unreadable("certificates.agent", &row.agent))?;
    let state = match row.state.as_str() {
        "pending" => State::Pending,
        "active" => State::Active,
        "superseded" => State::Superseded,
        "revoked" => State::Revoked,
        other => return Err(unreadable("certificates.state", other)),
    };
    let identity = Identity { site, agent };
    Ok(Certificate { serial: row.serial, identity, state, not_after: row.not_after, held: row.held })
}
