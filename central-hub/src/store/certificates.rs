//! The list of certificates: what is not on it as valid is worth nothing.

use protocol::enrol::Identity;
use protocol::{AgentId, SiteId};
use sqlx::FromRow;

use super::{Store, StoreError, Tx, agents, audit, sql};
use crate::clock::now_ms;

/// Most certificates one agent gets in an hour: a box that asks on and on fills no disk.
const ISSUED_AN_HOUR: i64 = 600;
const HOUR_MS: i64 = 60 * 60 * 1000;

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

/// A certificate that the authority has just made, for the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub serial: String,
    pub identity: Identity,
    /// The issuer's fingerprint, as `authorities.fingerprint`.
    pub authority: String,
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    pub key_hash: Vec<u8>,
    pub pem: String,
    /// Milliseconds since 1970, like `not_after`.
    pub not_before: i64,
    pub not_after: i64,
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// The certificate that was offered is pending now.
    New,
    /// The same key has asked before and got the certificate with this serial, which is pending.
    Again(String),
    /// The certificate by which was asked is not valid any more, or its agent is held.
    NotValid,
    /// Too many in an hour.
    TooMany,
}

/// The stored certificate itself.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Stored {
    pub pem: String,
    pub authority: String,
    pub not_before: i64,
    pub not_after: i64,
}

/// A valid certificate by an authority, as `ca retire` lists it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Bearer {
    pub serial: String,
    pub site: String,
    pub agent: String,
    pub not_after: i64,
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
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.serial = $1"));
        let row: Option<Row> = self.read().optional(sql(text).bind(serial)).await?;
        row.map(certificate).transpose()
    }

    /// Everything that is valid now.
    pub async fn valid_certificates(&self) -> Result<Vec<Certificate>, StoreError> {
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.state IN ('pending', 'active')"));
        let rows: Vec<Row> = self.read().all(sql(text)).await?;
        rows.into_iter().map(certificate).collect()
    }

    /// The text and dates of a certificate.
    pub async fn stored_certificate(&self, serial: &str) -> Result<Option<Stored>, StoreError> {
        let text = "SELECT pem, authority, not_before, not_after FROM certificates WHERE serial = $1";
        self.read().optional(sql(text).bind(serial)).await
    }

    /// Puts a renewed certificate beside the one by which it was asked for (`by`). There is one pending
    /// at most; asking by a pending one proves that the box has it, which confirms it.
    pub async fn renew(&self, by: &str, issued: &Issued) -> Result<Renewed, StoreError> {
        let now = now_ms();
        let agent = &issued.identity.agent;
        let mut tx = self.write().await?;
        agents::lock(&mut tx, agent).await?;
        let text = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE c.serial = $1 AND c.state IN ('pending', 'active')
                AND a.held_at IS NULL AND a.revoked_at IS NULL AND a.site = c.site"
        ));
        let row: Option<Row> = tx.optional(sql(text).bind(by)).await?;
        let Some(present) = row.map(certificate).transpose()? else { return Ok(Renewed::NotValid) };
        if present.identity != issued.identity {
            return Ok(Renewed::NotValid);
        }
        if present.state == State::Pending {
            activate(&mut tx, agent, by, now).await?;
        }
        let text = "SELECT serial, key_hash FROM certificates WHERE agent = $1 AND state = 'pending'";
        let pending: Option<(String, Vec<u8>)> = tx.optional(sql(text).bind(agent.as_str())).await?;
        if let Some((serial, key_hash)) = &pending
            && *key_hash == issued.key_hash
        {
            return Ok(Renewed::Again(serial.clone()));
        }
        let text = "SELECT count(*) FROM certificates WHERE agent = $1 AND issued_at > $2";
        let (lately,): (i64,) = tx.one(sql(text).bind(agent.as_str()).bind(now - HOUR_MS)).await?;
        if lately >= ISSUED_AN_HOUR {
            return Ok(Renewed::TooMany);
        }
        if let Some((serial, _)) = pending {
            end(&mut tx, &serial, "superseded", now).await?;
        }
        insert(&mut tx, issued, "pending", now).await?;
        let actor = format!("agent:{}", issued.identity.common_name());
        let detail = format!("Certificate {} was issued by its certificate {by}.", issued.serial);
        audit::log(&mut tx, "renewed", &actor, Some(agent.as_str()), &detail).await?;
        tx.commit().await?;
        Ok(Renewed::New)
    }

    /// From now on this is its box's only certificate. Whether it is valid; again is as good as once.
    pub async fn confirm(&self, serial: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let Some(known) = self.certificate(serial).await? else { return Ok(false) };
        let mut tx = self.write().await?;
        agents::lock(&mut tx, &known.identity.agent).await?;
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE c.serial = $1"));
        let row: Option<Row> = tx.optional(sql(text).bind(serial)).await?;
        let Some(present) = row.map(certificate).transpose()? else { return Ok(false) };
        match present.state {
            State::Pending => {
                let agent = &present.identity.agent;
                let ended = activate(&mut tx, agent, serial, now).await?;
                let actor = format!("agent:{}", present.identity.common_name());
                let detail = format!("Certificate {serial} is in use; {ended} earlier ones ended.");
                audit::log(&mut tx, "confirmed", &actor, Some(agent.as_str()), &detail).await?;
                tx.commit().await?;
                Ok(true)
            }
            State::Active => Ok(true),
            State::Superseded | State::Revoked => Ok(false),
        }
    }

    /// The certificates of an authority that ended before their time and have not expired: serial, when.
    pub async fn ended_under(&self, authority: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let text = "SELECT serial, coalesce(ended_at, issued_at) FROM certificates
            WHERE authority = $1 AND state IN ('superseded', 'revoked') AND not_after > $2 ORDER BY serial";
        self.read().all(sql(text).bind(authority).bind(now_ms())).await
    }

    /// The valid certificates that an authority has signed.
    pub async fn valid_under(&self, authority: &str) -> Result<Vec<Bearer>, StoreError> {
        let text = "SELECT serial, site, agent, not_after FROM certificates
            WHERE authority = $1 AND state IN ('pending', 'active') ORDER BY site, agent";
        self.read().all(sql(text).bind(authority)).await
    }
}

/// Adds a certificate to the list.
pub(super) async fn insert(tx: &mut Tx, issued: &Issued, state: &str, now: i64) -> Result<(), StoreError> {
    let text = "INSERT INTO certificates
        (serial, site, agent, authority, key_hash, pem, issued_at, not_before, not_after, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    tx.execute(
        sql(text)
            .bind(&issued.serial)
            .bind(issued.identity.site.as_str())
            .bind(issued.identity.agent.as_str())
            .bind(&issued.authority)
            .bind(&issued.key_hash)
            .bind(&issued.pem)
            .bind(now)
            .bind(issued.not_before)
            .bind(issued.not_after)
            .bind(state),
    )
    .await?;
    Ok(())
}

/// Ends an agent's valid certificates but one; how many.
pub(super) async fn supersede_others(
    tx: &mut Tx,
    agent: &AgentId,
    but: &str,
    now: i64,
) -> Result<u64, StoreError> {
    let text = "UPDATE certificates SET state = 'superseded', ended_at = $3
        WHERE agent = $1 AND serial <> $2 AND state IN ('pending', 'active')";
    let done = tx.execute(sql(text).bind(agent.as_str()).bind(but).bind(now)).await?;
    Ok(done)
}

async fn activate(tx: &mut Tx, agent: &AgentId, serial: &str, now: i64) -> Result<u64, StoreError> {
    tx.execute(sql("UPDATE certificates SET state = 'active' WHERE serial = $1").bind(serial)).await?;
    supersede_others(tx, agent, serial, now).await
}

async fn end(tx: &mut Tx, serial: &str, state: &str, now: i64) -> Result<(), StoreError> {
    let text = "UPDATE certificates SET state = $2, ended_at = $3 WHERE serial = $1";
    tx.execute(sql(text).bind(serial).bind(state).bind(now)).await?;
    Ok(())
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
