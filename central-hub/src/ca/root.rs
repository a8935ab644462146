//! One root: how it is made and read back.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::{CaError, DAY_MS, date, random_serial};
use crate::credential::hex;
use crate::store::authorities::AuthorityRow;

/// How long a root lives.
const DAYS: i64 = 3653;

/// A root's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// SHA-256 of the DER, hexadecimal.
    pub fingerprint: String,
    pub pem: String,
    pub der: CertificateDer<'static>,
    /// Milliseconds since 1970, like `not_after`.
    pub not_before: i64,
    pub not_after: i64,
}

impl Root {
    pub(super) fn make(now: i64) -> Result<(Self, KeyPair), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (serial, serial_hex) = random_serial()?;
        let now = now / 1000 * 1000;
        let (not_before, not_after) = (now - DAY_MS, now + DAYS * DAY_MS);
        let mut params = CertificateParams::default();
        params.serial_number = Some(serial);
        params.not_before = date(not_before);
        params.not_after = date(not_after);
        params.distinguished_name = DistinguishedName::new();
        // Two roots differ in their names, so that every reader finds the right one.
        let name = format!("Signalbox hub authority {}", &serial_hex[..8]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        let der = certificate.der().clone();
        let fingerprint = hex(&Sha256::digest(&der));
        Ok((Self { fingerprint, pem: certificate.pem(), der, not_before, not_after }, key))
    }

    pub(super) fn read(row: &AuthorityRow) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(row.pem.as_bytes()).map_err(|e| e.to_string())?;
        if hex(&Sha256::digest(&der)) != row.fingerprint {
            return Err("an authority's certificate is not the one of its fingerprint".into());
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|e| e.to_string())?;
        let (not_before, not_after) =
            (parsed.validity().not_before.timestamp() * 1000, parsed.validity().not_after.timestamp() * 1000);
        let (fingerprint, pem) = (row.fingerprint.clone(), row.pem.clone());
        Ok(Self { fingerprint, pem, der, not_before, not_after })
    }

    /// The half of the fingerprint that a token carries.
    pub fn token_half(&self) -> [u8; 16] {
        let digest = Sha256::digest(&self.der);
        std::array::from_fn(|i| digest[i])
    }
}

pub(super) fn key_name(fingerprint: &str) -> String {
    format!("{fingerprint}.key")
}
