//! Reading an incident with everything that happened to it.

use hub_core::workflow::{Facts, Part, fold};

use super::{Case, Row, facts};
use crate::store::{Read, Row as AnyRow, Sql, StoreError, Tx, sql, sql_for};
use crate::work::Rules;

/// Longest way from an absorbed incident to the one that it is part of.
const HOPS: usize = 16;

const ROW: &str = "SELECT site, incident, kind, severity, test, state, version, due_at, alias_of
    FROM incidents WHERE site = $1 AND incident = $2";
const LOCKED_ROW: &str = "SELECT site, incident, kind, severity, test, state, version, due_at, alias_of
    FROM incidents WHERE site = $1 AND incident = $2 FOR UPDATE";

/// Where an incident is read from: a transaction, which holds its row until its end, or what is committed.
pub(super) trait Source {
    fn row<'a>() -> Sql<'a>;
    async fn rows<R: AnyRow>(&mut self, statement: Sql<'_>) -> Result<Vec<R>, StoreError>;
}

impl Source for Tx {
    fn row<'a>() -> Sql<'a> {
        sql_for(ROW, LOCKED_ROW)
    }

    async fn rows<R: AnyRow>(&mut self, statement: Sql<'_>) -> Result<Vec<R>, StoreError> {
        self.all(statement).await
    }
}

impl Source for Read<'_> {
    fn row<'a>() -> Sql<'a> {
        sql(ROW)
    }

    async fn rows<R: AnyRow>(&mut self, statement: Sql<'_>) -> Result<Vec<R>, StoreError> {
        self.all(statement).await
    }
}

/// Reads an incident with its history, or that of which it is part.
pub(super) async fn load<S: Source>(
    tx: &mut S,
    rules: &Rules,
    site: &str,
    incident: &str,
) -> Result<Option<Case>, StoreError> {
    let mut incident = incident.to_owned();
    for _ in 0..HOPS {
        let found: Vec<Row> = tx.rows(S::row().bind(site).bind(&incident)).await?;
        let Some(row) = found.into_iter().next() else { return Ok(None) };
        if let Some(survivor) = row.alias_of {
            incident = survivor;
            continue;
        }
        let parts: Vec<(String, i64)> = tx.rows(parts().bind(site).bind(&incident)).await?;
        let parts = parts.into_iter().map(|(incident, clock_from)| Part { incident, clock_from }).collect();
        let history = facts::of(tx, site, &incident).await?;
        let reporter = "SELECT reporter FROM reports WHERE site = $1 AND incident = $2";
        let reporter: Vec<(String,)> = tx.rows(sql(reporter).bind(site).bind(&incident)).await?;
        let reporter = reporter.into_iter().next().map(|(who,)| who);
        let standing = fold(&[], &Facts::default(), &rules.reopening);
        let mut case = Case { row, history, reporter, standing, parts };
        case.stand(rules);
        return Ok(Some(case));
    }
    Ok(None)
}

/// An incident and what became part of it. SQLite would look through the whole site for the latter.
fn parts() -> Sql<'static> {
    sql_for(
        "SELECT incident, clock_from FROM incidents WHERE site = $1 AND incident = $2
            UNION ALL SELECT incident, clock_from FROM incidents INDEXED BY incidents_aliases
                WHERE site = $1 AND alias_of = $2 AND alias_of IS NOT NULL",
        "SELECT incident, clock_from FROM incidents WHERE site = $1 AND incident = $2
            UNION ALL SELECT incident, clock_from FROM incidents WHERE site = $1 AND alias_of = $2",
    )
}
