//! The hub's settings file, checked whole before anything starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use protocol::{Epoch, SiteId};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::exchange;
use crate::incidents::settings::{Incidents, IncidentsError};
use crate::retention::{Retention, RetentionError};
use crate::store::exchange::Names;
use crate::webhooks::{self, Webhook, WebhookError};
use crate::work::{Rules, RulesError, Workflow};
use crate::{audit, live, people, store};

/// Where the package puts the settings.
pub const DEFAULT_FILE: &str = "/etc/signalbox-hub/central-hub.toml";

/// Everything that `central-hub.toml` may say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub hub: Hub,
    pub http: Http,
    pub agents: Agents,
    pub audit: audit::Settings,
    pub broker: Broker,
    pub live: live::Settings,
    pub people: people::Settings,
    pub store: store::Settings,
    pub wall: Wall,
    pub workflow: Workflow,
    pub incidents: Incidents,
    pub retention: Retention,
    pub exchange: exchange::Settings,
    pub webhooks: Vec<Webhook>,
}

/// `[hub]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hub {
    /// The data folder: database, stills, first password. Made if it is not there. Default `hub-data`.
    pub data: PathBuf,
    /// What people call a site, by its id: `{ market = "东街市场" }`. Default: none.
    pub site_names: BTreeMap<SiteId, String>,
    /// Let browsers come without TLS from other machines. Passwords then cross the network readable.
    /// Default `false`.
    pub allow_plain_network: bool,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where the API and the wall listen; port 0 takes a free one. On another address than this
    /// machine's own it is HTTPS. Default `127.0.0.1:8080`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// A certificate of your own for it, PEM, with its chain. Default: one of the hub's authority.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
}

/// `[agents]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Agents {
    /// Where boxes enrol, renew and send stills, by HTTPS; port 0 takes a free one. Default
    /// `127.0.0.1:8443`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Host names and addresses by which the hub is reached; the first is what `token create` tells the
    /// installer. They are written into the hub's certificate, for browsers. Default: this machine's own.
    pub names: Vec<String>,
    /// How long a box's certificate lives, in days; it is renewed after two thirds. Default 90.
    pub certificate_days: u32,
    /// How many days after its end a certificate may still renew itself. Default 90.
    pub grace_days: u32,
}

/// `[broker]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// Where boxes reach the embedded broker, MQTT over TLS; port 0 takes a free one. Default
    /// `127.0.0.1:8883`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Use this MQTT 5 broker, `host:port`, in place of the embedded one. Default: none.
    pub external: Option<String>,
    /// The hub's user at the external broker. Default: none.
    pub user: Option<String>,
    /// The file with its password, mode 600. Default: none.
    pub password_file: Option<PathBuf>,
    /// Reach the external broker by TLS: the authority of its certificate, PEM. Default: none.
    pub authority_file: Option<PathBuf>,
    /// The hub's certificate there, PEM; `broker-config` writes all three. Default: none.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM, mode 600. Default: none.
    pub key_file: Option<PathBuf>,
}

/// `[wall]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
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
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8080)), certificate_file: None, key_file: None }
    }
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8443)),
            names: Vec::new(),
            certificate_days: 90,
            grace_days: 90,
        }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8883)),
            external: None,
            user: None,
            password_file: None,
            authority_file: None,
            certificate_file: None,
            key_file: None,
        }
    }
}

/// What the types cannot say.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] settings::Error),
    #[error(transparent)]
    Store(#[from] store::settings::SettingsError),
    #[error(transparent)]
    Retention(#[from] RetentionError),
    #[error(transparent)]
    Incidents(#[from] IncidentsError),
    #[error(transparent)]
    Exchange(#[from] exchange::SettingsError),
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    #[error(transparent)]
    People(#[from] people::SettingsError),
    #[error("[http] certificate_file and key_file belong together")]
    WallCertificate,
    #[error("[agents] certificate_days = {0} is out of range: 1 to 825")]
    CertificateDays(u32),
    #[error("[agents] grace_days = {0} is out of range: 0 to 365")]
    GraceDays(u32),
    #[error("[broker] external = \"{0}\" is no address: write it like \"broker.example:1883\"")]
    External(String),
    #[error("[broker] authority_file, certificate_file and key_file belong together, and to `external`")]
    BrokerTls,
    #[error("[broker] user and password_file belong together, and to `external`")]
    BrokerLogin,
    #[error(transparent)]
    Workflow(#[from] RulesError),
}

impl Config {
    /// The file's settings, or the defaults where there is no file.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut config = match path {
            Some(path) => settings::load(path)?,
            None => Self::default(),
        };
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let folder = std::path::absolute(folder.join(".")).unwrap_or_else(|_| folder.to_owned());
        config.take_paths_from(&folder);
        config.check()?;
        Ok(config)
    }

    /// Paths of the file are from its folder, wherever the program was started.
    fn take_paths_from(&mut self, folder: &Path) {
        let Self { hub, http, audit, broker, store, wall, workflow, webhooks, .. } = self;
        let optional = [
            &mut http.certificate_file,
            &mut http.key_file,
            &mut audit.heads,
            &mut broker.password_file,
            &mut broker.authority_file,
            &mut broker.certificate_file,
            &mut broker.key_file,
            &mut store.password_file,
            &mut store.shared_folder,
            &mut store.evidence_folder,
            &mut wall.folder,
            &mut workflow.procedures,
        ];
        let of_webhooks =
            webhooks.iter_mut().flat_map(|w| [Some(&mut w.secret_file), w.authority_file.as_mut()]);
        let all = [Some(&mut hub.data)].into_iter().chain(optional.into_iter().map(Option::as_mut));
        for path in all.chain(of_webhooks).flatten() {
            *path = folder.join(&*path);
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.store.check()?;
        self.retention.check()?;
        self.incidents.check()?;
        self.exchange.check()?;
        webhooks::check(&self.webhooks)?;
        self.people.check()?;
        if let Some(address) = self.broker.external.as_ref().filter(|a| split_address(a).is_none()) {
            return Err(ConfigError::External(address.clone()));
        }
        if self.http.certificate_file.is_some() != self.http.key_file.is_some() {
            return Err(ConfigError::WallCertificate);
        }
        if !(1..=825).contains(&self.agents.certificate_days) {
            return Err(ConfigError::CertificateDays(self.agents.certificate_days));
        }
        if self.agents.grace_days > 365 {
            return Err(ConfigError::GraceDays(self.agents.grace_days));
        }
        let Broker { authority_file, certificate_file, key_file, external, .. } = &self.broker;
        let tls = [authority_file, certificate_file, key_file].iter().filter(|f| f.is_some()).count();
        if !(tls == 0 || (tls == 3 && external.is_some())) {
            return Err(ConfigError::BrokerTls);
        }
        let login = (self.broker.user.is_some(), self.broker.password_file.is_some());
        if login.0 != login.1 || (login.0 && self.broker.external.is_none()) {
            return Err(ConfigError::BrokerLogin);
        }
        Rules::check(&self.workflow)?;
        Ok(())
    }

    /// What everything is called where other systems read.
    pub fn names(&self, hub_epoch: &Epoch) -> Names {
        let kinds = self.workflow.kinds.iter().map(|kind| {
            let name = protocol::exchange::Names { zh: kind.zh.clone(), en: kind.en.clone() };
            (kind.kind.clone(), name)
        });
        let kinds = kinds.collect();
        self.exchange.names(self.hub.site_names.clone(), kinds, hub_epoch.as_str())
    }

    /// Whether browsers come by HTTPS.
    pub fn wall_tls(&self) -> bool {
        let beyond = !self.http.listen.ip().is_loopback() && !self.hub.allow_plain_network;
        self.http.certificate_file.is_some() || beyond
    }
}

/// Where something listens. Both languages: the file is read before anybody is asked for theirs.
pub(crate) fn address<'d, D: Deserializer<'d>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |_| {
        D::Error::custom(format!(
            "`{text}` is no IP address with a port: write it like 127.0.0.1:8080, or 0.0.0.0:8080 for every interface. 请写 IP 地址和端口"
        ))
    };
    text.parse().map_err(wrong)
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
    fn the_example_shows_the_defaults() {
        let example = include_str!("../central-hub.example.toml");
        assert_eq!(settings::parse::<Config>(example, Path::new("example")).unwrap(), Config::default());
    }

    #[test]
    fn paths_are_from_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        let text = "[hub]\ndata = \"data\"\n[http]\ncertificate_file = \"/etc/c.pem\"\nkey_file = \"k.pem\"\n\
            [[webhooks]]\nname = \"city\"\nurl = \"https://city.example/\"\nsecret_file = \"city.secret\"\n";
        std::fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file)).unwrap();
        assert_eq!(config.hub.data, folder.path().join("data"));
        assert_eq!(config.http.certificate_file.as_deref(), Some(Path::new("/etc/c.pem")));
        assert_eq!(config.http.key_file, Some(folder.path().join("k.pem")));
        assert_eq!(config.webhooks[0].secret_file, folder.path().join("city.secret"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(Config::load(None).unwrap().hub.data, here.join("hub-data"));
    }

    #[test]
    fn beyond_this_machine_the_wall_is_https_unless_it_is_said_otherwise() {
        let tls = |text: &str| {
            let config: Config = settings::parse(text, Path::new("hub.toml")).unwrap();
            config.check().unwrap();
            config.wall_tls()
        };
        assert!(!tls(""));
        assert!(tls("[http]\nlisten = \"0.0.0.0:8080\"\n"));
        assert!(tls("[http]\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n"));
        assert!(!tls("[hub]\nallow_plain_network = true\n[http]\nlisten = \"[::]:8080\"\n"));
        assert!(check("[http]\nkey_file = \"k.pem\"\n").unwrap_err().contains("certificate_file"));
        assert!(check("[agents]\ncertificate_days = 0\n").unwrap_err().contains("certificate_days"));
    }

    #[test]
    fn wrong_words_are_named() {
        assert!(check("[http]\nlisen = \"127.0.0.1:1\"\n").unwrap_err().contains("did you mean `listen`?"));
        let name = check("[http]\nlisten = \"localhost:8080\"\n").unwrap_err();
        assert!(
            name.starts_with("hub.toml:2:10: `localhost:8080`") && name.contains("127.0.0.1:8080"),
            "{name}"
        );
        assert!(check("[broker]\nexternal = \"nohost\"\n").unwrap_err().contains("nohost"));
        assert!(check("[broker]\nuser = \"hub\"\n").unwrap_err().contains("password_file"));
    }
}
