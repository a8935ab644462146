//! Finding cameras: WS-Discovery on chosen interfaces, and a look at the networks that were named.
//!
//! Owns what is asked where, how much of it, and what the answers become. Nothing is asked outside of the
//! interfaces and networks that were given; no password is ever sent. `network` and `answer` and `merge`
//! are the rules without sockets, `multicast` and `scan` speak. Adding a camera is left to `cmd::camera`.

mod answer;
pub mod asked;
mod merge;
mod multicast;
mod network;
mod scan;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Serialize;

pub use network::{Interface, Network, NetworkError, interfaces};
pub use scan::speaks_rtsp;

use crate::wording::Text;

/// UDP port of WS-Discovery.
pub const WS_DISCOVERY_PORT: u16 = 3702;
/// Most addresses that one search looks at: a /22.
pub const MOST_ADDRESSES: u32 = 1024;
/// Most cameras of one search.
const MOST_FOUND: usize = 1024;
/// Most letters of a name.
const LONGEST_NAME: usize = 80;

/// What to ask.
#[derive(Debug, Clone)]
pub struct Search {
    /// Where the multicast question goes out.
    pub interfaces: Vec<Ipv4Addr>,
    /// Whose addresses are asked one by one.
    pub networks: Vec<Network>,
    pub rtsp_ports: Vec<u16>,
    pub onvif_ports: Vec<u16>,
    pub ws_discovery_port: u16,
    /// How long answers are waited for.
    pub wait: Duration,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            networks: Vec::new(),
            rtsp_ports: vec![554, 8554],
            onvif_ports: vec![80, 8080, 8000],
            ws_discovery_port: WS_DISCOVERY_PORT,
            wait: Duration::from_secs(5),
        }
    }
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub address: Ipv4Addr,
    /// Other addresses that gave the same endpoint id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_addresses: Vec<Ipv4Addr>,
    /// WS-Discovery's id of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    pub name: String,
    pub model: String,
    /// The ONVIF device service.
    pub onvif: Option<String>,
    /// The first port that speaks RTSP, where ports were asked.
    pub rtsp_port: Option<u16>,
    /// All of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rtsp_ports: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Text>,
}

/// Why nothing could be searched.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("cannot send from {address}: check the interface")]
    Send {
        address: Ipv4Addr,
        #[source]
        source: std::io::Error,
    },
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub cameras: Vec<Found>,
    /// Answers that were not used: too large, too many, no XML, not from a network that was asked.
    pub ignored: u64,
}

/// Asks and collects; takes [`Search::wait`], and longer where ports of many addresses are asked.
pub fn search(search: &Search) -> Result<Findings, DiscoverError> {
    network::check(&search.networks)?;
    let mut merged = merge::Merged::default();
    let heard = multicast::ask(search)?;
    let mut ignored = heard.ignored;
    for (source, answer) in heard.answers {
        ignored += u64::from(!merged.answer(source, answer));
    }
    for open in scan::run(search) {
        ignored += u64::from(!merged.open(open));
    }
    Ok(Findings { cameras: merged.finish(), ignored })
}
