//! By what the hub is recognised: its authority, its fixed name, and a time that a wrong clock does not
//! spoil. Never by the address: boxes reach the hub by whatever works.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::clock::{Validity, time_to_judge_by};

/// The name that every hub's certificate has beside those that browsers need.
pub const HUB_NAME: &str = "signalbox-hub";

/// Why the other side is not the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    #[error("this is not the hub that made the token: none of its certificates has the token's fingerprint")]
    OtherHub,
    #[error("its certificate is not by an authority that this box believes")]
    OtherAuthority,
    #[error("its certificate is not one of a hub")]
    NoHub,
    #[error("its certificate is out of date, and older than one that this hub has shown before")]
    OutOfDate,
    #[error("its certificate cannot be read")]
    Unreadable,
}

/// A text about a connection with what the TLS library says of a stranger in plain words: it shows the name alone.
pub fn in_words(text: &str) -> String {
    use Stranger::{NoHub, OtherAuthority, OtherHub, OutOfDate, Unreadable};
    let all = [OtherHub, OtherAuthority, NoHub, OutOfDate, Unreadable];
    all.iter().fold(text.to_owned(), |text, stranger| {
        text.replace(&format!("Other(OtherError({stranger:?}))"), &stranger.to_string())
    })
}

enum Believed {
    /// The authorities that the hub named.
    Roots(Arc<WebPkiServerVerifier>),
    /// At first contact: the first half of an authority's SHA-256, from the token.
    Fingerprint([u8; 16]),
}

/// What the verifier saw. The caller takes it over only after an answer, which proves the hub's key.
#[derive(Default)]
struct Seen {
    /// When the newest certificate of the hub was issued: believed, and as shown in a handshake.
    newest: Option<i64>,
    shown: Option<i64>,
    root: Option<CertificateDer<'static>>,
    stranger: Option<Stranger>,
}

/// Verifies hubs for one `ClientConfig`, and remembers what it saw.
pub struct Recognition {
    believed: Believed,
    floor: i64,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

impl Recognition {
    /// Believes these authorities (DER). None at all is no error here: then no hub passes.
    pub fn by_roots(
        roots: &[CertificateDer<'static>],
        floor: i64,
        newest: Option<i64>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let believed = Believed::Roots(verifier(roots, &provider)?);
        Ok(Self { believed, floor, provider, seen: Mutex::new(Seen { newest, ..Seen::default() }) })
    }

    pub fn by_fingerprint(authority: [u8; 16], floor: i64, provider: Arc<CryptoProvider>) -> Self {
        Self { believed: Believed::Fingerprint(authority), floor, provider, seen: Mutex::default() }
    }

    /// Why the last handshake failed, if it was for the hub's certificate.
    pub fn stranger(&self) -> Option<Stranger> {
        self.seen().stranger
    }

    /// The authority that was found by its fingerprint.
    pub fn root(&self) -> Option<CertificateDer<'static>> {
        self.seen().root.clone()
    }

    /// After an answer of the hub: takes over when its certificate was issued, and says when the newest was.
    pub fn believe_shown(&self) -> Option<i64> {
        let mut seen = self.seen();
        seen.newest = seen.newest.max(seen.shown);
        seen.newest
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges a presented chain at the box's time `local`.
    fn judge(
        &self,
        hub: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        local: i64,
    ) -> Result<(), Stranger> {
        let (root, verifier) = match &self.believed {
            Believed::Roots(verifier) => (None, verifier.clone()),
            Believed::Fingerprint(authority) => {
                let root = chain.iter().find(|c| fingerprint(c) == *authority).ok_or(Stranger::OtherHub)?;
                let root = root.clone().into_owned();
                let verifier = verifier(std::slice::from_ref(&root), &self.provider)
                    .map_err(|_| Stranger::Unreadable)?;
                (Some(root), verifier)
            }
        };
        let validity = validity(hub).ok_or(Stranger::Unreadable)?;
        let newest = self.seen().newest;
        let now = time_to_judge_by(local, self.floor, newest, validity).ok_or(Stranger::OutOfDate)?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        let name = ServerName::try_from(HUB_NAME).map_err(|_| Stranger::NoHub)?;
        verifier.verify_server_cert(hub, chain, &name, &[], now).map_err(|error| stranger_of(&error))?;
        let mut seen = self.seen();
        seen.shown = Some(validity.not_before);
        seen.root = root;
        Ok(())
    }
}

/// The first half of the SHA-256 of a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 16] {
    let whole = digest(&SHA256, certificate.as_ref());
    std::array::from_fn(|i| whole.as_ref()[i])
}

/// From when to when a certificate says it counts.
pub fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.as_ref()).ok()?;
    let validity = parsed.validity();
    Some(Validity { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() })
}

fn verifier(
    roots: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

fn stranger_of(error: &Error) -> Stranger {
    match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::InvalidPurpose
            | CertificateError::InvalidPurposeContext { .. },
        ) => Stranger::NoHub,
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Stranger::OtherAuthority
        }
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Stranger::OutOfDate,
        _ => Stranger::OtherAuthority,
    }
}

impl ServerCertVerifier for Recognition {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.judge(end_entity, intermediates, i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.seen().stranger = judged.err();
        judged.map(|()| ServerCertVerified::assertion()).map_err(|stranger| {
            Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(stranger))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recognition")
    }
}

#[cfg(test)]
mod tests;
