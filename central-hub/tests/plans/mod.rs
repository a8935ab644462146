//! Which statements were run, and which of them look through a large table from end to end.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use central_hub::store::{Store, sql};
use sqlx::AssertSqlSafe;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Tables that grow with what happens.
const LARGE: [&str; 17] = [
    "alerts",
    "incidents",
    "steps",
    "records",
    "courses",
    "stills",
    "runs",
    "reports",
    "search_docs",
    "figured",
    "figure_by_hour",
    "figure_by_kind",
    "figure_by_camera",
    "figure_times",
    "figure_rules",
    "changes",
    "audit",
];

/// The handover sheet looks through a site's incidents, three times a day; what is given to somebody is looked for among
/// what is open.
const ALLOWED: [&str; 3] =
    ["SELECT kind, count(*) AS count FROM incidents", "i.due_at, i.level, i.unit", "unit_members m"];

/// All statements of this program from now on: SQLite's run on threads of their own.
pub struct Statements(Arc<Mutex<BTreeSet<String>>>);

impl Statements {
    pub fn listen() -> Self {
        let taken = Arc::default();
        tracing::subscriber::set_global_default(Ear(Arc::clone(&taken))).unwrap();
        Self(taken)
    }

    pub fn taken(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Where SQLite looks through a large table, or through all that a site or an epoch has in it, with the statements. An
/// index that is walked in its order and left when there is enough is none of these.
pub async fn scans(store: &Store, statements: &BTreeSet<String>) -> Vec<String> {
    assert!(!statements.is_empty(), "no statement was heard");
    let mut scans = Vec::new();
    let reads = |s: &&String| ["SELECT", "WITH"].iter().any(|word| s.trim_start().starts_with(word));
    for statement in statements.iter().filter(reads) {
        let text = format!("EXPLAIN QUERY PLAN {statement}");
        let plan: Vec<(i64, i64, i64, String)> = store.read().all(sql(AssertSqlSafe(text))).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|row| row.3.as_str()).collect();
        let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        let ends_early = statement.contains("LIMIT") && !sorts;
        let looks_through = |step: &&&str| {
            let table =
                ["SCAN ", "SEARCH "].iter().find_map(|verb| step.strip_prefix(verb)?.split(' ').next());
            // An alias names a table as `FROM alerts a`.
            let is_large = |table| {
                LARGE.iter().any(|large| *large == table || statement.contains(&format!(" {large} {table} ")))
            };
            // What is open is little.
            let is_small = step.contains("incidents_open");
            let whole_site = step.ends_with("(site=?)") || step.ends_with("(agent=? AND epoch=?)");
            (step.starts_with("SCAN ") || whole_site)
                && table.is_some_and(is_large)
                && !ends_early
                && !is_small
        };
        if let Some(step) = steps.iter().find(looks_through)
            && !ALLOWED.iter().any(|part| statement.contains(part))
        {
            scans.push(format!("{step}\n{statement}"));
        }
    }
    scans
}

struct Ear(Arc<Mutex<BTreeSet<String>>>);

impl Subscriber for Ear {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "sqlx::query"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        // The summary is the beginning of the statement where there is more of it.
        let statement = if said.statement.trim().is_empty() { said.summary } else { said.statement };
        self.0.lock().unwrap().insert(statement);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Said {
    summary: String,
    statement: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.statement = value.to_owned(),
            _ => {}
        }
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
