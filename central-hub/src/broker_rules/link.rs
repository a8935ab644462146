//! The hub's own way to a broker of the operator's: by TLS, with the certificate from the rules' folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::Broker;

/// Why the hub cannot reach its broker by TLS.
#[derive(Debug, thiserror::Error)]
pub enum LinkTlsError {
    #[error("cannot read {}: {why}; `central-hub broker-config` writes it", path.display())]
    File { path: PathBuf, why: String },
    #[error(
        "the certificate or key of [broker] cannot be used: {0}; `central-hub broker-config` makes new ones"
    )]
    Tls(#[from] rustls::Error),
}

impl Broker {
    /// Its TLS settings, read; `None` where there are none.
    pub fn client_tls(&self) -> Result<Option<Arc<ClientConfig>>, LinkTlsError> {
        let files = (&self.authority_file, &self.certificate_file, &self.key_file);
        let (Some(authority), Some(certificate), Some(key)) = files else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for root in certificates(authority)? {
            roots.add(root)?;
        }
        let key_der = PrivateKeyDer::from_pem_file(key)
            .map_err(|e| LinkTlsError::File { path: key.clone(), why: e.to_string() })?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(certificate)?, key_der)?;
        Ok(Some(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LinkTlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|e: rustls::pki_types::pem::Error| LinkTlsError::File {
        path: path.to_owned(),
        why: e.to_string(),
    })
}
