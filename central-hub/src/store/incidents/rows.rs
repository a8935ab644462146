//! Clusters and runs as rows: the core's types to columns and back.
//!
//! Rows travel to the database as one JSON array a statement, so that a storm costs no more statements than a
//! single alert.

use std::collections::BTreeSet;

use hub_core::correlate::{
    AlertKey, Attachment, Camera, Cluster, Family, IncidentId, Opener, Row, Run, Severity, Stats,
};
use serde_json::{Value, json};

use crate::store::StoreError;

/// Columns of a cluster, in the order of [`CLUSTER`].
#[derive(Debug, sqlx::FromRow)]
pub struct ClusterRow {
    pub incident: String,
    pub kind: String,
    pub family: String,
    pub test: bool,
    pub opened_at: i64,
    pub last_at: i64,
    pub clock_from: i64,
    pub alerts: i64,
    pub cameras: String,
    pub peak: i64,
    pub opener_agent: String,
    pub opener_epoch: String,
    pub opener_seq: i64,
    pub root: String,
    pub alias_of: Option<String>,
    pub attached: Option<String>,
    pub core: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
pub struct RunRow {
    pub family: String,
    pub agent: String,
    pub camera: String,
    pub pin: i64,
    pub first: i64,
    pub last: i64,
    pub incident: String,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;
    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        Ok(Self {
            family: Family(row.family),
            camera: Camera { agent: row.agent, camera: row.camera },
            pin: row.pin.cast_unsigned(),
            first: row.first,
            last: row.last,
            cluster: id(&row.incident)?,
        })
    }
}

impl TryFrom<ClusterRow> for Cluster {
    type Error = StoreError;
    fn try_from(row: ClusterRow) -> Result<Self, StoreError> {
        let read = |what, text: &str| -> Result<Value, StoreError> {
            serde_json::from_str(text).map_err(|_| unreadable(what, text))
        };
        let cameras = cameras(&read("incidents.cameras", &row.cameras)?)
            .ok_or_else(|| unreadable("incidents.cameras", &row.cameras))?;
        let peak = severity(row.peak).ok_or_else(|| unreadable("incidents.peak", &row.peak.to_string()))?;
        let whole = Stats {
            opener: Opener {
                at: row.opened_at,
                key: AlertKey {
                    agent: row.opener_agent,
                    epoch: row.opener_epoch,
                    seq: row.opener_seq.cast_unsigned(),
                },
                kind: row.kind,
                family: Family(row.family),
            },
            last_at: row.last_at,
            clock_from: row.clock_from,
            alerts: row.alerts.cast_unsigned(),
            peak,
            cameras,
            test: row.test,
        };
        let own = match &row.core {
            Some(text) => {
                stats(&read("incidents.core", text)?).ok_or_else(|| unreadable("incidents.core", text))?
            }
            None => whole,
        };
        let attached = match &row.attached {
            Some(text) => Some(
                attachment(&read("incidents.attached", text)?)
                    .ok_or_else(|| unreadable("incidents.attached", text))?,
            ),
            None => None,
        };
        Ok(Self { id: id(&row.incident)?, root: id(&row.root)?, core: row.core.is_some(), attached, own })
    }
}

pub fn id(text: &str) -> Result<IncidentId, StoreError> {
    text.parse().map_err(|_| unreadable("an incident's id", text))
}

/// A cluster's row, as [`super::site`] writes it.
pub fn cluster_values(site: &str, row: &Row) -> Value {
    let t = &row.total;
    json!([
        site,
        row.id.to_string(),
        t.opener.kind,
        t.opener.family.0,
        t.test,
        t.opener.at,
        t.last_at,
        t.clock_from,
        t.alerts,
        Value::from(camera_values(&t.cameras)).to_string(),
        t.peak.rank(),
        row.severity.rank(),
        urgency(row.severity, t.test),
        t.opener.key.agent,
        t.opener.key.epoch,
        t.opener.key.seq,
        row.root.to_string(),
        row.alias_of.map(|i| i.to_string()),
        row.attached.as_ref().map(|a| attachment_values(a).to_string()),
        row.core.then(|| stats_values(&row.own).to_string()),
    ])
}

pub fn run_values(run: &Run) -> Value {
    json!([
        run.family.0,
        run.camera.agent,
        run.camera.camera,
        run.pin,
        run.first,
        run.last,
        run.cluster.to_string()
    ])
}

/// The least first: what needs doing.
pub fn urgency(severity: Severity, test: bool) -> i64 {
    i64::from(Severity::Critical.rank() - severity.rank()) + if test { 4 } else { 0 }
}

pub fn severity(rank: i64) -> Option<Severity> {
    Severity::of_rank(u8::try_from(rank).ok()?)
}

fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable { what, value: value.to_owned() }
}

fn camera_values(cameras: &BTreeSet<Camera>) -> Vec<Value> {
    cameras.iter().map(|c| json!([c.agent, c.camera])).collect()
}

pub fn cameras(value: &Value) -> Option<BTreeSet<Camera>> {
    let camera = |pair: &Value| {
        let text = |i: usize| Some(pair.get(i)?.as_str()?.to_owned());
        Some(Camera { agent: text(0)?, camera: text(1)? })
    };
    value.as_array()?.iter().map(camera).collect()
}

fn attachment_values(a: &Attachment) -> Value {
    json!([a.gap, a.first, a.last, a.pin, a.core.to_string()])
}

fn attachment(value: &Value) -> Option<Attachment> {
    let number = |i: usize| value.get(i)?.as_i64();
    Some(Attachment {
        gap: number(0)?,
        first: number(1)?,
        last: number(2)?,
        pin: number(3)?.cast_unsigned(),
        core: value.get(4)?.as_str()?.parse().ok()?,
    })
}

fn stats_values(s: &Stats) -> Value {
    let Opener { at, key, kind, family } = &s.opener;
    json!({
        "at": at, "agent": key.agent, "epoch": key.epoch, "seq": key.seq, "kind": kind, "family": family.0,
        "last_at": s.last_at, "clock_from": s.clock_from, "alerts": s.alerts, "peak": s.peak.rank(),
        "cameras": camera_values(&s.cameras), "test": s.test,
    })
}

fn stats(value: &Value) -> Option<Stats> {
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let number = |name: &str| value.get(name)?.as_i64();
    Some(Stats {
        opener: Opener {
            at: number("at")?,
            key: AlertKey {
                agent: text("agent")?,
                epoch: text("epoch")?,
                seq: number("seq")?.cast_unsigned(),
            },
            kind: text("kind")?,
            family: Family(text("family")?),
        },
        last_at: number("last_at")?,
        clock_from: number("clock_from")?,
        alerts: number("alerts")?.cast_unsigned(),
        peak: severity(number("peak")?)?,
        cameras: cameras(value.get("cameras")?)?,
        test: value.get("test")?.as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let camera = |n: u8| Camera { agent: "gate".into(), camera: format!("c{n}") };
        let whole = Stats {
            opener: Opener {
                at: 7,
                key: AlertKey { agent: "gate".into(), epoch: "e".into(), seq: 9 },
                kind: "k".into(),
                family: Family("f".into()),
            },
            last_at: 9,
            clock_from: 8,
            alerts: 12,
            peak: Severity::High,
            cameras: [camera(1), camera(2)].into(),
            test: false,
        };
        assert_eq!(stats(&stats_values(&whole)), Some(whole));
        let hung = Attachment { gap: 1, first: -2, last: 3, pin: 4, core: IncidentId(5) };
        assert_eq!(attachment(&attachment_values(&hung)), Some(hung));
        assert!(urgency(Severity::Low, false) < urgency(Severity::Critical, true));
    }
}
