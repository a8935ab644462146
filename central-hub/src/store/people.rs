//! People: who there is and what they hold. What they are logged in with is `sessions`' and `logins`'.
//!
//! Every change is an entry of the audit. Invariants kept here: somebody who is not disabled administers; what
//! one person holds is what `hub_core::rights::Grants` allows; who changes something by the API
//! ([`By::Person`]) neither makes nor changes an auditor, and does not change their own rights.

use std::collections::BTreeMap;

use hub_core::rights::{self, Grant, Grants, Role, STAND_INS};
use sqlx::FromRow;

use super::audit::{self, Note};
use super::{FIRST_USER, Store, StoreError, Tx, sql};
use crate::clock::now_ms;

/// Longest account.
const ACCOUNT_CHARS: usize = 64;
/// Longest name.
const NAME_CHARS: usize = 100;
/// Most accounts.
const MOST_USERS: i64 = 5_000;

/// Somebody, as the API and the command line show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub account: String,
    pub name: Option<String>,
    pub created_at: i64,
    pub disabled_at: Option<i64>,
    pub last_login_at: Option<i64>,
    /// None was set yet: they come by a one-time link.
    pub has_password: bool,
    /// A second factor was set up, and shown once.
    pub has_second_factor: bool,
    pub held: Vec<Held>,
}

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub grant: Grant,
    /// Counts only while nobody else holds the role at every site.
    pub stand_in: bool,
}

/// Who changes something about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    CommandLine,
    /// This user, by the API.
    Person(&'a str),
}

impl By<'_> {
    pub fn actor(&self) -> &str {
        match self {
            Self::CommandLine => audit::OPERATOR,
            Self::Person(account) => account,
        }
    }
}

/// Why a change about people was not made.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("there is a user {0} already")]
    Taken(String),
    #[error(
        "`{0}` is no account: 1 to 64 small letters, digits, `.`, `-` or `_`, a letter first; and not `hub`"
    )]
    Account(String),
    #[error("a name has 1 to 100 characters, none of them a control character")]
    Name,
    #[error("there are 5000 accounts already; disabled ones count")]
    TooMany,
    #[error(transparent)]
    Grants(#[from] rights::Fault),
    #[error("nobody would administer any more: make another administrator first")]
    LastAdministrator,
    #[error("auditors are made and changed at the hub's command line alone: central-hub user")]
    AuditorApart,
    #[error("nobody changes their own rights: another administrator does, or the hub's command line")]
    Oneself,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An account as it is written, whatever the case it was typed in.
pub fn account_of(text: &str) -> Result<String, PeopleError> {
    let account = text.trim().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    let good = account.len() <= ACCOUNT_CHARS
        && account.starts_with(|c: char| c.is_ascii_lowercase())
        && account.chars().all(allowed)
        // Who does what nobody does is written so in the audit.
        && account != audit::HUB;
    if good { Ok(account) } else { Err(PeopleError::Account(text.chars().take(80).collect())) }
}

#[derive(FromRow)]
struct UserRow {
    account: String,
    name: Option<String>,
    created_at: i64,
    disabled_at: Option<i64>,
    last_login_at: Option<i64>,
    has_password: bool,
    has_second_factor: bool,
}

#[derive(FromRow)]
struct GrantRow {
    account: String,
    role: String,
    site: String,
    stand_in: bool,
}

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT account, name, created_at, disabled_at, last_login_at, password_hash <> '' AS has_password,
                totp_proven_at IS NOT NULL AS has_second_factor FROM users ",
            $rest
        )
    };
}

impl Store {
    /// Everybody.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<UserRow> = self.read().all(sql(select_users!("ORDER BY account"))).await?;
        let text = "SELECT account, role, site, stand_in FROM grants ORDER BY account, role, site";
        let grants: Vec<GrantRow> = self.read().all(sql(text)).await?;
        let mut held: BTreeMap<String, Vec<Held>> = BTreeMap::new();
        for row in grants {
            held.entry(row.account.clone()).or_default().push(row.held()?);
        }
        Ok(rows.into_iter().map(|row| user(row, &mut held)).collect())
    }

    pub async fn user(&self, account: &str) -> Result<Option<User>, StoreError> {
        let text = select_users!("WHERE account = $1");
        let Some(row) = self.read().optional::<UserRow>(sql(text).bind(account)).await? else {
            return Ok(None);
        };
        let text = "SELECT account, role, site, stand_in FROM grants WHERE account = $1 ORDER BY role, site";
        let grants: Vec<GrantRow> = self.read().all(sql(text).bind(account)).await?;
        let held = grants.into_iter().map(|row| row.held()).collect::<Result<_, _>>()?;
        Ok(Some(user(row, &mut BTreeMap::from([(account.to_owned(), held)]))))
    }

    /// Makes an account without a password: its owner comes by a one-time link first.
    pub async fn add_user(
        &self,
        account: &str,
        name: Option<&str>,
        grants: &Grants,
        by: By<'_>,
    ) -> Result<(), PeopleError> {
        check_name(name)?;
        check_appointing(by, grants)?;
        let mut tx = self.write().await?;
        tx.lock("people").await?;
        let (users,): (i64,) = tx.one(sql("SELECT count(*) FROM users")).await?;
        if users >= MOST_USERS {
            return Err(PeopleError::TooMany);
        }
        let text = "INSERT INTO users (account, password_hash, created_at, name) VALUES ($1, '', $2, $3)
            ON CONFLICT (account) DO NOTHING";
        if tx.execute(sql(text).bind(account).bind(now_ms()).bind(name)).await? == 0 {
            return Err(PeopleError::Taken(account.to_owned()));
        }
        put_grants(&mut tx, account, grants, by).await?;
        tx.audit(Note::new("user_added", by.actor(), &format!("Granted: {}.", words(grants))).to(account));
        Ok(tx.commit().await?)
    }

    /// Puts what somebody holds in place of what they held. Where they stand in for others they go on, but not as
    /// an auditor.
    pub async fn set_grants(&self, account: &str, grants: &Grants, by: By<'_>) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        let held = lock_user(&mut tx, account, by).await?;
        if by == By::Person(account) {
            return Err(PeopleError::Oneself);
        }
        check_appointing(by, grants)?;
        if held.holds(Role::Administrator) && !grants.holds(Role::Administrator) {
            leaves_an_administrator(&mut tx, account).await?;
        }
        let all = grants.iter().any(|g| g.role.apart());
        let text = "DELETE FROM grants WHERE account = $1 AND ($2 OR NOT stand_in)";
        tx.execute(sql(text).bind(account).bind(all)).await?;
        put_grants(&mut tx, account, grants, by).await?;
        let detail = format!("Granted: {}. Before: {}.", words(grants), words(&held));
        tx.audit(Note::new("rights_changed", by.actor(), &detail).to(account));
        Ok(tx.commit().await?)
    }

    /// Takes a role away from somebody, at a site or at all; also where they only stand in. Whether they held it.
    pub async fn revoke(&self, account: &str, grant: &Grant, by: By<'_>) -> Result<bool, PeopleError> {
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        if by == By::Person(account) {
            return Err(PeopleError::Oneself);
        }
        if grant.role == Role::Administrator {
            leaves_an_administrator(&mut tx, account).await?;
        }
        let text = "DELETE FROM grants WHERE account = $1 AND role = $2 AND site = $3";
        let site = grant.site.as_ref().map_or("", |s| s.as_str());
        let held = tx.execute(sql(text).bind(account).bind(grant.role.as_str()).bind(site)).await? > 0;
        if held {
            let detail = format!("Revoked: {}.", word(grant));
            tx.audit(Note::new("rights_changed", by.actor(), &detail).to(account));
        }
        tx.commit().await?;
        Ok(held)
    }

    /// What somebody holds, stand-ins left out: what [`Self::set_grants`] would put back.
    pub async fn grants_of(&self, account: &str) -> Result<Grants, PeopleError> {
        let user = self.user(account).await?.ok_or_else(|| PeopleError::NoSuchUser(account.to_owned()))?;
        let held = user.held.into_iter().filter(|h| !h.stand_in).map(|h| h.grant);
        Ok(Grants::new(held)?)
    }

    pub async fn rename_user(
        &self,
        account: &str,
        name: Option<&str>,
        by: By<'_>,
    ) -> Result<(), PeopleError> {
        check_name(name)?;
        let mut tx = self.write().await?;
        lock_user(&mut tx, account, by).await?;
        tx.execute(sql("UPDATE users SET name = $2 WHERE account = $1").bind(account).bind(name)).await?;
        tx.audit(Note::new("user_renamed", by.actor(), "Got another name.").to(account));
        Ok(tx.commit().await?)
    }

    /// Lets somebody in no more, or again. Their sessions, links and known devices end at once.
    pub async fn disable_user(&self, account: &str, disabled: bool, by: By<'_>) -> Result<(), PeopleError> {
        let mut tx = self.write().await?;
        let held = lock_user(&mut tx, account, by).await?;
        if by == By::Person(account) {
            return Err(PeopleError::Oneself);
        }
        if disabled && held.holds(Role::Administrator) {
            leaves_an_administrator(&mut tx, account).await?;
        }
        let at = disabled.then(now_ms);
        tx.execute(sql("UPDATE users SET disabled_at = $2 WHERE account = $1").bind(account).bind(at))
            .await?;
        if disabled {
            for text in [
                "DELETE FROM sessions WHERE account = $1",
                "DELETE FROM login_links WHERE account = $1",
                "DELETE FROM devices WHERE account = $1",
            ] {
                tx.execute(sql(text).bind(account)).await?;
            }
        }
        let (action, detail) = match disabled {
            true => ("user_disabled", "Comes in no more; sessions and links ended."),
            false => ("user_enabled", "May come in again."),
        };
        tx.audit(Note::new(action, by.actor(), detail).to(account));
        Ok(tx.commit().await?)
    }
}

/// What counts of somebody's grants now.
pub(super) async fn grants_that_count(store: &Store, account: &str) -> Result<Grants, StoreError> {
    let text = "SELECT g.account, g.role, g.site, g.stand_in FROM grants g
        WHERE g.account = $1 AND (NOT g.stand_in OR NOT EXISTS (
            SELECT 1 FROM grants o JOIN users u ON u.account = o.account
            WHERE o.role = g.role AND o.site = '' AND o.account <> g.account AND u.disabled_at IS NULL))";
    let rows: Vec<GrantRow> = store.read().all(sql(text).bind(account)).await?;
    grants(account, rows)
}

/// What the first account holds: everything a township of one person needs, and never the audit.
pub(super) async fn grant_first(tx: &mut Tx) -> Result<(), StoreError> {
    let text = "INSERT INTO grants (account, role, site, granted_at, granted_by, stand_in)
        VALUES ($1, $2, '', $3, $4, $5)";
    let roles = STAND_INS.iter().map(|role| (*role, true)).chain([(Role::Administrator, false)]);
    for (role, stand_in) in roles {
        let statement = sql(text).bind(FIRST_USER).bind(role.as_str()).bind(now_ms());
        tx.execute(statement.bind(audit::HUB).bind(stand_in)).await?;
    }
    Ok(())
}

/// Locks people, and looks what somebody holds. Whoever is not allowed to change them is refused.
pub(super) async fn lock_user(tx: &mut Tx, account: &str, by: By<'_>) -> Result<Grants, PeopleError> {
    tx.lock("people").await?;
    let known: Option<(String,)> =
        tx.optional(sql("SELECT account FROM users WHERE account = $1").bind(account)).await?;
    if known.is_none() {
        return Err(PeopleError::NoSuchUser(account.to_owned()));
    }
    let text = "SELECT account, role, site, stand_in FROM grants WHERE account = $1";
    let rows: Vec<GrantRow> = tx.all(sql(text).bind(account)).await?;
    let held = grants(account, rows)?;
    let other = matches!(by, By::Person(person) if person != account);
    if other && held.iter().any(|g| g.role.apart()) {
        return Err(PeopleError::AuditorApart);
    }
    Ok(held)
}

async fn leaves_an_administrator(tx: &mut Tx, account: &str) -> Result<(), PeopleError> {
    let text = "SELECT count(*) FROM grants g JOIN users u ON u.account = g.account
        WHERE g.role = $1 AND g.account <> $2 AND u.disabled_at IS NULL";
    let (others,): (i64,) = tx.one(sql(text).bind(Role::Administrator.as_str()).bind(account)).await?;
    if others > 0 { Ok(()) } else { Err(PeopleError::LastAdministrator) }
}

async fn put_grants(tx: &mut Tx, account: &str, grants: &Grants, by: By<'_>) -> Result<(), StoreError> {
    let text = "INSERT INTO grants (account, role, site, granted_at, granted_by, stand_in)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, role, site) DO UPDATE SET
        granted_at = excluded.granted_at, granted_by = excluded.granted_by, stand_in = excluded.stand_in";
    for Grant { role, site } in grants.iter() {
        let site = site.as_ref().map_or("", |s| s.as_str());
        let statement = sql(text).bind(account).bind(role.as_str()).bind(site).bind(now_ms());
        tx.execute(statement.bind(by.actor()).bind(false)).await?;
    }
    Ok(())
}

fn check_appointing(by: By<'_>, grants: &Grants) -> Result<(), PeopleError> {
    let apart = grants.iter().any(|g| g.role.apart());
    if apart && by != By::CommandLine { Err(PeopleError::AuditorApart) } else { Ok(()) }
}

fn check_name(name: Option<&str>) -> Result<(), PeopleError> {
    let good = |name: &str| {
        let chars = name.chars().count();
        (1..=NAME_CHARS).contains(&chars) && !name.chars().any(char::is_control)
    };
    if name.is_none_or(good) { Ok(()) } else { Err(PeopleError::Name) }
}

/// Grants in words: `operator at market, installer at all sites`.
fn words(grants: &Grants) -> String {
    let words: Vec<String> = grants.iter().map(word).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn word(grant: &Grant) -> String {
    match &grant.site {
        Some(site) => format!("{} at {site}", grant.role),
        None => format!("{} at all sites", grant.role),
    }
}

fn user(row: UserRow, held: &mut BTreeMap<String, Vec<Held>>) -> User {
    let held = held.remove(&row.account).unwrap_or_default();
    let UserRow { account, name, created_at, disabled_at, last_login_at, has_password, has_second_factor } =
        row;
    User { account, name, created_at, disabled_at, last_login_at, has_password, has_second_factor, held }
}

impl GrantRow {
    fn held(self) -> Result<Held, StoreError> {
        let unreadable = |value: &str| StoreError::Unreadable { what: "grants", value: value.to_owned() };
        let role = self.role.parse().map_err(|_| unreadable(&self.role))?;
        let site = match self.site.as_str() {
            "" => None,
            site => Some(site.parse().map_err(|_| unreadable(site))?),
        };
        Ok(Held { grant: Grant { role, site }, stand_in: self.stand_in })
    }
}

/// Fails closed: what this version cannot read gives nothing.
fn grants(account: &str, rows: Vec<GrantRow>) -> Result<Grants, StoreError> {
    let held = rows.into_iter().map(|row| row.held().map(|h| h.grant)).collect::<Result<Vec<_>, _>>()?;
    Grants::new(held).map_err(|_| StoreError::Unreadable { what: "grants", value: account.to_owned() })
}
