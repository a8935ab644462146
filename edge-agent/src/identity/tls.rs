//! TLS towards the hub: one configuration serves HTTPS and MQTT.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::clock;
use super::recognise::Recognition;

/// Passed by hand: two providers are in the program, and rustls must not guess.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Without a certificate, for a hub that is known by its token only.
pub fn first_contact(authority: [u8; 16]) -> Result<(ClientConfig, Arc<Recognition>), rustls::Error> {
    let provider = provider();
    let recognition = Arc::new(Recognition::by_fingerprint(authority, clock::build_day(), provider.clone()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recognition.clone())
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok((config, recognition))
}

/// With the box's certificate.
pub fn as_box(
    certificate: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    recognition: Arc<Recognition>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recognition)
        .with_client_auth_cert(certificate, key)?;
    // A resumed session would skip the look at the hub's certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}
