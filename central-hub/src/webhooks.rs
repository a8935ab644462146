//! Webhooks: other systems are told of incidents by HTTP, each version once, whatever is down meanwhile.
//!
//! Owns where to send (`target`), how (`send`, `sign`) and the settings. What is to be sent stands in the
//! database with the incident (`store::deliveries`); when it is tried again is decided in
//! `hub_core::delivery`. A receiver that is slow or away costs ingest nothing.

pub mod run;
pub mod send;
pub mod sign;
pub mod target;

use std::path::PathBuf;
use std::time::Duration;

use hub_core::address::Network;
use protocol::SiteId;
use protocol::exchange::Severity;
use serde::Deserialize;
use settings::{Secret, Span};

use send::Sender;
use sign::Key;
use target::{Resolve, Target};

/// Most receivers.
pub const MOST: usize = 32;

/// `[[webhooks]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What the receiver is called here: 1 to 64 letters, digits, `-`, `_`.
    pub name: String,
    /// Where it listens: `https://...`.
    pub url: String,
    /// The file with the secret that messages are signed with, mode 600; `central-hub webhook secret` makes one.
    pub secret_file: PathBuf,
    /// What is sent. Default `json`.
    #[serde(default)]
    pub format: Format,
    /// Take `http://` too: what is sent can then be read on the way. Default `false`.
    #[serde(default)]
    pub allow_plain: bool,
    /// Networks that may be reached although they are private, `10.20.0.0/16` say. Default: none.
    #[serde(default)]
    pub networks: Vec<String>,
    /// The authority of the receiver's certificate, PEM. Default: this machine's list.
    #[serde(default)]
    pub authority_file: Option<PathBuf>,
    /// Only incidents of these sites. Default: all.
    #[serde(default)]
    pub sites: Vec<SiteId>,
    /// Only incidents at least this severe. Default `low`.
    #[serde(default = "low")]
    pub at_least: Severity,
    /// How long one attempt may take. Default `10s`.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// How long a message is tried before it is given up. Default `72h`.
    #[serde(default = "three_days")]
    pub give_up_after: Span,
}

/// In which form a receiver wants incidents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The exchange's JSON, `protocol/schema/incident.schema.json`, in an envelope.
    #[default]
    Json,
    /// CAP 1.2 XML.
    Cap,
}

/// What is wrong with a `[[webhooks]]` section.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("[[webhooks]] holds {0} receivers: at most {MOST} are allowed")]
    Many(usize),
    #[error("[[webhooks]] name = \"{0}\": use 1 to 64 ASCII letters, digits, `-` or `_`, and each name once")]
    Name(String),
    #[error("[[webhooks]] {name}: timeout must be 1s to 60s, give_up_after 1m to 30d")]
    Times { name: String },
    #[error("[[webhooks]] {name}: {source}")]
    Network { name: String, source: hub_core::address::NetworkError },
    #[error("[[webhooks]] {name}: url = \"{url}\": {source}")]
    Url { name: String, url: String, source: target::TargetError },
    #[error("[[webhooks]] {name}: {source}")]
    Secret { name: String, source: settings::SecretError },
    #[error("[[webhooks]] {name}: the secret in {} is none: `central-hub webhook secret` prints one", path.display())]
    Key { name: String, path: PathBuf },
    #[error("[[webhooks]] {name}: {source}")]
    Tls { name: String, source: send::TlsError },
}

/// Checks what needs no file: names, addresses, times.
pub fn check(webhooks: &[Webhook]) -> Result<(), WebhookError> {
    if webhooks.len() > MOST {
        return Err(WebhookError::Many(webhooks.len()));
    }
    for (n, webhook) in webhooks.iter().enumerate() {
        let name = webhook.name.clone();
        let twice = webhooks[..n].iter().any(|other| other.name == webhook.name);
        if twice || webhook.name.parse::<SiteId>().is_err() {
            return Err(WebhookError::Name(name));
        }
        let (timeout, give_up) = (webhook.timeout.0, webhook.give_up_after.0);
        let right = (1..=60).contains(&timeout.as_secs()) && (60..=30 * 86_400).contains(&give_up.as_secs());
        if !right {
            return Err(WebhookError::Times { name });
        }
        webhook.target()?;
    }
    Ok(())
}

impl Webhook {
    /// Where it listens, and which networks may be reached for it.
    fn target(&self) -> Result<Target, WebhookError> {
        let listed = self.networks.iter().map(|n| n.parse()).collect::<Result<Vec<Network>, _>>();
        let listed = listed.map_err(|source| WebhookError::Network { name: self.name.clone(), source })?;
        Target::parse(&self.url, self.allow_plain, listed).map_err(|source| WebhookError::Url {
            name: self.name.clone(),
            url: self.url.clone(),
            source,
        })
    }

    /// Reads the files it needs.
    pub fn open(&self, resolve: Resolve) -> Result<Sender, WebhookError> {
        let name = || self.name.clone();
        let secret = Secret::read(&self.secret_file)
            .map_err(|source| WebhookError::Secret { name: name(), source })?;
        let key = Key::parse(secret.expose())
            .ok_or_else(|| WebhookError::Key { name: name(), path: self.secret_file.clone() })?;
        let timeout = self.timeout.0;
        Sender::new(self.target()?, key, self.authority_file.as_deref(), timeout, resolve)
            .map_err(|source| WebhookError::Tls { name: name(), source })
    }

    /// Whether it wants to be told.
    pub fn wants(&self, site: &str, severity: Severity) -> bool {
        severity >= self.at_least && (self.sites.is_empty() || self.sites.iter().any(|s| s.as_str() == site))
    }
}

fn low() -> Severity {
    Severity::Low
}

fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

fn three_days() -> Span {
    Span(Duration::from_secs(3 * 86_400))
}
