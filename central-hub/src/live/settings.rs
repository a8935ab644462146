//! `[live]`

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer};

use crate::ca;
use crate::config::address;

/// `[live]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where live video travels, by UDP, from boxes and to browsers; port 0 takes a free one. Default
    /// `127.0.0.1:8189`.
    #[serde(deserialize_with = "listen")]
    pub listen: SocketAddr,
    /// Addresses by which boxes and browsers reach this port, where they are not those of this machine: behind a
    /// router, say. Default: those on which the hub listens.
    pub addresses: Vec<IpAddr>,
    /// Most connections at a time: each viewer of each camera is one, and so is each camera that is watched.
    /// Default 128.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8189)), addresses: Vec::new(), most: 128 }
    }
}

impl Settings {
    /// What boxes and browsers are told, given the port that was opened.
    pub fn reached_by(&self, port: u16) -> Vec<SocketAddr> {
        let ip = self.listen.ip();
        let own = || match ip.is_unspecified() {
            true => ca::primary_addresses(),
            false => vec![ip],
        };
        let all = if self.addresses.is_empty() { own() } else { self.addresses.clone() };
        let mut all: Vec<_> = all.into_iter().filter(|a| a.is_ipv4() == ip.is_ipv4()).collect();
        if all.is_empty() {
            // A machine without a network is reached by itself.
            all.push(if ip.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
            });
        }
        all.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
    }
}

fn listen<'d, D: Deserializer<'d>>(from: D) -> Result<SocketAddr, D::Error> {
    address(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_and_browsers_are_told_where_the_port_is() {
        let told = |listen: &str, addresses: &[&str]| {
            let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
            let settings = Settings { listen: listen.parse().unwrap(), addresses, ..Settings::default() };
            settings.reached_by(9).into_iter().map(|a| a.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(told("10.0.0.5:0", &[]), ["10.0.0.5:9"]);
        assert_eq!(
            told("0.0.0.0:0", &["203.0.113.5", "2001:db8::5", "10.0.0.5"]),
            ["203.0.113.5:9", "10.0.0.5:9"]
        );
        assert!(!told("0.0.0.0:0", &[]).is_empty());
        assert_eq!(told("[::1]:0", &["10.0.0.5"]), ["[::1]:9"]);
    }
}
