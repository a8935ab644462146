//! Alerts get their incidents: those of all sites in one go.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::correlate::Alert;

use super::site::{Site, not_there};
use super::{load, write};
use crate::incidents::Why;
use crate::store::{Store, StoreError, Tx};

/// Where an alert went.
pub struct Placed {
    pub incident: String,
    /// JSON of [`Why`]; none where it opened the incident.
    pub because: Option<String>,
}

/// Places alerts of sites, those of one site in their order; the answers are in the order of the alerts.
pub async fn place<S: AsRef<str>>(
    store: &Store,
    tx: &mut Tx,
    alerts: &[(S, Alert)],
) -> Result<Vec<Placed>, StoreError> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let names: BTreeSet<&str> = alerts.iter().map(|(site, _)| site.as_ref()).collect();
    let mut sites = Site::lock_all(store, tx, names).await?;
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (site, alert) in alerts {
        times.entry(site.as_ref().to_owned()).or_default().push(alert.at);
    }
    load::around(tx, &mut sites, times).await?;
    let mut placed = Vec::with_capacity(alerts.len());
    for (name, alert) in alerts {
        let site = sites.get_mut(name.as_ref()).ok_or_else(|| not_there(name.as_ref()))?;
        let joined = site.take(alert)?;
        let because = match Why::from(joined.because) {
            Why::Opened => None,
            why => serde_json::to_string(&why).ok(),
        };
        placed.push(Placed { incident: joined.cluster.to_string(), because });
    }
    write::changes(tx, sites.into_values()).await?;
    Ok(placed)
}
