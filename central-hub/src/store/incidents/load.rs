//! What alerts at hand can be linked to, read for all sites of a transaction together.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::correlate::IncidentId;
use serde_json::{Value, json};

use super::rows::{ClusterRow, RunRow};
use super::site::{Site, Sites};
use crate::store::{StoreError, Tx, sql_for};

/// Times farther apart than this are looked up one by one: a backlog beside live alerts shall not load what lies between.
const STRETCH_MS: i64 = 60 * 60 * 1000;

macro_rules! select_clusters {
    ($($rest:expr),+) => {
        concat!($(
            "SELECT site, incident, kind, family, test, opened_at, last_at, clock_from, alerts, cameras, peak,
                opener_agent, opener_epoch, opener_seq, root, alias_of, attached, core FROM incidents ",
            $rest
        ),+)
    };
}

/// Loads what alerts of these times can be linked to, by site.
pub async fn around(
    tx: &mut Tx,
    sites: &mut Sites,
    times: BTreeMap<String, Vec<i64>>,
) -> Result<(), StoreError> {
    let mut stretches = Vec::new();
    let mut least = i64::MAX;
    for (name, mut times) in times {
        let Some(site) = sites.get(&name) else { continue };
        times.sort_unstable();
        let window = site.rules.site.widest_window();
        for stretch in times.chunk_by(|a, b| b - a <= STRETCH_MS) {
            let (from, until) = (stretch[0] - window, stretch[stretch.len() - 1] + window);
            least = least.min(from);
            stretches.push(json!([name, from, until]));
        }
    }
    // `$2` says nothing new. PostgreSQL knows from it how little of the table that is; for SQLite each stretch's own
    // bound is the better one to search by.
    let text = sql_for(
        "SELECT r.site, r.family, r.agent, r.camera, r.pin, r.first, r.last, r.incident
            FROM jsonb_each($1) AS t CROSS JOIN runs r
            WHERE r.site = t.value ->> 0 AND r.last >= t.value ->> 1 AND r.first <= t.value ->> 2 AND +r.last >= $2",
        "SELECT r.site, r.family, r.agent, r.camera, r.pin, r.first, r.last, r.incident
            FROM jsonb_array_elements($1::text::jsonb) AS t (value) CROSS JOIN LATERAL (
                SELECT * FROM runs WHERE site = t.value ->> 0 AND last >= (t.value ->> 1)::bigint
                    AND first <= (t.value ->> 2)::bigint AND last >= $2 OFFSET 0) AS r",
    );
    let runs: Vec<RunRow> = tx.all(text.bind(Value::from(stretches).to_string()).bind(least)).await?;
    let mut wanted = BTreeSet::new();
    for run in runs {
        wanted.insert((run.site.clone(), run.incident.clone()));
        if let Some(site) = sites.get_mut(&run.site) {
            site.take_run(run)?;
        }
    }
    clusters(tx, sites, wanted).await
}

/// Loads clusters, what they are part of, and all that hangs on cores among those.
async fn clusters(
    tx: &mut Tx,
    sites: &mut Sites,
    mut wanted: BTreeSet<(String, String)>,
) -> Result<(), StoreError> {
    let mut cores = BTreeSet::new();
    while !wanted.is_empty() {
        let text = sql_for(
            select_clusters!(
                "WHERE (site, incident) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))"
            ),
            select_clusters!(
                "WHERE (site, incident) IN
                    (SELECT value ->> 0, value ->> 1 FROM jsonb_array_elements($1::text::jsonb) AS t (value))"
            ),
        );
        let rows: Vec<ClusterRow> = tx.all(text.bind(pairs(&std::mem::take(&mut wanted)))).await?;
        for row in rows {
            let name = row.site.clone();
            let Some(site) = sites.get_mut(&name) else { continue };
            let cluster = site.take_cluster(row)?;
            let core = cluster.attached.as_ref().map(|a| a.core);
            let over: Vec<IncidentId> = [Some(cluster.root), core].into_iter().flatten().collect();
            wanted.extend(over.iter().map(|id| (name.clone(), id.to_string())));
            if cluster.core {
                cores.insert((name, cluster.id.to_string()));
            }
        }
        wanted.retain(|(name, id)| sites.get(name).is_some_and(|site| !site.clusters.contains(id)));
    }
    if cores.is_empty() {
        return Ok(());
    }
    let text = sql_for(
        select_clusters!(
            "INDEXED BY incidents_aliases WHERE alias_of IS NOT NULL AND attached IS NOT NULL
                AND (site, alias_of) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each($1))"
        ),
        select_clusters!(
            "WHERE attached IS NOT NULL AND (site, alias_of) IN
                (SELECT value ->> 0, value ->> 1 FROM jsonb_array_elements($1::text::jsonb) AS t (value))"
        ),
    );
    for row in tx.all::<ClusterRow>(text.bind(pairs(&cores))).await? {
        let site = sites.get_mut(&row.site);
        if let Some(site) = site.filter(|site| !site.clusters.contains(&row.incident)) {
            site.take_cluster(row)?;
        }
    }
    Ok(())
}

fn pairs(pairs: &BTreeSet<(String, String)>) -> String {
    Value::from_iter(pairs.iter().map(|(site, incident)| json!([site, incident]))).to_string()
}

/// Loads incidents of a site whole.
pub async fn incidents(tx: &mut Tx, site: &mut Site, incidents: &[String]) -> Result<(), StoreError> {
    let all = sql_for(
        // SQLite would look through the whole site for aliases.
        select_clusters!(
            "WHERE site = $1 AND incident IN (SELECT value FROM json_each($2)) UNION ALL ",
            "INDEXED BY incidents_aliases WHERE site = $1 AND alias_of IS NOT NULL
                AND alias_of IN (SELECT value FROM json_each($2))"
        ),
        select_clusters!("WHERE site = $1 AND (incident = ANY($2) OR alias_of = ANY($2))"),
    );
    let clusters: Vec<ClusterRow> = tx.all(all.bind(&site.name).bind(incidents)).await?;
    let ids: Vec<String> = clusters.iter().map(|c| c.incident.clone()).collect();
    for cluster in clusters {
        site.take_cluster(cluster)?;
    }
    let text = sql_for(
        "SELECT site, family, agent, camera, pin, first, last, incident FROM runs INDEXED BY runs_by_incident
            WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))",
        "SELECT site, family, agent, camera, pin, first, last, incident FROM runs
            WHERE site = $1 AND incident = ANY($2)",
    );
    let runs: Vec<RunRow> = tx.all(text.bind(&site.name).bind(&ids)).await?;
    runs.into_iter().try_for_each(|run| site.take_run(run))
}
