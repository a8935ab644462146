//! TLS as the hub speaks it: its certificate, the roots it believes, both replaceable while it runs.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

use super::verify::Believed;
use crate::ca::{Ca, CaError, ServerCertificate};
use crate::clock::now_ms;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot read the wall's certificate or key in {}: {why}", path.display())]
    Operators { path: PathBuf, why: String },
}

/// What all doors share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls {
    ca: Ca,
    names: Arc<BTreeSet<String>>,
    provider: Arc<CryptoProvider>,
    own: Arc<Own>,
    believed: Believed,
    /// Which roots are in force, and when the hub's certificate is due.
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    fingerprints: Vec<String>,
    due: (i64, i64),
}

impl Tls {
    /// Reads what there is, and makes what is missing.
    pub async fn open(ca: Ca, names: BTreeSet<String>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = ca.roots().await?;
        let certificate = ca.server_certificate(&names).await?;
        let seen = Seen {
            fingerprints: roots.iter().map(|r| r.fingerprint.clone()).collect(),
            due: (certificate.not_before, certificate.not_after),
        };
        let ders: Vec<_> = roots.into_iter().map(|r| r.der).collect();
        let own = Arc::new(Own(RwLock::new(certified(&provider, certificate)?)));
        let believed = Believed::new(provider.clone(), &ders)?;
        Ok(Self { ca, names: Arc::new(names), provider, own, believed, seen: Arc::new(Mutex::new(seen)) })
    }

    /// Takes over what another process changed, and renews the hub's certificate when it is due. Cheap
    /// where nothing is to be done. Connections that stand are not touched.
    pub async fn refresh(&self) -> Result<(), TlsError> {
        let roots = self.ca.roots().await?;
        let fingerprints: Vec<_> = roots.iter().map(|r| r.fingerprint.clone()).collect();
        let (roots_same, due) = {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let (not_before, not_after) = seen.due;
            let third = (not_after - not_before) / 3;
            let now = now_ms();
            (seen.fingerprints == fingerprints, now >= not_after - third || now < not_before)
        };
        if roots_same && !due {
            return Ok(());
        }
        let certificate = self.ca.server_certificate(&self.names).await?;
        let due = (certificate.not_before, certificate.not_after);
        let ders: Vec<_> = roots.into_iter().map(|r| r.der).collect();
        self.believed.replace(&ders)?;
        let next = certified(&self.provider, certificate)?;
        *self.own.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        tracing::info!(authorities = fingerprints.len(), "authorities and the hub's certificate read again");
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { fingerprints, due };
        Ok(())
    }

    /// For boxes. Where a certificate is not `mandatory`, coming without one is let through.
    pub fn for_boxes(&self, mandatory: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let verifier = self.believed.verifier(mandatory);
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.own.clone());
        // MQTT has no name of its own here; HTTPS clients may ask for theirs.
        config.alpn_protocols = if mandatory { Vec::new() } else { vec![b"http/1.1".to_vec()] };
        Ok(Arc::new(config))
    }

    /// For browsers: no client certificates; the operator's own certificate where there is one.
    pub fn for_browsers(&self, own: Option<(&Path, &Path)>) -> Result<Arc<ServerConfig>, TlsError> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth();
        let mut config = match own {
            None => builder.with_cert_resolver(self.own.clone()),
            Some((certificate, key)) => {
                let fail = |path: &Path| {
                    let path = path.to_owned();
                    move |e: rustls::pki_types::pem::Error| TlsError::Operators { path, why: e.to_string() }
                };
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
                let chain = chain.map_err(fail(certificate))?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(fail(key))?;
                builder.with_single_cert(chain, secret).map_err(|e| TlsError::Operators {
                    path: certificate.to_owned(),
                    why: format!("{e}; does the key in {} belong to it?", key.display()),
                })?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The hub's own certificate, as it is now.
struct Own(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Its key is a secret.
impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

fn certified(
    provider: &CryptoProvider,
    certificate: ServerCertificate,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    Ok(Arc::new(CertifiedKey::from_der(certificate.chain, certificate.key, provider)?))
}
