//! Networks and interfaces: which addresses may be asked.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::Deserialize;

use super::MOST_ADDRESSES;

/// An IPv4 network in CIDR form, for example `192.168.1.0/24`; a lone address is a /32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    first: u32,
    prefix: u8,
}

/// Why a network can't be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("`{0}` is no IPv4 network: write it like 192.168.1.0/24")]
    Form(String),
    #[error(
        "{asked} addresses are too many for one search: name networks of at most {MOST_ADDRESSES} addresses in all (one /22)"
    )]
    Large { asked: u64 },
}

impl NetworkError {
    pub fn zh(&self) -> String {
        match self {
            Self::Form(text) => format!("`{text}` 不是 IPv4 网段：写成 192.168.1.0/24 的样子"),
            Self::Large { asked } => {
                format!("一次要查 {asked} 个地址，太多：网段合计最多 {MOST_ADDRESSES} 个地址（一个 /22）")
            }
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::Form(crate::wording::plain(text, 40));
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let digits = prefix.len() <= 2 && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|p| digits && *p <= 32).ok_or_else(wrong)?;
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Ok(Self { first: u32::from(address) & mask, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;
    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

impl Network {
    fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        u64::from(u32::from(address).wrapping_sub(self.first)) < self.size()
    }

    /// Its hosts: without the network's own and the broadcast address where it has them.
    pub fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        let size = u32::try_from(self.size()).unwrap_or(u32::MAX);
        let edge = u32::from(self.prefix < 31);
        (edge..size - edge).map(move |n| Ipv4Addr::from(self.first + n))
    }
}

/// All networks of one search together.
pub(super) fn check(networks: &[Network]) -> Result<(), NetworkError> {
    let asked = networks.iter().map(|n| n.size()).sum();
    if asked > u64::from(MOST_ADDRESSES) { Err(NetworkError::Large { asked }) } else { Ok(()) }
}

/// An address of this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub address: Ipv4Addr,
}

impl Interface {
    /// In a network that is nobody else's (RFC 1918, RFC 3927).
    pub fn is_private(&self) -> bool {
        self.address.is_private() || self.address.is_link_local()
    }
}

/// This box's interfaces with an IPv4 address, without loopback.
pub fn interfaces() -> std::io::Result<Vec<Interface>> {
    let all = oxvif::discovery::discovery_interfaces()?;
    Ok(all.into_iter().map(|i| Interface { name: i.name, address: i.address }).collect())
}
