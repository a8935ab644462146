//! What a shift leaves to the next: read from incidents and steps, nothing of its own.

use sqlx::FromRow;

use super::{Store, StoreError, sql};

/// Most incidents and most notes of a sheet.
pub const MOST_ROWS: i64 = 500;

/// An incident on the sheet.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SheetIncident {
    pub incident: String,
    pub kind: String,
    pub severity: i64,
    pub state: String,
    pub clock_from: i64,
    pub alerts: i64,
    pub due_at: Option<i64>,
    pub level: i64,
    pub unit: Option<String>,
    pub member: Option<String>,
    pub words: Option<String>,
    pub place: Option<String>,
}

/// What was done, how often.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SheetCount {
    pub kind: String,
    pub count: i64,
}

/// A note of the shift.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SheetNote {
    pub incident: String,
    pub at: i64,
    pub actor: String,
    pub kind: String,
    pub note: String,
}

/// The whole sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What is still to be done, the most urgent first.
    pub open: Vec<SheetIncident>,
    /// What was settled in the time.
    pub settled: Vec<SheetIncident>,
    /// How many were opened in the time, by kind.
    pub opened: Vec<SheetCount>,
    /// Steps and marks of the time, by kind.
    pub steps: Vec<SheetCount>,
    pub notes: Vec<SheetNote>,
}

macro_rules! incidents {
    ($rest:literal) => {
        concat!(
            "SELECT i.incident, i.kind, i.severity, i.state, i.clock_from, i.alerts, i.due_at, i.level, i.unit,
                i.member, r.words, r.place
            FROM incidents i LEFT JOIN reports r ON r.site = i.site AND r.incident = i.incident
            WHERE i.site = $1 AND i.alias_of IS NULL ",
            $rest
        )
    };
}

impl Store {
    /// The sheet of a site for `from <= time < to`.
    pub async fn handover(&self, site: &str, from: i64, to: i64) -> Result<Sheet, StoreError> {
        let read = self.read();
        let open = incidents!(
            "AND i.clock_from < $2 AND i.state NOT IN ('resolved', 'closed', 'false_alarm')
            ORDER BY i.urgency, i.clock_from, i.incident LIMIT $3"
        );
        let settled = incidents!(
            "AND i.state IN ('resolved', 'closed', 'false_alarm')
                AND i.incident IN (SELECT incident FROM steps WHERE site = $1 AND at >= $2 AND at < $3
                    AND kind IN ('resolve', 'close', 'false_alarm'))
            ORDER BY i.clock_from, i.incident LIMIT $4"
        );
        let opened = "SELECT kind, count(*) AS count FROM incidents
            WHERE site = $1 AND alias_of IS NULL AND clock_from >= $2 AND clock_from < $3
            GROUP BY kind ORDER BY kind";
        let steps = "SELECT kind, count(*) AS count FROM steps WHERE site = $1 AND at >= $2 AND at < $3
            GROUP BY kind ORDER BY kind";
        let notes = "SELECT incident, at, actor, kind, note FROM steps
            WHERE site = $1 AND at >= $2 AND at < $3 AND note IS NOT NULL ORDER BY at, step LIMIT $4";
        Ok(Sheet {
            open: read.all(sql(open).bind(site).bind(to).bind(MOST_ROWS)).await?,
            settled: read.all(sql(settled).bind(site).bind(from).bind(to).bind(MOST_ROWS)).await?,
            opened: read.all(sql(opened).bind(site).bind(from).bind(to)).await?,
            steps: read.all(sql(steps).bind(site).bind(from).bind(to)).await?,
            notes: read.all(sql(notes).bind(site).bind(from).bind(to).bind(MOST_ROWS)).await?,
        })
    }
}
