//! What the hub holds after a headless demo: a table, and what is missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Stopped;
use crate::hub::{Hub, word};
use crate::stage::{CAMERAS, Stage};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Row {
    alerts: usize,
    sent: usize,
}

/// Prints alerts by camera and kind; true when every camera has an alert whose still reached the hub.
pub fn check(stage: &Stage, grace: Duration, stopped: Stopped) -> anyhow::Result<bool> {
    let hub = stage.sign_in()?;
    let deadline = Instant::now() + grace;
    loop {
        let alerts = hub.alerts()?;
        let missing = missing(&hub, &alerts);
        if missing.is_empty() || Instant::now() >= deadline || stopped(Duration::from_millis(500)) {
            print(&alerts);
            for text in &missing {
                println!("  MISSING 缺少: {text}");
            }
            return Ok(missing.is_empty());
        }
    }
}

fn missing(hub: &Hub, alerts: &[Value]) -> Vec<String> {
    let mut missing = Vec::new();
    for (id, name, _) in CAMERAS {
        let own: Vec<&Value> = alerts.iter().filter(|a| a["camera"] == id).collect();
        let sent = own.iter().find(|a| a["still"]["state"] == "sent");
        let lack = match sent.map(|alert| hub.still(alert)) {
            Some(Ok(_)) => continue,
            Some(Err(error)) => format!("a still that opens ({error})"),
            None if own.is_empty() => "an alert 告警".to_owned(),
            None => format!("a still for its {} alerts 图片", own.len()),
        };
        missing.push(format!("{name} ({id}): {lack}"));
    }
    missing
}

fn print(alerts: &[Value]) {
    println!("\n  {:<16} {:<44} {:>8} {:>8}", "camera", "kind", "alerts", "stills");
    for ((camera, kind), row) in rows(alerts) {
        println!("  {camera:<16} {kind:<44} {:>8} {:>8}", row.alerts, row.sent);
    }
    let sent = alerts.iter().filter(|a| a["still"]["state"] == "sent").count();
    println!("  {:<16} {:<44} {:>8} {sent:>8}\n", "all", "", alerts.len());
}

fn rows(alerts: &[Value]) -> BTreeMap<(String, String), Row> {
    let mut rows = BTreeMap::<_, Row>::new();
    for alert in alerts {
        let row = rows.entry((word(&alert["camera"]), word(&alert["kind"]))).or_default();
        row.alerts += 1;
        row.sent += usize::from(alert["still"]["state"] == "sent");
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn alerts_are_counted_by_camera_and_kind_with_their_stills() {
        let alert = |camera: &str, kind: &str, still: &str| json!({"camera": camera, "kind": kind, "still": {"state": still}});
        let alerts = [
            alert("a", "line", "sent"),
            alert("a", "line", "pending"),
            alert("a", "zone", "none"),
            alert("b", "line", "sent"),
        ];
        let counted: Vec<_> = rows(&alerts).into_iter().map(|((c, k), r)| (c, k, r.alerts, r.sent)).collect();
        let expected = [("a", "line", 2, 1), ("a", "zone", 1, 0), ("b", "line", 1, 1)];
        assert_eq!(counted, expected.map(|(c, k, n, s)| (c.to_owned(), k.to_owned(), n, s)));
    }
}
