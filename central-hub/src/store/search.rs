//! The index of words: under which tokens an incident is found, newest first.
//!
//! Tokens are `hub_core::words`'. SQLite keeps them in an FTS5 table without its own tokeniser, PostgreSQL in an
//! array under a GIN index: neither needs an extension, and both find the same. An incident's number is made
//! of its time, so both answer in the order of time without sorting everything that fits.

use hub_core::words;
use sha2::{Digest, Sha256};

use super::{Store, StoreError, Tx, sql, sql_for};

/// An incident's number: its time in milliseconds, and below that what tells those of one millisecond apart.
const NUMBERS_A_MS: i64 = 1 << 20;
/// So many of the newest are looked through on PostgreSQL without its index of words: a fifth of all of them must fit for a
/// page to be full, and what fits less often the index finds soon enough.
const LATEST: i64 = 250;
/// Then it goes back in time so many months at first, then twice as many, and so on.
const FIRST_MONTHS: i64 = 1;
/// About a month. Only whose tokens are named depends on it.
const MONTH_MS: i64 = 30 * 86_400_000;
/// Before 1970 there is no incident; beyond this many months there is none yet.
const LAST_MONTH: i64 = 10_000;

/// An incident as it is found.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Found {
    pub doc: i64,
    pub site: String,
    pub incident: String,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// All of them: words and facets.
    pub tokens: Vec<String>,
    /// Only at these sites; `None`: everywhere.
    pub sites: Option<Vec<String>>,
    /// Times of opening, from and before.
    pub from: Option<i64>,
    pub before: Option<i64>,
    /// Only numbers below this one: where the last answer ended.
    pub below: Option<i64>,
}

impl Wanted {
    /// Whether every site's may answer, else which sites'.
    fn places(&self) -> (bool, &[String]) {
        (self.sites.is_none(), self.sites.as_deref().unwrap_or_default())
    }

    /// The numbers that may answer: from, below.
    fn range(&self) -> (i64, i64) {
        let number = |ms: i64| ms.clamp(0, i64::MAX / NUMBERS_A_MS - 1) * NUMBERS_A_MS;
        let from = self.from.map_or(0, number);
        let before = self.before.map_or(i64::MAX, number);
        (from, before.min(self.below.unwrap_or(i64::MAX)))
    }
}

/// Puts an incident under its tokens, or leaves everything as it is where it stands there already.
pub(super) async fn put(
    tx: &mut Tx,
    site: &str,
    incident: &str,
    opened_at: i64,
    mut tokens: Vec<String>,
) -> Result<(), StoreError> {
    let ms = opened_at.clamp(0, i64::MAX / NUMBERS_A_MS - 1);
    tokens.push(month_token(ms / MONTH_MS));
    let digest = digest(ms, &tokens);
    let statement = sql("SELECT doc, digest FROM search_docs WHERE site = $1 AND incident = $2");
    let stored: Option<(i64, Vec<u8>)> = tx.optional(statement.bind(site).bind(incident)).await?;
    let doc = match stored {
        Some((_, known)) if known == digest => return Ok(()),
        Some((doc, _)) if doc / NUMBERS_A_MS == ms => doc,
        stored => {
            if let Some((old, _)) = stored {
                remove(tx, site, incident, old).await?;
            }
            free_number(tx, ms * NUMBERS_A_MS, incident).await?
        }
    };
    let statement = sql_for(
        "INSERT INTO search_docs (site, incident, doc, digest) SELECT $1, $2, $3, $4 WHERE $5 IS NOT NULL
            ON CONFLICT (site, incident) DO UPDATE SET digest = excluded.digest",
        "INSERT INTO search_docs (site, incident, doc, digest, words) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (site, incident) DO UPDATE SET digest = excluded.digest, words = excluded.words",
    );
    let text = tokens.join(" ");
    tx.execute(statement.bind(site).bind(incident).bind(doc).bind(digest).bind(tokens)).await?;
    // PostgreSQL has them with the row.
    let statement = sql_for("INSERT OR REPLACE INTO search_words (rowid, words) VALUES ($1, $2)", NOTHING);
    tx.execute(statement.bind(doc).bind(text)).await?;
    Ok(())
}

/// Takes an incident out of the index: it became part of another one, or is deleted.
pub(super) async fn forget(tx: &mut Tx, site: &str, incident: &str) -> Result<(), StoreError> {
    let statement = sql("SELECT doc FROM search_docs WHERE site = $1 AND incident = $2");
    match tx.optional::<(i64,)>(statement.bind(site).bind(incident)).await? {
        Some((doc,)) => remove(tx, site, incident, doc).await,
        None => Ok(()),
    }
}

/// Takes the same parameters and does nothing.
const NOTHING: &str = "SELECT 1 WHERE $1::bigint IS NULL AND $2::text IS NULL";

async fn remove(tx: &mut Tx, site: &str, incident: &str, doc: i64) -> Result<(), StoreError> {
    let statement = sql("DELETE FROM search_docs WHERE site = $1 AND incident = $2");
    tx.execute(statement.bind(site).bind(incident)).await?;
    let statement = sql_for("DELETE FROM search_words WHERE rowid = $1", "SELECT 1 WHERE $1::bigint IS NULL");
    tx.execute(statement.bind(doc)).await?;
    Ok(())
}

/// The first number from an incident's own on that nobody has. Whoever puts holds the follower's lock.
async fn free_number(tx: &mut Tx, base: i64, incident: &str) -> Result<i64, StoreError> {
    let spread = Sha256::digest(incident.as_bytes());
    let own = i64::from(u32::from_be_bytes([0, spread[0], spread[1], spread[2]])) % (NUMBERS_A_MS / 2);
    let mut number = base + own;
    loop {
        let statement = sql("SELECT doc FROM search_docs WHERE doc = $1");
        if tx.optional::<(i64,)>(statement.bind(number)).await?.is_none() {
            return Ok(number);
        }
        number += 1;
    }
}

fn month_token(month: i64) -> String {
    words::facet("month", &month.to_string())
}

fn digest(ms: i64, tokens: &[String]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    hasher.update(ms.to_be_bytes());
    for token in tokens {
        hasher.update(token.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().to_vec()
}

impl Store {
    /// Up to `limit` incidents, newest first.
    pub async fn search(&self, wanted: &Wanted, limit: u32) -> Result<Vec<Found>, StoreError> {
        let (from, below) = wanted.range();
        if wanted.sites.as_ref().is_some_and(Vec::is_empty) || from >= below {
            return Ok(Vec::new());
        }
        if self.is_sqlite() {
            self.search_sqlite(wanted, from, below, limit).await
        } else {
            self.search_postgres(wanted, from, below, limit).await
        }
    }

    /// FTS5 walks its lists from the newest number down and ends when it has enough.
    async fn search_sqlite(
        &self,
        wanted: &Wanted,
        from: i64,
        below: i64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        // Tokens hold no quotation mark; quoted, none is an operator.
        let quoted = |token: &String| format!("\"{token}\"");
        let mut question = wanted.tokens.iter().map(quoted).collect::<Vec<_>>().join(" AND ");
        if let Some(sites) = &wanted.sites {
            let any: Vec<_> = sites.iter().map(|site| quoted(&words::facet("site", site))).collect();
            let and = if question.is_empty() { "" } else { " AND " };
            question = format!("({}){and}{question}", any.join(" OR "));
        }
        let statement = if question.is_empty() {
            sql("SELECT doc, site, incident FROM search_docs
                WHERE doc >= $1 AND doc < $2 AND $3 = '' AND ($4 OR $5 = '') ORDER BY doc DESC LIMIT $6")
        } else {
            // The index makes no difference between capital and small letters; the table does.
            sql("SELECT d.doc, d.site, d.incident FROM search_words w JOIN search_docs d ON d.doc = w.rowid
                WHERE w.rowid >= $1 AND w.rowid < $2 AND search_words MATCH $3
                    AND ($4 OR d.site IN (SELECT value FROM json_each($5)))
                ORDER BY w.rowid DESC LIMIT $6")
        };
        let (everywhere, sites) = wanted.places();
        let statement = statement.bind(from).bind(below).bind(question).bind(everywhere).bind(sites);
        self.read().all(statement.bind(limit)).await
    }

    /// GIN finds everything that fits and cannot do it in order. So the newest are looked through as they are, which
    /// answers questions that fit many; and for the rest only so much time is asked about at once.
    async fn search_postgres(
        &self,
        wanted: &Wanted,
        from: i64,
        below: i64,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        let (everywhere, sites) = wanted.places();
        let statement = sql("WITH latest AS MATERIALIZED (SELECT doc, site, incident, words FROM search_docs
                WHERE doc >= $1 AND doc < $2 ORDER BY doc DESC LIMIT $3)
            SELECT doc, site, incident FROM latest WHERE words @> $4 AND ($5 OR site = ANY($6))
            ORDER BY doc DESC LIMIT $7");
        let statement = statement.bind(from).bind(below).bind(LATEST).bind(&wanted.tokens);
        let mut found: Vec<Found> =
            self.read().all(statement.bind(everywhere).bind(sites).bind(limit)).await?;
        let rest = sql("SELECT doc FROM search_docs WHERE doc >= $1 AND doc < $2 ORDER BY doc DESC
            OFFSET $3 LIMIT 1");
        let rest = rest.bind(from).bind(below).bind(LATEST - 1);
        if found.len() >= limit as usize {
            return Ok(found);
        }
        let Some((below,)) = self.read().optional::<(i64,)>(rest).await? else { return Ok(found) };
        let (oldest,): (i64,) = self.read().one(sql("SELECT coalesce(min(doc), 0) FROM search_docs")).await?;
        let month = |doc: i64| (doc / NUMBERS_A_MS / MONTH_MS).clamp(0, LAST_MONTH);
        let first = month(from.max(oldest));
        let mut last = month(below - 1);
        let mut step = FIRST_MONTHS;
        let of_sites: Vec<String> = sites.iter().map(|site| words::facet("site", site)).collect();
        while last >= first && found.len() < limit as usize {
            let begin = (last - step + 1).max(first);
            let months: Vec<String> = (begin..=last).map(month_token).collect();
            // Everywhere is all sites: the months once more cost nothing.
            let places = if everywhere { &months } else { &of_sites };
            let statement = sql("SELECT doc, site, incident FROM search_docs
                WHERE words @> $1 AND words && $2 AND words && $3 AND doc >= $4 AND doc < $5
                    AND ($6 OR site = ANY($7))
                ORDER BY doc DESC LIMIT $8");
            let statement = statement.bind(&wanted.tokens).bind(&months).bind(places).bind(from).bind(below);
            let more = limit - u32::try_from(found.len()).unwrap_or(limit);
            let statement = statement.bind(everywhere).bind(sites).bind(more);
            found.extend(self.read().all::<Found>(statement).await?);
            last = begin - 1;
            step *= 2;
        }
        Ok(found)
    }
}
