//! A site's incidents within a transaction: locked, loaded as far as needed, decided on in memory, written back.

use std::collections::BTreeSet;
use std::sync::Arc;

use hub_core::correlate::{Alert, Cluster, Correlation, IncidentId, Joined, Row};
use serde_json::Value;

use super::rows::{self, ClusterRow, RunRow};
use crate::clock::now_ms;
use crate::incidents::Rules;
use crate::store::changes::Subject;
use crate::store::{Store, StoreError, Tx, sql, sql_for};
use crate::uuid::uuid7;

/// Times farther apart than this are looked up one by one: a backlog beside live alerts shall not load what lies between.
const STRETCH_MS: i64 = 60 * 60 * 1000;
/// An incident whose first alert the hub received earlier is history (alerts from before there were incidents): it has no clocks.
const LIVE_MS: i64 = 60 * 60 * 1000;

macro_rules! select_clusters {
    ($($rest:expr),+) => {
        concat!($(
            "SELECT incident, kind, family, test, opened_at, last_at, clock_from, alerts, cameras, peak,
                opener_agent, opener_epoch, opener_seq, root, alias_of, attached, core FROM incidents ",
            $rest
        ),+)
    };
}

/// A site's incidents, open to changes. Nobody else decides about them before the transaction ends.
pub struct Site {
    site: String,
    rules: Arc<Rules>,
    known: Correlation,
    clusters: BTreeSet<String>,
    /// The number that a decision by hand got last.
    pin: i64,
}

impl Site {
    /// Locks a site. Several are locked in the order of their names.
    pub async fn lock(store: &Store, tx: &mut Tx, site: &str) -> Result<Self, StoreError> {
        let locked = || {
            sql_for(
                "SELECT places, pin FROM sites WHERE site = $1",
                "SELECT places, pin FROM sites WHERE site = $1 FOR UPDATE",
            )
            .bind(site)
        };
        let found: Option<(i64, i64)> = tx.optional(locked()).await?;
        let (places, pin) = match found {
            Some(row) => row,
            None => {
                let made = "INSERT INTO sites (site) VALUES ($1) ON CONFLICT (site) DO NOTHING";
                tx.execute(sql(made).bind(site)).await?;
                tx.one(locked()).await?
            }
        };
        let rules = store.site_rules(tx, site, places).await?;
        Ok(Self {
            site: site.to_owned(),
            rules,
            known: Correlation::default(),
            clusters: BTreeSet::new(),
            pin,
        })
    }

    pub fn rules(&self) -> Arc<Rules> {
        self.rules.clone()
    }

    pub fn known(&mut self) -> &mut Correlation {
        &mut self.known
    }

    /// Loads what alerts of these times can be linked to.
    pub async fn load_around(
        &mut self,
        tx: &mut Tx,
        times: impl Iterator<Item = i64>,
    ) -> Result<(), StoreError> {
        let mut times: Vec<i64> = times.collect();
        times.sort_unstable();
        let window = self.rules.site.widest_window();
        let mut wanted = BTreeSet::new();
        for stretch in times.chunk_by(|a, b| b - a <= STRETCH_MS) {
            let (from, until) = (stretch[0] - window, stretch[stretch.len() - 1] + window);
            let text = "SELECT family, agent, camera, pin, first, last, incident FROM runs
                WHERE site = $1 AND last >= $2 AND first <= $3";
            let runs = tx.all::<RunRow>(sql(text).bind(&self.site).bind(from).bind(until)).await?;
            self.take_runs(runs, &mut wanted)?;
        }
        self.load_clusters(tx, wanted).await
    }

    /// Loads incidents whole.
    pub async fn load_incidents(&mut self, tx: &mut Tx, incidents: &[String]) -> Result<(), StoreError> {
        let all = sql_for(
            // SQLite would look through the whole site for aliases.
            select_clusters!(
                "WHERE site = $1 AND incident IN (SELECT value FROM json_each($2)) UNION ALL ",
                "INDEXED BY incidents_aliases WHERE site = $1 AND alias_of IS NOT NULL
                    AND alias_of IN (SELECT value FROM json_each($2))"
            ),
            select_clusters!("WHERE site = $1 AND (incident = ANY($2) OR alias_of = ANY($2))"),
        );
        let clusters: Vec<ClusterRow> = tx.all(all.bind(&self.site).bind(incidents)).await?;
        let ids: Vec<String> = clusters.iter().map(|c| c.incident.clone()).collect();
        for cluster in clusters {
            self.take_cluster(cluster)?;
        }
        let text = sql_for(
            "SELECT family, agent, camera, pin, first, last, incident FROM runs INDEXED BY runs_by_incident
                WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))",
            "SELECT family, agent, camera, pin, first, last, incident FROM runs
                WHERE site = $1 AND incident = ANY($2)",
        );
        let runs = tx.all::<RunRow>(text.bind(&self.site).bind(&ids)).await?;
        self.take_runs(runs, &mut BTreeSet::new())
    }

    /// Places an alert; what it can be linked to is loaded.
    pub fn take(&mut self, alert: &Alert) -> Result<Joined, StoreError> {
        // One at most is needed; minted beforehand, for minting can fail.
        let fresh = rows::id(&uuid7()?)?;
        let rules = self.rules.clone();
        Ok(self.known.take(&rules.site, &rules.topology, alert, &mut || fresh))
    }

    /// The numbers of a decision by hand.
    pub fn next_pin(&mut self) -> u64 {
        self.pin += 2;
        (self.pin - 1).cast_unsigned()
    }

    /// Writes what has changed.
    pub async fn write(mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let rules = self.rules.clone();
        let changes = self.known.changes(&rules.site);
        if !changes.runs_gone.is_empty() {
            let statement = sql_for(
                "DELETE FROM runs WHERE (site, family, agent, camera, pin, first) IN
                    (SELECT CAST($1 AS TEXT), CAST(value ->> 0 AS TEXT), CAST(value ->> 1 AS TEXT), CAST(value ->> 2 AS TEXT),
                        CAST(value ->> 3 AS INTEGER), CAST(value ->> 4 AS INTEGER) FROM json_each($2))",
                "DELETE FROM runs r USING jsonb_array_elements($2::text::jsonb) AS t (value)
                    WHERE r.site = $1 AND r.family = value ->> 0 AND r.agent = value ->> 1
                        AND r.camera = value ->> 2 AND r.pin = (value ->> 3)::bigint
                        AND r.first = (value ->> 4)::bigint",
            );
            let gone = Value::from_iter(changes.runs_gone.iter().map(rows::run_values));
            tx.execute(statement.bind(&self.site).bind(gone.to_string())).await?;
        }
        if !changes.runs.is_empty() {
            let statement = sql_for(
                "INSERT INTO runs (site, family, agent, camera, pin, first, last, incident)
                    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
                    FROM json_each($2)",
                "INSERT INTO runs (site, family, agent, camera, pin, first, last, incident)
                    SELECT $1, value ->> 0, value ->> 1, value ->> 2, (value ->> 3)::bigint, (value ->> 4)::bigint,
                        (value ->> 5)::bigint, value ->> 6
                    FROM jsonb_array_elements($2::text::jsonb) AS t (value)",
            );
            let new = Value::from_iter(changes.runs.iter().map(rows::run_values));
            tx.execute(statement.bind(&self.site).bind(new.to_string())).await?;
        }
        if !changes.rows.is_empty() {
            self.write_clusters(tx, &changes.rows).await?;
        }
        if self.pin > 0 {
            let text = "UPDATE sites SET pin = $2 WHERE site = $1 AND pin < $2";
            tx.execute(sql(text).bind(&self.site).bind(self.pin)).await?;
        }
        Ok(())
    }

    async fn write_clusters(&self, tx: &mut Tx, changed: &[Row]) -> Result<(), StoreError> {
        let values = Value::from_iter(changed.iter().map(|row| rows::cluster_values(&self.site, row)));
        let live_since = now_ms() - LIVE_MS;
        tx.execute(upsert_clusters().bind(values.to_string()).bind(live_since)).await?;
        for row in changed {
            tx.changed(Subject::Incident { site: self.site.clone(), incident: row.id.to_string() });
            // What it had absorbed before goes where it goes.
            let Some(incident) = row.alias_of else { continue };
            let statement = sql_for(
                "UPDATE incidents INDEXED BY incidents_roots SET root = $3, alias_of = $4
                    WHERE site = $1 AND root = $2 AND alias_of IS NOT NULL AND incident <> $2",
                "UPDATE incidents SET root = $3, alias_of = $4
                    WHERE site = $1 AND root = $2 AND alias_of IS NOT NULL AND incident <> $2",
            );
            let moved = statement.bind(&self.site).bind(row.id.to_string()).bind(row.root.to_string());
            tx.execute(moved.bind(incident.to_string())).await?;
            // Whoever works on the survivor works on this one too from now on.
            let text = "UPDATE incidents SET due_at = 0 WHERE site = $1 AND incident = $2
                AND (due_at IS NOT NULL OR state IN ('resolved', 'closed', 'false_alarm'))";
            tx.execute(sql(text).bind(&self.site).bind(incident.to_string())).await?;
        }
        Ok(())
    }

    fn take_runs(&mut self, runs: Vec<RunRow>, wanted: &mut BTreeSet<String>) -> Result<(), StoreError> {
        for run in runs {
            wanted.insert(run.incident.clone());
            self.known.load_run(run.try_into()?);
        }
        Ok(())
    }

    fn take_cluster(&mut self, row: ClusterRow) -> Result<Cluster, StoreError> {
        let cluster = Cluster::try_from(row)?;
        self.clusters.insert(cluster.id.to_string());
        self.known.load_cluster(cluster.clone());
        Ok(cluster)
    }

    /// Loads clusters, what they are part of, and all that hangs on cores among those.
    async fn load_clusters(&mut self, tx: &mut Tx, mut wanted: BTreeSet<String>) -> Result<(), StoreError> {
        let mut cores = BTreeSet::new();
        while !wanted.is_empty() {
            let list: Vec<String> = std::mem::take(&mut wanted).into_iter().collect();
            let statement = sql_for(
                select_clusters!("WHERE site = $1 AND incident IN (SELECT value FROM json_each($2))"),
                select_clusters!("WHERE site = $1 AND incident = ANY($2)"),
            );
            for row in tx.all::<ClusterRow>(statement.bind(&self.site).bind(list)).await? {
                let cluster = self.take_cluster(row)?;
                let core = cluster.attached.as_ref().map(|a| a.core);
                let over: Vec<IncidentId> = [Some(cluster.root), core].into_iter().flatten().collect();
                wanted.extend(over.iter().map(ToString::to_string));
                if cluster.core {
                    cores.insert(cluster.id.to_string());
                }
            }
            wanted.retain(|id| !self.clusters.contains(id));
        }
        if cores.is_empty() {
            return Ok(());
        }
        let cores: Vec<String> = cores.into_iter().collect();
        let statement = sql_for(
            select_clusters!(
                "INDEXED BY incidents_aliases WHERE site = $1 AND alias_of IS NOT NULL
                    AND alias_of IN (SELECT value FROM json_each($2)) AND attached IS NOT NULL"
            ),
            select_clusters!("WHERE site = $1 AND alias_of = ANY($2) AND attached IS NOT NULL"),
        );
        for row in tx.all::<ClusterRow>(statement.bind(&self.site).bind(cores)).await? {
            if !self.clusters.contains(&row.incident) {
                self.take_cluster(row)?;
            }
        }
        Ok(())
    }
}

/// State and version are not touched: they are the people's. The deadline says at most that the incident is to be looked
/// at (0; see `store::steps`): a new one that is no history, one that was settled, one that got worse, began earlier or was
/// seen elsewhere, one that is by itself again.
fn upsert_clusters() -> crate::store::Sql<'static> {
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
            FROM json_each($1) WHERE true"
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
