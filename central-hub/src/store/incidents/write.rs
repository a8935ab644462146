//! What has changed, written for all sites of a transaction together.

use std::collections::BTreeSet;

use hub_core::correlate::{Row, Run};
use serde_json::Value;

use super::rows;
use super::site::Site;
use crate::clock::now_ms;
use crate::store::changes::Subject;
use crate::store::{Sql, StoreError, Tx, sql, sql_for};

/// An incident whose first alert the hub received earlier is history (alerts from before there were incidents): it has no clocks.
const LIVE_MS: i64 = 60 * 60 * 1000;

/// Writes what has changed at these sites.
pub async fn changes(tx: &mut Tx, sites: impl IntoIterator<Item = Site>) -> Result<(), StoreError> {
    let (mut gone, mut runs, mut clusters, mut aliases) = (vec![], vec![], vec![], vec![]);
    for mut site in sites {
        let rules = site.rules.clone();
        let changes = site.known.changes(&rules.site);
        let name = &site.name;
        // A run that has only grown keeps its row.
        let stay: BTreeSet<_> = changes.runs.iter().map(key).collect();
        let left = changes.runs_gone.iter().filter(|run| !stay.contains(&key(run)));
        gone.extend(left.map(|run| rows::run_values(name, run)));
        runs.extend(changes.runs.iter().map(|run| rows::run_values(name, run)));
        for row in changes.rows {
            tx.changed(Subject::Incident { site: name.clone(), incident: row.id.to_string() });
            clusters.push(rows::cluster_values(name, &row));
            if row.alias_of.is_some() {
                aliases.push((name.clone(), row));
            }
        }
        if site.decided {
            let text = "UPDATE sites SET pin = $2 WHERE site = $1 AND pin < $2";
            tx.execute(sql(text).bind(name).bind(site.pin)).await?;
        }
    }
    for (statement, values) in [(delete_runs(), gone), (upsert_runs(), runs)] {
        if !values.is_empty() {
            tx.execute(statement.bind(Value::from(values).to_string())).await?;
        }
    }
    if !clusters.is_empty() {
        let live_since = now_ms() - LIVE_MS;
        tx.execute(upsert_clusters().bind(Value::from(clusters).to_string()).bind(live_since)).await?;
    }
    for (name, row) in aliases {
        write_alias(tx, &name, &row).await?;
    }
    Ok(())
}

fn key(run: &Run) -> impl Ord {
    (run.family.clone(), run.camera.clone(), run.pin, run.first)
}

/// What a cluster had absorbed before goes where it goes.
async fn write_alias(tx: &mut Tx, site: &str, row: &Row) -> Result<(), StoreError> {
    let Some(incident) = row.alias_of else { return Ok(()) };
    let statement = sql_for(
        "UPDATE incidents INDEXED BY incidents_roots SET root = $3, alias_of = $4
            WHERE site = $1 AND root = $2 AND alias_of IS NOT NULL AND incident <> $2",
        "UPDATE incidents SET root = $3, alias_of = $4
            WHERE site = $1 AND root = $2 AND alias_of IS NOT NULL AND incident <> $2",
    );
    let moved = statement.bind(site).bind(row.id.to_string()).bind(row.root.to_string());
    tx.execute(moved.bind(incident.to_string())).await?;
    // Whoever works on the survivor works on this one too from now on.
    let text = "UPDATE incidents SET due_at = 0 WHERE site = $1 AND incident = $2
        AND (due_at IS NOT NULL OR state IN ('resolved', 'closed', 'false_alarm'))";
    tx.execute(sql(text).bind(site).bind(incident.to_string())).await?;
    Ok(())
}

fn delete_runs() -> Sql<'static> {
    sql_for(
        "DELETE FROM runs WHERE (site, family, agent, camera, pin, first) IN
            (SELECT CAST(value ->> 0 AS TEXT), CAST(value ->> 1 AS TEXT), CAST(value ->> 2 AS TEXT),
                CAST(value ->> 3 AS TEXT), CAST(value ->> 4 AS INTEGER), CAST(value ->> 5 AS INTEGER) FROM jsonb_each($1))",
        "DELETE FROM runs r USING jsonb_array_elements($1::text::jsonb) AS t (value)
            WHERE r.site = value ->> 0 AND r.family = value ->> 1 AND r.agent = value ->> 2
                AND r.camera = value ->> 3 AND r.pin = (value ->> 4)::bigint AND r.first = (value ->> 5)::bigint",
    )
}

fn upsert_runs() -> Sql<'static> {
    sql_for(
        "INSERT INTO runs (site, family, agent, camera, pin, first, last, incident)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
            FROM jsonb_each($1) WHERE true
            ON CONFLICT (site, family, agent, camera, pin, first)
                DO UPDATE SET last = excluded.last, incident = excluded.incident",
        "INSERT INTO runs (site, family, agent, camera, pin, first, last, incident)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, (value ->> 4)::bigint, (value ->> 5)::bigint,
                (value ->> 6)::bigint, value ->> 7
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)
            ON CONFLICT (site, family, agent, camera, pin, first)
                DO UPDATE SET last = excluded.last, incident = excluded.incident",
    )
}

/// State and version are not touched: they are the people's. The deadline says at most that the incident is to be looked
/// at (0; see `store::steps`): a new one that is no history, one that was settled, one that got worse, began earlier or was
/// seen elsewhere, one that is by itself again.
fn upsert_clusters() -> Sql<'static> {
    macro_rules! upsert {
        ($select:literal) => {
            concat!(
                "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at, clock_from, alerts,
                    cameras, peak, severity, urgency, opener_agent, opener_epoch, opener_seq, root, alias_of, attached,
                    core, due_at) ",
                $select,
                " ON CONFLICT (site, incident) DO UPDATE SET kind = excluded.kind, family = excluded.family,
                    test = excluded.test, opened_at = excluded.opened_at, last_at = excluded.last_at,
                    clock_from = excluded.clock_from, alerts = excluded.alerts, cameras = excluded.cameras,
                    peak = excluded.peak, severity = excluded.severity, urgency = excluded.urgency,
                    opener_agent = excluded.opener_agent, opener_epoch = excluded.opener_epoch,
                    opener_seq = excluded.opener_seq, root = excluded.root, alias_of = excluded.alias_of,
                    attached = excluded.attached, core = excluded.core,
                    due_at = CASE
                        WHEN incidents.state IN ('resolved', 'closed', 'false_alarm') THEN 0
                        WHEN incidents.alias_of IS NOT NULL AND excluded.alias_of IS NULL THEN 0
                        WHEN incidents.due_at IS NOT NULL AND (incidents.severity <> excluded.severity
                            OR incidents.clock_from <> excluded.clock_from
                            OR incidents.opened_at <> excluded.opened_at
                            OR incidents.cameras <> excluded.cameras) THEN 0
                        ELSE incidents.due_at END"
            )
        };
    }
    sql_for(
        upsert!(
            "SELECT value ->> 0, value ->> 1, 'alerts', value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
                value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19,
                CASE WHEN value ->> 7 >= $2 THEN 0 END
            FROM jsonb_each($1) WHERE true"
        ),
        upsert!(
            "SELECT value ->> 0, value ->> 1, 'alerts', value ->> 2, value ->> 3, (value ->> 4)::boolean,
                (value ->> 5)::bigint, (value ->> 6)::bigint, (value ->> 7)::bigint, (value ->> 8)::bigint, value ->> 9,
                (value ->> 10)::bigint, (value ->> 11)::bigint, (value ->> 12)::bigint, value ->> 13, value ->> 14,
                (value ->> 15)::bigint, value ->> 16, value ->> 17, value ->> 18, value ->> 19,
                CASE WHEN (value ->> 7)::bigint >= $2 THEN 0::bigint END
            FROM jsonb_array_elements($1::text::jsonb) AS t (value)"
        ),
    )
}
