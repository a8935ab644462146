//! Incidents: the hub's edge of hub-core's rules. Their settings, and the two kinds of types turned into each other; the
//! tables are the store's.

pub mod adopt;
pub mod settings;

use hub_core::correlate::{Alert, AlertKey, Because, Camera, Relation, Severity, SiteRules, Topology};
use protocol::{Raised, Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A raised record, as the rules see it.
pub fn alert(agent: &str, record: &Record, raised: &Raised, received_at: i64) -> Alert {
    Alert {
        key: AlertKey { agent: agent.to_owned(), epoch: record.epoch.as_str().to_owned(), seq: record.seq },
        camera: Camera { agent: agent.to_owned(), camera: raised.camera.as_str().to_owned() },
        kind: raised.kind.as_str().to_owned(),
        severity: severity(raised.severity),
        test: raised.test,
        at: record.at.unix_ms(),
        received_at,
    }
}

pub fn severity(severity: protocol::Severity) -> Severity {
    match severity {
        protocol::Severity::Low => Severity::Low,
        protocol::Severity::Medium => Severity::Medium,
        protocol::Severity::High => Severity::High,
    }
}

/// Why an alert is in its incident, as the API says it and the database keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Why {
    /// Nothing it could belong to was there.
    Opened,
    /// An operator took it out of another incident.
    Split,
    /// Linked to alerts of this camera.
    Linked {
        agent: String,
        camera: String,
        relation: Related,
        /// How far apart the two cameras are, where `near`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metres: Option<f64>,
        /// Between the alert and the nearest end of that camera's run of alerts; 0 in its midst.
        gap_ms: i64,
        /// That run when the alert came: from its first to its last alert; milliseconds since 1970.
        first: i64,
        last: i64,
    },
}

/// How a camera stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Related {
    Same,
    Neighbour,
    Near,
}

impl From<Because> for Why {
    fn from(because: Because) -> Self {
        match because {
            Because::Opened => Self::Opened,
            Because::Linked { camera, relation, gap_ms, first, last } => {
                let (relation, metres) = match relation {
                    Relation::Same => (Related::Same, None),
                    Relation::Neighbour => (Related::Neighbour, None),
                    Relation::Near { decimetres } => (Related::Near, Some(f64::from(decimetres) / 10.0)),
                };
                let Camera { agent, camera } = camera;
                Self::Linked { agent, camera, relation, metres, gap_ms, first, last }
            }
        }
    }
}

/// What goes together at a site: its settings, and its places as they are now.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub site: SiteRules,
    pub topology: Topology,
}
