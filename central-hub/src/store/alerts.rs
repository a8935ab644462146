//! Alerts as the API shows them: the record that raised them, its course, its still, its camera's name.

use hub_core::rights::Sites;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;

use super::{Sql, Store, StoreError, of_sites, sql, sql_for};
use crate::incidents::Why;

/// An alert as the API shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub struct AlertView {
    /// `agent/epoch/seq`
    pub id: String,
    pub site: String,
    pub agent: String,
    pub epoch: String,
    pub seq: i64,
    pub camera: String,
    pub camera_name: Option<String>,
    pub kind: String,
    pub rule: String,
    pub rule_name: Option<String>,
    pub severity: String,
    pub direction: Option<String>,
    pub track: Option<u64>,
    pub object_class: Option<String>,
    pub confidence: Option<f32>,
    #[serde(rename = "box")]
    pub bounding_box: Option<Value>,
    pub test: bool,
    pub at: Timestamp,
    pub time_source: String,
    pub uncertainty_ms: Option<i64>,
    pub received_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub not_durable: bool,
    /// Its incident, `null` where it has none yet: it came before there were incidents.
    pub incident: Option<String>,
    /// Why it is there.
    pub because: Option<Why>,
    pub still: StillView,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Still")]
pub struct StillView {
    /// `pending`, `sent` or `none`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub site: Option<String>,
    pub agent: Option<String>,
    pub camera: Option<String>,
    pub kind: Option<String>,
}

/// A place in the list, newest first: everything behind it is older.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at: i64,
    pub agent: String,
    pub epoch: String,
    pub seq: i64,
}

impl Cursor {
    /// `at~agent~epoch~seq`: ids hold no `~`.
    pub fn to_text(&self) -> String {
        format!("{}~{}~{}~{}", self.at, self.agent, self.epoch, self.seq)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let cursor = Self {
            at: parts.next()?.parse().ok()?,
            agent: parts.next()?.to_owned(),
            epoch: parts.next()?.to_owned(),
            seq: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(cursor)
    }
}

#[derive(FromRow)]
struct AlertRow {
    site: String,
    agent: String,
    epoch: String,
    seq: i64,
    camera: String,
    camera_name: Option<String>,
    kind: String,
    rule: String,
    rule_name: Option<String>,
    severity: String,
    direction: Option<String>,
    track: Option<i64>,
    object_class: Option<String>,
    confidence: Option<f32>,
    #[sqlx(rename = "box")]
    bounding_box: Option<String>,
    test: bool,
    at: i64,
    time_source: String,
    uncertainty_ms: Option<i64>,
    received_at: i64,
    ended_at: Option<i64>,
    not_durable: bool,
    incident: Option<String>,
    because: Option<String>,
    still_state: String,
    still_reason: Option<String>,
    has_still: bool,
}

/// The alert with all that belongs to it; what follows is the WHERE clause.
macro_rules! select_alert {
    ($rest:literal) => {
        concat!(
            "SELECT a.site, a.agent, a.epoch, a.seq, a.camera, c.name AS camera_name, a.kind, a.rule,
                a.rule_name, a.severity, a.direction, a.track, a.object_class, a.confidence, a.box, a.test,
                a.at, a.time_source, a.uncertainty_ms, a.received_at, k.ended_at, a.not_durable,
                coalesce(i.alias_of, a.incident) AS incident, a.because,
                coalesce(k.still_state, a.still_state) AS still_state,
                CASE WHEN k.still_state IS NULL THEN a.still_reason ELSE k.still_reason END AS still_reason,
                s.seq IS NOT NULL AS has_still
            FROM alerts a
            LEFT JOIN incidents i ON i.site = a.site AND i.incident = a.incident
            LEFT JOIN courses k ON k.agent = a.agent AND k.epoch = a.epoch AND k.of_seq = a.seq
            LEFT JOIN stills s ON s.agent = a.agent AND s.epoch = a.epoch AND s.seq = a.seq
            LEFT JOIN cameras c ON c.agent = a.agent AND c.camera = a.camera ",
            $rest
        )
    };
}

impl Store {
    /// Up to `limit` alerts of these sites, newest first, from behind `before`; and where to go on, if there is more.
    pub async fn alerts(
        &self,
        sites: &Sites,
        filter: &Filter,
        before: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<AlertView>, Option<Cursor>), StoreError> {
        let text = select_alert!(
            "WHERE ($1 IS NULL OR a.site = $1) AND ($2 IS NULL OR a.agent = $2)
                AND ($3 IS NULL OR a.camera = $3) AND ($4 IS NULL OR a.kind = $4)
                AND (a.at, a.agent, a.epoch, a.seq) < ($5, $6, $7, $8)
                AND ($10 IS NULL OR replace($10, '/' || a.site || '/', '') <> $10)
            ORDER BY a.at DESC, a.agent DESC, a.epoch DESC, a.seq DESC LIMIT $9"
        );
        let query = sql(text).bind(&filter.site).bind(&filter.agent).bind(&filter.camera).bind(&filter.kind);
        let query = behind(query, before, limit).bind(of_sites(sites));
        Ok(page(self.read().all::<AlertRow>(query).await?, limit))
    }

    /// Up to `limit` alerts that came into one of these incidents, newest first, from behind `before`.
    pub(super) async fn alerts_in(
        &self,
        site: &str,
        incidents: &[String],
        before: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<AlertView>, Option<Cursor>), StoreError> {
        let statement = sql_for(
            select_alert!(
                "WHERE a.site = $1 AND a.incident IN (SELECT value FROM json_each($2))
                    AND (a.at, a.agent, a.epoch, a.seq) < ($3, $4, $5, $6)
                ORDER BY a.at DESC, a.agent DESC, a.epoch DESC, a.seq DESC LIMIT $7"
            ),
            select_alert!(
                "WHERE a.site = $1 AND a.incident = ANY($2)
                    AND (a.at, a.agent, a.epoch, a.seq) < ($3, $4, $5, $6)
                ORDER BY a.at DESC, a.agent DESC, a.epoch DESC, a.seq DESC LIMIT $7"
            ),
        );
        let statement = behind(statement.bind(site).bind(incidents), before, limit);
        Ok(page(self.read().all::<AlertRow>(statement).await?, limit))
    }

    pub async fn alert(&self, agent: &str, epoch: &str, seq: i64) -> Result<Option<AlertView>, StoreError> {
        let text = select_alert!("WHERE a.agent = $1 AND a.epoch = $2 AND a.seq = $3");
        let query = sql(text).bind(agent).bind(epoch).bind(seq);
        Ok(self.read().optional::<AlertRow>(query).await?.map(AlertView::from))
    }
}

/// The last parameters of a page: what it lies behind, and one row more than are wanted.
fn behind<'a>(statement: Sql<'a>, before: Option<&'a Cursor>, limit: u32) -> Sql<'a> {
    statement
        .bind(before.map_or(i64::MAX, |c| c.at))
        .bind(before.map_or("", |c| &c.agent))
        .bind(before.map_or("", |c| &c.epoch))
        .bind(before.map_or(0, |c| c.seq))
        .bind(i64::from(limit) + 1)
}

fn page(mut rows: Vec<AlertRow>, limit: u32) -> (Vec<AlertView>, Option<Cursor>) {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| Cursor {
        at: row.at,
        agent: row.agent.clone(),
        epoch: row.epoch.clone(),
        seq: row.seq,
    });
    (rows.into_iter().map(AlertView::from).collect(), next)
}

impl From<AlertRow> for AlertView {
    fn from(row: AlertRow) -> Self {
        let id = format!("{}/{}/{}", row.agent, row.epoch, row.seq);
        // Only a still that is here is shown as sent, whatever the agent says.
        let still = if row.has_still {
            let url = Some(format!("/api/v1/alerts/{id}/still"));
            StillView { state: "sent".into(), reason: None, url }
        } else if row.still_state == "none" {
            StillView { state: row.still_state, reason: row.still_reason, url: None }
        } else {
            StillView { state: "pending".into(), reason: None, url: None }
        };
        let because = match row.because {
            Some(text) => serde_json::from_str(&text).ok(),
            None => row.incident.is_some().then_some(Why::Opened),
        };
        Self {
            id,
            site: row.site,
            agent: row.agent,
            epoch: row.epoch,
            seq: row.seq,
            camera: row.camera,
            camera_name: row.camera_name,
            kind: row.kind,
            rule: row.rule,
            rule_name: row.rule_name,
            severity: row.severity,
            direction: row.direction,
            track: row.track.map(i64::cast_unsigned),
            object_class: row.object_class,
            confidence: row.confidence,
            bounding_box: row.bounding_box.and_then(|b| serde_json::from_str(&b).ok()),
            test: row.test,
            at: Timestamp::from_unix_ms(row.at),
            time_source: row.time_source,
            uncertainty_ms: row.uncertainty_ms,
            received_at: Timestamp::from_unix_ms(row.received_at),
            ended_at: row.ended_at.map(Timestamp::from_unix_ms),
            not_durable: row.not_durable,
            incident: row.incident,
            because,
            still,
        }
    }
}
