//! Requests that take effect once, however often they come: what the first was answered, by its sender and key.
//!
//! The answer is written in the transaction of the effect, so that there is never one without the other. A request
//! that was refused had no effect: nothing is kept of it.

use sqlx::FromRow;

use super::reports::ReportView;
use super::steps::Case;
use super::{Sql, Store, StoreError, Tx, sql};
use crate::clock::now_ms;

/// How long an answer is kept, ms.
pub const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Answers deleted in one transaction: others write in between.
const PORTION: i64 = 500;

/// An answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Answer {
    pub status: i64,
    /// The incident's version, where the answer tells it.
    pub version: Option<i64>,
    /// JSON.
    pub body: String,
}

/// Makes the answer of what became of an incident.
pub type Answering<'a> = &'a (dyn Fn(&Case, Option<&ReportView>) -> Answer + Send + Sync);

/// A request that its sender may repeat.
#[derive(Debug, Clone, Copy)]
pub struct Repeatable<'a> {
    pub account: &'a str,
    /// UUID, by the sender.
    pub request: &'a str,
    /// A digest of what is asked.
    pub content: &'a str,
}

/// The same, with how it is answered.
#[derive(Clone, Copy)]
pub struct Once<'a> {
    pub asked: Repeatable<'a>,
    pub answering: Answering<'a>,
}

/// What its sender asked before under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// The same: it was answered so.
    Same(Answer),
    /// Something else.
    Other,
}

#[derive(FromRow)]
struct Row {
    content: String,
    status: i64,
    version: Option<i64>,
    body: String,
}

impl Repeatable<'_> {
    fn find(&self) -> Sql<'_> {
        let text = "SELECT content, status, version, body FROM once WHERE account = $1 AND request = $2";
        sql(text).bind(self.account).bind(self.request)
    }

    fn judge(&self, found: Option<Row>) -> Before {
        match found {
            None => Before::Nothing,
            Some(row) if row.content != self.content => Before::Other,
            Some(Row { status, version, body, .. }) => Before::Same(Answer { status, version, body }),
        }
    }
}

impl Once<'_> {
    /// What was asked before.
    pub(super) async fn before(&self, tx: &mut Tx) -> Result<Before, StoreError> {
        Ok(self.asked.judge(tx.optional(self.asked.find()).await?))
    }

    /// Keeps the answer; [`Before::Nothing`] where it is the first. Otherwise somebody was faster with the same, and
    /// the transaction must not be committed.
    pub(super) async fn keep(&self, tx: &mut Tx, answer: &Answer) -> Result<Before, StoreError> {
        let text = "INSERT INTO once (account, request, answered_at, content, status, version, body)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, request) DO NOTHING";
        let statement = sql(text)
            .bind(self.asked.account)
            .bind(self.asked.request)
            .bind(now_ms())
            .bind(self.asked.content)
            .bind(answer.status)
            .bind(answer.version)
            .bind(&answer.body);
        match tx.execute(statement).await? {
            0 => self.before(tx).await,
            _ => Ok(Before::Nothing),
        }
    }
}

impl Store {
    /// What was asked before under a request's key, for what costs much before it is written.
    pub async fn asked_before(&self, asked: Repeatable<'_>) -> Result<Before, StoreError> {
        Ok(asked.judge(self.read().optional(asked.find()).await?))
    }

    /// Deletes some answers that were given before `before`; how many.
    pub async fn sweep_answers(&self, before: i64) -> Result<u64, StoreError> {
        let text = "SELECT account, request FROM once WHERE answered_at < $1 ORDER BY answered_at LIMIT $2";
        let old: Vec<(String, String)> = self.read().all(sql(text).bind(before).bind(PORTION)).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let mut tx = self.write().await?;
        for (account, request) in &old {
            let text = "DELETE FROM once WHERE account = $1 AND request = $2";
            tx.execute(sql(text).bind(account).bind(request)).await?;
        }
        tx.commit().await?;
        Ok(old.len() as u64)
    }
}
