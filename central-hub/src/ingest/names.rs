//! Whom a message names inside itself.
//!
//! Who speaks is in the topic, which the broker holds against the certificate. No field of ours names a
//! site or an agent; a message that does names its own, or is not believed at all. Every field counts,
//! at any depth, also one that is there twice.

use std::fmt;

use protocol::enrol::Identity;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What is wrong with the names in a message, or `None`. What is no JSON names nobody.
pub(super) fn forged(payload: &[u8], identity: &Identity) -> Option<String> {
    let mut found = None;
    let names = Names { identity, asked: None, found: &mut found };
    let mut json = serde_json::Deserializer::from_slice(payload);
    // The walk ends at the first wrong name by an error; an error of the JSON itself is told elsewhere.
    let _ = names.deserialize(&mut json);
    found
}

/// What a field's name promises.
#[derive(Debug, Clone, Copy)]
enum Named {
    Site,
    Agent,
    Both,
}

impl Named {
    fn by(field: &str) -> Option<Self> {
        let plain: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
        match plain.to_ascii_lowercase().as_str() {
            "site" | "siteid" => Some(Self::Site),
            "agent" | "agentid" | "clientid" => Some(Self::Agent),
            "identity" => Some(Self::Both),
            _ => None,
        }
    }

    fn is(self, text: &str, identity: &Identity) -> bool {
        match self {
            Self::Site => text == identity.site.as_str(),
            Self::Agent => text == identity.agent.as_str(),
            Self::Both => text == identity.common_name() || text == identity.uri(),
        }
    }
}

struct Names<'a> {
    identity: &'a Identity,
    /// Set while the value of a naming field is read.
    asked: Option<Named>,
    found: &'a mut Option<String>,
}

impl Names<'_> {
    fn inner(&mut self, asked: Option<Named>) -> Names<'_> {
        Names { identity: self.identity, asked, found: self.found }
    }

    fn refuse<E: Error>(&mut self, what: String) -> E {
        *self.found = Some(what);
        E::custom("named")
    }

    /// A number, a truth value or nothing: no name that could be right.
    fn plain<E: Error>(&mut self) -> Result<(), E> {
        match self.asked {
            None => Ok(()),
            Some(named) => Err(self.refuse(format!("a field that names the {named} holds no name"))),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Site => "site",
            Self::Agent => "agent",
            Self::Both => "identity",
        })
    }
}

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E: Error>(mut self, _: bool) -> Result<(), E> {
        self.plain()
    }
    fn visit_i64<E: Error>(mut self, _: i64) -> Result<(), E> {
        self.plain()
    }
    fn visit_u64<E: Error>(mut self, _: u64) -> Result<(), E> {
        self.plain()
    }
    fn visit_f64<E: Error>(mut self, _: f64) -> Result<(), E> {
        self.plain()
    }
    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.plain()
    }
    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        match self.asked {
            Some(named) if !named.is(text, self.identity) => {
                let text: String = text.chars().take(80).flat_map(char::escape_debug).collect();
                Err(self.refuse(format!("it names the {named} `{text}`")))
            }
            _ => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.inner(self.asked))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        if matches!(self.asked, Some(Named::Site | Named::Agent)) {
            self.plain()?;
        }
        while let Some(field) = fields.next_key::<String>()? {
            // Fields of ours are plain; one that only looks like a naming field is none by accident.
            if !field.is_ascii() {
                return Err(self.refuse("it has a field whose name is not plain ASCII".into()));
            }
            fields.next_value_seed(self.inner(Named::by(&field)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(payload: &str) -> bool {
        let gate = Identity { site: "market".parse().unwrap(), agent: "gate".parse().unwrap() };
        forged(payload.as_bytes(), &gate).is_some()
    }

    #[test]
    fn its_own_names_and_no_names_pass() {
        for right in [
            r#"{"v":1,"records":[{"epoch":"e1","seq":1,"type":"agent_event","time_source":"agent"}]}"#,
            r#"{"site":"market","agent":"gate","identity":"market/gate"}"#,
            r#"{"identity":"signalbox://market/gate","records":[{"agent_id":"gate"}]}"#,
            r#"{"identity":{"site":"market","agent":"gate"}}"#,
            r#"{"name":"东门","reason":"site"}"#,
            r#"["agent","yard"]"#,
            "no JSON at all",
        ] {
            assert!(!wrong(right), "{right}");
        }
    }

    #[test]
    fn other_names_are_found_wherever_they_hide() {
        for forged in [
            r#"{"agent":"yard"}"#,
            r#"{"AGENT":"yard"}"#,
            r#"{"agent_id":"yard"}"#,
            r#"{"\u0061gent":"yard"}"#,
            r#"{"agent":"yard","agent":"gate"}"#,
            r#"{"agent":"gate","agent":"yard"}"#,
            r#"{"agent":"Gate"}"#,
            r#"{"agent":"gate "}"#,
            r#"{"agent":"gate\u0000"}"#,
            r#"{"agent":"gаte"}"#,
            r#"{"аgent":"gate"}"#,
            r#"{"agent":["gate","yard"]}"#,
            r#"{"agent":{"id":"gate"}}"#,
            r#"{"agent":null}"#,
            r#"{"agent":7}"#,
            r#"{"site":"school"}"#,
            r#"{"identity":"school/gate"}"#,
            r#"{"identity":"signalbox://market/yard"}"#,
            r#"{"identity":{"site":"market","agent":"yard"}}"#,
            r#"{"v":1,"records":[{"epoch":"e1","seq":1,"agent":"yard"}]}"#,
            r#"{"v":1,"records":[{"epoch":"e1","seq":1,"still":{"deep":[[{"site":"school"}]]}}]}"#,
        ] {
            assert!(wrong(forged), "{forged}");
        }
    }
}
