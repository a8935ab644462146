//! What search and figures hold of each incident, made at once: the hub's own way takes a few statements an incident.
//! `fill::check` compares a sample of both ways.

use std::collections::BTreeMap;

use central_hub::store::figures::Part;
use hub_core::figures::{self, Until};
use hub_core::words;
use protocol::exchange::{Severity, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Made, OFFSET_MINUTES, camera_name, kind_names, site_name};

const NUMBERS_A_MS: i64 = 1 << 20;
const MONTH_MS: i64 = 30 * 86_400_000;

/// Sums over all incidents.
#[derive(Default)]
pub struct Sums {
    hours: BTreeMap<(String, i64, i64), [i64; 3]>,
    kinds: BTreeMap<(String, i64, String), [i64; 3]>,
    cameras: BTreeMap<(String, i64, String, String), [i64; 3]>,
    times: BTreeMap<(String, i64, String, String, i64), i64>,
    rules: BTreeMap<(String, i64, String, String), [i64; 2]>,
}

/// site, incident, number, digest, tokens.
pub fn search_row(made: &Made) -> Value {
    let mut tokens = tokens(made);
    tokens.push(words::facet("month", &(made.opened_at / MONTH_MS).to_string()));
    let mut hasher = Sha256::new();
    hasher.update(made.opened_at.to_be_bytes());
    for token in &tokens {
        hasher.update(token.as_bytes());
        hasher.update([0]);
    }
    let digest: String = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let spread = Sha256::digest(made.incident.as_bytes());
    let own = i64::from(u32::from_be_bytes([0, spread[0], spread[1], spread[2]])) % (NUMBERS_A_MS / 2);
    json!([made.site, made.incident, made.opened_at * NUMBERS_A_MS + own, digest, tokens.join(" ")])
}

fn tokens(made: &Made) -> Vec<String> {
    let (zh, en) = kind_names(made.kind);
    let state: State = serde_json::from_value(json!(made.state)).unwrap();
    let severity =
        [Severity::Low, Severity::Medium, Severity::High, Severity::Critical][made.severity as usize - 1];
    let (state_zh, state_en) = state.names();
    let site = site_name(made.site[5..].parse().unwrap());
    let names: Vec<String> = made.cameras.iter().map(|c| camera_name(&made.agent, c)).collect();
    let place = names.first().map(String::as_str);
    let texts = [made.site.as_str(), zh, en, severity.zh(), state_zh, state_en, &site]
        .into_iter()
        .chain(place)
        .chain(made.cameras.iter().flat_map(|c| [c.as_str(), made.agent.as_str()]))
        .chain(names.iter().map(String::as_str))
        .chain(made.words);
    let mut tokens = words::of_texts(texts);
    tokens.extend([
        words::facet("site", &made.site),
        words::facet("kind", made.kind),
        words::facet("state", made.state),
        words::facet("severity", severity.as_str()),
        words::facet("open", if state.is_over() { "no" } else { "yes" }),
    ]);
    tokens.extend(made.cameras.iter().map(|c| words::facet("camera", &format!("{}/{c}", made.agent))));
    tokens
}

macro_rules! sums {
    () => {
        "incidents bigint, alerts bigint, false_alarms bigint"
    };
}

impl Sums {
    /// Adds an incident; its own part.
    pub fn add(&mut self, made: &Made) -> Value {
        let (day, hour) = figures::day_and_hour(made.opened_at, OFFSET_MINUTES);
        let over = matches!(made.state, "resolved" | "closed" | "false_alarm");
        let wrong = i64::from(made.state == "false_alarm");
        let reached = |kinds: &[&str]| made.steps.iter().find(|s| kinds.contains(&s.1)).map(|s| s.0);
        let reached = [reached(&["acknowledge"]), reached(&["dispatch"]), reached(&["resolve"])];
        let times = Until::ALL.iter().zip(reached).filter_map(|(until, at)| {
            Some((until.as_str().to_owned(), figures::step_of(at? - made.clock_from)))
        });
        let ruled = over && made.alerts > 0;
        let part = Part {
            day,
            hour,
            kind: made.kind.to_owned(),
            agent: made.agent.clone(),
            camera: made.cameras.first().cloned().unwrap_or_default(),
            alerts: made.alerts,
            false_alarm: wrong > 0,
            times: times.collect(),
            rules: ruled.then(|| (made.agent.clone(), "rule-a".to_owned())).into_iter().collect(),
        };
        let site = || made.site.clone();
        let add = |sums: &mut [i64; 3]| {
            [1, part.alerts, wrong].iter().zip(sums).for_each(|(more, sum)| *sum += more);
        };
        add(self.hours.entry((site(), day, hour)).or_default());
        add(self.kinds.entry((site(), day, part.kind.clone())).or_default());
        if !part.camera.is_empty() {
            let key = (site(), day, part.agent.clone(), part.camera.clone());
            add(self.cameras.entry(key).or_default());
        }
        for (what, step) in &part.times {
            *self.times.entry((site(), day, part.kind.clone(), what.clone(), *step)).or_default() += 1;
        }
        for (agent, rule) in &part.rules {
            let sums = self.rules.entry((site(), day, agent.clone(), rule.clone())).or_default();
            [1, wrong].iter().zip(sums).for_each(|(more, sum)| *sum += more);
        }
        json!([made.site, made.incident, serde_json::to_string(&part).unwrap()])
    }

    /// Table, columns, rows.
    pub fn rows(self) -> [(&'static str, &'static str, Vec<Value>); 5] {
        let hours =
            self.hours.into_iter().map(|((site, day, hour), [i, a, f])| json!([site, day, hour, i, a, f]));
        let kinds =
            self.kinds.into_iter().map(|((site, day, kind), [i, a, f])| json!([site, day, kind, i, a, f]));
        let cameras = self
            .cameras
            .into_iter()
            .map(|((site, day, agent, camera), [i, a, f])| json!([site, day, agent, camera, i, a, f]));
        let times = self
            .times
            .into_iter()
            .map(|((site, day, kind, what, step), count)| json!([site, day, kind, what, step, count]));
        let rules = self
            .rules
            .into_iter()
            .map(|((site, day, agent, rule), [i, f])| json!([site, day, agent, rule, i, f]));
        [
            ("figure_by_hour", concat!("site text, day bigint, hour bigint, ", sums!()), hours.collect()),
            ("figure_by_kind", concat!("site text, day bigint, kind text, ", sums!()), kinds.collect()),
            (
                "figure_by_camera",
                concat!("site text, day bigint, agent text, camera text, ", sums!()),
                cameras.collect(),
            ),
            (
                "figure_times",
                "site text, day bigint, kind text, what text, bucket bigint, count bigint",
                times.collect(),
            ),
            (
                "figure_rules",
                "site text, day bigint, agent text, rule text, incidents bigint, false_alarms bigint",
                rules.collect(),
            ),
        ]
    }
}
