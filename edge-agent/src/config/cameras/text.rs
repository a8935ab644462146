//! A camera file as text: what differs from the defaults, one setting a line.

use std::fmt::Write;

use toml::Value;

use crate::camera::{CameraConfig, Transport};
use crate::live::LivePolicy;
use crate::pipeline::{DirectionFilter, Line, Zone};

/// What [`super::load`] reads back as the same camera.
pub(super) fn of(camera: &CameraConfig) -> String {
    let mut out = String::from(
        "# 由 edge-agent camera 写入，可以手工修改；密码另外加密保存，不在此处。\n\
         # Written by `edge-agent camera`; may be edited. The password is sealed elsewhere.\n",
    );
    set(&mut out, "id", camera.id.as_str());
    if !camera.name.is_empty() {
        set(&mut out, "name", camera.name.as_str());
    }
    set(&mut out, "url", camera.url.as_str());
    if !camera.user.is_empty() {
        set(&mut out, "user", camera.user.as_str());
    }
    for (name, path) in [("password_file", &camera.password_file), ("pipeline", &camera.pipeline)] {
        if let Some(path) = path {
            set(&mut out, name, path.to_string_lossy().into_owned());
        }
    }
    if camera.transport == Transport::Udp {
        set(&mut out, "transport", "udp");
    }
    if let Some(fps) = camera.analyse_fps {
        set(&mut out, "analyse_fps", number(fps));
    }
    if camera.live == LivePolicy::Off {
        set(&mut out, "live", "off");
    }
    set(&mut out, "locked", camera.locked);
    camera.lines.iter().for_each(|rule| line(&mut out, rule));
    camera.zones.iter().for_each(|rule| zone(&mut out, rule));
    out
}

fn line(out: &mut String, rule: &Line) {
    out.push_str("\n[[line]]\n");
    set(out, "name", rule.name.as_str());
    optional(out, "title", rule.title.as_deref());
    set(out, "a", point(rule.a));
    set(out, "b", point(rule.b));
    match rule.direction {
        DirectionFilter::Any => {}
        DirectionFilter::Left => set(out, "direction", "left"),
        DirectionFilter::Right => set(out, "direction", "right"),
    }
    set(out, "severity", word(&rule.severity));
    classes(out, &rule.classes);
    set(out, "margin", number(rule.margin));
    set(out, "settle", rule.settle.to_string());
}

fn zone(out: &mut String, rule: &Zone) {
    out.push_str("\n[[zone]]\n");
    set(out, "name", rule.name.as_str());
    optional(out, "title", rule.title.as_deref());
    set(out, "polygon", rule.polygon.iter().map(|p| point(*p)).collect::<Vec<_>>());
    set(out, "entry", rule.entry);
    optional(out, "loitering", rule.loitering.map(|s| s.to_string()).as_deref());
    set(out, "severity", word(&rule.severity));
    classes(out, &rule.classes);
    set(out, "settle", rule.settle.to_string());
    set(out, "bridge", rule.bridge.to_string());
}

fn set(out: &mut String, name: &str, value: impl Into<Value>) {
    let _ = writeln!(out, "{name} = {}", value.into());
}

fn optional(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        set(out, name, value);
    }
}

fn classes(out: &mut String, classes: &[protocol::ObjectClass]) {
    if !classes.is_empty() {
        set(out, "classes", classes.iter().map(|c| Value::from(word(c))).collect::<Vec<_>>());
    }
}

/// The word that serde uses for a variant.
fn word(variant: &impl serde::Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("a plain enum is a word: {other:?}"),
    }
}

fn point([x, y]: [f32; 2]) -> Value {
    Value::Array(vec![number(x), number(y)])
}

/// As few digits as say the same `f32`.
fn number(value: f32) -> Value {
    Value::Float(value.to_string().parse().unwrap_or(f64::from(value)))
}
