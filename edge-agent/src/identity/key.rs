//! The box's own key: ECDSA P-256. It never leaves the box; the hub sees a signing request only.

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

#[derive(Debug, thiserror::Error)]
#[error("{doing} failed: {source}")]
pub struct KeyError {
    doing: &'static str,
    #[source]
    source: rcgen::Error,
}

pub struct Key(KeyPair);

impl Key {
    pub fn make() -> Result<Self, KeyError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256);
        pair.map(Self).map_err(|source| KeyError { doing: "making a key", source })
    }

    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        KeyPair::from_pem(text).map(Self).map_err(|source| KeyError { doing: "reading the key", source })
    }

    /// PKCS #8. Whoever has it is the box.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// PKCS #10, PEM. Says nothing but the key: the hub gives the names.
    pub fn signing_request(&self) -> Result<String, KeyError> {
        let fail = |source| KeyError { doing: "writing the signing request", source };
        let request = CertificateParams::default().serialize_request(&self.0).map_err(fail)?;
        request.pem().map_err(fail)
    }

    /// The subject's public key, DER, as it stands in a certificate.
    pub fn public_der(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(&self.0)
    }

    pub fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.serialize_der()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
