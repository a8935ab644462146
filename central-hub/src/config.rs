//! The hub's settings file, checked whole before anything starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use protocol::SiteId;
use serde::Deserialize;

/// Everything that `central-hub.toml` may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub hub: Hub,
    pub http: Http,
    pub broker: Broker,
    pub wall: Wall,
}

/// `[hub]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hub {
    /// The data folder: database, stills, first password. Made if it is not there. Default `hub-data`.
    pub data: PathBuf,
    /// What people call a site, by its id: `{ market = "东街市场" }`. Default: none.
    pub site_names: BTreeMap<SiteId, String>,
    /// Listen without TLS beyond this machine. Passwords and keys then cross the network readable.
    /// Default `false`.
    pub allow_plain_network: bool,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where the API and the wall listen; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
}

/// `[broker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// Where the embedded broker listens; port 0 takes a free one. Default `127.0.0.1:1883`.
    pub listen: SocketAddr,
    /// Use this MQTT 5 broker, `host:port`, in place of the embedded one. Default: none.
    pub external: Option<String>,
    /// The hub's user at the external broker. Default: none.
    pub user: Option<String>,
    /// The file with its password, mode 600. Default: none.
    pub password_file: Option<PathBuf>,
}

/// `[wall]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wall {
    /// The built front end. Default: looked for beside the program, in `central-hub/wall/dist` and
    /// in `/usr/share/signalbox/wall`.
    pub folder: Option<PathBuf>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { data: "hub-data".into(), site_names: BTreeMap::new(), allow_plain_network: false }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)) }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            external: None,
            user: None,
            password_file: None,
        }
    }
}

/// What the types cannot say.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] settings::Error),
    #[error(
        "[{section}] listen = \"{address}\" is reachable from other machines, but there is no TLS yet: \
         listen on 127.0.0.1, or set `allow_plain_network = true` under [hub] if that network is \
         closed to everybody else"
    )]
    PlainNetwork { section: &'static str, address: SocketAddr },
    #[error("[broker] external = \"{0}\" is no address: write it like \"broker.example:1883\"")]
    External(String),
    #[error("[broker] user and password_file belong together, and to `external`")]
    BrokerLogin,
}

impl Config {
    /// The file's settings, or the defaults where there is no file.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let config = match path {
            Some(path) => settings::load(path)?,
            None => Self::default(),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut listening = vec![("http", self.http.listen)];
        match &self.broker.external {
            None => listening.push(("broker", self.broker.listen)),
            Some(address) if split_address(address).is_none() => {
                return Err(ConfigError::External(address.clone()));
            }
            Some(_) => {}
        }
        for (section, address) in listening {
            if !address.ip().is_loopback() && !self.hub.allow_plain_network {
                return Err(ConfigError::PlainNetwork { section, address });
            }
        }
        let login = (self.broker.user.is_some(), self.broker.password_file.is_some());
        if login.0 != login.1 || (login.0 && self.broker.external.is_none()) {
            return Err(ConfigError::BrokerLogin);
        }
        Ok(())
    }
}

/// `host:port` in its parts.
pub fn split_address(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|p| *p > 0)?;
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let config: Config = settings::parse(text, Path::new("hub.toml")).map_err(|e| e.to_string())?;
        config.check().map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_is_right_and_stays_on_this_machine() {
        check("").unwrap();
        assert!(Config::default().http.listen.ip().is_loopback());
        assert!(Config::default().broker.listen.ip().is_loopback());
    }

    #[test]
    fn the_network_is_refused_without_an_explicit_word() {
        let error = check("[http]\nlisten = \"0.0.0.0:8080\"\n").unwrap_err();
        assert!(error.contains("allow_plain_network"), "{error}");
        assert!(check("[broker]\nlisten = \"[::]:1883\"\n").is_err());
        check("[hub]\nallow_plain_network = true\n[http]\nlisten = \"0.0.0.0:8080\"\n").unwrap();
        check("[broker]\nexternal = \"broker.example:1883\"\nlisten = \"0.0.0.0:1883\"\n").unwrap();
    }

    #[test]
    fn wrong_words_are_named() {
        assert!(check("[http]\nlisen = \"127.0.0.1:1\"\n").unwrap_err().contains("did you mean `listen`?"));
        assert!(check("[broker]\nexternal = \"nohost\"\n").unwrap_err().contains("nohost"));
        assert!(check("[broker]\nuser = \"hub\"\n").unwrap_err().contains("password_file"));
    }
}
