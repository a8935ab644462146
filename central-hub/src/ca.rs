//! The hub's own authority: roots, and the certificates of boxes and of the hub itself (ADR 6).
//!
//! Certificates are in the database, private keys in `DATA/ca/` (0700, files 0600); who can read that
//! folder is the hub. Nothing is cached here: other processes may make or retire an authority.

mod external;
mod key_file;
mod request;
mod root;
mod server;

use std::path::PathBuf;

use protocol::Timestamp;
use protocol::enrol::{Identity, Trust};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

use crate::clock::now_ms;
use crate::credential::{self, hex};
use crate::store::authorities::{AuthorityRow, Retired};
use crate::store::certificates::Issued;
use crate::store::{Store, StoreError, audit};

pub use request::{Request, RequestError};
pub use root::Root;
pub use server::{ServerCertificate, host_names, primary_addresses};

/// Certificates begin this much before they are made: clocks differ.
const BACKDATED_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why the authority could not do something.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the key of the hub's authority, {}, is missing: bring it back from a backup of the data folder (with several hubs, [store] shared_folder is \
         the folder that all of them mount); \
         without it every box must be enrolled anew (`central-hub ca rotate`, then new tokens)",
        path.display()
    )]
    KeyMissing { path: PathBuf },
    #[error("{} is damaged ({why}): bring it back from a backup of the data folder", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("`{0}` in [agents] names is neither a host name nor an address")]
    Name(String),
    #[error("there are two authorities already: `central-hub ca retire` ends the older one first")]
    Rotating,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Credential(#[from] credential::CredentialError),
}

/// The authority. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ca {
    store: Store,
}

impl Ca {
    /// Makes the first root where there is none.
    pub async fn open(store: &Store) -> Result<Self, CaError> {
        let ca = Self { store: store.clone() };
        if store.authorities().await?.is_empty() {
            ca.add_root(0, audit::HUB).await?;
        }
        Ok(ca)
    }

    /// The believed roots, oldest first: one, or two while one replaces the other.
    pub async fn roots(&self) -> Result<Vec<Root>, CaError> {
        self.store.authorities().await?.iter().map(|row| self.root(row)).collect()
    }

    /// What boxes shall believe. `by` is the authority of the asking box's certificate.
    pub async fn trust(&self, by: &str) -> Result<Trust, CaError> {
        let roots = self.store.authorities().await?;
        let renew = roots.last().is_some_and(|newest| newest.fingerprint != by);
        let roots = roots.into_iter().map(|r| r.pem).collect();
        Ok(Trust { v: protocol::VERSION, roots, renew })
    }

    /// Makes a certificate for a box, by the newest root. It is worth nothing before it is on the list.
    pub async fn issue(&self, identity: &Identity, request: &Request, days: u32) -> Result<Issued, CaError> {
        let roots = self.roots().await?;
        let Some(root) = roots.last() else {
            return Err(StoreError::Unreadable { what: "authorities", value: "no row".into() }.into());
        };
        let issuer = Issuer::from_ca_cert_der(&root.der, self.key(root)?)?;
        let (serial, serial_hex) = random_serial()?;
        let (not_before, not_after) = validity(root, days);
        let mut params =
            leaf(serial, not_before, not_after, identity.common_name(), ExtendedKeyUsagePurpose::ClientAuth)?;
        params.subject_alt_names = vec![SanType::URI(identity.uri().try_into()?)];
        let certificate = params.signed_by(&request.public_key, &issuer)?;
        Ok(Issued {
            serial: serial_hex,
            identity: identity.clone(),
            authority: root.fingerprint.clone(),
            key_hash: request.key_hash.clone(),
            pem: certificate.pem(),
            not_before,
            not_after,
        })
    }

    /// Begins to replace the root: makes a second one. Its fingerprint.
    pub async fn rotate(&self, actor: &str) -> Result<String, CaError> {
        if self.store.authorities().await?.len() != 1 {
            return Err(CaError::Rotating);
        }
        self.add_root(1, actor).await
    }

    /// Ends the older of two roots.
    pub async fn retire(&self, force: bool, actor: &str) -> Result<Retired, CaError> {
        let roots = self.store.authorities().await?;
        let Some(oldest) = roots.first().filter(|_| roots.len() > 1) else { return Ok(Retired::NoOther) };
        let retired = self.store.retire_authority(&oldest.fingerprint, force, actor).await?;
        if let Retired::Done(_) = retired {
            key_file::remove(&self.folder(), &root::key_name(&oldest.fingerprint))?;
        }
        Ok(retired)
    }

    /// The key first, then the row: a root that is believed has its key. A key without a row is nothing.
    async fn add_root(&self, beside: usize, actor: &str) -> Result<String, CaError> {
        let (root, key) = Root::make(now_ms())?;
        let name = root::key_name(&root.fingerprint);
        key_file::write(&self.folder(), &name, &key.serialize_pem())?;
        if !self.store.add_authority(&root.fingerprint, &root.pem, beside, actor).await? {
            key_file::remove(&self.folder(), &name)?;
            if beside > 0 {
                return Err(CaError::Rotating);
            }
        }
        Ok(root.fingerprint)
    }

    fn root(&self, row: &AuthorityRow) -> Result<Root, CaError> {
        Root::read(row).map_err(|why| CaError::Damaged { path: self.store.data().join("hub.db"), why })
    }

    fn key(&self, root: &Root) -> Result<KeyPair, CaError> {
        let path = self.folder().join(root::key_name(&root.fingerprint));
        let pem = match std::fs::read_to_string(&path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CaError::KeyMissing { path });
            }
            Err(source) => return Err(CaError::File { doing: "read", path, source }),
        };
        KeyPair::from_pem(&pem).map_err(|e| CaError::Damaged { path, why: e.to_string() })
    }

    fn folder(&self) -> PathBuf {
        self.store.shared().join("ca")
    }
}

/// From an hour ago (but no earlier than the root) on, in whole seconds.
fn validity(root: &Root, days: u32) -> (i64, i64) {
    let now = now_ms() / 1000 * 1000;
    let not_before = (now - BACKDATED_MS).max(root.not_before);
    (not_before, now.max(not_before) + i64::from(days) * DAY_MS)
}

/// What the certificates of boxes and of the hub have in common.
fn leaf(
    serial: SerialNumber,
    not_before: i64,
    not_after: i64,
    common_name: String,
    usage: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(serial);
    params.not_before = date(not_before);
    params.not_after = date(not_after);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 126 random bits in 16 bytes, positive and without leading zeros; and as `certificates.serial`.
fn random_serial() -> Result<(SerialNumber, String), CaError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(credential::CredentialError::Random)?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok((SerialNumber::from_slice(&bytes), hex(&bytes)))
}

/// A certificate's serial number as `certificates.serial`: lower case, without leading zeros.
pub fn serial_of(der: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let text = hex(certificate.raw_serial());
    Some(text.trim_start_matches('0').to_owned())
}

/// A date that X.509 can write; what lies outside is moved to the nearest one.
fn date(ms: i64) -> OffsetDateTime {
    const LAST: i64 = 253_402_300_799;
    OffsetDateTime::from_unix_timestamp((ms / 1000).clamp(0, LAST)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// For messages: a time as people and programs read it.
pub fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}
