//! Reading the audit, newest first, as far as an auditor's sites reach.

use hub_core::rights::Sites;

use super::super::{Store, StoreError, of_sites, sql};
use super::AuditRow;

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub action: Option<String>,
    pub actor: Option<String>,
    pub object: Option<String>,
    /// Everything behind this day and number is older.
    pub before: Option<(String, i64)>,
}

/// Entries, and whether there are more behind the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<AuditRow>,
    pub more: bool,
}

impl Store {
    /// Up to `limit` entries.
    pub async fn audit_page(&self, sites: &Sites, wanted: &Wanted, limit: u32) -> Result<Page, StoreError> {
        let text = "SELECT day, number, at, action, actor, site, object, detail, reason, digest FROM audit
            WHERE ($1 IS NULL OR action = $1) AND ($2 IS NULL OR actor = $2) AND ($3 IS NULL OR object = $3)
                AND (day, number) < ($4, $5) AND ($6 IS NULL OR replace($6, '/' || site || '/', '') <> $6)
            ORDER BY day DESC, number DESC LIMIT $7";
        let (day, number) = match &wanted.before {
            Some((day, number)) => (day.as_str(), *number),
            None => ("9999-99-99", i64::MAX),
        };
        let statement = sql(text)
            .bind(&wanted.action)
            .bind(&wanted.actor)
            .bind(&wanted.object)
            .bind(day)
            .bind(number)
            .bind(of_sites(sites))
            .bind(i64::from(limit) + 1);
        let mut rows: Vec<AuditRow> = self.read().all(statement).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Ok(Page { rows, more })
    }
}
