//! Which alerts are one incident (ADR 8).
//!
//! Owns the partition of a site's alerts into incidents, incident severity, and why each alert is where it is.
//! Leaves to others: what is loaded and stored, who may split and merge, what people do with an incident.
//!
//! Two alerts are linked where they are of one family, of the same or neighbouring cameras, and no farther apart in
//! time than the family's window. What is linked, directly or over others, is one incident. That is a function of the
//! set of alerts: no order of arrival changes it. It is kept as *runs*: the longest stretches of one camera and family in
//! which each alert follows the one before within the window. An alert at `t` is linked to a run exactly where
//! `first - window <= t <= last + window`, since no gap inside a run is wider than the window. So an alert costs the same
//! whether its incident holds ten alerts or a hundred thousand.
//!
//! What an operator splits or merges becomes a *core*: its alerts belong together whatever comes, its runs are pinned and
//! never grow. Alerts that came later are free: they are partitioned among themselves as ever, and each part that is linked to
//! cores belongs to the nearest in time (then the older). No alert ever joins two cores.

mod by_hand;
mod cluster;
mod rules;
mod severity;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

pub use by_hand::Refused;
use cluster::Clusters;
pub use cluster::{Attachment, Cluster, Opener, Row, Stats};
pub use rules::{Family, FamilyRule, Hours, Place, Position, Relation, SiteRules, TEST, Topology};
pub use severity::{Severity, SeverityRules};

/// A camera of an agent; unique within a site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Camera {
    pub agent: String,
    pub camera: String,
}

/// An alert's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    pub agent: String,
    pub epoch: String,
    pub seq: u64,
}

/// An alert, as far as it matters here. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub key: AlertKey,
    pub camera: Camera,
    pub kind: String,
    pub severity: Severity,
    pub test: bool,
    pub at: i64,
    pub received_at: i64,
}

/// A UUID, minted by whoever stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IncidentId(pub u128);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        let part = |shift: u32, bits: u32| (n >> shift) & ((1 << bits) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

/// A text that is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoIncidentId;

impl FromStr for IncidentId {
    type Err = NoIncidentId;
    fn from_str(text: &str) -> Result<Self, NoIncidentId> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            });
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if !shaped {
            return Err(NoIncidentId);
        }
        u128::from_str_radix(&digits, 16).map(Self).map_err(|_| NoIncidentId)
    }
}

/// A stretch of alerts of one camera and family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub family: Family,
    pub camera: Camera,
    /// 0 where it is free; else the number of the operator's decision that pinned it.
    pub pin: u64,
    pub first: i64,
    pub last: i64,
    /// The cluster it was begun in, or one that took that over.
    pub cluster: IncidentId,
}

impl Run {
    /// How far `at` is from it; 0 inside.
    fn gap(&self, at: i64) -> i64 {
        (self.first - at).max(at - self.last).max(0)
    }
}

/// Why an alert is in its incident, as it was decided when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Nothing it could belong to was there.
    Opened,
    Linked {
        /// The nearest camera that saw something of this incident, and how it stands to the alert's own.
        camera: Camera,
        relation: Relation,
        /// How far the alert is from that camera's run in time; 0 in its midst.
        gap_ms: i64,
        /// That run, before the alert: from its first to its last alert.
        first: i64,
        last: i64,
    },
}

/// Where an alert went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// What its row names: the incident is found over it, whatever is merged later.
    pub cluster: IncidentId,
    pub incident: IncidentId,
    pub opened: bool,
    pub because: Because,
    /// Incidents that this alert showed to be part of `incident`.
    pub absorbed: Vec<IncidentId>,
}

/// What is known of a site around the alerts at hand: all runs that they can be linked to, the clusters
/// of those, and of each core among them all that is attached to it.
#[derive(Debug, Default)]
pub struct Correlation {
    clusters: Clusters,
    runs: BTreeMap<(Family, Camera), Vec<Run>>,
    touched: BTreeSet<IncidentId>,
    loaded_runs: BTreeSet<Run>,
}

/// What has changed since it was loaded.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows to write; those of clusters that stay their own root have the figures of the whole incident.
    pub rows: Vec<Row>,
    pub runs_gone: Vec<Run>,
    pub runs: Vec<Run>,
}

/// A run that an alert is linked to.
struct Link {
    run: Run,
    relation: Relation,
    gap: i64,
}

impl Correlation {
    pub fn load_cluster(&mut self, cluster: Cluster) {
        self.clusters.0.insert(cluster.id, cluster);
    }

    pub fn load_run(&mut self, run: Run) {
        if self.loaded_runs.insert(run.clone()) {
            self.runs.entry((run.family.clone(), run.camera.clone())).or_default().push(run);
        }
    }

    /// The incident that a cluster belongs to now.
    pub fn incident_of(&self, cluster: IncidentId) -> IncidentId {
        self.clusters.incident_of(cluster)
    }

    /// Places an alert. `mint` gives the id of a new incident.
    pub fn take(
        &mut self,
        rules: &SiteRules,
        topology: &Topology,
        alert: &Alert,
        mint: &mut impl FnMut() -> IncidentId,
    ) -> Joined {
        let family = rules.family(&alert.kind, alert.test);
        let window = rules.window(&family);
        let links = self.links(topology, &family, window, alert);
        let stats = Stats::of(alert, &family, rules, topology);

        let mut roots: Vec<IncidentId> =
            links.iter().filter(|l| l.run.pin == 0).map(|l| self.clusters.root_of(l.run.cluster)).collect();
        roots.sort_unstable_by(|a, b| self.age(*a).cmp(&self.age(*b)));
        roots.dedup();
        let opened = roots.is_empty();
        let root = match roots.first() {
            Some(oldest) => *oldest,
            None => {
                let id = mint();
                self.clusters.0.insert(id, Cluster::new(id, stats.clone()));
                id
            }
        };
        let before: BTreeSet<IncidentId> = roots.iter().map(|r| self.incident_of(*r)).collect();
        for younger in roots.iter().skip(1) {
            self.absorb(*younger, root);
        }
        let nearest = links.iter().filter(|l| l.run.pin > 0).map(|l| self.attachment(l)).min();
        let cluster = self.clusters.0.entry(root).or_insert_with(|| Cluster::new(root, stats.clone()));
        if !opened {
            cluster.own.add(&stats);
        }
        cluster.attach(nearest);
        self.touched.insert(root);
        self.extend_run(family, window, alert, root);

        let incident = self.incident_of(root);
        self.touched.insert(incident);
        // Whatever it belonged to before has lost it.
        self.touched.extend(before.iter().copied());
        let absorbed = before.into_iter().filter(|id| *id != incident && self.is_alias(*id)).collect();
        Joined {
            cluster: root,
            incident,
            opened: opened && incident == root,
            because: self.because(incident, links),
            absorbed,
        }
    }

    /// What is to be written. The figures of an incident count what is attached to it.
    pub fn changes(&mut self, rules: &SiteRules) -> Changes {
        let touched = std::mem::take(&mut self.touched);
        let rows = touched.into_iter().filter_map(|id| self.row(rules, id)).collect();
        let now: BTreeSet<Run> = self.runs.values().flatten().cloned().collect();
        let changes = Changes {
            rows,
            runs_gone: self.loaded_runs.difference(&now).cloned().collect(),
            runs: now.difference(&self.loaded_runs).cloned().collect(),
        };
        self.loaded_runs = now;
        changes
    }

    fn links(&self, topology: &Topology, family: &Family, window: i64, alert: &Alert) -> Vec<Link> {
        let mut links = Vec::new();
        let mut look = |camera: &Camera, relation: Relation| {
            let runs = self.runs.get(&(family.clone(), camera.clone())).into_iter().flatten();
            links.extend(runs.filter_map(|run| {
                let gap = run.gap(alert.at);
                (gap <= window).then(|| Link { run: run.clone(), relation, gap })
            }));
        };
        look(&alert.camera, Relation::Same);
        for (camera, relation) in topology.neighbours(&alert.camera) {
            look(camera, *relation);
        }
        links
    }

    fn extend_run(&mut self, family: Family, window: i64, alert: &Alert, cluster: IncidentId) {
        let camera = alert.camera.clone();
        let mut whole = Run { family, camera, pin: 0, first: alert.at, last: alert.at, cluster };
        let runs = self.runs.entry((whole.family.clone(), whole.camera.clone())).or_default();
        runs.retain(|run| {
            let part = run.pin == 0 && run.gap(alert.at) <= window;
            if part {
                whole.first = whole.first.min(run.first);
                whole.last = whole.last.max(run.last);
            }
            !part
        });
        runs.push(whole);
    }

    fn attachment(&self, link: &Link) -> Attachment {
        let Run { first, last, pin, cluster, .. } = link.run;
        Attachment { gap: link.gap, first, last, pin, core: self.clusters.root_of(cluster) }
    }

    fn absorb(&mut self, younger: IncidentId, older: IncidentId) {
        let Some(gone) = self.clusters.0.get_mut(&younger) else { return };
        gone.root = older;
        let (own, attached) = (gone.own.clone(), gone.attached.take());
        if let Some(stays) = self.clusters.0.get_mut(&older) {
            stays.own.add(&own);
            stays.attach(attached);
        }
        self.touched.extend([younger, older]);
    }

    fn because(&self, incident: IncidentId, links: Vec<Link>) -> Because {
        let own = links.into_iter().filter(|l| self.incident_of(l.run.cluster) == incident);
        match own.min_by_key(|l| (l.gap, l.relation, l.run.first)) {
            Some(Link { run, relation, gap }) => Because::Linked {
                camera: run.camera,
                relation,
                gap_ms: gap,
                first: run.first,
                last: run.last,
            },
            None => Because::Opened,
        }
    }

    fn row(&self, rules: &SiteRules, id: IncidentId) -> Option<Row> {
        let cluster = self.clusters.0.get(&id)?;
        let incident = self.incident_of(id);
        let total = self.clusters.total(cluster);
        Some(Row {
            id,
            root: self.clusters.root_of(id),
            alias_of: Some(incident).filter(|i| *i != id),
            attached: cluster.attached.clone(),
            core: cluster.core,
            severity: rules.severity.of(&total),
            own: cluster.own.clone(),
            total,
        })
    }

    fn is_alias(&self, id: IncidentId) -> bool {
        self.incident_of(id) != id
    }

    fn age(&self, root: IncidentId) -> Option<&Opener> {
        self.clusters.0.get(&root).map(|s| &s.own.opener)
    }
}
