//! Where a receiver listens, and the one way to a connection: resolve once, judge every address, connect to
//! one of those.
//!
//! A name that resolves to anything forbidden is refused whole: an honest name has no such address, and a
//! second look-up might answer otherwise. There is no proxy and no redirect in here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use hub_core::address::{Network, Policy, Refused};
use tokio::net::TcpStream;
use url::{Host, Url};

/// Looks a name up: the system's resolver, or a test's.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 4;
const MOST_CHARS: usize = 2_000;

/// A receiver's address as the settings say it.
#[derive(Debug, Clone)]
pub struct Target {
    url: Url,
    listed: Vec<Network>,
}

/// Why a URL cannot be a receiver's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("this is no URL: {0}")]
    Url(#[from] url::ParseError),
    #[error("`{0}` is not allowed: use https, or http with allow_plain = true")]
    Scheme(String),
    #[error("user and password do not belong in a URL; messages are signed")]
    Login,
    #[error("it names no host")]
    Host,
    #[error("it is longer than {MOST_CHARS} characters")]
    Long,
    #[error("it has a fragment (#...), which no server sees")]
    Fragment,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the name {name} cannot be looked up: {source}")]
    Resolve { name: String, source: io::Error },
    #[error("the name {0} has no address")]
    Nowhere(String),
    #[error("{address} is refused: {why}; list its network in `networks` if it is meant")]
    Refused { address: IpAddr, why: Refused },
    #[error("cannot connect to {address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
}

impl Target {
    pub fn parse(text: &str, allow_plain: bool, listed: Vec<Network>) -> Result<Self, TargetError> {
        if text.len() > MOST_CHARS {
            return Err(TargetError::Long);
        }
        let url = Url::parse(text)?;
        match url.scheme() {
            "https" => {}
            "http" if allow_plain => {}
            other => return Err(TargetError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Login);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        match url.host() {
            Some(Host::Domain("")) | None => Err(TargetError::Host),
            Some(_) => Ok(Self { url, listed }),
        }
    }

    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host, for TLS; an IPv6 address without brackets.
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// `Host:` and the path with its query.
    pub fn request_parts(&self) -> (String, String) {
        let host = self.url.host_str().unwrap_or_default();
        let authority = self.url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let query = self.url.query().map(|q| format!("?{q}")).unwrap_or_default();
        (authority, format!("{}{query}", self.url.path()))
    }

    /// A connection to an address that was looked up now and found allowed.
    pub async fn connect(&self, resolve: &Resolve) -> Result<TcpStream, ConnectError> {
        let policy = Policy { listed: self.listed.clone(), own: own_networks() };
        let addresses = self.addresses(resolve).await?;
        for address in &addresses {
            let judged = policy.check(*address);
            judged.map_err(|why| ConnectError::Refused { address: *address, why })?;
        }
        let port = self.url.port_or_known_default().unwrap_or(443);
        let mut last = ConnectError::Nowhere(self.host());
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let address = SocketAddr::new(address, port);
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(source) => last = ConnectError::Connect { address, source },
            }
        }
        Err(last)
    }

    async fn addresses(&self, resolve: &Resolve) -> Result<Vec<IpAddr>, ConnectError> {
        match self.url.host() {
            Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
            Some(Host::Domain(name)) => {
                let found = resolve(name.to_owned()).await;
                found.map_err(|source| ConnectError::Resolve { name: name.to_owned(), source })
            }
            None => Ok(Vec::new()),
        }
    }
}

/// The system's resolver.
pub fn system() -> Resolve {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// The networks that this machine is in now; its own addresses where their networks are not known.
fn own_networks() -> Vec<Network> {
    let Ok(interfaces) = if_addrs::get_if_addrs() else { return Vec::new() };
    let network = |interface: if_addrs::Interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => Network::new(v4.ip.into(), v4.prefixlen),
        if_addrs::IfAddr::V6(v6) => Network::new(v6.ip.into(), v6.prefixlen),
    };
    interfaces.into_iter().filter_map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse(text, false, Vec::new())
    }

    #[test]
    fn a_receiver_is_an_https_address_and_nothing_else() {
        let target = parse("https://city.example/hook?a=1").unwrap();
        assert_eq!(target.request_parts(), ("city.example".into(), "/hook?a=1".into()));
        assert_eq!(
            parse("https://[2400::1]:8443").unwrap().request_parts(),
            ("[2400::1]:8443".into(), "/".into())
        );
        assert_eq!(parse("https://[2400::1]/").unwrap().host(), "2400::1");
        assert!(Target::parse("http://city.example/", true, Vec::new()).is_ok());
        for wrong in [
            "http://city.example/",
            "ftp://city.example/",
            "file:///etc/passwd",
            "gopher://a/",
            "unix:/run/x",
            "javascript:1",
            "data:,x",
        ] {
            assert!(matches!(parse(wrong), Err(TargetError::Scheme(_))), "{wrong}");
        }
        assert_eq!(parse("https://u:p@city.example/").unwrap_err(), TargetError::Login);
        assert_eq!(parse("https://city.example/#x").unwrap_err(), TargetError::Fragment);
        for wrong in [
            "",
            "city.example",
            "https://",
            "https:// x/",
            "https://a b/",
            "https://[::1%eth0]/",
            "https://1.2.3.999/",
        ] {
            assert!(matches!(parse(wrong), Err(TargetError::Url(_))), "{wrong}");
        }
        assert_eq!(parse(&format!("https://a/{}", "x".repeat(2_000))).unwrap_err(), TargetError::Long);
    }

    #[test]
    fn this_machines_networks_are_known() {
        assert!(own_networks().iter().any(|n| n.holds([127, 0, 0, 1].into())), "no loopback?");
    }
}
