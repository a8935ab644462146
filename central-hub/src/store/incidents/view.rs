//! Incidents as the API shows them.

use hub_core::correlate::{Camera, Severity};
use hub_core::rights::Sites;
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use super::rows;
use crate::store::alerts::{self, AlertView};
use crate::store::{Sql, Store, StoreError, of_sites, sql, sql_for};

/// An incident by its row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct IncidentView {
    pub site: String,
    /// UUID.
    pub incident: String,
    /// `alerts`, `operator` or `grid`.
    pub origin: String,
    pub kind: String,
    pub family: String,
    pub test: bool,
    pub severity: &'static str,
    /// `new`, `acknowledged`, `dispatched`, `on_scene`, `resolved`, `closed`, `false_alarm`.
    pub state: String,
    /// Counts up with each thing that people do.
    pub version: i64,
    pub opened_at: Timestamp,
    pub last_at: Timestamp,
    /// When the hub received the first of its alerts.
    pub clock_from: Timestamp,
    pub due_at: Option<Timestamp>,
    pub alerts: i64,
    pub cameras: Vec<CameraView>,
    /// The first alert, `agent/epoch/seq`.
    pub opener: Option<String>,
    /// An operator split or merged it.
    pub by_hand: bool,
    /// The incident it has become part of, where it has: it is then none of its own any more.
    pub alias_of: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CameraName")]
pub struct CameraView {
    pub agent: String,
    pub camera: String,
}

/// Which incidents to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub states: States,
    pub site: Option<String>,
    pub kind: Option<String>,
    pub severity: Option<Severity>,
    /// `agent/camera`
    pub camera: Option<(String, String)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum States {
    /// What is not resolved, closed or a false alarm.
    #[default]
    Open,
    All,
    One(String),
}

impl States {
    /// Whether only what is open is listed: there is an index of that.
    fn are_open(&self) -> bool {
        match self {
            Self::Open => true,
            Self::All => false,
            Self::One(state) => !matches!(state.as_str(), "resolved" | "closed" | "false_alarm"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What needs doing first: the worst, then what waits longest; tests behind.
    Urgent,
    Newest,
}

/// A place in the list: everything behind it comes later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub urgency: i64,
    pub at: i64,
    pub site: String,
    pub incident: String,
}

impl Cursor {
    /// `urgency~at~site~incident`: ids hold no `~`.
    pub fn to_text(&self) -> String {
        format!("{}~{}~{}~{}", self.urgency, self.at, self.site, self.incident)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('~');
        let cursor = Self {
            urgency: parts.next()?.parse().ok()?,
            at: parts.next()?.parse().ok()?,
            site: parts.next()?.to_owned(),
            incident: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(cursor)
    }
}

#[derive(FromRow)]
struct IncidentRow {
    site: String,
    incident: String,
    origin: String,
    kind: String,
    family: String,
    test: bool,
    severity: i64,
    urgency: i64,
    state: String,
    version: i64,
    opened_at: i64,
    last_at: i64,
    clock_from: i64,
    due_at: Option<i64>,
    alerts: i64,
    cameras: String,
    opener_agent: String,
    opener_epoch: String,
    opener_seq: i64,
    by_hand: bool,
    alias_of: Option<String>,
}

macro_rules! select_incident {
    ($($rest:expr),*) => {
        concat!(
            "SELECT site, incident, origin, kind, family, test, severity, urgency, state, version, opened_at, last_at,
                clock_from, due_at, alerts, cameras, opener_agent, opener_epoch, opener_seq,
                core IS NOT NULL AS by_hand, alias_of
            FROM incidents ",
            $($rest),*
        )
    };
}

/// Severity, kind and camera narrow what the index gives.
macro_rules! narrowed {
    () => {
        " AND alias_of IS NULL AND ($1 IS NULL OR kind = $1) AND ($2 IS NULL OR severity = $2)
            AND ($3 IS NULL OR replace(cameras, $3, '') <> cameras)
            AND ($11 IS NULL OR replace($11, '/' || site || '/', '') <> $11) "
    };
}
macro_rules! urgent {
    () => {
        " AND (urgency, clock_from, site, incident) > ($4, $5, $6, $7)
            ORDER BY urgency, clock_from, site, incident LIMIT $8"
    };
}
macro_rules! newest {
    () => {
        " AND (opened_at, site, incident) < ($5, $6, $7)
            ORDER BY opened_at DESC, site DESC, incident DESC LIMIT $8"
    };
}
macro_rules! newest_of_site {
    () => {
        " AND (opened_at, incident) < ($5, $7)
            ORDER BY opened_at DESC, incident DESC LIMIT $8"
    };
}
/// Among what is open, by its own index: SQLite would rather walk everything in the wanted order until it has enough.
macro_rules! open_listing {
    ($order:ident) => {
        sql_for(
            select_incident!("INDEXED BY incidents_open ", open!(), narrowed!(), $order!()),
            select_incident!(open!(), narrowed!(), $order!()),
        )
    };
}
macro_rules! open {
    () => {
        "WHERE state NOT IN ('resolved', 'closed', 'false_alarm') AND ($9 IS NULL OR site = $9)
            AND ($10 IS NULL OR state = $10)"
    };
}

impl Store {
    /// Up to `limit` incidents of these sites from behind `behind`; and where to go on, if there is more.
    pub async fn incidents(
        &self,
        sites: &Sites,
        filter: &Filter,
        order: Order,
        behind: Option<&Cursor>,
        limit: u32,
    ) -> Result<(Vec<IncidentView>, Option<Cursor>), StoreError> {
        let statement = Self::listing(filter, order);
        let pair = |(agent, camera): &(String, String)| serde_json::json!([agent, camera]).to_string();
        let camera = filter.camera.as_ref().map(pair);
        let statement =
            statement.bind(&filter.kind).bind(filter.severity.map(|s| i64::from(s.rank()))).bind(camera);
        let statement = match (order, behind) {
            (_, Some(c)) => statement.bind(c.urgency).bind(c.at).bind(&c.site).bind(&c.incident),
            (Order::Urgent, None) => statement.bind(-1i64).bind(i64::MIN).bind("").bind(""),
            (Order::Newest, None) => statement.bind(0i64).bind(i64::MAX).bind("").bind(""),
        };
        let statement = statement.bind(i64::from(limit) + 1).bind(&filter.site);
        let statement = match &filter.states {
            States::One(state) => statement.bind(state),
            _ => statement.bind(None::<&str>),
        };
        let statement = statement.bind(of_sites(sites));
        let mut found: Vec<IncidentRow> = self.read().all(statement).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|row| Cursor {
            urgency: row.urgency,
            at: if order == Order::Urgent { row.clock_from } else { row.opened_at },
            site: row.site.clone(),
            incident: row.incident.clone(),
        });
        Ok((found.into_iter().map(IncidentView::try_from).collect::<Result<_, _>>()?, next))
    }

    /// Each combination has its own text, so that each finds its index.
    fn listing(filter: &Filter, order: Order) -> Sql<'static> {
        let of_site = filter.site.is_some();
        match (filter.states.are_open(), order, of_site) {
            (true, Order::Urgent, _) => open_listing!(urgent),
            (true, Order::Newest, _) => open_listing!(newest),
            (_, Order::Newest, true) => sql(select_incident!(
                "WHERE site = $9 AND ($10 IS NULL OR state = $10)",
                narrowed!(),
                newest_of_site!()
            )),
            (_, Order::Newest, false) => sql(select_incident!(
                "WHERE $9 IS NULL AND ($10 IS NULL OR state = $10)",
                narrowed!(),
                newest!()
            )),
            (_, Order::Urgent, _) => sql(select_incident!(
                "WHERE ($9 IS NULL OR site = $9) AND ($10 IS NULL OR state = $10)",
                narrowed!(),
                urgent!()
            )),
        }
    }

    /// One incident, as it is: also one that has become part of another.
    pub async fn incident(&self, site: &str, incident: &str) -> Result<Option<IncidentView>, StoreError> {
        let text = select_incident!("WHERE site = $1 AND incident = $2");
        let found: Option<IncidentRow> = self.read().optional(sql(text).bind(site).bind(incident)).await?;
        found.map(IncidentView::try_from).transpose()
    }

    /// One incident; where it has become part of another, that one.
    pub async fn incident_now(&self, site: &str, incident: &str) -> Result<Option<IncidentView>, StoreError> {
        match self.incident(site, incident).await? {
            Some(IncidentView { alias_of: Some(survivor), .. }) => self.incident(site, &survivor).await,
            found => Ok(found),
        }
    }

    /// Alerts of an incident and of what has become part of it, newest first.
    pub async fn alerts_of(
        &self,
        site: &str,
        incident: &str,
        before: Option<&alerts::Cursor>,
        limit: u32,
    ) -> Result<(Vec<AlertView>, Option<alerts::Cursor>), StoreError> {
        let parts: Vec<(String,)> = self
            .read()
            .all(
                sql("SELECT incident FROM incidents WHERE site = $1 AND incident = $2
        UNION ALL SELECT incident FROM incidents WHERE site = $1 AND alias_of = $2")
                .bind(site)
                .bind(incident),
            )
            .await?;
        let parts: Vec<String> = parts.into_iter().map(|(id,)| id).collect();
        self.alerts_in(site, &parts, before, limit).await
    }
}

impl TryFrom<IncidentRow> for IncidentView {
    type Error = StoreError;
    fn try_from(row: IncidentRow) -> Result<Self, StoreError> {
        let unreadable = |what, value: String| StoreError::Unreadable { what, value };
        let severity = rows::severity(row.severity)
            .ok_or_else(|| unreadable("incidents.severity", row.severity.to_string()))?;
        let cameras = serde_json::from_str(&row.cameras)
            .ok()
            .and_then(|value| rows::cameras(&value))
            .ok_or_else(|| unreadable("incidents.cameras", row.cameras.clone()))?;
        let opener = format!("{}/{}/{}", row.opener_agent, row.opener_epoch, row.opener_seq);
        Ok(Self {
            site: row.site,
            incident: row.incident,
            origin: row.origin,
            kind: row.kind,
            family: row.family,
            test: row.test,
            severity: severity.as_str(),
            state: row.state,
            version: row.version,
            opened_at: Timestamp::from_unix_ms(row.opened_at),
            last_at: Timestamp::from_unix_ms(row.last_at),
            clock_from: Timestamp::from_unix_ms(row.clock_from),
            due_at: row.due_at.filter(|at| *at > 0).map(Timestamp::from_unix_ms),
            alerts: row.alerts,
            cameras: cameras
                .into_iter()
                .map(|Camera { agent, camera }| CameraView { agent, camera })
                .collect(),
            opener: Some(opener).filter(|_| !row.opener_agent.is_empty()),
            by_hand: row.by_hand,
            alias_of: row.alias_of,
        })
    }
}
