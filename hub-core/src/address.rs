//! To which network addresses the hub may send: decided on the address itself, never on how it was written.
//!
//! Whoever connects resolves a name once, asks here about each address, and connects to one that was allowed.
//! Everything is refused that is not plainly a host on the public internet, unless the settings list its
//! network. An IPv6 address that carries an IPv4 one is judged by both.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network: write it like 10.20.0.0/16 or fd00::/8")]
pub struct NetworkError(String);

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// This machine itself.
    Loopback,
    /// The own link, and where clouds keep their machines' credentials.
    LinkLocal,
    /// Networks that the internet does not route: houses, offices, providers' inner networks.
    Private,
    /// A network that this machine is in.
    Own,
    /// Many receivers at once.
    Multicast,
    /// Reserved, for documentation, or not given out.
    Reserved,
    /// IPv6 that leads to an IPv4 address through a translator or a tunnel.
    Translated,
}

/// What is allowed besides the public internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that the settings list.
    pub listed: Vec<Network>,
    /// Networks that this machine is in.
    pub own: Vec<Network>,
}

impl Policy {
    /// Whether the hub may connect there.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let plain = plain(address);
        if self.listed.iter().any(|network| network.holds(plain)) {
            return Ok(());
        }
        // What is said of the carried address is the more telling.
        let carried = match plain {
            IpAddr::V6(v6) => carried(v6),
            IpAddr::V4(_) => None,
        };
        if let Some(v4) = carried {
            refuse_v4(v4)?;
        }
        match plain {
            IpAddr::V4(v4) => refuse_v4(v4)?,
            IpAddr::V6(v6) => refuse_v6(v6, carried.is_some())?,
        }
        if self.own.iter().any(|network| network.holds(plain)) { Err(Refused::Own) } else { Ok(()) }
    }
}

impl Network {
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address, bits })
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, plain(address)) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = u64::from(own.to_bits() ^ other.to_bits());
                differ >> (32 - self.bits) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// An IPv4 address that is only written as IPv6 (`::ffff:a.b.c.d`) reaches the IPv4 host itself.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn refuse_v4(address: Ipv4Addr) -> Result<(), Refused> {
    let [a, b, c, _] = address.octets();
    let refused = match (a, b, c) {
        (127, ..) => Refused::Loopback,
        // 0.0.0.0 reaches this machine on Linux.
        (0, ..) => Refused::Loopback,
        (169, 254, _) => Refused::LinkLocal,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Refused::Private,
        // Providers' inner networks (RFC 6598), where some clouds keep their metadata too.
        (100, 64..=127, _) => Refused::Private,
        (198, 18 | 19, _) => Refused::Private,
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => Refused::Reserved,
        (224..=239, ..) => Refused::Multicast,
        (240..=255, ..) => Refused::Reserved,
        // Azure's metadata and DNS, at a public address.
        _ if address == Ipv4Addr::new(168, 63, 129, 16) => Refused::LinkLocal,
        _ => return Ok(()),
    };
    Err(refused)
}

fn refuse_v6(address: Ipv6Addr, carries: bool) -> Result<(), Refused> {
    let [first, second, ..] = address.segments();
    let refused = match (first, second) {
        _ if address == Ipv6Addr::LOCALHOST || address.is_unspecified() => Refused::Loopback,
        (0xfe80..=0xfebf, _) => Refused::LinkLocal,
        (0xfc00..=0xfdff, _) | (0xfec0..=0xfeff, _) => Refused::Private,
        (0xff00..=0xffff, _) => Refused::Multicast,
        _ if carries => Refused::Translated,
        // Only 2000::/3 is given out to hosts; of it, not the first /23 (protocols), documentation, 6to4.
        (0x2001, 0..=0x01ff) | (0x2001, 0x0db8) | (0x2002, _) => Refused::Reserved,
        (0x3fff, 0..=0x0fff) => Refused::Reserved,
        (0x2000..=0x3fff, _) => return Ok(()),
        _ => Refused::Reserved,
    };
    Err(refused)
}

/// The IPv4 address in an IPv6 one: compatible, NAT64 (RFC 6052, 8215), 6to4, Teredo, ISATAP.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0, high, low] if address.to_bits() > 1 => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 1, _, _, _, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(v4(high, low)),
        _ => None,
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// `10.20.0.0/16`, or one address alone.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError(text.chars().take(80).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| refuse())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let network = Self::new(address, bits.unwrap_or(all)).ok_or_else(refuse)?;
        // `::ffff:10.0.0.0/104` would never match, since addresses are compared as what they reach.
        if plain(address) != address { Err(refuse()) } else { Ok(network) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "this machine itself",
            Self::LinkLocal => "link-local or a cloud's metadata",
            Self::Private => "a private network",
            Self::Own => "a network that this machine is in",
            Self::Multicast => "multicast",
            Self::Reserved => "a reserved address",
            Self::Translated => "IPv4 behind an IPv6 translator or tunnel",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &Policy, address: &str) -> Result<(), Refused> {
        policy.check(address.parse().unwrap())
    }

    #[test]
    fn only_the_public_internet_is_open() {
        let none = Policy::default();
        for open in [
            "1.1.1.1",
            "8.8.8.8",
            "114.114.114.114",
            "172.32.0.1",
            "100.128.0.1",
            "2400:3200::1",
            "::ffff:1.1.1.1",
            "2001:4860::8888",
        ] {
            assert_eq!(check(&none, open), Ok(()), "{open}");
        }
        for (address, why) in [
            ("127.0.0.1", Refused::Loopback),
            ("127.255.255.254", Refused::Loopback),
            ("0.0.0.0", Refused::Loopback),
            ("0.1.2.3", Refused::Loopback),
            ("::1", Refused::Loopback),
            ("::", Refused::Loopback),
            ("::ffff:127.0.0.1", Refused::Loopback),
            ("::127.0.0.1", Refused::Loopback),
            ("::ffff:0:127.0.0.1", Refused::Loopback),
            ("64:ff9b::7f00:1", Refused::Loopback),
            ("64:ff9b:1::a9fe:a9fe", Refused::LinkLocal),
            ("2002:7f00:1::", Refused::Loopback),
            ("2001:0:1:2:3:4:80ff:fffe", Refused::Loopback),
            ("2400::5efe:10.0.0.1", Refused::Private),
            ("169.254.169.254", Refused::LinkLocal),
            ("fe80::1", Refused::LinkLocal),
            ("fd00:ec2::254", Refused::Private),
            ("fec0::1", Refused::Private),
            ("10.0.0.1", Refused::Private),
            ("172.16.0.1", Refused::Private),
            ("172.31.255.255", Refused::Private),
            ("192.168.1.1", Refused::Private),
            ("100.100.100.200", Refused::Private),
            ("168.63.129.16", Refused::LinkLocal),
            ("192.0.0.192", Refused::Reserved),
            ("224.0.0.1", Refused::Multicast),
            ("ff02::1", Refused::Multicast),
            ("255.255.255.255", Refused::Reserved),
            ("64:ff9b::808:808", Refused::Translated),
            ("2002:808:808::", Refused::Translated),
            ("2001:db8::1", Refused::Reserved),
            ("3fff::1", Refused::Reserved),
            ("100::1", Refused::Reserved),
            ("5f00::1", Refused::Reserved),
        ] {
            assert_eq!(check(&none, address), Err(why), "{address}");
        }
    }

    #[test]
    fn listed_networks_are_open_and_own_ones_are_not() {
        let policy = Policy {
            listed: vec![
                "10.20.0.0/16".parse().unwrap(),
                "fd00::/8".parse().unwrap(),
                "127.0.0.1".parse().unwrap(),
            ],
            own: vec!["8.8.8.0/24".parse().unwrap(), "10.20.0.0/16".parse().unwrap()],
        };
        for open in ["10.20.255.1", "::ffff:10.20.0.1", "fd12::1", "127.0.0.1"] {
            assert_eq!(check(&policy, open), Ok(()), "{open}");
        }
        assert_eq!(check(&policy, "10.21.0.1"), Err(Refused::Private));
        assert_eq!(check(&policy, "127.0.0.2"), Err(Refused::Loopback));
        assert_eq!(check(&policy, "8.8.8.8"), Err(Refused::Own));
        assert_eq!(
            check(&policy, "64:ff9b::a14:1"),
            Err(Refused::Private),
            "listed itself, but not by this way"
        );
    }

    #[test]
    fn networks_are_read_strictly() {
        for (text, inside, outside) in [
            ("0.0.0.0/0", "9.9.9.9", "::1"),
            ("::/0", "2400::1", "9.9.9.9"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("2400:3200::/32", "2400:3200:1::", "2400:3201::"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
            assert!(network.holds(inside.parse().unwrap()), "{text}");
            assert!(!network.holds(outside.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "0x7f.1",
            "::ffff:10.0.0.0/104",
            "fe80::1%eth0",
            "10.0.0.0/-1",
            "::/129",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
