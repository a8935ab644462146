//! Enrolment tokens: made by an operator, good once. Redeeming one is a single transaction.

use protocol::enrol::Identity;
use protocol::{AgentId, SiteId};
use sqlx::FromRow;

use super::certificates::{self, Issued};
use super::{Store, StoreError, Tx, agents, audit, sql};
use crate::clock::now_ms;

/// A token as it was made. The secret itself is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub identity: Identity,
    pub name: Option<String>,
    pub expires_at: i64,
    /// The certificate that it was redeemed for.
    pub serial: Option<String>,
}

/// A token that still lets a box in.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Open {
    pub site: String,
    pub agent: String,
    pub name: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    /// Who made it, as the audit has it.
    pub created_by: Option<String>,
}

/// The audit's entry of a token is written in its transaction.
const ENTRY_WITHIN_MS: i64 = 60_000;

/// What became of a redemption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// The box is in, by this certificate: the one that was offered.
    New,
    /// The same key has redeemed it before, for the certificate with this serial.
    Again(String),
    Unknown,
    Expired,
    /// By another key, or what it was redeemed for is no longer valid.
    Used,
}

#[derive(FromRow)]
struct Row {
    site: String,
    agent: String,
    name: Option<String>,
    expires_at: i64,
    serial: Option<String>,
}

const SELECT: &str = "SELECT site, agent, name, expires_at, serial FROM tokens WHERE secret_hash = $1";

impl Store {
    /// Notes a new token by its hash.
    pub async fn put_token(
        &self,
        secret_hash: &[u8],
        identity: &Identity,
        name: Option<&str>,
        expires_at: i64,
        actor: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO tokens (secret_hash, site, agent, name, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6)";
        tx.execute(
            sql(text)
                .bind(secret_hash)
                .bind(identity.site.as_str())
                .bind(identity.agent.as_str())
                .bind(name)
                .bind(now_ms())
                .bind(expires_at),
        )
        .await?;
        let detail = format!("A token for {} was made.", identity.common_name());
        audit::log(&mut tx, "token_created", actor, Some(identity.agent.as_str()), &detail).await?;
        tx.commit().await
    }

    pub async fn token(&self, secret_hash: &[u8]) -> Result<Option<Token>, StoreError> {
        let row: Option<Row> = self.read().optional(sql(SELECT).bind(secret_hash)).await?;
        row.map(token).transpose()
    }

    /// The tokens that are neither redeemed nor expired, of all agents or one.
    pub async fn open_tokens(&self, only: Option<&AgentId>) -> Result<Vec<Open>, StoreError> {
        let text = "SELECT site, agent, name, created_at, expires_at, (SELECT min(a.actor) FROM audit a
                WHERE a.action = 'token_created' AND a.at BETWEEN tokens.created_at AND tokens.created_at + $3
                    AND a.object = tokens.agent) AS created_by
            FROM tokens WHERE redeemed_at IS NULL AND expires_at > $1 AND ($2 IS NULL OR agent = $2)
            ORDER BY site, agent, expires_at";
        let statement = sql(text).bind(now_ms()).bind(only.map(AgentId::as_str)).bind(ENTRY_WITHIN_MS);
        self.read().all(statement).await
    }

    /// Redeems a token for a certificate that was made for it: whole, or not at all. `from` is where the
    /// request came from, for the record.
    pub async fn redeem(
        &self,
        secret_hash: &[u8],
        issued: &Issued,
        from: &str,
    ) -> Result<Redeemed, StoreError> {
        // Whose it is never changes; whether it is used up is asked again when nobody else can use it.
        let Some(whose) = self.token(secret_hash).await? else { return Ok(Redeemed::Unknown) };
        let mut tx = self.write().await?;
        agents::lock(&mut tx, &whose.identity.agent).await?;
        let row: Option<Row> = tx.optional(sql(SELECT).bind(secret_hash)).await?;
        let Some(known) = row.map(token).transpose()? else { return Ok(Redeemed::Unknown) };
        if let Some(serial) = known.serial {
            let same = valid_with_key(&mut tx, &serial, &issued.key_hash).await?;
            return Ok(if same { Redeemed::Again(serial) } else { Redeemed::Used });
        }
        let now = now_ms();
        if known.expires_at <= now {
            return Ok(Redeemed::Expired);
        }
        if known.identity != issued.identity {
            return Ok(Redeemed::Unknown);
        }
        let Identity { site, agent } = &known.identity;
        agents::let_in(&mut tx, site, agent, known.name.as_deref()).await?;
        let ended = certificates::supersede_others(&mut tx, agent, &issued.serial, now).await?;
        certificates::insert(&mut tx, issued, "active", now).await?;
        tx.execute(
            sql("UPDATE tokens SET redeemed_at = $2, serial = $3 WHERE secret_hash = $1")
                .bind(secret_hash)
                .bind(now)
                .bind(&issued.serial),
        )
        .await?;
        let actor = format!("agent:{}", known.identity.common_name());
        let detail =
            format!("Certificate {} was issued to {from}; {ended} earlier ones ended.", issued.serial);
        audit::log(&mut tx, "enrolled", &actor, Some(agent.as_str()), &detail).await?;
        tx.commit().await?;
        Ok(Redeemed::New)
    }
}

async fn valid_with_key(tx: &mut Tx, serial: &str, key_hash: &[u8]) -> Result<bool, StoreError> {
    let text = "SELECT count(*) > 0 FROM certificates
        WHERE serial = $1 AND key_hash = $2 AND state IN ('pending', 'active')";
    Ok(tx.one::<(bool,)>(sql(text).bind(serial).bind(key_hash)).await?.0)
}

fn token(row: Row) -> Result<Token, StoreError> {
    let unreadable = |what, value: &str| StoreError::Unreadable { what, value: value.to_owned() };
    let site: SiteId = row.site.parse().map_err(|_| unreadable("tokens.site", &row.site))?;
    let agent: AgentId = row.agent.parse().map_err(|_| unreadable("tokens.agent", &row.agent))?;
    let identity = Identity { site, agent };
    Ok(Token { identity, name: row.name, expires_at: row.expires_at, serial: row.serial })
}
