//! Operators: passwords, sessions, one-time links, and the bound on guessing.

use super::{FIRST_USER, Store, StoreError, first_password_path, sql};
use crate::clock::now_ms;
use crate::credential::token_hash;
use crate::uuid::uuid7;

/// How long a session lasts.
pub const SESSION_MS: i64 = 12 * 60 * 60 * 1000;
/// How long a one-time link can be used.
pub const LINK_MS: i64 = 15 * 60 * 1000;
const ATTEMPTS_A_MINUTE: i64 = 10;
/// From one source, for whatever accounts.
const SOURCE_ATTEMPTS_A_MINUTE: i64 = 30;

impl Store {
    /// Counts one login attempt; whether it is still within 10 a minute for this account from this
    /// source, and 30 from this source. Counted before the password is looked at, so that parallel
    /// guesses gain nothing.
    pub async fn admit_login(&self, account: &str, source: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.lock("logins").await?;
        tx.execute(
            sql("DELETE FROM login_attempts WHERE at < $1 OR at > $2").bind(now - 60_000).bind(now + 60_000),
        )
        .await?;
        let text =
            "SELECT count(*) FILTER (WHERE account = $1), count(*) FROM login_attempts WHERE source = $2";
        let (tried, in_all): (i64, i64) = tx.one(sql(text).bind(account).bind(source)).await?;
        let admitted = tried < ATTEMPTS_A_MINUTE && in_all < SOURCE_ATTEMPTS_A_MINUTE;
        if admitted {
            tx.execute(
                sql("INSERT INTO login_attempts (id, account, source, at) VALUES ($1, $2, $3, $4)")
                    .bind(uuid7()?)
                    .bind(account)
                    .bind(source)
                    .bind(now),
            )
            .await?;
        }
        tx.commit().await?;
        Ok(admitted)
    }

    pub async fn password_hash_of(&self, user: &str) -> Result<Option<String>, StoreError> {
        let text = "SELECT password_hash FROM users WHERE account = $1";
        Ok(self.read().optional::<(String,)>(sql(text).bind(user)).await?.map(|(hash,)| hash))
    }

    /// Changes a password and ends that user's sessions; whether there is such a user.
    pub async fn set_password(&self, user: &str, hash: &str) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE users SET password_hash = $2 WHERE account = $1";
        let done = tx.execute(sql(text).bind(user).bind(hash)).await? > 0;
        tx.execute(sql("DELETE FROM sessions WHERE account = $1").bind(user)).await?;
        tx.execute(sql("DELETE FROM login_links WHERE account = $1").bind(user)).await?;
        tx.commit().await?;
        if done {
            self.first_password_used(user);
        }
        Ok(done)
    }

    /// The file with the first password goes once it has served.
    pub fn first_password_used(&self, user: &str) {
        if user == FIRST_USER {
            let _ = std::fs::remove_file(first_password_path(self.data()));
        }
    }

    /// Opens a session for a token that only its holder knows.
    pub async fn open_session(&self, user: &str, token: &str) -> Result<(), StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.execute(sql("DELETE FROM sessions WHERE expires_at <= $1").bind(now)).await?;
        tx.execute(
            sql("INSERT INTO sessions (token_hash, account, created_at, expires_at) VALUES ($1, $2, $3, $4)")
                .bind(token_hash(token))
                .bind(user)
                .bind(now)
                .bind(now + SESSION_MS),
        )
        .await?;
        tx.commit().await
    }

    /// Whose session a token opens.
    pub async fn session_user(&self, token: &str) -> Result<Option<String>, StoreError> {
        let text = "SELECT account FROM sessions WHERE token_hash = $1 AND expires_at > $2";
        let row: Option<(String,)> =
            self.read().optional(sql(text).bind(token_hash(token)).bind(now_ms())).await?;
        Ok(row.map(|(account,)| account))
    }

    pub async fn close_session(&self, token: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.execute(sql("DELETE FROM sessions WHERE token_hash = $1").bind(token_hash(token))).await?;
        tx.commit().await
    }

    /// Makes a one-time link for a token; whether there is such a user.
    pub async fn put_login_link(&self, user: &str, token: &str) -> Result<bool, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.execute(sql("DELETE FROM login_links WHERE expires_at <= $1").bind(now)).await?;
        let text = "INSERT INTO login_links (token_hash, account, expires_at) SELECT $1, account, $3 FROM users WHERE account = $2";
        let made = tx.execute(sql(text).bind(token_hash(token)).bind(user).bind(now + LINK_MS)).await?;
        tx.commit().await?;
        Ok(made > 0)
    }

    /// Uses a one-time link up; whose it was.
    pub async fn use_login_link(&self, token: &str) -> Result<Option<String>, StoreError> {
        let text = "UPDATE login_links SET used_at = $2
            WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING account";
        let mut tx = self.write().await?;
        let row: Option<(String,)> = tx.optional(sql(text).bind(token_hash(token)).bind(now_ms())).await?;
        tx.commit().await?;
        Ok(row.map(|(account,)| account))
    }
}
