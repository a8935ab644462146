//! The goldens of every past version are read for ever, and today's messages are written as the
//! newest goldens say.

use std::path::Path;

use protocol::alert::{self, parse};
use protocol::{
    Ack, AlertMessage, Body, Command, DesiredConfig, Health, RejectReason, Reply, Status, Timestamp, Topic,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn golden(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)).unwrap()
}

fn survives<T: DeserializeOwned + Serialize>(name: &str) {
    let text = golden(name);
    let message: T = serde_json::from_str(&text).unwrap();
    let before: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&message).unwrap(), before, "{name} changed by being read and written");
}

#[test]
fn version_1_is_read_and_written_unchanged() {
    survives::<AlertMessage>("v1/alert.json");
    survives::<Ack>("v1/ack.json");
    survives::<Status>("v1/status.json");
    survives::<Status>("v1/will.json");
    survives::<Status>("v1/status-config.json");
    survives::<Status>("v1/status-refused.json");
    survives::<Status>("v1/status-on-trial.json");
    survives::<Health>("v1/health.json");
    survives::<DesiredConfig>("v1/config.json");
    survives::<Command>("v1/command.json");
    survives::<Command>("v1/command-live-start.json");
    survives::<Command>("v1/command-live-stop.json");
    survives::<Reply>("v1/reply.json");
    survives::<Reply>("v1/reply-live-off.json");
    survives::<protocol::exchange::Incident>("v1/incident.json");
}

#[test]
fn schemas_are_up_to_date() {
    for (name, schema) in protocol::schema::schemas() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name);
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let now = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert_eq!(written, now, "{name} is stale: run `cargo run -p protocol --example schema`");
    }
}

#[test]
fn the_table_of_kinds_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ref/kinds.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let now = protocol::kinds::markdown();
    assert_eq!(written, now, "docs/ref/kinds.md is stale: run `cargo run -p protocol --example schema`");
}

/// The first golden record with one field replaced or added.
fn message_with(field: &str, value: Value) -> Vec<u8> {
    let mut message: Value = serde_json::from_str(&golden("v1/alert.json")).unwrap();
    message["records"][0][field] = value;
    serde_json::to_vec(&message).unwrap()
}

#[test]
fn one_bad_record_leaves_the_others_readable_and_keeps_its_identity() {
    for (field, value, unknown_type) in [
        ("type", json!("levitated"), true),
        ("kind", json!("FaceRecognizer/Recognized"), false),
        ("at", json!("yesterday"), false),
        ("confidence", json!(7.0), false),
        ("box", json!({"left": 0.9, "top": 0.0, "width": 0.9, "height": 0.1}), false),
        ("camera", json!("../etc"), false),
    ] {
        let read = parse(&message_with(field, value)).unwrap();
        assert_eq!(read.len(), 6);
        let bad = read[0].as_ref().unwrap_err();
        assert_eq!((bad.seq, bad.unknown_type), (Some(41), unknown_type), "{field}: {}", bad.why);
        assert!(bad.epoch.is_some());
        assert!(read[1..].iter().all(Result::is_ok), "{field}");
    }
}

#[test]
fn fields_of_newer_versions_are_kept_in_the_raw_record() {
    let read = parse(&message_with("wind", json!("north"))).unwrap();
    let (record, raw) = read[0].as_ref().unwrap();
    assert!(matches!(record.body, Body::Raised(_)));
    assert_eq!(raw["wind"], "north");
}

#[test]
fn whole_messages_of_the_wrong_shape_are_refused_with_the_reason() {
    let refuse = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
    assert!(refuse(b"\xff\xfe").contains("not JSON"));
    assert!(refuse(br#"{"v":1,"records":[]}"#).contains("0 records"));
    assert!(refuse(br#"{"v":9,"records":[{}]}"#).contains("version 9"));
    assert!(refuse(&vec![b' '; protocol::MAX_MESSAGE_BYTES + 1]).contains("at most"));
    let many = format!(r#"{{"v":1,"records":[{}]}}"#, vec!["{}"; 65].join(","));
    assert!(refuse(many.as_bytes()).contains("65 records"));
}

#[test]
fn an_unknown_reject_reason_of_a_newer_hub_still_settles() {
    let ack: Ack = serde_json::from_value(json!({
        "hub_epoch": "a", "epoch": "b", "settled_through": 3, "rejected": [{"seq": 2, "reason": "too_blue"}]
    }))
    .unwrap();
    assert_eq!(ack.rejected[0].reason, RejectReason::Other);
}

#[test]
fn topics_are_read_strictly() {
    let topic: Topic = "signalbox/v1/market/box-1/alert".parse().unwrap();
    assert_eq!(topic.to_string(), "signalbox/v1/market/box-1/alert");
    for wrong in [
        "signalbox/v1/market/box-1",
        "signalbox/v1/market/box-1/alert/",
        "signalbox/v1/market/box-1/alerts",
        "signalbox/v1/+/box-1/alert",
        "signalbox/v1/market/#",
        "signalbox/v2/market/box-1/alert",
        "signalbox/v1/../box-1/alert",
        "signalbox/v1/mаrket/box-1/alert",
        "$share/hub/signalbox/v1/market/box-1/alert",
        "/signalbox/v1/market/box-1/alert",
        "",
    ] {
        assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
    }
}

#[test]
fn times_are_written_with_milliseconds_and_read_with_any_offset() {
    let t: Timestamp = "2026-11-23T16:00:00.5+08:00".parse().unwrap();
    assert_eq!(t.to_string(), "2026-11-23T08:00:00.500Z");
    assert_eq!(Timestamp::from_unix_ms(-1).to_string(), "1969-12-31T23:59:59.999Z");
    assert_eq!(Timestamp::from_unix_ms(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    assert_eq!(Timestamp::from_unix_ms(i64::MIN).to_string(), "0000-01-01T00:00:00.000Z");
}

/// The schema has no field in which an identity could travel.
#[test]
fn no_message_has_a_field_for_an_identity() {
    const FORBIDDEN: [&str; 12] = [
        "person",
        "identity",
        "face_id",
        "embedding",
        "descriptor",
        "vector",
        "age",
        "gender",
        "sex",
        "ethnic",
        "emotion",
        "plate",
    ];
    fn names(value: &Value, out: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            out.extend(properties.keys().cloned());
        }
        match value {
            Value::Object(map) => map.values().for_each(|v| names(v, out)),
            Value::Array(list) => list.iter().for_each(|v| names(v, out)),
            _ => {}
        }
    }
    let mut fields = Vec::new();
    for (_, schema) in protocol::schema::schemas() {
        names(schema.as_value(), &mut fields);
    }
    assert!(fields.iter().any(|f| f == "track"), "the walk found no field: {fields:?}");
    for field in fields {
        let words: Vec<&str> = field.split('_').collect();
        assert!(!FORBIDDEN.iter().any(|f| words.contains(f) || field == *f), "field `{field}`");
    }
}

#[test]
fn arbitrary_bytes_never_panic() {
    let good = golden("v1/alert.json").into_bytes();
    for cut in 0..good.len() {
        let _ = alert::parse(&good[..cut]);
        let mut flipped = good.clone();
        flipped[cut] ^= 1 << (cut % 8);
        let _ = alert::parse(&flipped);
    }
}
