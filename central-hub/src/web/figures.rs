//! Figures for decisions, as JSON and as CSV. They describe events and our own work, never people.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hub_core::csv::{self, Cell};
use hub_core::figures;
use protocol::{SiteId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{Scope, act};
use super::search::csv_file;
use super::{App, Refusal};
use crate::clock::now_ms;
use crate::store::figures::{By, Counts, Durations, RuleCounts, Span};

pub(super) mod uptime;

/// Longest span.
const MOST_DAYS: i64 = 3_660;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// Incidents by hour of the day.
    Hours,
    /// Incidents by day.
    #[default]
    Days,
    Kinds,
    Cameras,
    Sites,
    /// How long it took to acknowledge, to dispatch, to resolve.
    Durations,
    /// Incidents that are over, and how many were false alarms, by rule.
    Rules,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FiguresForm")]
pub(super) enum Form {
    #[default]
    Json,
    Csv,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    what: What,
    /// The first day, `2026-11-01`. Default: 30 days before the last.
    #[schemars(extend("format" = "date"))]
    from: Option<String>,
    /// The last day, included. Default: today.
    #[schemars(extend("format" = "date"))]
    to: Option<String>,
    site: Option<SiteId>,
    #[serde(default)]
    form: Form,
}

/// One row; what does not belong to the wanted figures is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    /// An hour (`0` to `23`), a day, a kind, a camera, an agent and rule.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'static str>,
    incidents: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    false_alarms: Option<i64>,
    /// Of those that are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    false_alarm_share: Option<f64>,
    /// Half of them took no longer; within 4.5 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Figures {
    from: String,
    to: String,
    rows: Vec<Row>,
}

/// `GET /figures`
pub(super) async fn show(
    scope: Scope<act::ReadFigures>,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let own = super::site_list(scope.sites());
    let span = span(&app, wanted.from.as_deref(), wanted.to.as_deref(), wanted.site.as_ref(), own)?;
    let rows = rows(&app, wanted.what, &span).await?;
    let (from, to) = (date(span.first_day), date(span.last_day));
    match wanted.form {
        Form::Json => Ok(Json(Figures { from, to, rows }).into_response()),
        Form::Csv => Ok(csv_file("figures.csv", table(&rows))),
    }
}

/// The days that are asked for, at the sites that are asked for and may be seen (`own`; `None`: all).
fn span(
    app: &App,
    from: Option<&str>,
    to: Option<&str>,
    site: Option<&SiteId>,
    own: Option<Vec<String>>,
) -> Result<Span, Refusal> {
    let (today, _) = figures::day_and_hour(now_ms(), app.names.offset_minutes);
    let last_day = to.map_or(Ok(today), day)?;
    let first_day = from.map_or(Ok(last_day - 29), day)?;
    if first_day > last_day || last_day - first_day > MOST_DAYS {
        return Err(Refusal::bad_request("`from` must not be after `to`, nor more than 3660 days before it"));
    }
    let sites = match (site, own) {
        (Some(site), None) => Some(vec![site.to_string()]),
        (Some(site), Some(own)) => Some(own.into_iter().filter(|s| *s == site.as_str()).collect()),
        (None, own) => own,
    };
    Ok(Span { first_day, last_day, sites })
}

async fn rows(app: &App, what: What, span: &Span) -> Result<Vec<Row>, Refusal> {
    let by = match what {
        What::Hours => By::Hour,
        What::Days => By::Day,
        What::Kinds => By::Kind,
        What::Cameras => By::Camera,
        What::Sites => By::Site,
        What::Durations => {
            return Ok(app.store.figure_durations(span).await?.into_iter().map(Row::from).collect());
        }
        What::Rules => return Ok(app.store.figure_rules(span).await?.into_iter().map(Row::from).collect()),
    };
    let counts = app.store.figure_counts(by, span).await?;
    let named = |counts: Counts| {
        let name = match (by, counts.name.parse()) {
            (By::Day, Ok(day)) => date(day),
            _ => counts.name,
        };
        Row {
            site: Some(counts.site).filter(|site| !site.is_empty()),
            name,
            incidents: counts.incidents,
            alerts: Some(counts.alerts),
            false_alarms: Some(counts.false_alarms),
            ..Row::default()
        }
    };
    Ok(counts.into_iter().map(named).collect())
}

impl From<Durations> for Row {
    fn from(of: Durations) -> Self {
        Self {
            name: of.kind,
            until: Some(of.until.as_str()),
            incidents: of.count,
            p50_ms: Some(of.p50_ms),
            p90_ms: Some(of.p90_ms),
            ..Self::default()
        }
    }
}

impl From<RuleCounts> for Row {
    fn from(of: RuleCounts) -> Self {
        #[allow(clippy::cast_precision_loss)]
        let share = of.false_alarms as f64 / of.incidents.max(1) as f64;
        Self {
            site: Some(of.site),
            name: format!("{}/{}", of.agent, of.rule),
            incidents: of.incidents,
            false_alarms: Some(of.false_alarms),
            false_alarm_share: Some(share),
            ..Self::default()
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = csv::BYTE_ORDER_MARK.to_owned();
    let head = [
        "站点 site",
        "名称 name",
        "到 until",
        "事件数 incidents",
        "告警数 alerts",
        "误报数 false alarms",
        "误报率 share",
        "中位数毫秒 p50 ms",
        "九成毫秒 p90 ms",
    ];
    csv::row(&mut text, &head.map(Cell::Text));
    let count = |n: Option<i64>| n.map_or(Cell::Empty, Cell::Count);
    for row in rows {
        let cells = [
            Cell::from(row.site.as_deref()),
            Cell::Text(&row.name),
            Cell::from(row.until),
            Cell::Count(row.incidents),
            count(row.alerts),
            count(row.false_alarms),
            row.false_alarm_share.map_or(Cell::Empty, Cell::Share),
            count(row.p50_ms),
            count(row.p90_ms),
        ];
        csv::row(&mut text, &cells);
    }
    text
}

/// `2026-11-25` as the day since 1970.
fn day(text: &str) -> Result<i64, Refusal> {
    let refuse = || Refusal::bad_request("a day is written like 2026-11-25");
    let shaped = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let at: Timestamp = format!("{text}T00:00:00Z").parse().ok().filter(|_| shaped).ok_or_else(refuse)?;
    Ok(at.unix_ms().div_euclid(DAY_MS))
}

fn date(day: i64) -> String {
    Timestamp::from_unix_ms(day.saturating_mul(DAY_MS)).to_string()[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        assert_eq!(date(day("2026-11-25").unwrap()), "2026-11-25");
        assert_eq!(date(day("0000-01-01").unwrap()), "0000-01-01");
        for wrong in ["", "2026-1-1", "2026-02-30", "2026/11/25", "20261125", "2026-11-25T", "９026-11-25"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }
}
