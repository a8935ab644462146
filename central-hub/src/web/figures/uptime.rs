//! How long agents and cameras were up, by day.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hub_core::csv::{self, Cell};
use protocol::{AgentId, CameraId, SiteId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Form, date, span};
use crate::store::uptime::{Day, Wanted as Stored};
use crate::web::scope::{Scope, act};
use crate::web::search::csv_file;
use crate::web::{App, Refusal};

/// Rows of one answer. Whoever gets fewer than there are would take it for all of them, so more are refused.
const MOST_ROWS: usize = 50_000;

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Wanted {
    /// The first day, `2026-11-01`. Default: 30 days before the last.
    #[schemars(extend("format" = "date"))]
    from: Option<String>,
    /// The last day, included. Default: today.
    #[schemars(extend("format" = "date"))]
    to: Option<String>,
    site: Option<SiteId>,
    agent: Option<AgentId>,
    /// Only cameras of this id. Default: agents and all their cameras.
    camera: Option<CameraId>,
    #[serde(default)]
    form: Form,
}

/// An agent, or one of its cameras, on one day. The shares are of the time that counts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(in crate::web) struct Row {
    day: String,
    site: String,
    agent: String,
    /// Absent for the agent itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<String>,
    /// It was there, or its pictures came.
    up_ms: i64,
    /// It had gone, or no pictures came.
    down_ms: i64,
    /// Nobody knows: the hub was off or heard nothing; for a camera also: its agent was not up.
    unknown_ms: i64,
    up_share: f64,
    down_share: f64,
    unknown_share: f64,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Uptime {
    from: String,
    to: String,
    rows: Vec<Row>,
}

/// `GET /figures/uptime`
pub(in crate::web) async fn show(
    scope: Scope<act::ReadFigures>,
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let own = crate::web::site_list(scope.sites());
    let span = span(&app, wanted.from.as_deref(), wanted.to.as_deref(), wanted.site.as_ref(), own)?;
    let (from, to) = (date(span.first_day), date(span.last_day));
    let stored = Stored {
        span,
        agent: wanted.agent.map(|agent| agent.to_string()),
        camera: wanted.camera.map(|camera| camera.to_string()),
    };
    let days = app.store.figure_uptime(&stored, MOST_ROWS + 1).await?;
    if days.len() > MOST_ROWS {
        return Err(Refusal::bad_request(
            "these are more than 50000 rows: ask for fewer days, one site, one agent or one camera",
        ));
    }
    let rows: Vec<_> = days.into_iter().map(Row::from).collect();
    match wanted.form {
        Form::Json => Ok(Json(Uptime { from, to, rows }).into_response()),
        Form::Csv => Ok(csv_file("uptime.csv", table(&rows))),
    }
}

impl From<Day> for Row {
    fn from(of: Day) -> Self {
        let all = of.times.sum_ms().max(1);
        #[allow(clippy::cast_precision_loss)]
        let share = |ms: i64| ms as f64 / all as f64;
        Self {
            day: date(of.day),
            site: of.site,
            agent: of.agent,
            camera: Some(of.camera).filter(|camera| !camera.is_empty()),
            up_ms: of.times.up_ms,
            down_ms: of.times.down_ms,
            unknown_ms: of.times.unknown_ms,
            up_share: share(of.times.up_ms),
            down_share: share(of.times.down_ms),
            unknown_share: share(of.times.unknown_ms),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = csv::BYTE_ORDER_MARK.to_owned();
    let head = [
        "日期 day",
        "站点 site",
        "盒子 agent",
        "摄像机 camera",
        "正常毫秒 up ms",
        "中断毫秒 down ms",
        "未知毫秒 unknown ms",
        "正常率 up share",
        "中断率 down share",
        "未知率 unknown share",
    ];
    csv::row(&mut text, &head.map(Cell::Text));
    for row in rows {
        let cells = [
            Cell::Text(&row.day),
            Cell::Text(&row.site),
            Cell::Text(&row.agent),
            Cell::from(row.camera.as_deref()),
            Cell::Count(row.up_ms),
            Cell::Count(row.down_ms),
            Cell::Count(row.unknown_ms),
            Cell::Share(row.up_share),
            Cell::Share(row.down_share),
            Cell::Share(row.unknown_share),
        ];
        csv::row(&mut text, &cells);
    }
    text
}
