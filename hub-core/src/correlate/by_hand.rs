//! What operators decide about incidents: splits and merges. Both make cores.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Alert, AlertKey, Camera, Cluster, Correlation, Family, IncidentId, Run, SiteRules, Stats, Topology,
};

/// Why an incident stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is none of this id, or it is part of another.
    NoSuchIncident(IncidentId),
    NothingChosen,
    /// All alerts were chosen: nothing would be left.
    NothingLeft,
    NotInIt(AlertKey),
    /// An incident cannot be merged with itself.
    Same,
}

impl Correlation {
    /// Takes `chosen` out of the incident `of` into a new one, `new`. `alerts` are all alerts of `of`; all its runs and
    /// clusters are loaded. `pin` and `pin + 1` were never used before at this site.
    #[allow(clippy::too_many_arguments)]
    pub fn split(
        &mut self,
        rules: &SiteRules,
        topology: &Topology,
        of: IncidentId,
        alerts: &[Alert],
        chosen: &BTreeSet<AlertKey>,
        new: IncidentId,
        pin: u64,
    ) -> Result<(), Refused> {
        self.check_incident(of)?;
        let keys: BTreeSet<&AlertKey> = alerts.iter().map(|a| &a.key).collect();
        if let Some(stranger) = chosen.iter().find(|key| !keys.contains(key)) {
            return Err(Refused::NotInIt(stranger.clone()));
        }
        let (out, rest): (Vec<&Alert>, Vec<&Alert>) = alerts.iter().partition(|a| chosen.contains(&a.key));
        let stats = |part: &[&Alert]| {
            let each = part.iter().map(|a| Stats::of(a, &rules.family(&a.kind, a.test), rules, topology));
            each.reduce(|mut sum, one| {
                sum.add(&one);
                sum
            })
        };
        let new_own = stats(&out).ok_or(Refused::NothingChosen)?;
        let rest_own = stats(&rest).ok_or(Refused::NothingLeft)?;
        self.remove_runs(of);
        self.gather(of, rest_own);
        self.clusters.0.insert(new, Cluster { core: true, ..Cluster::new(new, new_own) });
        self.touched.insert(new);
        self.pin_runs(rules, &rest, of, pin);
        self.pin_runs(rules, &out, new, pin + 1);
        Ok(())
    }

    /// Makes two incidents one; which one it is afterwards: the older. All their runs and clusters are loaded.
    /// `pin` was never used before at this site.
    pub fn merge(&mut self, one: IncidentId, other: IncidentId, pin: u64) -> Result<IncidentId, Refused> {
        self.check_incident(one)?;
        self.check_incident(other)?;
        if one == other {
            return Err(Refused::Same);
        }
        let (a, b) =
            (self.clusters.total(&self.clusters.0[&one]), self.clusters.total(&self.clusters.0[&other]));
        let (survivor, gone) = if a.opener < b.opener { (one, other) } else { (other, one) };
        for runs in self.runs.values_mut() {
            for run in runs {
                // Pinned ones keep their number: nothing that is attached elsewhere changes its mind.
                let incident = self.clusters.incident_of(run.cluster);
                if incident == survivor || incident == gone {
                    run.cluster = survivor;
                    run.pin = if run.pin == 0 { pin } else { run.pin };
                }
            }
        }
        let mut own = a;
        own.add(&b);
        self.gather(gone, b);
        if let Some(cluster) = self.clusters.0.get_mut(&gone) {
            cluster.root = survivor;
        }
        self.gather(survivor, own);
        Ok(survivor)
    }

    fn check_incident(&self, id: IncidentId) -> Result<(), Refused> {
        if !self.clusters.0.contains_key(&id) || self.is_alias(id) {
            return Err(Refused::NoSuchIncident(id));
        }
        Ok(())
    }

    /// Makes an incident a core: what was attached to it is part of it for good.
    fn gather(&mut self, incident: IncidentId, own: Stats) {
        let parts: Vec<IncidentId> =
            self.clusters.0.keys().copied().filter(|id| self.incident_of(*id) == incident).collect();
        for id in parts {
            if let Some(cluster) = self.clusters.0.get_mut(&id) {
                cluster.root = incident;
                cluster.attached = None;
            }
            self.touched.insert(id);
        }
        if let Some(cluster) = self.clusters.0.get_mut(&incident) {
            cluster.core = true;
            cluster.own = own;
        }
        self.touched.insert(incident);
    }

    fn remove_runs(&mut self, incident: IncidentId) {
        let clusters = &self.clusters;
        for runs in self.runs.values_mut() {
            runs.retain(|run| clusters.incident_of(run.cluster) != incident);
        }
    }

    fn pin_runs(&mut self, rules: &SiteRules, alerts: &[&Alert], core: IncidentId, pin: u64) {
        let mut times: BTreeMap<(Family, Camera), Vec<i64>> = BTreeMap::new();
        for alert in alerts {
            let family = rules.family(&alert.kind, alert.test);
            times.entry((family, alert.camera.clone())).or_default().push(alert.at);
        }
        for ((family, camera), mut times) in times {
            times.sort_unstable();
            let window = rules.window(&family);
            let runs = self.runs.entry((family.clone(), camera.clone())).or_default();
            for stretch in times.chunk_by(|a, b| b - a <= window) {
                let (first, last) = (stretch[0], stretch[stretch.len() - 1]);
                let (family, camera) = (family.clone(), camera.clone());
                runs.push(Run { family, camera, pin, first, last, cluster: core });
            }
        }
    }
}
