//! A site's incidents within a transaction: locked, loaded as far as needed (`load`), decided on in memory, written back
//! (`write`). Many sites take no more statements than one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hub_core::correlate::{Alert, Cluster, Correlation, Joined};

use super::rows::{self, ClusterRow, RunRow};
use super::{load, write};
use crate::incidents::Rules;
use crate::store::{Store, StoreError, Tx, sql_for};
use crate::uuid::uuid7;

/// A site's incidents, open to changes. Nobody else decides about them before the transaction ends.
pub struct Site {
    pub(super) name: String,
    pub(super) rules: Arc<Rules>,
    pub(super) known: Correlation,
    /// Clusters that are loaded.
    pub(super) clusters: BTreeSet<String>,
    /// The number that a decision by hand got last.
    pub(super) pin: i64,
    /// Whether a decision by hand was made in this transaction.
    pub(super) decided: bool,
}

/// Locked sites, by name.
pub type Sites = BTreeMap<String, Site>;

impl Site {
    pub async fn lock(store: &Store, tx: &mut Tx, site: &str) -> Result<Self, StoreError> {
        let mut sites = Self::lock_all(store, tx, BTreeSet::from([site])).await?;
        sites.remove(site).ok_or_else(|| not_there(site))
    }

    /// Locks sites, each in its turn by name, so that two hubs never wait for each other.
    pub async fn lock_all(store: &Store, tx: &mut Tx, names: BTreeSet<&str>) -> Result<Sites, StoreError> {
        let list: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        // Before any is locked: who makes one that somebody else is making waits for that, with nothing in hand.
        let made = sql_for(
            "INSERT INTO sites (site) SELECT t.value FROM json_each($1) AS t
                WHERE NOT EXISTS (SELECT 1 FROM sites s WHERE s.site = t.value)
                ON CONFLICT (site) DO NOTHING",
            "INSERT INTO sites (site) SELECT t.name FROM unnest($1) AS t (name)
                WHERE NOT EXISTS (SELECT 1 FROM sites s WHERE s.site = t.name)
                ORDER BY t.name ON CONFLICT (site) DO NOTHING",
        );
        tx.execute(made.bind(&list)).await?;
        let locked = sql_for(
            "SELECT site, places, pin FROM sites WHERE site IN (SELECT value FROM json_each($1))",
            "SELECT site, places, pin FROM sites WHERE site = ANY($1) ORDER BY site FOR UPDATE",
        );
        let rows: Vec<(String, i64, i64)> = tx.all(locked.bind(&list)).await?;
        let mut sites = Sites::new();
        for (name, places, pin) in rows {
            let rules = store.site_rules(tx, &name, places).await?;
            let (known, clusters) = (Correlation::default(), BTreeSet::new());
            let site = Self { name: name.clone(), rules, known, clusters, pin, decided: false };
            sites.insert(name, site);
        }
        match list.iter().find(|name| !sites.contains_key(*name)) {
            Some(name) => Err(not_there(name)),
            None => Ok(sites),
        }
    }

    pub fn rules(&self) -> Arc<Rules> {
        self.rules.clone()
    }

    pub fn known(&mut self) -> &mut Correlation {
        &mut self.known
    }

    /// Loads incidents whole.
    pub async fn load_incidents(&mut self, tx: &mut Tx, incidents: &[String]) -> Result<(), StoreError> {
        load::incidents(tx, self, incidents).await
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
        self.decided = true;
        self.pin += 2;
        (self.pin - 1).cast_unsigned()
    }

    /// Writes what has changed.
    pub async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        write::changes(tx, [self]).await
    }

    pub(super) fn take_run(&mut self, row: RunRow) -> Result<(), StoreError> {
        self.known.load_run(row.try_into()?);
        Ok(())
    }

    pub(super) fn take_cluster(&mut self, row: ClusterRow) -> Result<Cluster, StoreError> {
        let cluster = Cluster::try_from(row)?;
        self.clusters.insert(cluster.id.to_string());
        self.known.load_cluster(cluster.clone());
        Ok(cluster)
    }
}

pub(super) fn not_there(site: &str) -> StoreError {
    StoreError::Unreadable { what: "sites", value: site.to_owned() }
}
