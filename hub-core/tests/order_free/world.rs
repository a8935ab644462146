//! A site that remembers as the hub's database does: rows and runs, of which each batch loads a part.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::correlate::{
    Alert, AlertKey, Camera, Cluster, Correlation, Family, FamilyRule, Hours, IncidentId, Place, Position,
    Row, Run, Severity, SeverityRules, SiteRules, Topology,
};

use super::oracle::Incidents;

pub fn rules() -> SiteRules {
    let family = |kinds: &[&str], window_ms| FamilyRule {
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        window_ms,
    };
    SiteRules {
        families: BTreeMap::from([
            (Family("perimeter".into()), family(&["line", "zone"], 60)),
            (Family("loiter".into()), family(&["loiter"], 100)),
        ]),
        window_ms: 40,
        reach_m: 30.0,
        severity: SeverityRules {
            at_least: BTreeMap::from([("loiter".to_owned(), Severity::Medium)]),
            sensitive: Hours { from: 0, until: 6 * 60 },
            utc_offset_minutes: 0,
            steps: vec![4, 8],
        },
    }
}

/// `a - b - c` along a street by distance, `d` a neighbour of `c` by name, `e` alone. `b` is sensitive.
pub fn topology() -> Topology {
    let place = |name: &str, x: Option<f64>| Place {
        camera: camera(name),
        position: x.map(|x| Position::Plan { x, y: 0.0 }),
        sensitive: name == "b",
    };
    let places = [
        place("a", Some(0.0)),
        place("b", Some(25.0)),
        place("c", Some(50.0)),
        place("d", None),
        place("e", Some(900.0)),
    ];
    Topology::new(&places, &[(camera("d"), camera("c"))], 30.0)
}

pub fn camera(name: &str) -> Camera {
    Camera { agent: "box".into(), camera: name.into() }
}

pub fn alert(seq: u64, camera_name: &str, kind: &str, at: i64) -> Alert {
    Alert {
        key: AlertKey { agent: "box".into(), epoch: "e".into(), seq },
        camera: camera(camera_name),
        kind: kind.into(),
        severity: Severity::ALL[(seq % 3) as usize],
        test: false,
        at,
        // Received in no particular order, and never all at once.
        received_at: 10_000 + (seq as i64 * 7919) % 101,
    }
}

#[derive(Default)]
pub struct World {
    rows: BTreeMap<IncidentId, Row>,
    runs: BTreeSet<Run>,
    alerts: Vec<(Alert, IncidentId)>,
    minted: u128,
    pins: u64,
}

impl World {
    pub fn ingest(&mut self, rules: &SiteRules, topology: &Topology, batch: &[Alert]) {
        let Some((from, until)) =
            batch.iter().map(|a| (a.at, a.at)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        else {
            return;
        };
        let reach = rules.widest_window();
        let near = |run: &&Run| run.last >= from - reach && run.first <= until + reach;
        let mut site = self.load(self.runs.iter().filter(near).cloned().collect());
        for alert in batch {
            let minted = &mut self.minted;
            let joined = site.take(rules, topology, alert, &mut || {
                *minted += 1;
                IncidentId(*minted)
            });
            assert_eq!(joined.incident, site.incident_of(joined.cluster));
            self.alerts.push((alert.clone(), joined.cluster));
        }
        self.store(&mut site, rules);
    }

    /// Splits what is chosen of the first chosen's incident.
    pub fn split(&mut self, rules: &SiteRules, topology: &Topology, chosen: &BTreeSet<u64>) {
        let Some(first) = chosen.first().and_then(|seq| self.incident_of(*seq)) else { return };
        let mut site = self.load_incidents(&[first]);
        let alerts: Vec<Alert> =
            self.alerts.iter().filter(|(_, s)| self.final_of(*s) == first).map(|(a, _)| a.clone()).collect();
        let key = |seq: &u64| alert(*seq, "", "", 0).key;
        let keys: BTreeSet<AlertKey> = chosen.iter().map(key).collect();
        self.minted += 1;
        let (new, pin) = (IncidentId(self.minted), self.next_pin());
        if site.split(rules, topology, first, &alerts, &keys, new, pin).is_err() {
            return;
        }
        for (alert, cluster) in &mut self.alerts {
            if chosen.contains(&alert.key.seq) {
                *cluster = new;
            }
        }
        self.store(&mut site, rules);
    }

    pub fn merge(&mut self, rules: &SiteRules, one: u64, other: u64) {
        let (Some(a), Some(b)) = (self.incident_of(one), self.incident_of(other)) else { return };
        let mut site = self.load_incidents(&[a, b]);
        let pin = self.next_pin();
        // Refused: nothing is changed.
        let _ = site.merge(a, b, pin);
        self.store(&mut site, rules);
    }

    pub fn incidents(&self) -> Incidents {
        let mut members: BTreeMap<IncidentId, BTreeSet<u64>> = BTreeMap::new();
        for (alert, cluster) in &self.alerts {
            members.entry(self.final_of(*cluster)).or_default().insert(alert.key.seq);
        }
        let said = |id: &IncidentId| {
            let row = &self.rows[id];
            assert_eq!(row.alias_of, None);
            let t = &row.total;
            (row.severity, t.opener.at, t.last_at, t.clock_from, t.alerts)
        };
        members.into_iter().map(|(id, alerts)| (alerts, said(&id))).collect()
    }

    pub fn incident_of(&self, seq: u64) -> Option<IncidentId> {
        self.alerts.iter().find(|(a, _)| a.key.seq == seq).map(|(_, cluster)| self.final_of(*cluster))
    }

    /// As the database knows it: one look at the row.
    pub fn final_of(&self, cluster: IncidentId) -> IncidentId {
        self.rows[&cluster].alias_of.unwrap_or(cluster)
    }

    /// The alerts of the incident that holds this one.
    pub fn holding(&self, seq: u64) -> Option<BTreeSet<u64>> {
        let incident = self.incident_of(seq)?;
        let inside = self.alerts.iter().filter(|(_, cluster)| self.final_of(*cluster) == incident);
        Some(inside.map(|(a, _)| a.key.seq).collect())
    }

    fn next_pin(&mut self) -> u64 {
        self.pins += 2;
        self.pins - 1
    }

    fn load_incidents(&self, incidents: &[IncidentId]) -> Correlation {
        self.load(
            self.runs.iter().filter(|r| incidents.contains(&self.final_of(r.cluster))).cloned().collect(),
        )
    }

    fn load(&self, runs: Vec<Run>) -> Correlation {
        let mut site = Correlation::default();
        let clusters: BTreeSet<IncidentId> = runs.iter().map(|r| r.cluster).collect();
        let roots: BTreeSet<IncidentId> = clusters.iter().map(|s| self.rows[s].root).collect();
        let finals: BTreeSet<IncidentId> = roots.iter().map(|r| self.final_of(*r)).collect();
        let attached =
            |row: &Row| row.attached.is_some() && row.alias_of.is_some_and(|i| finals.contains(&i));
        let wanted = |row: &&Row| {
            clusters.contains(&row.id) || roots.contains(&row.id) || finals.contains(&row.id) || attached(row)
        };
        for row in self.rows.values().filter(wanted) {
            let Row { id, root, core, attached, own, .. } = row.clone();
            site.load_cluster(Cluster { id, root, core, attached, own });
        }
        runs.into_iter().for_each(|run| site.load_run(run));
        site
    }

    fn store(&mut self, site: &mut Correlation, rules: &SiteRules) {
        let changes = site.changes(rules);
        for run in changes.runs_gone {
            assert!(self.runs.remove(&run));
        }
        self.runs.extend(changes.runs);
        for row in changes.rows {
            for other in self.rows.values_mut().filter(|r| r.root == row.id) {
                (other.root, other.alias_of) = (row.root, Some(row.alias_of.unwrap_or(row.root)));
            }
            self.rows.insert(row.id, row);
        }
    }
}
