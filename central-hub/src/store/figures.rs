//! Sums of what incidents add to the figures (`hub_core::figures`), kept by day, so that a year is read as
//! quickly as a week.

use hub_core::figures::{self, Until};
use serde::{Deserialize, Serialize};

use super::{Sql, Store, StoreError, Tx, sql, sql_for};

/// What an incident adds. Taken away again before it adds something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub day: i64,
    pub hour: i64,
    pub kind: String,
    /// The camera that opened it; empty where people did.
    pub agent: String,
    pub camera: String,
    pub alerts: i64,
    pub false_alarm: bool,
    /// What was reached, and the step that its duration counts in.
    pub times: Vec<(String, i64)>,
    /// Agent and rule of its alerts, where it is over.
    pub rules: Vec<(String, String)>,
}

/// A row of counts under one name: an hour, a day, a kind, a camera, a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Counts {
    pub site: String,
    pub name: String,
    pub incidents: i64,
    pub alerts: i64,
    pub false_alarms: i64,
}

/// How wrong a rule was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct RuleCounts {
    pub site: String,
    pub agent: String,
    pub rule: String,
    /// Incidents that are over.
    pub incidents: i64,
    pub false_alarms: i64,
}

/// How long something took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durations {
    pub kind: String,
    pub until: Until,
    pub count: i64,
    pub p50_ms: i64,
    pub p90_ms: i64,
}

/// By what incidents are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Hour,
    Day,
    Kind,
    Camera,
    Site,
}

/// Which days, both included, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub first_day: i64,
    pub last_day: i64,
    /// `None`: everywhere.
    pub sites: Option<Vec<String>>,
}

/// Sets what an incident adds; `None`: nothing.
pub(super) async fn put(
    tx: &mut Tx,
    site: &str,
    incident: &str,
    part: Option<&Part>,
) -> Result<(), StoreError> {
    let statement = sql("SELECT part FROM figured WHERE site = $1 AND incident = $2");
    let stored: Option<(String,)> = tx.optional(statement.bind(site).bind(incident)).await?;
    // What cannot be read was written by a newer hub, or by nobody: it is left in the sums.
    let old: Option<Part> = stored.and_then(|(text,)| serde_json::from_str(&text).ok());
    if old.as_ref() == part {
        return Ok(());
    }
    if let Some(old) = &old {
        add(tx, site, old, -1).await?;
    }
    match part {
        None => {
            let statement = sql("DELETE FROM figured WHERE site = $1 AND incident = $2");
            tx.execute(statement.bind(site).bind(incident)).await?;
        }
        Some(part) => {
            add(tx, site, part, 1).await?;
            let text = serde_json::to_string(part).unwrap_or_default();
            let statement = sql("INSERT INTO figured (site, incident, part) VALUES ($1, $2, $3)
                ON CONFLICT (site, incident) DO UPDATE SET part = excluded.part");
            tx.execute(statement.bind(site).bind(incident).bind(text)).await?;
        }
    }
    Ok(())
}

/// Sums added to a row, which is made where it is missing: its table, its key, the key's parameters.
macro_rules! added {
    ($table:literal, $key:literal, $values:literal) => {
        sql(concat!(
            "INSERT INTO ",
            $table,
            " (incidents, alerts, false_alarms, ",
            $key,
            ") VALUES ($1, $2, $3, ",
            $values,
            ")
            ON CONFLICT (",
            $key,
            ") DO UPDATE SET incidents = ",
            $table,
            ".incidents + excluded.incidents,
                alerts = ",
            $table,
            ".alerts + excluded.alerts,
                false_alarms = ",
            $table,
            ".false_alarms + excluded.false_alarms"
        ))
    };
}

fn summed<'a>(statement: Sql<'a>, [incidents, alerts, false_alarms]: [i64; 3]) -> Sql<'a> {
    statement.bind(incidents).bind(alerts).bind(false_alarms)
}

async fn add(tx: &mut Tx, site: &str, part: &Part, sign: i64) -> Result<(), StoreError> {
    let wrong = if part.false_alarm { sign } else { 0 };
    let sums = [sign, sign * part.alerts, wrong];
    let by_hour = added!("figure_by_hour", "site, day, hour", "$4, $5, $6");
    tx.execute(summed(by_hour, sums).bind(site).bind(part.day).bind(part.hour)).await?;
    let by_kind = added!("figure_by_kind", "site, day, kind", "$4, $5, $6");
    tx.execute(summed(by_kind, sums).bind(site).bind(part.day).bind(&part.kind)).await?;
    if !part.camera.is_empty() {
        let by_camera = added!("figure_by_camera", "site, day, agent, camera", "$4, $5, $6, $7");
        let by_camera = summed(by_camera, sums).bind(site).bind(part.day);
        tx.execute(by_camera.bind(&part.agent).bind(&part.camera)).await?;
    }
    for (what, step) in &part.times {
        let statement = sql("INSERT INTO figure_times (site, day, kind, what, bucket, count) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (site, day, kind, what, bucket) DO UPDATE SET count = figure_times.count + excluded.count");
        let statement = statement.bind(site).bind(part.day).bind(&part.kind);
        tx.execute(statement.bind(what).bind(*step).bind(sign)).await?;
    }
    for (agent, rule) in &part.rules {
        let statement = sql("INSERT INTO figure_rules (site, day, agent, rule, incidents, false_alarms) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (site, day, agent, rule) DO UPDATE SET
                incidents = figure_rules.incidents + excluded.incidents,
                false_alarms = figure_rules.false_alarms + excluded.false_alarms");
        let statement = statement.bind(site).bind(part.day).bind(agent).bind(rule);
        tx.execute(statement.bind(sign).bind(wrong)).await?;
    }
    Ok(())
}

/// Sums over a span: what is selected of `f`, from which table, by what it is grouped. Keys begin with the site, so
/// each site's days are looked up; which sites there are is looked up as well, one after the other.
macro_rules! over {
    ($span:expr, $table:literal, [$($select:literal),+], $rest:literal) => {
        match &$span.sites {
            None => sql(concat!(
                "WITH RECURSIVE s (site) AS (SELECT min(site) FROM ", $table, " UNION ALL
                    SELECT (SELECT min(n.site) FROM ", $table, " n WHERE n.site > s.site) FROM s WHERE s.site IS NOT NULL)
                SELECT ", $($select,)+ " FROM s CROSS JOIN ", $table, " f
                WHERE f.site = s.site AND f.day >= $1 AND f.day <= $2 ", $rest
            ))
            .bind($span.first_day)
            .bind($span.last_day),
            Some(sites) => sql_for(
                concat!(
                    "SELECT ", $($select,)+ " FROM (SELECT DISTINCT value AS site FROM json_each($3)) s CROSS JOIN ", $table, " f
                    WHERE f.site = s.site AND f.day >= $1 AND f.day <= $2 ", $rest
                ),
                concat!(
                    "SELECT ", $($select,)+ " FROM ", $table, " f
                    WHERE f.site = ANY($3) AND f.day >= $1 AND f.day <= $2 ", $rest
                ),
            )
            .bind($span.first_day)
            .bind($span.last_day)
            .bind(sites),
        }
    };
}

/// Counts of incidents: from which table, the site's expression, the name's, and by what it is grouped.
macro_rules! counts {
    ($span:expr, $table:literal, $named:literal, $group:literal) => {
        over!(
            $span,
            $table,
            [$named, " AS name, CAST(sum(f.incidents) AS BIGINT) AS incidents, CAST(sum(f.alerts) AS BIGINT) AS alerts,
                CAST(sum(f.false_alarms) AS BIGINT) AS false_alarms"],
            $group
        )
    };
}

impl Store {
    /// Incidents, their alerts and false alarms. Hours and days are numbers, cameras `AGENT/CAMERA`.
    pub async fn figure_counts(&self, by: By, span: &Span) -> Result<Vec<Counts>, StoreError> {
        let statement = match by {
            By::Hour => counts!(
                span,
                "figure_by_hour",
                "'' AS site, CAST(f.hour AS TEXT)",
                "GROUP BY f.hour ORDER BY f.hour"
            ),
            By::Day => counts!(
                span,
                "figure_by_kind",
                "'' AS site, CAST(f.day AS TEXT)",
                "GROUP BY f.day ORDER BY f.day"
            ),
            By::Kind => {
                counts!(span, "figure_by_kind", "'' AS site, f.kind", "GROUP BY f.kind ORDER BY f.kind")
            }
            By::Site => {
                counts!(span, "figure_by_kind", "f.site AS site, f.site", "GROUP BY f.site ORDER BY f.site")
            }
            By::Camera => counts!(
                span,
                "figure_by_camera",
                "f.site AS site, f.agent || '/' || f.camera",
                "GROUP BY f.site, f.agent, f.camera ORDER BY f.site, f.agent, f.camera LIMIT 10000"
            ),
        };
        let rows: Vec<Counts> = self.read().all(statement).await?;
        Ok(rows.into_iter().filter(|row| row.incidents != 0).collect())
    }

    /// How long it took until somebody acted, by kind.
    pub async fn figure_durations(&self, span: &Span) -> Result<Vec<Durations>, StoreError> {
        let statement = over!(
            span,
            "figure_times",
            ["f.kind, f.what, f.bucket, CAST(sum(f.count) AS BIGINT) AS count"],
            "GROUP BY f.kind, f.what, f.bucket ORDER BY f.kind, f.what, f.bucket"
        );
        let rows: Vec<(String, String, i64, i64)> = self.read().all(statement).await?;
        let mut all = Vec::new();
        for of_kind in rows.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1)) {
            let counts: Vec<_> = of_kind.iter().map(|(_, _, step, count)| (*step, *count)).collect();
            let until = Until::ALL.into_iter().find(|until| until.as_str() == of_kind[0].1);
            let percentiles = figures::percentile(&counts, 50).zip(figures::percentile(&counts, 90));
            if let (Some(until), Some((p50_ms, p90_ms))) = (until, percentiles) {
                let count = counts.iter().map(|(_, count)| count).sum();
                all.push(Durations { kind: of_kind[0].0.clone(), until, count, p50_ms, p90_ms });
            }
        }
        Ok(all)
    }

    /// Incidents that are over, and how many of them were false alarms, by rule.
    pub async fn figure_rules(&self, span: &Span) -> Result<Vec<RuleCounts>, StoreError> {
        let statement = over!(
            span,
            "figure_rules",
            ["f.site AS site, f.agent AS agent, f.rule AS rule, CAST(sum(f.incidents) AS BIGINT) AS incidents,
                CAST(sum(f.false_alarms) AS BIGINT) AS false_alarms"],
            "GROUP BY f.site, f.agent, f.rule ORDER BY f.site, f.agent, f.rule LIMIT 10000"
        );
        let rows: Vec<RuleCounts> = self.read().all(statement).await?;
        Ok(rows.into_iter().filter(|row| row.incidents != 0).collect())
    }
}

impl Span {
    pub(super) fn bind<'a>(&'a self, statement: Sql<'a>) -> Sql<'a> {
        let sites = self.sites.as_deref().unwrap_or_default();
        statement.bind(self.first_day).bind(self.last_day).bind(self.sites.is_none()).bind(sites)
    }
}
