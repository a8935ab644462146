//! Certificates for a broker of the operator's own, and for the hub as its client (ADR 6, "Consequences").
//!
//! Neither is on the list of boxes: at the hub's own doors they are worth nothing.

use std::collections::BTreeSet;

use rcgen::{
    CertificateRevocationListParams, ExtendedKeyUsagePurpose, Issuer, KeyIdMethod, KeyPair,
    PKCS_ECDSA_P256_SHA256, RevokedCertParams, SerialNumber,
};

use super::server::{all_names, san};
use super::{Ca, CaError, DAY_MS, Root, date, leaf, random_serial, validity};
use crate::clock::now_ms;
use crate::store::StoreError;

/// Made anew each time the rules are written.
const DAYS: u32 = 365;
/// A broker refuses everybody when its revocation list is out of date, so it never is.
const LIST_DAYS: i64 = 3650;

/// A certificate with its authority, and its key; PEM.
pub struct Pair {
    pub chain: String,
    pub key: String,
}

impl Ca {
    /// For a broker that boxes and the hub reach under these names.
    pub async fn broker_certificate(&self, names: &BTreeSet<String>) -> Result<Pair, CaError> {
        self.pair("signalbox-broker", ExtendedKeyUsagePurpose::ServerAuth, Some(names)).await
    }

    /// For a client of that broker that is no box: a name without `/`, so that it is none by accident.
    pub async fn client_certificate(&self, name: &str) -> Result<Pair, CaError> {
        self.pair(name, ExtendedKeyUsagePurpose::ClientAuth, None).await
    }

    async fn pair(
        &self,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
        names: Option<&BTreeSet<String>>,
    ) -> Result<Pair, CaError> {
        let roots = self.roots().await?;
        // The older one: boxes that have not asked yet know only that.
        let root = roots.first().ok_or_else(no_root)?;
        let issuer = Issuer::from_ca_cert_der(&root.der, self.key(root)?)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (serial, _) = random_serial()?;
        let (not_before, not_after) = validity(root, DAYS);
        let mut params = leaf(serial, not_before, not_after, name.to_owned(), usage)?;
        if let Some(names) = names {
            params.subject_alt_names = all_names(names).map(|n| san(&n)).collect::<Result<_, _>>()?;
        }
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Pair { chain: format!("{}{}", certificate.pem(), root.pem), key: key.serialize_pem() })
    }

    /// What was issued and is valid no longer, as a list for programs that know no other; PEM, one part for
    /// each authority.
    pub async fn revocation_list(&self) -> Result<String, CaError> {
        let mut text = String::new();
        for root in self.roots().await? {
            let ended = self.store.ended_under(&root.fingerprint).await?;
            let revoked = ended.iter().filter_map(|(serial, at)| revoked(serial, *at)).collect();
            text += &self.list(&root, revoked)?;
        }
        Ok(text)
    }

    fn list(&self, root: &Root, revoked_certs: Vec<RevokedCertParams>) -> Result<String, CaError> {
        let now = now_ms();
        let params = CertificateRevocationListParams {
            this_update: date(now - DAY_MS),
            next_update: date(now + LIST_DAYS * DAY_MS),
            crl_number: SerialNumber::from(now.unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_ca_cert_der(&root.der, self.key(root)?)?;
        Ok(params.signed_by(&issuer)?.pem()?)
    }
}

fn no_root() -> CaError {
    StoreError::Unreadable { what: "authorities", value: "no row".into() }.into()
}

fn revoked(serial: &str, at: i64) -> Option<RevokedCertParams> {
    // Written without leading zeros, so a digit may be missing at the front.
    let even = if serial.len().is_multiple_of(2) { serial.to_owned() } else { format!("0{serial}") };
    let byte = |at: usize| u8::from_str_radix(even.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..even.len()).step_by(2).map(byte).collect();
    Some(RevokedCertParams {
        serial_number: SerialNumber::from_slice(&bytes?),
        revocation_time: date(at),
        reason_code: None,
        invalidity_date: None,
    })
}
