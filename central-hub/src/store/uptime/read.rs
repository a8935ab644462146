//! Reading how long agents and cameras were up: the sums by day, and what is open.

use std::collections::BTreeMap;

use hub_core::uptime::{Sums, Times};
use sqlx::FromRow;

use super::open;
use crate::store::figures::Span;
use crate::store::{Sql, Store, StoreError, sql_for};

/// Which figures are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub span: Span,
    pub agent: Option<String>,
    /// Of this camera alone; not of the agent itself either.
    pub camera: Option<String>,
}

/// One agent or camera on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub site: String,
    pub day: i64,
    pub agent: String,
    /// Empty for the agent itself.
    pub camera: String,
    pub times: Times,
}

impl Store {
    /// By day, site, agent and camera, up to `limit` rows, with what is open as far as a hub noted that it ran.
    pub async fn figure_uptime(&self, wanted: &Wanted, limit: usize) -> Result<Vec<Day>, StoreError> {
        let offset = self.offset_minutes();
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        // One statement sees both as they are at one moment: what is open moves into the days.
        let rows: Vec<Found> = self.read().all(wanted.bind(found()).bind(most)).await?;
        let mut days: BTreeMap<(i64, String, String, String), Times> = BTreeMap::new();
        let mut add = |day: i64, site: &str, agent: &str, camera: &str, times: Times| {
            let key = (day, site.to_owned(), agent.to_owned(), camera.to_owned());
            *days.entry(key).or_default() += times;
        };
        for row in rows {
            let Found { site, agent, day_or_at, camera, up_ms, down_ms, unknown_ms, state, cameras } = row;
            let Some(state) = state else {
                add(day_or_at, &site, &agent, &camera, Times { up_ms, down_ms, unknown_ms });
                continue;
            };
            let (mut open, mut sums) = (open(day_or_at, Some(&state), cameras.as_deref()), Sums::new());
            // What is open has the time up to which it is known where a day has its uptime.
            open.pass(up_ms, up_ms, offset, &mut sums);
            for ((camera, day), times) in
                sums.into_iter().filter(|((camera, day), _)| wanted.has(camera, *day))
            {
                add(day, &site, &agent, &camera, times);
            }
        }
        let row = |((day, site, agent, camera), times)| Day { site, day, agent, camera, times };
        Ok(days.into_iter().take(limit).map(row).collect())
    }
}

/// A row of [`found`]: a day's sums, or, with a state, what is open.
#[derive(Debug, FromRow)]
struct Found {
    site: String,
    agent: String,
    day_or_at: i64,
    camera: String,
    up_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    state: Option<String>,
    cameras: Option<String>,
}

fn found() -> Sql<'static> {
    macro_rules! found {
        ($scope:literal) => {
            concat!(
                "SELECT site, agent, day_or_at, camera, up_ms, down_ms, unknown_ms, state, cameras FROM (
                    SELECT site, agent, day AS day_or_at, camera, up_ms, down_ms, unknown_ms,
                        CAST(NULL AS TEXT) AS state, CAST(NULL AS TEXT) AS cameras
                    FROM uptime_days
                    WHERE day >= $1 AND day <= $2 AND ",
                $scope,
                " AND ($5 IS NULL OR agent = $5) AND ($6 IS NULL OR camera = $6)
                    ORDER BY day, site, agent, camera LIMIT $7) AS days
                UNION ALL
                SELECT site, agent, at, '', coalesce((SELECT value FROM counters WHERE name = 'uptime'), at), 0, 0,
                    state, cameras
                FROM uptime_open
                WHERE ",
                $scope,
                " AND ($5 IS NULL OR agent = $5)"
            )
        };
    }
    sql_for(
        found!("($3 = TRUE OR site IN (SELECT value FROM json_each($4)))"),
        found!("($3 = TRUE OR site = ANY($4))"),
    )
}

impl Wanted {
    fn bind<'a>(&'a self, statement: Sql<'a>) -> Sql<'a> {
        self.span.bind(statement).bind(&self.agent).bind(&self.camera)
    }

    fn has(&self, camera: &str, day: i64) -> bool {
        (self.span.first_day..=self.span.last_day).contains(&day)
            && self.camera.as_ref().is_none_or(|wanted| wanted == camera)
    }
}
