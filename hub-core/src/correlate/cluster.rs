//! Clusters and their figures: what a row of the incidents' table says.
//!
//! A cluster is opened as an incident. It stays one, or is absorbed for good by a cluster that it turned out to be
//! part of (its *root*), or is attached to a core as long as no nearer core is known.

use std::collections::{BTreeMap, BTreeSet};

use super::{Alert, AlertKey, Camera, Family, IncidentId, Severity, SiteRules, Topology};

/// The first alert of an incident: by time, then by identity. Names what the incident is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opener {
    pub at: i64,
    pub key: AlertKey,
    pub kind: String,
    pub family: Family,
}

/// Figures of a set of alerts; those of two sets make those of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    pub opener: Opener,
    pub last_at: i64,
    /// When the hub received the first of them: by whichever order they happened.
    pub clock_from: i64,
    pub alerts: u64,
    /// The highest severity of a single alert, raised by its kind, place and hour.
    pub peak: Severity,
    pub cameras: BTreeSet<Camera>,
    /// All of them are test alerts.
    pub test: bool,
}

impl Stats {
    pub fn of(alert: &Alert, family: &Family, rules: &SiteRules, topology: &Topology) -> Self {
        Self {
            opener: Opener {
                at: alert.at,
                key: alert.key.clone(),
                kind: alert.kind.clone(),
                family: family.clone(),
            },
            last_at: alert.at,
            clock_from: alert.received_at,
            alerts: 1,
            peak: rules.severity.of_alert(alert, topology),
            cameras: BTreeSet::from([alert.camera.clone()]),
            test: alert.test,
        }
    }

    pub fn add(&mut self, other: &Self) {
        if other.opener < self.opener {
            self.opener = other.opener.clone();
        }
        self.last_at = self.last_at.max(other.last_at);
        self.clock_from = self.clock_from.min(other.clock_from);
        self.alerts += other.alerts;
        self.peak = self.peak.max(other.peak);
        if !other.cameras.is_subset(&self.cameras) {
            self.cameras.extend(other.cameras.iter().cloned());
        }
        self.test &= other.test;
    }
}

/// How near a cluster is to a core. The least decides: the nearest, then the older run. Numbers of pins
/// are unique, so there are no ties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// Milliseconds between an alert of the cluster and a pinned run of the core.
    pub gap: i64,
    pub first: i64,
    pub last: i64,
    pub pin: u64,
    pub core: IncidentId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub id: IncidentId,
    /// What absorbed it; itself where nothing did.
    pub root: IncidentId,
    /// Shaped by an operator.
    pub core: bool,
    pub attached: Option<Attachment>,
    /// Figures of its own alerts, with those of clusters it absorbed.
    pub own: Stats,
}

impl Cluster {
    pub fn new(id: IncidentId, own: Stats) -> Self {
        Self { id, root: id, core: false, attached: None, own }
    }

    pub(super) fn attach(&mut self, other: Option<Attachment>) {
        self.attached = match (self.attached.take(), other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// A cluster as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: IncidentId,
    pub root: IncidentId,
    /// The incident it is part of now, where that is another.
    pub alias_of: Option<IncidentId>,
    pub attached: Option<Attachment>,
    pub core: bool,
    pub own: Stats,
    /// Figures of the whole incident, where it is one.
    pub total: Stats,
    pub severity: Severity,
}

/// All clusters that are loaded.
#[derive(Debug, Default)]
pub(super) struct Clusters(pub(super) BTreeMap<IncidentId, Cluster>);

impl Clusters {
    /// What a cluster is part of for good.
    pub(super) fn root_of(&self, cluster: IncidentId) -> IncidentId {
        let mut at = cluster;
        while let Some(next) = self.0.get(&at).map(|s| s.root).filter(|root| *root != at) {
            at = next;
        }
        at
    }

    /// The incident that a cluster belongs to now.
    pub(super) fn incident_of(&self, cluster: IncidentId) -> IncidentId {
        let root = self.root_of(cluster);
        match self.0.get(&root).and_then(|s| s.attached.as_ref()) {
            Some(attached) => self.root_of(attached.core),
            None => root,
        }
    }

    /// The figures of a whole incident: its own and those of all that is attached to it.
    pub(super) fn total(&self, incident: &Cluster) -> Stats {
        let mut total = incident.own.clone();
        if incident.core {
            let roots = self.0.values().filter(|s| s.root == s.id && s.id != incident.id);
            for cluster in roots.filter(|s| self.incident_of(s.id) == incident.id) {
                total.add(&cluster.own);
            }
        }
        total
    }
}
