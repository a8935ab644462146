//! Incidents that people open by hand: what they said, where, and whose ground it is.

use hub_core::area::{Outline, around};
use hub_core::workflow::{Actor, Assignee, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;

use super::audit::Note;
use super::changes::Subject;
use super::once::{Answer, Before, Once};
use super::steps::{self, Case, Written};
use super::{Fault, Store, StoreError, Tx, sql};
use crate::clock::now_ms;
use crate::uuid::uuid7;
use crate::work::Rules;

/// A place, as people point at it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
#[schemars(rename = "PlanOrEarth")]
pub enum Point {
    /// Metres on the site's plan.
    Plan { x: f64, y: f64 },
    /// Degrees, WGS 84.
    Earth { lat: f64, lon: f64 },
}

impl Point {
    /// The plane that it is in, as the database names it, and where there.
    pub fn on_plane(self) -> (&'static str, [f64; 2]) {
        match self {
            Self::Plan { x, y } => ("plan", [x, y]),
            Self::Earth { lat, lon } => ("wgs84", [lon, lat]),
        }
    }

    /// Whether it is a place at all.
    pub fn is_somewhere(self) -> bool {
        match self {
            Self::Plan { x, y } => x.abs() <= 1e7 && y.abs() <= 1e7,
            Self::Earth { lat, lon } => lat.abs() <= 90.0 && lon.abs() <= 180.0,
        }
    }
}

/// What somebody reports.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub site: &'a str,
    pub kind: &'a str,
    /// 1 low to 4 critical.
    pub severity: i64,
    pub words: &'a str,
    pub place: Option<&'a str>,
    pub point: Option<Point>,
    pub reporter: &'a Actor,
}

/// A report, as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow, JsonSchema)]
#[schemars(rename = "Report")]
pub struct ReportView {
    pub reporter: String,
    pub words: String,
    pub place: Option<String>,
    pub x: Option<f64>,
    pub y: Option<f64>,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    pub area: Option<String>,
}

/// What became of a report.
#[derive(Debug)]
pub enum Opened {
    Done(Box<Case>, Option<ReportView>),
    /// Opened, now or when it was asked before: what is answered to it.
    Answered(Answer),
    /// Something else was asked before under the same key.
    OtherContent,
}

impl Opened {
    /// `None`: nothing was asked before.
    fn before(before: Before) -> Option<Self> {
        match before {
            Before::Nothing => None,
            Before::Same(answer) => Some(Self::Answered(answer)),
            Before::Other => Some(Self::OtherContent),
        }
    }
}

#[derive(FromRow)]
struct AreaRow {
    area: String,
    outline: String,
    unit: Option<String>,
    member: Option<String>,
}

impl Store {
    /// Opens an incident; its id. Where it lies in a grid area, it is proposed to whom that belongs to.
    pub async fn open_by_hand(&self, rules: &Rules, report: &Report<'_>) -> Result<String, StoreError> {
        match self.open_once(rules, report, None).await? {
            Opened::Done(case, _) => Ok(case.row.incident),
            Opened::Answered(_) | Opened::OtherContent => unreachable!("asked without a key"),
        }
    }

    /// The same; with `once`, a repeat of it is answered as the first, and opens nothing.
    pub async fn open_once(
        &self,
        rules: &Rules,
        report: &Report<'_>,
        once: Option<Once<'_>>,
    ) -> Result<Opened, StoreError> {
        self.retrying(|| self.try_open(rules, report, once)).await
    }

    async fn try_open(
        &self,
        rules: &Rules,
        report: &Report<'_>,
        once: Option<Once<'_>>,
    ) -> Result<Opened, StoreError> {
        let mut tx = self.write().await?;
        if let Some(once) = &once
            && let Some(opened) = Opened::before(once.before(&mut tx).await?)
        {
            return Ok(opened);
        }
        let (incident, now) = (uuid7()?, now_ms());
        let area = match report.point {
            Some(point) => area_around(&mut tx, report.site, point).await?,
            None => None,
        };
        insert_incident(&mut tx, rules, report, &incident, now).await?;
        insert_report(&mut tx, report, &incident, area.as_ref().map(|(area, _)| area.as_str())).await?;
        let opened = Written {
            at: now,
            kind: "opened",
            actor: &report.reporter.id,
            role: steps::role_name(report.reporter.role),
            note: Some(report.words),
            to: None,
            data: json!({}),
        };
        steps::insert(&mut tx, report.site, &incident, &opened).await?;
        if let Some((area, Some(to))) = &area {
            let proposed =
                Written { to: Some(to), ..Written::by_hub(now, "assign", json!({ "area": area })) };
            steps::insert(&mut tx, report.site, &incident, &proposed).await?;
        }
        let case = steps::restand(&mut tx, rules, report.site, &incident).await?.ok_or(Fault::RowNotFound)?;
        let detail = format!("Incident {incident} was opened by hand: {}.", report.kind);
        let note = Note::new("incident_opened", &report.reporter.id, &detail);
        tx.audit(note.at_site(report.site).to(&incident));
        tx.changed(Subject::Incident { site: report.site.to_owned(), incident: incident.clone() });
        let written = read(&mut tx, report.site, &incident).await?;
        let opened = match &once {
            Some(once) => {
                let answer = (once.answering)(&case, written.as_ref());
                if let Some(opened) = Opened::before(once.keep(&mut tx, &answer).await?) {
                    return Ok(opened);
                }
                Opened::Answered(answer)
            }
            None => Opened::Done(Box::new(case), written),
        };
        tx.commit().await?;
        Ok(opened)
    }

    pub async fn report(&self, site: &str, incident: &str) -> Result<Option<ReportView>, StoreError> {
        self.read().optional(sql(REPORT).bind(site).bind(incident)).await
    }
}

const REPORT: &str = "SELECT reporter, words, place, x, y, lat, lon, area FROM reports
    WHERE site = $1 AND incident = $2";

pub(super) async fn read(tx: &mut Tx, site: &str, incident: &str) -> Result<Option<ReportView>, StoreError> {
    tx.optional(sql(REPORT).bind(site).bind(incident)).await
}

async fn insert_incident(
    tx: &mut Tx,
    rules: &Rules,
    report: &Report<'_>,
    incident: &str,
    now: i64,
) -> Result<(), StoreError> {
    let origin = if report.reporter.role == Role::GridMember { "grid" } else { "operator" };
    let text =
        "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at, clock_from,
            alerts, cameras, peak, severity, urgency, root, state, version, due_at)
        VALUES ($1, $2, $3, $4, 'by_hand', $5, $6, $6, $6, 0, '[]', $7, $7, $8, $2, 'new', 0, $9)";
    let statement = sql(text)
        .bind(report.site)
        .bind(incident)
        .bind(origin)
        .bind(report.kind)
        .bind(false)
        .bind(now)
        .bind(report.severity)
        .bind(4 - report.severity)
        .bind(steps::first_due(rules, report.kind, report.severity, false, now));
    tx.execute(statement).await?;
    Ok(())
}

async fn insert_report(
    tx: &mut Tx,
    report: &Report<'_>,
    incident: &str,
    area: Option<&str>,
) -> Result<(), StoreError> {
    let (mut plan, mut earth) = (None, None);
    match report.point {
        Some(Point::Plan { x, y }) => plan = Some((x, y)),
        Some(Point::Earth { lat, lon }) => earth = Some((lat, lon)),
        None => {}
    }
    let text = "INSERT INTO reports (site, incident, reporter, words, place, x, y, lat, lon, area)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let statement = sql(text)
        .bind(report.site)
        .bind(incident)
        .bind(&report.reporter.id)
        .bind(report.words)
        .bind(report.place)
        .bind(plan.map(|p| p.0))
        .bind(plan.map(|p| p.1))
        .bind(earth.map(|p| p.0))
        .bind(earth.map(|p| p.1))
        .bind(area);
    tx.execute(statement).await?;
    Ok(())
}

/// The smallest grid area around a point, and whom it belongs to.
async fn area_around(
    tx: &mut Tx,
    site: &str,
    point: Point,
) -> Result<Option<(String, Option<Assignee>)>, StoreError> {
    let (plane, at) = point.on_plane();
    let text = "SELECT area, outline, unit, member FROM areas WHERE site = $1 AND plane = $2 ORDER BY area";
    let rows: Vec<AreaRow> = tx.all(sql(text).bind(site).bind(plane)).await?;
    let outlines: Vec<(Outline, AreaRow)> = rows
        .into_iter()
        .filter_map(|row| {
            let corners = serde_json::from_str(&row.outline).ok()?;
            Some((Outline::new(corners).ok()?, row))
        })
        .collect();
    let found = around(outlines.iter().map(|(outline, row)| (outline, row)), at);
    Ok(found.map(|row| {
        let unit = row.unit.clone().map(Assignee::Unit);
        (row.area.clone(), unit.or_else(|| row.member.clone().map(Assignee::Member)))
    }))
}
