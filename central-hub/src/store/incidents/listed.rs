//! Incidents with where the work on them stands, as lists and the feed tell them: for a whole page in three statements.
//!
//! Where an incident stands is the fold over its facts, so it is read anew each time: what the settings say about
//! clocks today counts, and nothing is kept twice. What only the history shows (notes, photos, answers) is not read.

use std::collections::HashMap;

use hub_core::clocks::{ClockRules, Mark, timetable};
use hub_core::workflow::{Assignee, Facts, Part, Standing, fold};
use protocol::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use super::IncidentView;
use crate::store::steps::FactRow;
use crate::store::{Store, StoreError, sql_for};
use crate::work::Rules;

/// An incident, and where the work on it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ListedIncident {
    #[serde(flatten)]
    pub incident: IncidentView,
    /// Whom it is given to.
    pub assigned: Option<AssigneeView>,
    /// How far up it was called: 1 is the shift lead; 0: not at all.
    pub level: u8,
    /// Its clocks wait.
    pub paused: bool,
    /// Targets that were missed: `acknowledge`, `dispatch`, `arrive`, `resolve`.
    pub overdue: Vec<&'static str>,
    /// What is to be reached by when, the next first.
    pub deadlines: Vec<Deadline>,
    /// Of one that was opened by hand: where, as people call it.
    pub place: Option<String>,
    /// Of one that was opened by hand: what was said.
    pub words: Option<String>,
}

/// A unit or a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Assignee")]
pub enum AssigneeView {
    Unit(String),
    Member(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Deadline {
    /// `acknowledge`, `dispatch`, `arrive` or `resolve`.
    pub target: &'static str,
    pub at: Timestamp,
}

impl From<&Assignee> for AssigneeView {
    fn from(to: &Assignee) -> Self {
        match to {
            Assignee::Unit(unit) => Self::Unit(unit.clone()),
            Assignee::Member(member) => Self::Member(member.clone()),
        }
    }
}

/// What is to be reached by when, in order; of a test nothing is.
pub fn deadlines(standing: &Standing, clocks: &ClockRules, test: bool) -> Vec<Deadline> {
    let due = timetable(standing, clocks).into_iter().filter_map(|due| match due.mark {
        Mark::Overdue(target) => {
            Some(Deadline { target: target.as_str(), at: Timestamp::from_unix_ms(due.at) })
        }
        Mark::Escalate { .. } => None,
    });
    due.filter(|_| !test).collect()
}

/// Site and id.
type Name = (String, String);

#[derive(FromRow)]
struct PartRow {
    site: String,
    whole: String,
    incident: String,
    clock_from: i64,
}

#[derive(FromRow)]
struct StepRow {
    site: String,
    incident: String,
    step: String,
    at: i64,
    kind: String,
    actor: String,
    role: String,
    unit: Option<String>,
    member: Option<String>,
    data: String,
}

#[derive(FromRow)]
struct ReportRow {
    site: String,
    incident: String,
    words: String,
    place: Option<String>,
}

/// Each engine's rows of a table that belong to `$1`, a list of `site/incident`; ids hold no `/`.
macro_rules! named {
    ($columns:literal, $table:literal, $incident:literal, $rest:literal) => {
        sql_for(
            concat!(
                "SELECT ",
                $columns,
                " FROM json_each($1) w CROSS JOIN ",
                $table,
                " t ON t.site = substr(w.value, 1, instr(w.value, '/') - 1) AND t.",
                $incident,
                " = substr(w.value, instr(w.value, '/') + 1)",
                $rest
            ),
            concat!(
                "SELECT ",
                $columns,
                " FROM unnest($1) AS w (value) JOIN ",
                $table,
                " t ON t.site = split_part(w.value, '/', 1) AND t.",
                $incident,
                " = split_part(w.value, '/', 2)",
                $rest
            ),
        )
    };
}

impl Store {
    /// The same incidents, in the same order, with where the work on them stands.
    pub async fn listed(
        &self,
        rules: &Rules,
        incidents: Vec<IncidentView>,
    ) -> Result<Vec<ListedIncident>, StoreError> {
        if incidents.is_empty() {
            return Ok(Vec::new());
        }
        let mut names: Vec<String> = incidents.iter().map(|i| format!("{}/{}", i.site, i.incident)).collect();
        let parts =
            named!("t.site, t.alias_of AS whole, t.incident, t.clock_from", "incidents", "alias_of", "");
        let parts: Vec<PartRow> = self.read().all(parts.bind(&names)).await?;
        let reports = named!("t.site, t.incident, t.words, t.place", "reports", "incident", "");
        let reports: Vec<ReportRow> = self.read().all(reports.bind(&names)).await?;
        names.extend(parts.iter().map(|part| format!("{}/{}", part.site, part.incident)));
        let steps = named!(
            "t.site, t.incident, t.step, t.at, t.kind, t.actor, t.role, t.unit, t.member, t.data",
            "steps",
            "incident",
            " WHERE t.kind NOT IN ('opened', 'note', 'attach', 'answer')"
        );
        let steps: Vec<StepRow> = self.read().all(steps.bind(&names)).await?;

        let mut parts_of: HashMap<Name, Vec<Part>> = HashMap::new();
        for PartRow { site, whole, incident, clock_from } in parts {
            parts_of.entry((site, whole)).or_default().push(Part { incident, clock_from });
        }
        let mut reports: HashMap<Name, ReportRow> =
            reports.into_iter().map(|row| ((row.site.clone(), row.incident.clone()), row)).collect();
        let mut facts: HashMap<Name, Vec<FactRow>> = HashMap::new();
        for row in steps {
            facts.entry((row.site.clone(), row.incident.clone())).or_default().push(row.into());
        }
        let list = incidents.into_iter().map(|incident| {
            let name = (incident.site.clone(), incident.incident.clone());
            let own = Part { incident: name.1.clone(), clock_from: incident.clock_from.unix_ms() };
            let mut parts = parts_of.remove(&name).unwrap_or_default();
            parts.push(own);
            let of_part = |part: &Part| facts.get(&(name.0.clone(), part.incident.clone()));
            let facts: Facts = parts.iter().filter_map(of_part).flatten().filter_map(FactRow::fact).collect();
            let standing = fold(&parts, &facts, &rules.reopening);
            let clocks = rules.clocks(&incident.kind, incident.severity);
            let (words, place) = reports.remove(&name).map(|row| (row.words, row.place)).unzip();
            ListedIncident {
                assigned: standing.assigned.as_ref().map(AssigneeView::from),
                level: standing.level,
                paused: standing.is_paused(),
                overdue: standing.overdue.iter().map(|target| target.as_str()).collect(),
                deadlines: deadlines(&standing, clocks, incident.test),
                place: place.flatten(),
                words,
                incident,
            }
        });
        Ok(list.collect())
    }
}

impl From<StepRow> for FactRow {
    fn from(row: StepRow) -> Self {
        let StepRow { incident, step, at, kind, actor, role, unit, member, data, .. } = row;
        Self { incident, step, at, kind, actor, role, note: None, unit, member, data }
    }
}
