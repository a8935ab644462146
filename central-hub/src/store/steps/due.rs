//! What has come due: the hub's own marks, what alerts did meanwhile, and what a step of its clock does to both.
//!
//! Where alerts are stored, an incident's row is merely marked to be looked at (`due_at`); what its new alerts mean for
//! people who work on it, and what was joined to it, is found out here, a moment later.

use std::collections::BTreeSet;

use hub_core::clocks::{Due, IncidentClock, Mark};
use hub_core::workflow::{Facts, Part, State, fold};
use serde_json::json;

use super::facts::{Written, add};
use super::{Case, load, propose, save, severity_name};
use crate::store::audit::Note;
use crate::store::{Store, StoreError, Tx, audit, sql, sql_for};
use crate::work::Rules;

/// Incidents that are looked at in one transaction.
const AT_ONCE: i64 = 50;

/// The database's clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// What it shows now, ms.
    pub now: i64,
    /// How far it was set; back: negative.
    pub by: i64,
}

impl Store {
    /// The time by which things come due: the database's, which all hubs share.
    pub async fn time(&self) -> Result<i64, StoreError> {
        let statement = sql_for(
            "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        );
        Ok(self.read().one::<(i64,)>(statement).await?.0)
    }

    /// When something comes due next.
    pub async fn next_mark(&self) -> Result<Option<i64>, StoreError> {
        let text = "SELECT due_at FROM incidents WHERE due_at IS NOT NULL AND alias_of IS NULL
            ORDER BY due_at LIMIT 1";
        Ok(self.read().optional::<(i64,)>(sql(text)).await?.map(|(at,)| at))
    }

    /// Marks what is due at `now`: how many marks were given, and whether there may be more. Of several hubs, the
    /// one that holds the row first gives its marks; the others then find nothing due.
    pub async fn give_due(&self, rules: &Rules, now: i64) -> Result<(usize, bool), StoreError> {
        self.retrying(|| self.try_give_due(rules, now)).await
    }

    async fn try_give_due(&self, rules: &Rules, now: i64) -> Result<(usize, bool), StoreError> {
        let text = "SELECT site, incident FROM incidents
            WHERE due_at IS NOT NULL AND due_at <= $1 AND alias_of IS NULL ORDER BY due_at LIMIT $2";
        let mut due: Vec<(String, String)> = self.read().all(sql(text).bind(now).bind(AT_ONCE)).await?;
        if due.is_empty() {
            return Ok((0, false));
        }
        let more = due.len() as i64 == AT_ONCE;
        // Always in this order, so that two hubs do not wait for each other.
        due.sort_unstable();
        let mut tx = self.write().await?;
        let mut given = 0;
        let mut sites = propose::Sites::default();
        for (site, incident) in due {
            let Some(mut case) = load(&mut tx, rules, &site, &incident).await? else { continue };
            if case.row.due_at.is_none_or(|at| at > now) {
                continue;
            }
            let before = case.standing.state;
            catch_up(&mut tx, rules, &mut case).await?;
            sites.propose(&mut tx, rules, &mut case).await?;
            let clocks = rules.clocks(&case.row.kind, severity_name(case.row.severity));
            let mut clock = IncidentClock::new(&case.standing, clocks);
            clock.handle(now);
            while let Some(Due { at, mark }) = clock.poll().filter(|_| !case.row.test) {
                let (kind, data) = match mark {
                    Mark::Overdue(target) => ("overdue", json!({ "target": target.as_str(), "since": at })),
                    Mark::Escalate { level, because } => {
                        ("escalated", json!({ "level": level, "because": because.as_str(), "since": at }))
                    }
                };
                let fact = Written::by_hub(case.next_time(), kind, data);
                add(&mut tx, &mut case, &fact).await?;
                given += 1;
            }
            case.stand(rules);
            let opened_again = case.standing.state != before;
            save(&mut tx, rules, &mut case, opened_again).await?;
        }
        tx.commit().await?;
        Ok((given, more))
    }

    /// The clock was set: the times of everything that is worked on go along, so that as much time has gone by as
    /// had before. Of several hubs that notice, one does it.
    pub async fn set_clocks(&self, rules: &Rules, step: ClockStep) -> Result<usize, StoreError> {
        self.retrying(|| self.try_set_clocks(rules, step)).await
    }

    async fn try_set_clocks(&self, rules: &Rules, step: ClockStep) -> Result<usize, StoreError> {
        /// Hubs look once in some seconds; the same step is noticed by all within this time.
        const SAME_MS: i64 = 60_000;
        let mut tx = self.write().await?;
        tx.lock("clock").await?;
        let last: Option<(String,)> =
            tx.optional(sql("SELECT value FROM meta WHERE name = 'clock_set'")).await?;
        let last = last.and_then(|(text,)| text.parse::<i64>().ok());
        if last.is_some_and(|at| (step.now - at).abs() < SAME_MS) {
            return Ok(0);
        }
        let noted = "INSERT INTO meta (name, value) VALUES ('clock_set', $1)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        tx.execute(sql(noted).bind(step.now.to_string())).await?;
        let text = "SELECT site, incident FROM incidents WHERE due_at IS NOT NULL AND alias_of IS NULL
            ORDER BY site, incident";
        let open: Vec<(String, String)> = tx.all(sql(text)).await?;
        let count = open.len();
        for (site, incident) in open {
            let Some(mut case) = load(&mut tx, rules, &site, &incident).await? else { continue };
            let fact = Written::by_hub(case.next_time().max(step.now), "clock_set", json!({ "by": step.by }));
            add(&mut tx, &mut case, &fact).await?;
            case.stand(rules);
            save(&mut tx, rules, &mut case, false).await?;
        }
        let detail = format!("The clock was set by {} ms; {count} open incidents went along.", step.by);
        tx.audit(Note::new("clock_set", audit::HUB, &detail));
        tx.commit().await?;
        Ok(count)
    }
}

/// When a new incident is due first.
pub(in crate::store) fn first_due(
    rules: &Rules,
    kind: &str,
    severity: i64,
    test: bool,
    clock_from: i64,
) -> Option<i64> {
    let part = Part { incident: String::new(), clock_from };
    let standing = fold(&[part], &Facts::default(), &rules.reopening);
    let clock = IncidentClock::new(&standing, rules.clocks(kind, severity_name(severity)));
    clock.deadline().filter(|_| !test).map(|(at, _)| at)
}

/// Writes down what was joined to an incident since it was looked at last, and the alert that opens it again.
async fn catch_up(tx: &mut Tx, rules: &Rules, case: &mut Case) -> Result<(), StoreError> {
    let joinings = case.history.iter().filter(|row| row.kind == "absorbed");
    let joined: BTreeSet<String> =
        joinings.filter_map(|row| Some(row.data()["incident"].as_str()?.to_owned())).collect();
    let parts: Vec<String> = case.parts.iter().map(|part| part.incident.clone()).collect();
    let is_new = |part: &&String| **part != case.row.incident && !joined.contains(*part);
    let new: Vec<&String> = parts.iter().filter(is_new).collect();
    for part in new {
        let fact = Written::by_hub(case.next_time(), "absorbed", json!({ "incident": part }));
        add(tx, case, &fact).await?;
    }
    case.stand(rules);
    let Some(settled) = case.standing.settled_at() else { return Ok(()) };
    let quiet = match case.standing.state {
        State::FalseAlarm => rules.reopening.after_false_alarm,
        _ => rules.reopening.after_resolved,
    };
    let text = sql_for(
        // By the incident, not by the time of receipt: after that there are all alerts of the site.
        "SELECT at, received_at FROM alerts WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))
            AND at > $3 AND +received_at > $3 ORDER BY +received_at LIMIT 1",
        "SELECT at, received_at FROM alerts WHERE site = $1 AND incident = ANY($2)
            AND at > $3 AND received_at > $3 ORDER BY received_at LIMIT 1",
    );
    let alert = text.bind(&case.row.site).bind(&parts).bind(settled.saturating_add(quiet));
    if let Some((happened, received_at)) = tx.optional::<(i64, i64)>(alert).await? {
        let at = received_at.max(case.next_time());
        add(tx, case, &Written::by_hub(at, "alert", json!({ "happened": happened }))).await?;
        case.stand(rules);
    }
    Ok(())
}
