//! The audit: what was done, looked at or refused, chained day by day (`hub_core::audit`).
//!
//! Entries are added, never altered or deleted. They are noted in the transaction of what they record
//! ([`Tx::audit`]) and chained at its commit, under the audit's lock: so the chain is the order of commits, and
//! nobody holds the lock while they still work. Whoever writes because of something that comes from outside
//! bounds how often (see `door::quota`, `refusals`). Ingest audits nothing but refusals.

mod check;
mod list;

use hub_core::audit::{Algorithm, Digest, Entry, Head, day_of, opening};
use hub_core::rights::Sites;
use sqlx::FromRow;

use super::{Store, StoreError, Tx, sql};
use crate::clock::now_ms;

pub use list::{Page, Wanted};

/// Longest detail and reason; the rest is cut off.
const DETAIL_CHARS: usize = 500;
/// Rows of the time before the chain that are chained in one transaction.
const ADOPTED: i64 = 10_000;
/// Who does what the hub does by itself.
pub const HUB: &str = "hub";
/// Who does what is done on the hub's command line.
pub const OPERATOR: &str = "operator at the hub's command line";

/// An entry before it has its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    at: i64,
    action: String,
    actor: String,
    site: Option<String>,
    object: Option<String>,
    detail: String,
    reason: Option<String>,
}

impl Note {
    /// `actor`: a user, `agent:SITE/AGENT`, [`HUB`] or [`OPERATOR`]. `detail`: one plain English sentence.
    pub fn new(action: &str, actor: &str, detail: &str) -> Self {
        Self {
            at: now_ms(),
            action: action.to_owned(),
            actor: actor.to_owned(),
            site: None,
            object: None,
            detail: plain(detail),
            reason: None,
        }
    }

    /// Where it belongs; auditors of a site see the entries of their site alone.
    #[must_use]
    pub fn at_site(mut self, site: &str) -> Self {
        self.site = Some(site.to_owned());
        self
    }

    /// To what it was done: an agent, an alert, an incident, a user.
    #[must_use]
    pub fn to(mut self, object: &str) -> Self {
        self.object = Some(plain(object));
        self
    }

    /// What the person said it was for.
    #[must_use]
    pub fn for_reason(mut self, reason: Option<&str>) -> Self {
        self.reason = reason.map(plain);
        self
    }
}

/// Bounded, and without what PostgreSQL's text cannot hold: the chain is over what is stored.
fn plain(text: &str) -> String {
    text.chars().take(DETAIL_CHARS).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

/// A row, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditRow {
    pub day: String,
    pub number: i64,
    pub at: i64,
    pub action: String,
    pub actor: String,
    pub site: Option<String>,
    pub object: Option<String>,
    pub detail: String,
    pub reason: Option<String>,
    pub digest: Vec<u8>,
}

#[derive(FromRow)]
struct DayRow {
    day: String,
    algorithm: String,
    opened: i64,
    after_day: Option<String>,
    after_count: Option<i64>,
    after_digest: Option<Vec<u8>>,
    count: i64,
    head: Vec<u8>,
}

macro_rules! select_day {
    ($rest:literal) => {
        concat!(
            "SELECT day, algorithm, opened, after_day, after_count, after_digest, count, head FROM audit_days ",
            $rest
        )
    };
}
use select_day;

impl Store {
    /// Notes something by itself.
    pub async fn audit(
        &self,
        action: &str,
        actor: &str,
        agent: Option<&str>,
        detail: &str,
    ) -> Result<(), StoreError> {
        let note = Note::new(action, actor, detail);
        self.note(Note { object: agent.map(plain), ..note }).await
    }

    /// Notes something by itself.
    pub async fn note(&self, note: Note) -> Result<(), StoreError> {
        self.retrying(async || {
            let mut tx = self.write().await?;
            tx.audit(note.clone());
            tx.commit().await
        })
        .await
    }

    /// The newest rows of an action, newest first.
    pub async fn audited(&self, action: &str, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        let wanted = Wanted { action: Some(action.to_owned()), ..Wanted::default() };
        Ok(self.audit_page(&Sites::All, &wanted, most).await?.rows)
    }

    /// Chains the rows of the time before the chain; each batch wholly or not at all.
    pub(super) async fn adopt_audit(&self) -> Result<(), StoreError> {
        loop {
            let mut tx = self.write().await?;
            tx.lock("audit").await?;
            let text =
                "SELECT id, at, action, actor, agent, detail FROM audit_unchained ORDER BY id LIMIT $1";
            let rows: Vec<(String, i64, String, String, Option<String>, String)> =
                tx.all(sql(text).bind(ADOPTED)).await?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            let last = last.clone();
            let count = rows.len();
            for (_, at, action, actor, agent, detail) in rows {
                let note = Note::new(&action, &actor, &detail);
                tx.audit(Note { at, object: agent.as_deref().map(plain), ..note });
            }
            tx.execute(sql("DELETE FROM audit_unchained WHERE id <= $1").bind(&last)).await?;
            tx.commit().await?;
            tracing::info!(count, "older audit rows chained");
        }
    }
}

/// Notes in somebody's transaction: decided and noted together or not at all.
pub(super) async fn log(
    tx: &mut Tx,
    action: &str,
    actor: &str,
    agent: Option<&str>,
    detail: &str,
) -> Result<(), StoreError> {
    let note = Note::new(action, actor, detail);
    tx.audit(Note { object: agent.map(plain), ..note });
    Ok(())
}

/// Gives the notes of a transaction their places. Its last work but for the numbers of changes.
pub(super) async fn chain(tx: &mut Tx, notes: Vec<Note>, algorithm: Algorithm) -> Result<(), StoreError> {
    tx.lock("audit").await?;
    let mut open: Option<(Head, Algorithm)> = None;
    for note in notes {
        let day = day_of(note.at);
        let (head, algorithm) = match open.take() {
            Some(known) if known.0.day == day => known,
            other => {
                if let Some((head, _)) = other {
                    close(tx, &head).await?;
                }
                day_head(tx, &day, algorithm).await?
            }
        };
        let entry = Entry {
            number: head.count + 1,
            day,
            at: note.at,
            action: note.action,
            actor: note.actor,
            site: note.site,
            object: note.object,
            detail: note.detail,
            reason: note.reason,
        };
        let digest = entry.digest(algorithm, &head.digest);
        insert(tx, &entry, &digest).await?;
        open = Some((Head { day: entry.day, count: entry.number, digest }, algorithm));
    }
    match open {
        Some((head, _)) => close(tx, &head).await,
        None => Ok(()),
    }
}

/// How far a day has come; opens it where this is its first entry.
async fn day_head(tx: &mut Tx, day: &str, algorithm: Algorithm) -> Result<(Head, Algorithm), StoreError> {
    let known: Option<DayRow> = tx.optional(sql(select_day!("WHERE day = $1")).bind(day)).await?;
    if let Some(row) = known {
        let algorithm = row.algorithm()?;
        return Ok((row.head()?, algorithm));
    }
    let last: Option<DayRow> = tx.optional(sql(select_day!("ORDER BY opened DESC LIMIT 1"))).await?;
    let opened = last.as_ref().map_or(1, |row| row.opened + 1);
    let after = last.map(|row| row.head()).transpose()?;
    let digest = opening(algorithm, day, after.as_ref());
    let text =
        "INSERT INTO audit_days (day, algorithm, opened, after_day, after_count, after_digest, count, head)
        VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
    tx.execute(
        sql(text)
            .bind(day)
            .bind(algorithm.as_str())
            .bind(opened)
            .bind(after.as_ref().map(|head| head.day.as_str()))
            .bind(after.as_ref().map(|head| head.count.cast_signed()))
            .bind(after.as_ref().map(|head| head.digest.0.as_slice()))
            .bind(digest.0.as_slice()),
    )
    .await?;
    Ok((Head { day: day.to_owned(), count: 0, digest }, algorithm))
}

async fn insert(tx: &mut Tx, entry: &Entry, digest: &Digest) -> Result<(), StoreError> {
    let text = "INSERT INTO audit (day, number, at, action, actor, site, object, detail, reason, digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let statement = sql(text)
        .bind(&entry.day)
        .bind(entry.number.cast_signed())
        .bind(entry.at)
        .bind(&entry.action)
        .bind(&entry.actor)
        .bind(&entry.site)
        .bind(&entry.object)
        .bind(&entry.detail)
        .bind(&entry.reason)
        .bind(digest.0.as_slice());
    tx.execute(statement).await?;
    Ok(())
}

async fn close(tx: &mut Tx, head: &Head) -> Result<(), StoreError> {
    let text = "UPDATE audit_days SET count = $2, head = $3 WHERE day = $1";
    let (count, digest) = (head.count.cast_signed(), head.digest.0.as_slice());
    tx.execute(sql(text).bind(&head.day).bind(count).bind(digest)).await?;
    Ok(())
}

impl DayRow {
    fn algorithm(&self) -> Result<Algorithm, StoreError> {
        let unreadable =
            |_| StoreError::Unreadable { what: "audit_days.algorithm", value: self.algorithm.clone() };
        self.algorithm.parse().map_err(unreadable)
    }

    fn head(&self) -> Result<Head, StoreError> {
        head(&self.day, self.count, &self.head)
    }

    fn after(&self) -> Result<Option<Head>, StoreError> {
        match (&self.after_day, self.after_count, &self.after_digest) {
            (Some(day), Some(count), Some(digest)) => head(day, count, digest).map(Some),
            _ => Ok(None),
        }
    }
}

fn head(day: &str, count: i64, digest: &[u8]) -> Result<Head, StoreError> {
    let unreadable = || StoreError::Unreadable { what: "audit_days", value: day.to_owned() };
    let digest = Digest::from_bytes(digest).ok_or_else(unreadable)?;
    Ok(Head { day: day.to_owned(), count: u64::try_from(count).map_err(|_| unreadable())?, digest })
}
