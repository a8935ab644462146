//! The definition of ADR 8, word for word and slowly: every alert against every alert.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::correlate::{Alert, Camera, Family, Relation, Severity, SiteRules, Stats, Topology};

/// What an incident is, without its id: its alerts and what is said of it (severity, first, last, first receipt, number).
pub type Incidents = BTreeMap<BTreeSet<u64>, (Severity, i64, i64, i64, u64)>;

/// A run that an operator's decision pinned.
#[derive(Clone)]
struct Pinned {
    core: usize,
    pin: u64,
    family: Family,
    camera: Camera,
    first: i64,
    last: i64,
}

pub struct Oracle<'a> {
    rules: &'a SiteRules,
    topology: &'a Topology,
    alerts: Vec<Alert>,
    /// Which core an alert was put into by hand.
    core_of: BTreeMap<u64, usize>,
    pinned: Vec<Pinned>,
    cores: usize,
    pins: u64,
}

impl<'a> Oracle<'a> {
    pub fn new(rules: &'a SiteRules, topology: &'a Topology) -> Self {
        let (alerts, core_of, pinned) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { rules, topology, alerts, core_of, pinned, cores: 0, pins: 0 }
    }

    pub fn ingest(&mut self, alerts: &[Alert]) {
        self.alerts.extend_from_slice(alerts);
    }

    pub fn split(&mut self, chosen: &BTreeSet<u64>) {
        let Some(whole) = chosen.first().and_then(|seq| self.holding(*seq)) else { return };
        self.pins += 2;
        if !chosen.is_subset(&whole) || *chosen == whole {
            return;
        }
        let rest: BTreeSet<u64> = whole.difference(chosen).copied().collect();
        let old = self.cores_of(&whole);
        self.pinned.retain(|p| !old.contains(&p.core));
        self.pin(&rest, self.pins - 1);
        self.pin(chosen, self.pins);
    }

    pub fn merge(&mut self, one: u64, other: u64) {
        let (Some(a), Some(b)) = (self.holding(one), self.holding(other)) else { return };
        self.pins += 2;
        if a == b {
            return;
        }
        let whole: BTreeSet<u64> = a.union(&b).copied().collect();
        let old = self.cores_of(&whole);
        let free: BTreeSet<u64> = whole.iter().copied().filter(|s| !self.core_of.contains_key(s)).collect();
        self.pin(&free, self.pins - 1);
        for alert in whole {
            self.core_of.insert(alert, self.cores);
        }
        for pinned in self.pinned.iter_mut().filter(|p| old.contains(&p.core)) {
            pinned.core = self.cores;
        }
    }

    pub fn incidents(&self) -> Incidents {
        self.parts().into_iter().map(|part| self.said(part)).collect()
    }

    fn said(&self, part: BTreeSet<u64>) -> (BTreeSet<u64>, (Severity, i64, i64, i64, u64)) {
        let each = self.alerts.iter().filter(|a| part.contains(&a.key.seq));
        let stats =
            each.map(|a| Stats::of(a, &self.family(a), self.rules, self.topology)).reduce(|mut a, b| {
                a.add(&b);
                a
            });
        let stats = stats.expect("no part is empty");
        let severity = self.rules.severity.of(&stats);
        (part, (severity, stats.opener.at, stats.last_at, stats.clock_from, stats.alerts))
    }

    /// The alerts of the incident that holds this one.
    pub fn holding(&self, seq: u64) -> Option<BTreeSet<u64>> {
        self.parts().into_iter().find(|part| part.contains(&seq))
    }

    fn cores_of(&self, alerts: &BTreeSet<u64>) -> BTreeSet<usize> {
        alerts.iter().filter_map(|s| self.core_of.get(s)).copied().collect()
    }

    /// Makes a core of these alerts.
    fn pin(&mut self, alerts: &BTreeSet<u64>, pin: u64) {
        self.cores += 1;
        let mut times: BTreeMap<(Family, Camera), Vec<i64>> = BTreeMap::new();
        for alert in self.alerts.iter().filter(|a| alerts.contains(&a.key.seq)) {
            self.core_of.insert(alert.key.seq, self.cores);
            times.entry((self.family(alert), alert.camera.clone())).or_default().push(alert.at);
        }
        for ((family, camera), mut times) in times {
            times.sort_unstable();
            for stretch in times.chunk_by(|a, b| b - a <= self.rules.window(&family)) {
                let (first, last) = (stretch[0], *stretch.last().unwrap());
                let (family, camera, core) = (family.clone(), camera.clone(), self.cores);
                self.pinned.push(Pinned { core, pin, family, camera, first, last });
            }
        }
    }

    fn parts(&self) -> Vec<BTreeSet<u64>> {
        let (held, free): (Vec<&Alert>, Vec<&Alert>) =
            self.alerts.iter().partition(|a| self.core_of.contains_key(&a.key.seq));
        let mut cores: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for alert in held {
            cores.entry(self.core_of[&alert.key.seq]).or_default().insert(alert.key.seq);
        }
        let mut parts = Vec::new();
        for part in self.connected(free) {
            let seqs = part.iter().map(|a| a.key.seq);
            match part.iter().filter_map(|a| self.nearest_core(a)).min() {
                Some((_, core)) => cores.entry(core).or_default().extend(seqs),
                None => parts.push(seqs.collect()),
            }
        }
        parts.extend(cores.into_values());
        parts
    }

    fn connected<'b>(&self, free: Vec<&'b Alert>) -> Vec<Vec<&'b Alert>> {
        let mut parts: Vec<Vec<&Alert>> = Vec::new();
        for alert in free {
            let linked = |part: &Vec<&Alert>| part.iter().any(|other| self.linked(alert, other));
            let (touching, mut rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(linked);
            let mut whole: Vec<&Alert> = touching.into_iter().flatten().collect();
            whole.push(alert);
            rest.push(whole);
            parts = rest;
        }
        parts
    }

    fn linked(&self, a: &Alert, b: &Alert) -> bool {
        let family = self.family(a);
        family == self.family(b)
            && self.near(&a.camera, &b.camera)
            && (a.at - b.at).abs() <= self.rules.window(&family)
    }

    fn nearest_core(&self, alert: &Alert) -> Option<((i64, i64, i64, u64), usize)> {
        let family = self.family(alert);
        let near = self.pinned.iter().filter(|p| p.family == family && self.near(&p.camera, &alert.camera));
        let gaps = near.map(|p| {
            let gap = (p.first - alert.at).max(alert.at - p.last).max(0);
            ((gap, p.first, p.last, p.pin), p.core)
        });
        gaps.filter(|((gap, ..), _)| *gap <= self.rules.window(&family)).min()
    }

    fn family(&self, alert: &Alert) -> Family {
        self.rules.family(&alert.kind, alert.test)
    }

    fn near(&self, a: &Camera, b: &Camera) -> bool {
        a == b || self.topology.neighbours(a).any(|(c, r)| c == b && *r > Relation::Same)
    }
}
