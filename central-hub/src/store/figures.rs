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

async fn add(tx: &mut Tx, site: &str, part: &Part, sign: i64) -> Result<(), StoreError> {
    let wrong = if part.false_alarm { sign } else { 0 };
    let statement = sql(
        "INSERT INTO figure_hours (site, day, hour, kind, agent, camera, incidents, alerts, false_alarms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (site, day, hour, kind, agent, camera) DO UPDATE SET
            incidents = figure_hours.incidents + excluded.incidents,
            alerts = figure_hours.alerts + excluded.alerts,
            false_alarms = figure_hours.false_alarms + excluded.false_alarms",
    );
    let statement = statement.bind(site).bind(part.day).bind(part.hour).bind(&part.kind);
    let statement = statement.bind(&part.agent).bind(&part.camera);
    tx.execute(statement.bind(sign).bind(sign * part.alerts).bind(wrong)).await?;
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

/// A statement over a span for both engines: what is selected and from where; by what it is grouped.
macro_rules! over_span {
    ($($select:literal),+; $rest:literal) => {
        sql_for(
            concat!(
                $($select),+,
                " WHERE day >= $1 AND day <= $2 AND ($3 OR site IN (SELECT value FROM json_each($4))) ",
                $rest
            ),
            concat!($($select),+, " WHERE day >= $1 AND day <= $2 AND ($3 OR site = ANY($4)) ", $rest),
        )
    };
}

/// Counts of incidents: the site's expression, the name's, and by what it is grouped.
macro_rules! counts_by {
    ($site:literal, $name:literal, $group:literal) => {
        over_span!(
            "SELECT ", $site, " AS site, ", $name, " AS name, CAST(sum(incidents) AS BIGINT) AS incidents,
                CAST(sum(alerts) AS BIGINT) AS alerts, CAST(sum(false_alarms) AS BIGINT) AS false_alarms
                FROM figure_hours";
            $group
        )
    };
}

impl Store {
    /// Incidents, their alerts and false alarms. Hours and days are numbers, cameras `AGENT/CAMERA`.
    pub async fn figure_counts(&self, by: By, span: &Span) -> Result<Vec<Counts>, StoreError> {
        let statement = match by {
            By::Hour => counts_by!("''", "CAST(hour AS TEXT)", "GROUP BY hour ORDER BY hour"),
            By::Day => counts_by!("''", "CAST(day AS TEXT)", "GROUP BY day ORDER BY day"),
            By::Kind => counts_by!("''", "kind", "GROUP BY kind ORDER BY kind"),
            By::Site => counts_by!("site", "site", "GROUP BY site ORDER BY site"),
            By::Camera => counts_by!(
                "site",
                "agent || '/' || camera",
                "AND camera <> '' GROUP BY site, agent, camera ORDER BY site, agent, camera LIMIT 10000"
            ),
        };
        let rows: Vec<Counts> = self.read().all(span.bind(statement)).await?;
        Ok(rows.into_iter().filter(|row| row.incidents != 0).collect())
    }

    /// How long it took until somebody acted, by kind.
    pub async fn figure_durations(&self, span: &Span) -> Result<Vec<Durations>, StoreError> {
        let statement = over_span!(
            "SELECT kind, what, bucket, CAST(sum(count) AS BIGINT) AS count FROM figure_times";
            "GROUP BY kind, what, bucket ORDER BY kind, what, bucket"
        );
        let rows: Vec<(String, String, i64, i64)> = self.read().all(span.bind(statement)).await?;
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
        let statement = over_span!(
            "SELECT site, agent, rule, CAST(sum(incidents) AS BIGINT) AS incidents,
                CAST(sum(false_alarms) AS BIGINT) AS false_alarms FROM figure_rules";
            "GROUP BY site, agent, rule ORDER BY site, agent, rule LIMIT 10000"
        );
        let rows: Vec<RuleCounts> = self.read().all(span.bind(statement)).await?;
        Ok(rows.into_iter().filter(|row| row.incidents != 0).collect())
    }
}

impl Span {
    pub(super) fn bind<'a>(&'a self, statement: Sql<'a>) -> Sql<'a> {
        let sites = self.sites.as_deref().unwrap_or_default();
        statement.bind(self.first_day).bind(self.last_day).bind(self.sites.is_none()).bind(sites)
    }
}
