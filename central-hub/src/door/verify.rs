//! Boxes' certificates at the TLS handshake: signed by a believed authority, and the box holds the key.
//!
//! Dates are left out here on purpose: clocks of boxes and hub are wrong at times. Whether a certificate
//! counts, the list says after the handshake, and there its end is looked at as well (ADR 6).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

/// The believed roots, which may be others from one moment to the next.
#[derive(Clone)]
pub struct Believed {
    provider: Arc<CryptoProvider>,
    verifier: Arc<RwLock<Arc<dyn ClientCertVerifier>>>,
}

impl Believed {
    pub fn new(provider: Arc<CryptoProvider>, roots: &[CertificateDer<'static>]) -> Result<Self, Error> {
        let verifier = Arc::new(RwLock::new(build(&provider, roots)?));
        Ok(Self { provider, verifier })
    }

    /// From now on these are believed.
    pub fn replace(&self, roots: &[CertificateDer<'static>]) -> Result<(), Error> {
        let next = build(&self.provider, roots)?;
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// As rustls asks for it. Where it is not `mandatory`, coming without a certificate is let through.
    pub fn verifier(&self, mandatory: bool) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Verifier { believed: self.clone(), mandatory })
    }

    fn now(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Believed")
    }
}

#[derive(Debug)]
struct Verifier {
    believed: Believed,
    mandatory: bool,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// No hints: a box has one certificate, and during a rotation names would mislead it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Looked at as of its own beginning, when its root was valid too.
        let (_, certificate) = x509_parser::parse_x509_certificate(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let begun = u64::try_from(certificate.validity().not_before.timestamp()).unwrap_or(0);
        let then = UnixTime::since_unix_epoch(Duration::from_secs(begun));
        self.believed.now().verify_client_cert(end_entity, intermediates, then)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.believed.now().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.believed.now().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.believed.now().supported_verify_schemes()
    }
}

fn build(
    provider: &Arc<CryptoProvider>,
    roots: &[CertificateDer<'static>],
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider.clone());
    builder
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|e| Error::General(e.to_string()))
}
