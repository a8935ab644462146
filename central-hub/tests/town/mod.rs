//! A township's half year, made up: sites with boxes and cameras, evenings busier than mornings, incidents of one to
//! twenty alerts, most of them closed, a few hundred open, some reported by hand, with what people wrote about them.
//!
//! Everything follows from an incident's number, so a query can name what it will find.

pub mod fill;
mod index;

use central_hub::store::exchange::Names;
use protocol::kinds;
use serde_json::{Value, json};

pub const SITES: i64 = 49;
const BOXES_OF_SITE: i64 = 2;
const CAMERAS_OF_BOX: i64 = 8;
pub const DAYS: i64 = 180;
pub const DAY_MS: i64 = 86_400_000;
/// 2026-05-01, midnight at +08:00.
pub const START: i64 = 1_777_564_800_000;
pub const OFFSET_MINUTES: i16 = 480;
/// Of the newest so many, every second is worked on; of all others, one of `FORGOTTEN`.
const NEWEST: i64 = 400;
const FORGOTTEN: u64 = 4_000;
/// One of so many is reported by hand.
const BY_HAND: i64 = 25;

const WHERE: [&str; 7] = ["东街", "西街", "南湖", "北桥", "中山", "新华", "老城"];
const WHAT: [&str; 7] = ["市场", "小区", "学校", "医院", "车站", "公园", "工业园"];
const SPOTS: [&str; 8] = ["东门", "西门", "后巷", "车棚", "广场", "楼道", "围墙", "大厅"];
const OWN_KINDS: [(&str, &str, &str); 4] = [
    ("street_light", "路灯不亮", "Street light"),
    ("blocked_exit", "消防通道堵塞", "Blocked exit"),
    ("litter", "垃圾堆放", "Litter"),
    ("quarrel", "口角纠纷", "Quarrel"),
];
const WORDS: [&str; 6] = [
    "三号楼门口路灯坏了，晚上看不清台阶",
    "电动车堵住安全出口，喊了两次没人来挪",
    "后门垃圾堆了两天，味道很大，请尽快清运",
    "摊位占道，行人只能走机动车道",
    "围墙破了一个洞，有人从这里抄近路",
    "广告牌松动，风大的时候会晃",
];
const NOTES: [&str; 4] = ["已到场，人员已离开", "误报，树影晃动", "现场无异常，继续观察", "已通知物业处理"];

/// An incident and all that happened to it.
pub struct Made {
    pub site: String,
    pub incident: String,
    pub origin: &'static str,
    pub kind: &'static str,
    pub opened_at: i64,
    pub last_at: i64,
    pub clock_from: i64,
    pub alerts: i64,
    pub agent: String,
    /// The one that opened it first.
    pub cameras: Vec<String>,
    pub severity: i64,
    pub state: &'static str,
    pub alias_of: Option<String>,
    pub words: Option<&'static str>,
    /// (time, kind, note)
    pub steps: Vec<(i64, &'static str, Option<&'static str>)>,
}

#[derive(Clone, Copy)]
pub struct Town {
    pub incidents: i64,
}

impl Town {
    pub fn agents() -> impl Iterator<Item = (String, String)> {
        (0..SITES).flat_map(|s| (0..BOXES_OF_SITE).map(move |b| (site_id(s), agent_id(s, b))))
    }

    /// (agent, camera, name)
    pub fn cameras() -> impl Iterator<Item = (String, String, String, String)> {
        Self::agents().flat_map(|(site, agent)| {
            (0..CAMERAS_OF_BOX)
                .map(move |c| (site.clone(), agent.clone(), camera_id(c), camera_name(&agent, &camera_id(c))))
        })
    }

    pub fn names() -> Names {
        let sites = (0..SITES).map(|s| (site_id(s).parse().unwrap(), site_name(s)));
        let kinds = OWN_KINDS.iter().map(|(kind, zh, en)| {
            ((*kind).to_owned(), protocol::exchange::Names { zh: (*zh).to_owned(), en: (*en).to_owned() })
        });
        Names {
            sites: sites.collect(),
            kinds: kinds.collect(),
            offset_minutes: OFFSET_MINUTES,
            sender: "hub.example".into(),
            ..Names::default()
        }
    }

    pub fn site_of(self, n: i64) -> String {
        // Two in a row are of one site, so that one can be part of the other.
        site_id((mix(n / 2, 1) % SITES as u64) as i64)
    }

    pub fn is_open(self, n: i64) -> bool {
        !self.is_part(n)
            && if n >= self.incidents - NEWEST { n % 2 == 0 } else { mix(n, 2).is_multiple_of(FORGOTTEN) }
    }

    fn is_part(self, n: i64) -> bool {
        n % 2 == 1 && mix(n, 3).is_multiple_of(16)
    }

    pub fn incident(self, n: i64) -> Made {
        let site = self.site_of(n);
        let by_hand = n % BY_HAND == 0;
        let opened_at = self.opened_at(n);
        let alerts = if by_hand { 0 } else { 1 + (mix(n, 4) % 20) as i64 };
        let s: i64 = site[5..].parse().unwrap();
        let first = (mix(n, 5) % CAMERAS_OF_BOX as u64) as i64;
        let count = if by_hand { 0 } else { [1, 1, 1, 1, 2][(mix(n, 6) % 5) as usize].min(alerts) };
        let cameras = (0..count).map(|c| camera_id((first + c) % CAMERAS_OF_BOX)).collect();
        let agent =
            if by_hand { String::new() } else { agent_id(s, (mix(n, 7) % BOXES_OF_SITE as u64) as i64) };
        let kind = match mix(n, 8) % 20 {
            k if by_hand => OWN_KINDS[k as usize % OWN_KINDS.len()].0,
            0..=9 => "LineDetector/Crossed",
            10..=16 => "FieldDetector/ObjectsInside",
            _ => "LoiteringDetector/ObjectIsLoitering",
        };
        let clock_from = if by_hand { opened_at } else { opened_at + 300 };
        let state = self.state(n);
        Made {
            steps: steps(n, state, clock_from),
            incident: incident_id(n),
            origin: if by_hand { "operator" } else { "alerts" },
            last_at: opened_at + (alerts - 1).max(0) * 4_000,
            severity: [1, 2, 2, 2, 3, 3, 4][(mix(n, 9) % 7) as usize],
            alias_of: self.is_part(n).then(|| incident_id(n - 1)),
            words: by_hand.then(|| WORDS[(mix(n, 10) % WORDS.len() as u64) as usize]),
            site,
            kind,
            opened_at,
            clock_from,
            alerts,
            agent,
            cameras,
            state,
        }
    }

    /// Later ones have later times; evenings have more than mornings.
    fn opened_at(self, n: i64) -> i64 {
        let day = n as f64 / self.incidents as f64 * DAYS as f64;
        let of_day = day.fract();
        let bent = of_day - 0.1 * (std::f64::consts::TAU * of_day).sin();
        START + ((day.trunc() + bent) * DAY_MS as f64) as i64
    }

    fn state(self, n: i64) -> &'static str {
        if self.is_part(n) {
            return "new";
        }
        if self.is_open(n) {
            return ["new", "new", "acknowledged", "dispatched", "on_scene"][(mix(n, 11) % 5) as usize];
        }
        match mix(n, 12) % 100 {
            0 => "resolved",
            1..=9 => "false_alarm",
            _ => "closed",
        }
    }
}

fn steps(n: i64, state: &str, from: i64) -> Vec<(i64, &'static str, Option<&'static str>)> {
    let kinds: &[&str] = match state {
        "acknowledged" => &["acknowledge"],
        "dispatched" => &["acknowledge", "dispatch"],
        "on_scene" => &["acknowledge", "dispatch", "arrive"],
        "resolved" => &["acknowledge", "dispatch", "arrive", "resolve"],
        "closed" => &["acknowledge", "dispatch", "arrive", "resolve", "close"],
        "false_alarm" => &["acknowledge", "false_alarm"],
        _ => &[],
    };
    let note = NOTES[(mix(n, 13) % NOTES.len() as u64) as usize];
    let mut at = from;
    kinds
        .iter()
        .map(|kind| {
            at += 5_000 + (mix(n, at) % 300_000) as i64;
            (at, *kind, matches!(*kind, "resolve" | "false_alarm").then_some(note))
        })
        .collect()
}

pub fn incident_id(n: i64) -> String {
    format!("{:08x}-0000-7000-8000-{n:012x}", n / 16)
}

pub fn site_id(s: i64) -> String {
    format!("site-{s:02}")
}

fn site_name(s: i64) -> String {
    format!("{}{}", WHERE[s as usize / 7], WHAT[s as usize % 7])
}

fn agent_id(s: i64, b: i64) -> String {
    format!("box-{s:02}-{b}")
}

fn camera_id(c: i64) -> String {
    format!("camera-{c}")
}

pub fn camera_name(agent: &str, camera: &str) -> String {
    let (s, c): (usize, usize) = (agent[4..6].parse().unwrap(), camera[7..].parse().unwrap());
    format!("{}{}{}", WHAT[s % 7], SPOTS[c], if agent.ends_with('0') { "一号" } else { "二号" })
}

/// The names of a kind, Chinese first.
fn kind_names(kind: &str) -> (&'static str, &'static str) {
    let own = OWN_KINDS.iter().find(|own| own.0 == kind).map(|own| (own.1, own.2));
    own.unwrap_or_else(|| (kinds::terms(kind).zh, kinds::terms(kind).en))
}

fn mix(n: i64, salt: i64) -> u64 {
    // SplitMix64.
    let mut z =
        (n.cast_unsigned() ^ salt.cast_unsigned().rotate_left(40)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Made {
    fn pairs(&self) -> Value {
        json!(self.cameras.iter().map(|c| [&self.agent, c]).collect::<Vec<_>>())
    }
}
