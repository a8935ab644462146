//! When two records with one identity say the same.
//!
//! Compared is the record's JSON with its keys in order, without `not_durable`: that tells how it was
//! kept, and changes when a disk comes back and the same record is written down after all.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of a record's canonical JSON.
pub fn hash(raw: &Value) -> Vec<u8> {
    let mut digest = Sha256::new();
    match raw {
        Value::Object(fields) => {
            let said = fields.iter().filter(|(name, _)| *name != "not_durable");
            feed_object(&mut digest, said);
        }
        other => feed(&mut digest, other),
    }
    digest.finalize().to_vec()
}

fn feed(digest: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => feed_object(digest, fields.iter()),
        Value::Array(items) => {
            digest.update(b"[");
            for item in items {
                feed(digest, item);
                digest.update(b",");
            }
            digest.update(b"]");
        }
        plain => digest.update(plain.to_string().as_bytes()),
    }
}

fn feed_object<'a>(digest: &mut Sha256, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut fields: Vec<_> = fields.collect();
    // Whether the JSON map keeps its own order depends on how it was built.
    fields.sort_by_key(|(name, _)| *name);
    digest.update(b"{");
    for (name, value) in fields {
        digest.update(Value::String(name.clone()).to_string().as_bytes());
        digest.update(b":");
        feed(digest, value);
        digest.update(b",");
    }
    digest.update(b"}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<u8> {
        hash(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn order_and_durability_do_not_matter_but_words_do() {
        let a = of(r#"{"seq":1,"at":"x","still":{"state":"none","reason":"r"}}"#);
        assert_eq!(a, of(r#"{"still":{"reason":"r","state":"none"},"at":"x","not_durable":true,"seq":1}"#));
        assert_ne!(a, of(r#"{"seq":2,"at":"x","still":{"state":"none","reason":"r"}}"#));
        assert_ne!(of(r#"{"a":["b","c"]}"#), of(r#"{"a":["b,c"]}"#));
    }
}
