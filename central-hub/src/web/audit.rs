//! The audit, for auditors.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use hub_core::audit::Digest;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::looking::{self, Look, Looked};
use super::scope::{Scope, act};
use super::{App, Refusal};
use crate::store::audit::{AuditRow, Wanted};

const MOST: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuditQuestion")]
pub(super) struct Question {
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// `next` of an earlier answer.
    before: Option<String>,
    action: Option<String>,
    actor: Option<String>,
    object: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditPage")]
pub(super) struct Entries {
    entries: Vec<EntryView>,
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct EntryView {
    day: String,
    number: i64,
    at: Timestamp,
    action: String,
    actor: String,
    site: Option<String>,
    object: Option<String>,
    detail: String,
    reason: Option<String>,
    digest: Option<String>,
}

/// `GET /audit`: newest first.
pub(super) async fn list(
    scope: Scope<act::ReadAudit>,
    State(app): State<App>,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<Json<Entries>, Refusal> {
    let Query(question) = question.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let limit = question.limit.unwrap_or(100);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::bad_request("`limit` must be 1 to 500"));
    }
    let before = question.before.as_deref().map(place).transpose()?;
    let Question { action, actor, object, .. } = question;
    let asked = Looked { look: Look::ReadAudit, site: None, object: "audit", detail: "Read the audit." };
    looking::note(&app, scope.person(), asked).await?;
    let page = app.store.audit_page(scope.sites(), &Wanted { action, actor, object, before }, limit).await?;
    let next = page.rows.last().filter(|_| page.more).map(|row| format!("{}~{}", row.day, row.number));
    Ok(Json(Entries { entries: page.rows.into_iter().map(EntryView::from).collect(), next }))
}

fn place(text: &str) -> Result<(String, i64), Refusal> {
    let wrong = || Refusal::bad_request("`before` must be the `next` of an earlier answer");
    let (day, number) = text.split_once('~').ok_or_else(wrong)?;
    Ok((day.to_owned(), number.parse().map_err(|_| wrong())?))
}

impl From<AuditRow> for EntryView {
    fn from(row: AuditRow) -> Self {
        Self {
            digest: Digest::from_bytes(&row.digest).map(|d| d.to_string()),
            at: Timestamp::from_unix_ms(row.at),
            day: row.day,
            number: row.number,
            action: row.action,
            actor: row.actor,
            site: row.site,
            object: row.object,
            detail: row.detail,
            reason: row.reason,
        }
    }
}
