//! What a box could say that is not its own: topics, filters, client ids, names in payloads. Seeded.

use std::cell::Cell;

use protocol::enrol::Identity;
use serde_json::{Value, json};

use super::raised;

/// A small generator of numbers (Knuth's MMIX constants): the same seed tells the same lies.
pub struct Lies {
    state: Cell<u64>,
    own: Identity,
    others: Vec<Identity>,
}

const CHANNELS: [&str; 7] = ["alert", "status", "health", "reply", "ack", "config", "command"];

impl Lies {
    pub fn new(seed: u64, own: Identity, others: Vec<Identity>) -> Self {
        Self { state: Cell::new(seed), own, others }
    }

    pub fn below(&self, bound: usize) -> usize {
        let next =
            self.state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state.set(next);
        (next >> 33) as usize % bound
    }

    fn one<'a>(&self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn other(&self) -> Identity {
        let at = self.below(self.others.len());
        self.others[at].clone()
    }

    fn topic_of(identity: &Identity, channel: &str) -> String {
        format!("signalbox/v1/{}/{}/{channel}", identity.site, identity.agent)
    }

    /// A topic on which this box must not publish.
    pub fn topic(&self) -> Vec<u8> {
        loop {
            let topic = self.any_topic();
            let own = |c: &&str| Self::topic_of(&self.own, c).as_bytes() == topic.as_slice();
            if !CHANNELS[..4].iter().any(own) {
                return topic;
            }
        }
    }

    /// A filter to which this box must not subscribe.
    pub fn filter(&self) -> Vec<u8> {
        loop {
            let filter = self.any_topic();
            let own = |c: &&str| Self::topic_of(&self.own, c).as_bytes() == filter.as_slice();
            if !CHANNELS[4..].iter().any(own) {
                return filter;
            }
        }
    }

    fn any_topic(&self) -> Vec<u8> {
        let channel = self.one(&CHANNELS);
        let mine = Self::topic_of(&self.own, channel);
        let theirs = Self::topic_of(&self.other(), channel);
        let either = if self.below(2) == 0 { mine.clone() } else { theirs.clone() };
        match self.below(20) {
            0 => theirs,
            1 => format!("signalbox/v1/{}/{}/{channel}", self.other().site, self.own.agent),
            2 => format!("signalbox/v1/{}/{}/{channel}", self.own.site, self.other().agent),
            3 => self.wildcards(&either),
            4 => self.climbing(channel),
            5 => self.look_alike(&either),
            6 => format!("$share/{}/{either}", self.one(&["g", "hub", "", "+", "signalbox"])),
            7 => format!(
                "{}/{either}",
                self.one(&["$SYS", "$SYS/brokers", "$queue", "$exclusive", "$delayed/1", "$limit/1"])
            ),
            8 => self.empty_levels(&either),
            9 => self.put_in(&either, "\0"),
            10 => self.other_case(&either),
            11 => format!("{either}/{}", "x".repeat(300 + self.below(60_000))),
            12 => self.put_in(&either, " "),
            13 => Self::topic_of(
                &self.own,
                self.one(&["ack", "config", "command", "alert/x", "", "alerts", "selftest"]),
            ),
            14 => either.replace("v1", self.one(&["v2", "v0", "V1", "v01", "v1.0"])),
            15 => return self.broken_text(&either),
            16 => String::new(),
            17 => either.replace('/', self.one(&["%2f", "\\", "//", "\u{2215}", "\u{ff0f}", "."])),
            18 => self
                .one(&["#", "+/+/+/+/+", "signalbox/#", "signalbox/selftest/x", "$SYS/#", "/", "signalbox"])
                .into(),
            _ => self.one_letter_off(&either),
        }
        .into_bytes()
    }

    fn wildcards(&self, topic: &str) -> String {
        let mut levels: Vec<&str> = topic.split('/').collect();
        let at = self.below(levels.len());
        if self.below(3) == 0 {
            levels.truncate(at);
            levels.push("#");
        } else {
            levels[at] = "+";
        }
        levels.join("/")
    }

    fn climbing(&self, channel: &str) -> String {
        let (own, other) = (self.own.common_name(), self.other().common_name());
        let way = self.one(&["../..", ".././..", "./../..", "..%2f..", "..\\..", "~/..", ".../..."]);
        format!("signalbox/v1/{own}/{way}/{other}/{channel}")
    }

    fn look_alike(&self, topic: &str) -> String {
        const ALIKE: [(&str, &str); 12] = [
            ("a", "\u{430}"),
            ("e", "\u{435}"),
            ("o", "\u{43e}"),
            ("t", "\u{ff54}"),
            ("r", "\u{433}"),
            ("k", "\u{212a}"),
            ("g", "\u{261}"),
            ("l", "\u{2170}"),
            ("s", "\u{17f}"),
            ("v", "\u{3bd}"),
            ("1", "\u{ff11}"),
            ("m", "\u{43c}"),
        ];
        let found: Vec<_> = ALIKE.iter().filter(|(plain, _)| topic.contains(plain)).collect();
        let (plain, alike) = found[self.below(found.len())];
        let zero_width = self.one(&["", "", "\u{200b}", "\u{202e}", "\u{feff}"]);
        format!("{}{zero_width}", topic.replacen(plain, alike, 1))
    }

    fn empty_levels(&self, topic: &str) -> String {
        match self.below(3) {
            0 => format!("/{topic}"),
            1 => format!("{topic}/"),
            _ => topic.replacen('/', "//", 1 + self.below(4)),
        }
    }

    fn put_in(&self, topic: &str, what: &str) -> String {
        let at = self.below(topic.len() + 1);
        format!("{}{what}{}", &topic[..at], &topic[at..])
    }

    fn other_case(&self, topic: &str) -> String {
        let letters: Vec<usize> =
            (0..topic.len()).filter(|i| topic.as_bytes()[*i].is_ascii_lowercase()).collect();
        let mut bytes = topic.as_bytes().to_vec();
        bytes[letters[self.below(letters.len())]].make_ascii_uppercase();
        String::from_utf8(bytes).unwrap()
    }

    fn broken_text(&self, topic: &str) -> Vec<u8> {
        let mut bytes = topic.as_bytes().to_vec();
        let at = self.below(bytes.len());
        let broken: [&[u8]; 4] = [&[0xff], &[0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0xf4, 0x90, 0x80, 0x80]];
        let put = broken[self.below(4)];
        bytes.splice(at..at, put.iter().copied());
        bytes
    }

    fn one_letter_off(&self, topic: &str) -> String {
        let mut bytes = topic.as_bytes().to_vec();
        let at = self.below(bytes.len());
        match self.below(3) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, bytes[at]),
            _ => bytes[at] = b'a' + self.below(26) as u8,
        }
        String::from_utf8(bytes).unwrap()
    }

    /// A client id that is not this box's.
    pub fn client(&self) -> Vec<u8> {
        let own = self.own.agent.to_string();
        let client = match self.below(9) {
            0 => self.other().agent.to_string(),
            1 => self.one(&["$hub", "signalbox-hub", "signalbox-hub.ingest", "spy", "", "#", "+"]).into(),
            2 => self.own.common_name(),
            3 => self.put_in(&own, self.one(&[" ", "\0", "/", ".", "%", "\u{200b}"])),
            4 => self.look_alike(&own),
            5 => self.other_case(&own),
            6 => return self.broken_text(&own),
            7 => format!("{own}{}", "x".repeat(1 + self.below(2_000))),
            _ => self.one_letter_off(&own),
        };
        if client == own { self.client() } else { client.into_bytes() }
    }

    /// A name that is not this box's: an agent's, a site's, or both.
    fn name(&self, field: &str) -> Value {
        let other = self.other();
        let (own, theirs) = match field {
            f if f.to_lowercase().starts_with("site") => (self.own.site.to_string(), other.site.to_string()),
            "identity" => (self.own.uri(), other.uri()),
            _ => (self.own.agent.to_string(), other.agent.to_string()),
        };
        let lie = match self.below(9) {
            0 | 1 if theirs != own => json!(theirs),
            2 => json!(self.look_alike(&own)),
            3 => json!(self.other_case(&own)),
            4 => json!(self.put_in(&own, self.one(&[" ", "\0", "/", "../"]))),
            5 => json!([own, theirs, self.below(9)]),
            6 => json!({ "id": theirs, "n": self.below(9) }),
            7 => json!(self.below(9)),
            _ => json!(self.one_letter_off(&own)),
        };
        if lie == json!(own) { self.name(field) } else { lie }
    }

    /// A message on its own topic that names somebody else: channel and payload.
    pub fn payload(&self, seq: u64) -> (&'static str, String) {
        let field = self.one(&[
            "agent",
            "site",
            "identity",
            "agent_id",
            "site_id",
            "Agent",
            "SITE",
            "client_id",
            "agent-id",
        ]);
        let name = self.name(field);
        let put = |mut value: Value| {
            value[field] = name.clone();
            value
        };
        let alert = |record: Value| json!({ "v": 1, "records": [record] });
        let record = raised("forged", "lies", seq);
        match self.below(6) {
            0 => ("alert", put(alert(record)).to_string()),
            1 => ("alert", alert(put(record)).to_string()),
            2 => {
                let mut record = record;
                record["still"] = put(record["still"].clone());
                ("alert", alert(record).to_string())
            }
            // The same field twice, the lie first: whoever keeps the last one sees only the truth.
            3 => {
                let (own, text) = (self.own.agent.to_string(), alert(record).to_string());
                let twice =
                    format!("{{\"agent\":{},\"agent\":{},", json!(self.other().agent.as_str()), json!(own));
                ("alert", text.replacen('{', &twice, 1))
            }
            4 => ("status", put(json!({ "v": 1, "state": "online", "name": "forged" })).to_string()),
            _ => {
                let health = json!({ "v": 1, "at": "2026-11-23T08:00:00Z", "cpu_cores": 0.5, "memory_bytes": 987_654_321,
                    "spool_bytes": 1, "spool_open_records": 0, "stills_waiting": 0 });
                ("health", put(health).to_string())
            }
        }
    }
}
