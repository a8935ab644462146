//! Logging in: passwords, second factors, one-time links, known devices, and the bounds on guessing.
//!
//! Tries are counted in the database, before anything is looked at: parallel guesses gain nothing, and a restart
//! forgets none. A browser that somebody has logged in with before has a count of its own, so that guessers
//! elsewhere cannot lock its owner out.

use super::audit::Note;
use super::people::{By, PeopleError, lock_user};
use super::{FIRST_USER, Store, StoreError, first_password_path, sql};
use crate::clock::now_ms;
use crate::credential::{hex, token_hash};
use crate::uuid::uuid7;

/// How long a one-time link can be used.
pub const LINK_MS: i64 = 15 * 60 * 1000;
/// Known browsers of one person; the longest unused are forgotten.
const MOST_DEVICES: i64 = 20;
/// No bucket looks back farther.
const LONGEST_WINDOW_MS: i64 = 15 * MINUTE_MS;
const MINUTE_MS: i64 = 60_000;

/// A count that a try goes into, and how many it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    most: i64,
    window_ms: i64,
}

impl Bucket {
    /// Tries at an account from wherever: 10 a minute.
    pub fn account(account: &str) -> Self {
        Self { name: format!("account/{account}"), most: 10, window_ms: MINUTE_MS }
    }

    /// Tries from an address (of IPv6, its network), at whatever accounts: 30 a minute.
    pub fn source(source: &str) -> Self {
        Self { name: format!("source/{source}"), most: 30, window_ms: MINUTE_MS }
    }

    /// Tries at an account from a browser that is known for it: 10 a minute.
    pub fn device(account: &str, device: &str) -> Self {
        let hash = hex(&token_hash(device)[..16]);
        Self { name: format!("device/{hash}/{account}"), most: 10, window_ms: MINUTE_MS }
    }

    /// Codes of a second factor: 5 in 15 minutes, since a code has six digits only.
    #[must_use]
    pub fn of_codes(self) -> Self {
        Self { name: format!("code/{}", self.name), most: 5, window_ms: LONGEST_WINDOW_MS }
    }
}

/// What is kept of somebody for logging in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// Argon2id, PHC string; empty where none was set.
    pub password_hash: String,
    pub disabled: bool,
    /// The second factor's sealed secret, where it was shown once.
    pub second_factor: Option<Vec<u8>>,
    /// The step of the last code that was taken.
    pub used_step: i64,
}

impl Store {
    /// Counts a try in every bucket, unless one of them is full: then how many seconds until it is not.
    pub async fn admit(&self, buckets: &[Bucket]) -> Result<Result<(), i64>, StoreError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        tx.lock("logins").await?;
        // What is in the future was written before the clock was set back.
        let text = "DELETE FROM login_attempts WHERE at < $1 OR at > $2";
        tx.execute(sql(text).bind(now - LONGEST_WINDOW_MS).bind(now + MINUTE_MS)).await?;
        for Bucket { name, most, window_ms } in buckets {
            let text =
                "SELECT at FROM login_attempts WHERE bucket = $1 AND at > $2 ORDER BY at DESC LIMIT $3";
            let tries: Vec<(i64,)> = tx.all(sql(text).bind(name).bind(now - window_ms).bind(*most)).await?;
            if tries.len() as i64 >= *most {
                let oldest = tries.last().map_or(now, |(at,)| *at);
                tx.commit().await?;
                return Ok(Err(((oldest + window_ms - now) / 1000 + 1).clamp(1, window_ms / 1000)));
            }
        }
        for bucket in buckets {
            let text = "INSERT INTO login_attempts (id, bucket, at) VALUES ($1, $2, $3)";
            tx.execute(sql(text).bind(uuid7()?).bind(&bucket.name).bind(now)).await?;
        }
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Writes a few rows that mean nothing and go with the next tries.
    pub async fn write_as_much_as_a_note(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.lock("audit").await?;
        for _ in 0..2 {
            let text = "INSERT INTO login_attempts (id, bucket, at) VALUES ($1, 'nobody', $2)";
            tx.execute(sql(text).bind(uuid7()?).bind(now_ms() - LONGEST_WINDOW_MS + MINUTE_MS)).await?;
        }
        tx.commit().await
    }

    pub async fn proofs(&self, account: &str) -> Result<Option<Proofs>, StoreError> {
        let text = "SELECT password_hash, disabled_at IS NOT NULL, totp_secret, totp_proven_at IS NOT NULL,
            totp_step FROM users WHERE account = $1";
        type Row = (String, bool, Option<Vec<u8>>, bool, i64);
        let row: Option<Row> = self.read().optional(sql(text).bind(account)).await?;
        Ok(row.map(|(password_hash, disabled, secret, proven, used_step)| Proofs {
            password_hash,
            disabled,
            second_factor: secret.filter(|_| proven),
            used_step,
        }))
    }

    /// Changes a password; every session ends but one, if any is to be kept.
    pub async fn set_password(
        &self,
        account: &str,
        hash: &str,
        keep: Option<&str>,
        by: By<'_>,
    ) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        tx.execute(sql("UPDATE users SET password_hash = $2 WHERE account = $1").bind(account).bind(hash))
            .await?;
        let text = "DELETE FROM sessions WHERE account = $1 AND id <> $2";
        tx.execute(sql(text).bind(account).bind(keep.unwrap_or_default())).await?;
        tx.execute(sql("DELETE FROM login_links WHERE account = $1").bind(account)).await?;
        tx.audit(Note::new("password_set", by.actor(), "Other sessions and links ended.").to(account));
        tx.commit().await?;
        self.first_password_used(account);
        Ok(())
    }

    /// The file with the first password goes once it has served.
    pub fn first_password_used(&self, account: &str) {
        if account == FIRST_USER {
            let _ = std::fs::remove_file(first_password_path(self.data()));
        }
    }

    /// Puts a new second factor beside the one that counts; it counts once a code of it was shown.
    pub async fn put_second_factor(
        &self,
        account: &str,
        sealed: &[u8],
        by: By<'_>,
    ) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        let text =
            "UPDATE users SET totp_secret = $2, totp_proven_at = NULL, totp_step = 0 WHERE account = $1";
        tx.execute(sql(text).bind(account).bind(sealed)).await?;
        tx.audit(
            Note::new("second_factor_begun", by.actor(), "A second factor is being set up.").to(account),
        );
        Ok(tx.commit().await?)
    }

    /// The sealed secret of a second factor that was not shown yet.
    pub async fn unproven_second_factor(&self, account: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT totp_secret FROM users
            WHERE account = $1 AND totp_secret IS NOT NULL AND totp_proven_at IS NULL";
        Ok(self.read().optional::<(Vec<u8>,)>(sql(text).bind(account)).await?.map(|(secret,)| secret))
    }

    /// The second factor counts from now on.
    pub async fn prove_second_factor(&self, account: &str, step: i64, by: By<'_>) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        let text = "UPDATE users SET totp_proven_at = $2, totp_step = $3
            WHERE account = $1 AND totp_secret IS NOT NULL";
        tx.execute(sql(text).bind(account).bind(now_ms()).bind(step)).await?;
        tx.audit(
            Note::new("second_factor_set", by.actor(), "A second factor is asked for from now on.")
                .to(account),
        );
        Ok(tx.commit().await?)
    }

    /// Takes a second factor away, and the sessions that were opened by it.
    pub async fn remove_second_factor(&self, account: &str, by: By<'_>) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        let text =
            "UPDATE users SET totp_secret = NULL, totp_proven_at = NULL, totp_step = 0 WHERE account = $1";
        tx.execute(sql(text).bind(account)).await?;
        let text = "DELETE FROM sessions WHERE account = $1 AND second_factor = $2";
        tx.execute(sql(text).bind(account).bind(true)).await?;
        tx.audit(
            Note::new("second_factor_removed", by.actor(), "No second factor is asked for.").to(account),
        );
        Ok(tx.commit().await?)
    }

    /// Uses a code up; false where it, or a later one, was used already: also by another hub in this moment.
    pub async fn use_code(&self, account: &str, step: i64) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE users SET totp_step = $2 WHERE account = $1 AND totp_step < $2";
        let fresh = tx.execute(sql(text).bind(account).bind(step)).await? > 0;
        tx.commit().await?;
        Ok(fresh)
    }

    /// Makes a one-time link for a token.
    pub async fn put_login_link(&self, account: &str, token: &str, by: By<'_>) -> Result<(), PeopleError> {
        let now = now_ms();
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        tx.execute(sql("DELETE FROM login_links WHERE expires_at <= $1").bind(now)).await?;
        let text = "INSERT INTO login_links (token_hash, account, expires_at) VALUES ($1, $2, $3)";
        tx.execute(sql(text).bind(token_hash(token)).bind(account).bind(now + LINK_MS)).await?;
        tx.audit(Note::new("login_link_made", by.actor(), "Good once, for 15 minutes.").to(account));
        Ok(tx.commit().await?)
    }

    /// Whose a one-time link is, while it is good; does not use it.
    pub async fn login_link(&self, token: &str) -> Result<Option<String>, StoreError> {
        let text = "SELECT l.account FROM login_links l JOIN users u ON u.account = l.account
            WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > $2 AND u.disabled_at IS NULL";
        let statement = sql(text).bind(token_hash(token)).bind(now_ms());
        Ok(self.read().optional::<(String,)>(statement).await?.map(|(account,)| account))
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

    /// Whether somebody has logged in with this browser.
    pub async fn knows_device(&self, account: &str, device: &str) -> Result<bool, StoreError> {
        let text = "SELECT account FROM devices WHERE token_hash = $1 AND account = $2";
        let statement = sql(text).bind(token_hash(device)).bind(account);
        Ok(self.read().optional::<(String,)>(statement).await?.is_some())
    }

    /// Whether anybody has: then the same token serves for others too.
    pub async fn knows_device_at_all(&self, device: &str) -> Result<bool, StoreError> {
        let text = "SELECT account FROM devices WHERE token_hash = $1 LIMIT 1";
        Ok(self.read().optional::<(String,)>(sql(text).bind(token_hash(device))).await?.is_some())
    }

    /// Somebody has logged in with this browser.
    pub async fn remember_device(&self, account: &str, device: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let text = "INSERT INTO devices (token_hash, account, used_at) VALUES ($1, $2, $3)
            ON CONFLICT (token_hash, account) DO UPDATE SET used_at = excluded.used_at";
        tx.execute(sql(text).bind(token_hash(device)).bind(account).bind(now_ms())).await?;
        let text = "DELETE FROM devices WHERE account = $1 AND token_hash NOT IN (
            SELECT token_hash FROM devices WHERE account = $1 ORDER BY used_at DESC, token_hash LIMIT $2)";
        tx.execute(sql(text).bind(account).bind(MOST_DEVICES)).await?;
        tx.commit().await
    }
}
