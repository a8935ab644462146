//! The way to the hub: a route, its name, an open port.

use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Check, Patient, Subject, words};
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("network", "网络", "Network");
const HUB: Subject = Subject("hub_reach", "连到中心", "Way to the hub");
const CONNECT: Duration = Duration::from_secs(4);

pub(super) fn checks(patient: &Patient) -> Vec<Check> {
    let mut checks = vec![route(has_default_route())];
    checks.extend(super::hub::addresses(patient).iter().map(|address| reach(address)));
    checks
}

fn route(found: bool) -> Check {
    if found {
        return SUBJECT.ok("有默认路由", "there is a default route");
    }
    SUBJECT.warning(
        Text::new("没有默认路由，只能到达同一网段", "no default route: only the own network can be reached"),
        Text::new(
            "中心不在同一网段时，设置网关或检查网线和 DHCP",
            "where the hub is in another network, set a gateway, or check the cable and DHCP",
        ),
    )
}

fn has_default_route() -> bool {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    has_default_v4(&read("/proc/net/route")) || has_default_v6(&read("/proc/net/ipv6_route"))
}

/// Destination and mask zero, and the route up (flag 1).
fn has_default_v4(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let field: Vec<&str> = line.split_whitespace().collect();
        let up = field.get(3).and_then(|f| u32::from_str_radix(f, 16).ok()).is_some_and(|f| f & 1 != 0);
        up && field.get(1) == Some(&"00000000") && field.get(7) == Some(&"00000000")
    })
}

/// Prefix length zero, and not on the loopback, where the kernel keeps an unreachable one.
fn has_default_v6(table: &str) -> bool {
    table.lines().any(|line| {
        let field: Vec<&str> = line.split_whitespace().collect();
        field.get(1) == Some(&"00") && field.get(9).is_some_and(|device| *device != "lo")
    })
}

/// Name, then port: the two fail for different reasons.
fn reach(address: &str) -> Check {
    let found: Vec<SocketAddr> = match address.to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    let Some(first) = found.first() else {
        let reason = Text::new(
            format!("{address} 的名字解析不出地址"),
            format!("the name of {address} leads to no address"),
        );
        let cure = Text::new(
            "检查名字有没有写错、DNS 服务器是否可用，或直接写 IP 地址",
            "check its spelling and the DNS server, or write the IP address instead",
        );
        return HUB.broken(reason, cure);
    };
    match connect(&found) {
        Ok(to) => HUB.ok(format!("{address}（{to}）可以连接"), format!("{address} ({to}) can be reached")),
        Err(error) => {
            let why = words::io(&error);
            let reason = Text::new(
                format!("连不上 {address}（{}）：{}", first.ip(), why.zh),
                format!("{address} ({}) cannot be reached: {}", first.ip(), why.en),
            );
            let cure = Text::new(
                "检查中心是否在运行、网线和防火墙",
                "check that the hub runs, the cable, and the firewall between",
            );
            HUB.broken(reason, cure)
        }
    }
}

/// The first address that answers; at most two are tried.
fn connect(found: &[SocketAddr]) -> std::io::Result<IpAddr> {
    let mut last = std::io::ErrorKind::TimedOut.into();
    for address in found.iter().take(2) {
        match TcpStream::connect_timeout(address, CONNECT) {
            Ok(_) => return Ok(address.ip()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_default_route_is_read_from_the_kernels_tables() {
        let head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let default = format!("{head}eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let local = format!("{head}eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        assert!(has_default_v4(&default) && !has_default_v4(&local) && !has_default_v4(""));
        let zero = "0".repeat(32);
        let v6 =
            |device| format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 00000003 {device}\n");
        assert!(has_default_v6(&v6("eth0")) && !has_default_v6(&v6("lo")));
    }

    #[test]
    fn a_closed_port_and_an_unknown_name_are_told_apart() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(reach(&address).state, State::Ok);
        drop(listener);
        let closed = reach(&address);
        assert_eq!(closed.state, State::Broken);
        assert!(closed.reason.zh.contains("拒绝连接"), "{closed:?}");
        let unknown = reach("no-such-hub.invalid:8443");
        assert!(unknown.reason.en.contains("leads to no address"), "{unknown:?}");
    }
}
