//! Which addresses a camera's session may use: those of the host in its url, and none that somebody else
//! names later. Pure but for asking the resolver, once a session: see [`addresses`].
//!
//! An address that stands in the url was typed at the box and is taken as it is. A name is resolved once, and
//! may not turn out to be the box itself or a neighbour on the wire (cloud metadata among them).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use super::RtspUrl;
use crate::discover::Network;
use crate::onvif::address::{host_of, port_of};

/// RTSP's own port (RFC 2326, 12.38 and 3.2).
pub const RTSP_PORT: u16 = 554;
/// A name that takes longer to resolve is not resolved.
const RESOLVE: Duration = Duration::from_secs(5);
/// Most addresses of one name.
const MOST_ADDRESSES: usize = 16;

/// Why a camera's host can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    #[error("the name {host} can't be resolved: check it and the box's DNS, or write the camera's address")]
    Unresolved { host: String },
    #[error("{host} is {address}, which is no camera's: write the camera's own address into its url")]
    Special { host: String, address: IpAddr },
    #[error(
        "{address} is in none of the networks that [agent] camera_networks allows: correct the url, or add the network there"
    )]
    Outside { address: IpAddr },
}

impl ReachError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Unresolved { host } => {
                format!("无法解析主机名 {host}：检查名称和盒子的 DNS，或直接写摄像机的地址")
            }
            Self::Special { host, address } => {
                format!("{host} 指向 {address}，那不是摄像机：请在网址中写摄像机自己的地址")
            }
            Self::Outside { address } => {
                format!("{address} 不在 [agent] camera_networks 允许的网段内：改正网址，或把网段加进去")
            }
        }
    }
}

/// Where one session may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub addresses: Vec<IpAddr>,
    pub port: u16,
}

impl Reach {
    /// Resolves the host of a url; takes as long as the resolver, at most five seconds.
    pub fn of(url: &RtspUrl, networks: &[Network]) -> Result<Self, ReachError> {
        Self::with(url, networks, resolve)
    }

    fn with(
        url: &RtspUrl,
        networks: &[Network],
        resolve: impl Fn(&str) -> Vec<IpAddr>,
    ) -> Result<Self, ReachError> {
        let host = host_of(url.as_str()).unwrap_or_default();
        let addresses = match literal(&host) {
            Some(address) => vec![address],
            None => {
                let found: Vec<IpAddr> =
                    resolve(&host).into_iter().map(|a| a.to_canonical()).take(MOST_ADDRESSES).collect();
                if let Some(address) = found.iter().find(|a| is_special(**a)) {
                    return Err(ReachError::Special { host, address: *address });
                }
                found
            }
        };
        if addresses.is_empty() {
            return Err(ReachError::Unresolved { host });
        }
        if let Some(address) = addresses.iter().find(|a| is_nobody(**a)) {
            return Err(ReachError::Special { host, address: *address });
        }
        if let Some(address) = addresses.iter().find(|a| !is_within(**a, networks)) {
            return Err(ReachError::Outside { address: *address });
        }
        Ok(Self { addresses, port: port_of(url.as_str()).unwrap_or(RTSP_PORT) })
    }

    /// Whether a connection there is the camera's own.
    pub fn holds(&self, address: IpAddr, port: u16) -> bool {
        port == self.port && self.has(address)
    }

    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address.to_canonical())
    }
}

/// A host that is an address, without brackets; IPv4 inside of IPv6 is IPv4.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

/// Whether a host is a number in disguise (`2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`): resolvers read these
/// as IPv4 addresses, and people don't.
pub fn is_disguised(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let number = last.bytes().all(|b| b.is_ascii_digit())
        || last.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x"));
    !last.is_empty() && number && host.parse::<Ipv4Addr>().is_err()
}

/// The box itself, or whoever is on the same wire: never the meaning of a name.
pub fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || is_nobody(address),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unicast_link_local() || is_metadata(v6) || is_nobody(address)
        }
    }
}

/// What no single device can have.
fn is_nobody(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            first == 0 || v4.is_multicast() || v4.is_broadcast() || first >= 240
        }
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// Where clouds tell machines their secrets over IPv6.
fn is_metadata(address: Ipv6Addr) -> bool {
    address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
}

/// Without networks, everywhere.
pub fn is_within(address: IpAddr, networks: &[Network]) -> bool {
    networks.is_empty()
        || match address.to_canonical() {
            IpAddr::V4(v4) => networks.iter().any(|n| n.contains(v4)),
            IpAddr::V6(_) => false,
        }
}

/// On a thread of its own: a resolver that hangs must not hold up whoever asks.
fn resolve(host: &str) -> Vec<IpAddr> {
    let (found, wait) = mpsc::channel();
    let host = host.to_owned();
    let ask = move || {
        let all = (host.as_str(), 0).to_socket_addrs().map(|all| all.map(|a| a.ip()).collect());
        drop(found.send(all.unwrap_or_default()));
    };
    match std::thread::Builder::new().name("resolve".into()).spawn(ask) {
        Ok(_) => wait.recv_timeout(RESOLVE).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(url: &str, networks: &[&str], names: &[&str]) -> Result<Reach, ReachError> {
        let url = RtspUrl::try_from(url.to_owned()).unwrap();
        let networks: Vec<Network> = networks.iter().map(|n| n.parse().unwrap()).collect();
        Reach::with(&url, &networks, |_| names.iter().map(|n| n.parse().unwrap()).collect())
    }

    #[test]
    fn an_address_that_was_typed_is_taken_and_only_it() {
        let reach = reach("rtsp://192.0.2.7:8554/s", &[], &["192.0.2.9"]).unwrap();
        assert!(reach.holds("192.0.2.7".parse().unwrap(), 8554));
        assert!(reach.holds("::ffff:192.0.2.7".parse().unwrap(), 8554), "the same, written as IPv6");
        assert!(!reach.holds("192.0.2.7".parse().unwrap(), 22) && !reach.has("192.0.2.9".parse().unwrap()));
        assert_eq!(super::literal("[::ffff:7f00:1]"), Some(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_name_is_never_the_box_itself_or_its_neighbour() {
        for address in
            ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "fd00:ec2::254"]
        {
            let error = reach("rtsp://cam.example/s", &[], &["192.0.2.7", address]).unwrap_err();
            assert!(matches!(error, ReachError::Special { .. }), "{address}: {error}");
        }
        for address in
            ["0.0.0.0", "255.255.255.255", "224.0.0.1", "[::]", "[ff02::1]", "240.0.0.1", "0.1.2.3"]
        {
            let error = reach(&format!("rtsp://{address}/s"), &[], &[]).unwrap_err();
            assert!(matches!(error, ReachError::Special { .. }), "{address}: {error}");
        }
        assert!(matches!(reach("rtsp://cam.example/", &[], &[]), Err(ReachError::Unresolved { .. })));
        assert_eq!(reach("rtsp://cam.example/s", &[], &["192.0.2.7"]).unwrap().port, RTSP_PORT);
    }

    #[test]
    fn the_networks_that_were_allowed_are_all() {
        let allowed = ["192.0.2.0/28", "198.51.100.0/24"];
        assert!(reach("rtsp://192.0.2.7/s", &allowed, &[]).is_ok());
        for (url, names) in [
            ("rtsp://192.0.2.77/s", &[][..]),
            ("rtsp://cam/s", &["192.0.2.7", "203.0.113.1"]),
            ("rtsp://[2001:db8::1]/s", &[]),
        ] {
            assert!(matches!(reach(url, &allowed, names), Err(ReachError::Outside { .. })), "{url}");
        }
    }

    #[test]
    fn numbers_in_disguise_are_known() {
        for host in [
            "2130706433",
            "0x7f000001",
            "0X7F.0.0.1",
            "127.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "192.0.2.256",
        ] {
            assert!(is_disguised(host), "{host}");
        }
        for host in ["192.0.2.7", "cam-1", "cam1.lan", "0xcam.lan", "[::1]", "1.lan"] {
            assert!(!is_disguised(host), "{host}");
        }
    }
}
