//! Sessions: who is logged in, with what, and until when.
//!
//! A session ends when nothing was asked by it for a while, and when it is old. Both are counted in minutes that
//! the hub has run (`counters.minutes`, which [`Store::count_minute`] drives): no step of a clock ends a session
//! or lengthens it, and a hub that was off ages none.

use hub_core::rights::Grants;
use sqlx::FromRow;

use super::audit::Note;
use super::people::{By, PeopleError, grants_that_count, lock_user};
use super::{Store, StoreError, sql};
use crate::clock::now_ms;
use crate::credential::token_hash;
use crate::uuid::uuid7;

/// Most sessions of one person; the oldest end.
const MOST_SESSIONS: i64 = 20;
/// How long a session that was opened by a link may set a password without the old one.
const LINK_MINUTES: i64 = 15;
/// How long a reason holds.
const REASON_MINUTES: i64 = 30;
const BROWSER_CHARS: usize = 200;

/// How long sessions last, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without anything being asked.
    pub idle: i64,
    /// In all.
    pub longest: i64,
}

/// A session that is good, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub account: String,
    pub name: Option<String>,
    pub second_factor: bool,
    /// The account has a second factor set up.
    pub has_second_factor: bool,
    /// It may set a password without the old one.
    pub fresh_link: bool,
    /// Everything that counts of what the person holds.
    pub held: Grants,
    /// What counts in this session.
    pub grants: Grants,
    /// What the person said they are looking for, while it holds.
    pub reason: Option<String>,
    /// It was not noted yet in this minute that it was used.
    stale: bool,
}

/// How a session comes to be.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    pub account: &'a str,
    pub token: &'a str,
    pub second_factor: bool,
    pub by_link: bool,
    pub source: &'a str,
    pub browser: &'a str,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Listed {
    pub id: String,
    pub created_at: i64,
    pub source: String,
    pub browser: String,
    pub second_factor: bool,
    /// Minutes since it was last used.
    pub idle_minutes: i64,
}

#[derive(FromRow)]
struct Row {
    id: String,
    account: String,
    name: Option<String>,
    second_factor: bool,
    has_second_factor: bool,
    by_link: bool,
    opened: i64,
    seen: i64,
    reason: Option<String>,
    reason_until: Option<i64>,
    minute: i64,
}

impl Store {
    /// Opens a session for a token that only its holder knows.
    pub async fn open_session(&self, opening: Opening<'_>) -> Result<(), StoreError> {
        let Opening { account, token, second_factor, by_link, source, browser } = opening;
        let browser: String = browser.chars().take(BROWSER_CHARS).collect();
        let mut tx = self.write().await?;
        let text =
            "INSERT INTO sessions (token_hash, id, account, second_factor, by_link, created_at, source,
                browser, opened, seen)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, value, value FROM counters WHERE name = 'minutes'";
        let statement = sql(text)
            .bind(token_hash(token))
            .bind(uuid7()?)
            .bind(account)
            .bind(second_factor)
            .bind(by_link)
            .bind(now_ms())
            .bind(source)
            .bind(&browser);
        tx.execute(statement).await?;
        let text = "DELETE FROM sessions WHERE account = $1 AND id NOT IN (
            SELECT id FROM sessions WHERE account = $1 ORDER BY opened DESC, id DESC LIMIT $2)";
        tx.execute(sql(text).bind(account).bind(MOST_SESSIONS)).await?;
        let text = "UPDATE users SET last_login_at = $2 WHERE account = $1";
        tx.execute(sql(text).bind(account).bind(now_ms())).await?;
        let how = if by_link { "a one-time link" } else { "a password" };
        let and = if second_factor { " and a second factor" } else { "" };
        let detail = format!("Logged in by {how}{and} from {source}.");
        tx.audit(Note::new("logged_in", account, &detail).to(account));
        tx.commit().await
    }

    /// The session that a token opens, while it is good and its owner is not disabled.
    pub async fn session(&self, token: &str, limits: Limits) -> Result<Option<Session>, StoreError> {
        let text = "SELECT s.id, s.account, u.name, s.second_factor,
                u.totp_proven_at IS NOT NULL AS has_second_factor, s.by_link, s.opened, s.seen, s.reason,
                s.reason_until, m.value AS minute
            FROM sessions s JOIN users u ON u.account = s.account JOIN counters m ON m.name = 'minutes'
            WHERE s.token_hash = $1 AND u.disabled_at IS NULL";
        let row: Option<Row> = self.read().optional(sql(text).bind(token_hash(token))).await?;
        let good =
            |row: &Row| row.minute - row.seen <= limits.idle && row.minute - row.opened < limits.longest;
        let Some(row) = row.filter(good) else { return Ok(None) };
        let held = grants_that_count(self, &row.account).await?;
        let holds = row.reason_until.is_some_and(|until| row.minute < until);
        Ok(Some(Session {
            grants: held.in_session(row.second_factor),
            held,
            id: row.id,
            account: row.account,
            name: row.name,
            second_factor: row.second_factor,
            has_second_factor: row.has_second_factor,
            fresh_link: row.by_link && row.minute - row.opened < LINK_MINUTES,
            reason: row.reason.filter(|_| holds),
            stale: row.minute > row.seen,
        }))
    }

    /// Notes that a session is in use; at most once a minute.
    pub async fn touch_session(&self, session: &Session) -> Result<(), StoreError> {
        if !session.stale {
            return Ok(());
        }
        let text =
            "UPDATE sessions SET seen = (SELECT value FROM counters WHERE name = 'minutes') WHERE id = $1";
        let mut tx = self.write().await?;
        tx.execute(sql(text).bind(&session.id)).await?;
        tx.commit().await
    }

    /// What the person is looking for, for what they look at from now on.
    pub async fn set_session_reason(&self, session: &Session, reason: &str) -> Result<(), StoreError> {
        let text = "UPDATE sessions SET reason = $2,
                reason_until = $3 + (SELECT value FROM counters WHERE name = 'minutes')
            WHERE id = $1";
        let mut tx = self.write().await?;
        tx.execute(sql(text).bind(&session.id).bind(reason).bind(REASON_MINUTES)).await?;
        tx.commit().await
    }

    /// Raises a session after its owner has shown the second factor.
    pub async fn raise_session(&self, session: &Session) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE sessions SET second_factor = $2 WHERE id = $1";
        tx.execute(sql(text).bind(&session.id).bind(true)).await?;
        tx.commit().await
    }

    /// The sessions of somebody, newest first.
    pub async fn sessions_of(&self, account: &str, limits: Limits) -> Result<Vec<Listed>, StoreError> {
        let text = "SELECT s.id, s.created_at, s.source, s.browser, s.second_factor,
                m.value - s.seen AS idle_minutes
            FROM sessions s JOIN counters m ON m.name = 'minutes'
            WHERE s.account = $1 AND m.value - s.seen <= $2 AND m.value - s.opened < $3
            ORDER BY s.opened DESC, s.id DESC";
        self.read().all(sql(text).bind(account).bind(limits.idle).bind(limits.longest)).await
    }

    /// Ends one of somebody's own sessions; whether there was one.
    pub async fn end_session(&self, account: &str, id: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "DELETE FROM sessions WHERE account = $1 AND id = $2";
        let ended = tx.execute(sql(text).bind(account).bind(id)).await? > 0;
        tx.commit().await?;
        Ok(ended)
    }

    /// Ends every session of somebody.
    pub async fn end_sessions_of(&self, account: &str, by: By<'_>) -> Result<u64, PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        let ended = tx.execute(sql("DELETE FROM sessions WHERE account = $1").bind(account)).await?;
        let detail = format!("{ended} sessions were ended.");
        tx.audit(Note::new("sessions_ended", by.actor(), &detail).to(account));
        tx.commit().await?;
        Ok(ended)
    }

    pub async fn minute(&self) -> Result<i64, StoreError> {
        Ok(self.read().one::<(i64,)>(sql("SELECT value FROM counters WHERE name = 'minutes'")).await?.0)
    }

    /// One more minute that the hub has run, unless another hub has counted it since `seen`; clears away what
    /// has ended. The minute that it is now.
    pub async fn count_minute(&self, seen: i64, limits: Limits) -> Result<i64, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE counters SET value = value + 1 WHERE name = 'minutes' AND value = $1";
        if tx.execute(sql(text).bind(seen)).await? > 0 {
            let text = "DELETE FROM sessions WHERE $1 - seen > $2 OR $1 - opened >= $3";
            tx.execute(sql(text).bind(seen + 1).bind(limits.idle).bind(limits.longest)).await?;
        }
        tx.commit().await?;
        self.minute().await
    }
}
