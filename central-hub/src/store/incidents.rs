//! Incidents: reading them, and what all who change them need. Ingest places alerts (`site`), operators split and merge
//! (`by_hand`), alerts from before incidents get theirs (`adopt`).

pub mod adopt;
pub mod by_hand;
pub mod listed;
mod rows;
pub(super) mod site;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use listed::ListedIncident;
pub use view::{Cursor, Filter, IncidentView, Order, States};

use crate::incidents::Rules;
use crate::incidents::settings::Incidents;

/// Sites whose rules are kept made.
const KEPT_SITES: usize = 1024;

/// What goes together, by site: the settings, and rules made of them and of the sites' places.
#[derive(Debug, Default)]
pub struct RuleBook {
    settings: OnceLock<Incidents>,
    sites: Mutex<BTreeMap<String, (i64, Arc<Rules>)>>,
}

impl RuleBook {
    /// As the settings file says; once, before anything is placed.
    pub fn set(&self, settings: Incidents) {
        if self.settings.set(settings).is_err() {
            tracing::warn!("the rules for incidents are set already");
        }
    }

    pub(super) fn settings(&self) -> &Incidents {
        self.settings.get_or_init(Incidents::default)
    }

    pub(super) fn find(&self, site: &str, places: i64) -> Option<Arc<Rules>> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.get(site).filter(|(of, _)| *of == places).map(|(_, rules)| rules.clone())
    }

    pub(super) fn keep(&self, site: &str, places: i64, rules: Rules) -> Arc<Rules> {
        let rules = Arc::new(rules);
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.len() >= KEPT_SITES {
            sites.clear();
        }
        sites.insert(site.to_owned(), (places, rules.clone()));
        rules
    }
}
