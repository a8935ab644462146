//! What the box shows at the hub's doors: one generation made ready for TLS.

use std::sync::Arc;

use protocol::{AgentId, SiteId};
use rustls::ClientConfig;

use super::clock;
use super::folder::{Believed, Generation, Home, IdentityError};
use super::recognise::Recognition;
use super::tls;

/// Cheap to clone; replaced as a whole when the certificate or the authorities change.
#[derive(Debug, Clone)]
pub struct Pass {
    pub generation: u32,
    pub home: Home,
    /// For HTTPS and MQTT alike.
    pub tls: Arc<ClientConfig>,
    pub recognition: Arc<Recognition>,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
}

impl Pass {
    pub fn of(generation: &Generation, believed: &Believed) -> Result<Self, IdentityError> {
        let floor =
            clock::build_day().max(generation.not_before).max(believed.newest_hub_certificate.unwrap_or(0));
        let recognition = Arc::new(Recognition::by_roots(
            &believed.ders(),
            floor,
            believed.newest_hub_certificate,
            tls::provider(),
        )?);
        let tls = tls::as_box(generation.certificate.clone(), generation.key.to_der(), recognition.clone())?;
        Ok(Self {
            generation: generation.number,
            home: generation.home.clone(),
            tls: Arc::new(tls),
            recognition,
            not_before: generation.not_before,
            not_after: generation.not_after,
        })
    }

    pub fn site(&self) -> &SiteId {
        &self.home.site
    }

    pub fn agent(&self) -> &AgentId {
        &self.home.agent
    }

    /// Host and port of the broker, for dialling; brackets of an IPv6 address are gone.
    pub fn broker(&self) -> (String, u16) {
        let (host, port) = self.home.mqtt.rsplit_once(':').unwrap_or((&self.home.mqtt, "8883"));
        (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(8883))
    }
}
