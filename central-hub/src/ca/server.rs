//! The hub's own certificate: boxes know it by the name `signalbox-hub`, browsers by the hub's real names.
//!
//! Signed by the oldest believed root: boxes that have not asked since a rotation know no other. Kept
//! in one file with its key, so that the two always belong together.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;

use super::{Ca, CaError, DAY_MS, Root, key_file, leaf, random_serial, validity};
use crate::clock::now_ms;

/// By this name boxes know the hub, whatever its address is.
const NAME: &str = "signalbox-hub";
const DAYS: u32 = 90;
const FILE: &str = "server.pem";

/// The certificate, its root, and its key.
#[derive(Debug)]
pub struct ServerCertificate {
    /// The certificate, then its root.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// Milliseconds since 1970, like `not_after`.
    pub not_before: i64,
    pub not_after: i64,
}

impl Ca {
    /// The hub's certificate for these names: the one on disk if it is still good, else a new one.
    pub async fn server_certificate(&self, names: &BTreeSet<String>) -> Result<ServerCertificate, CaError> {
        let roots = self.roots().await?;
        let Some(root) = roots.first() else {
            return Err(
                crate::store::StoreError::Unreadable { what: "authorities", value: "no row".into() }.into()
            );
        };
        let path = self.folder().join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => match read(&text, root, names) {
                Ok(found) if !found.is_due(now_ms()) => return Ok(found),
                Ok(_) => tracing::info!("the hub's certificate is renewed"),
                Err(why) => tracing::info!(why, "the hub's certificate is made anew"),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(CaError::File { doing: "read", path, source }),
        }
        let issuer = Issuer::from_ca_cert_der(&root.der, self.key(root)?)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (serial, _) = random_serial()?;
        let (not_before, not_after) = validity(root, DAYS);
        let mut params =
            leaf(serial, not_before, not_after, NAME.to_owned(), ExtendedKeyUsagePurpose::ServerAuth)?;
        params.subject_alt_names = all_names(names).map(|n| san(&n)).collect::<Result<_, _>>()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let text = format!("{}{}", key.serialize_pem(), certificate.pem());
        key_file::write(&self.folder(), FILE, &text)?;
        read(&text, root, names).map_err(|why| CaError::Damaged { path, why: why.to_owned() })
    }
}

impl ServerCertificate {
    /// Two thirds of its life are over, or the clock says that it has not begun.
    pub fn is_due(&self, now: i64) -> bool {
        let third = (self.not_after - self.not_before) / 3;
        now < self.not_before || now >= self.not_after - third
    }
}

/// What is on disk, if it is by this root and for these names.
fn read(text: &str, root: &Root, names: &BTreeSet<String>) -> Result<ServerCertificate, &'static str> {
    let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| "its file is damaged")?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| "its file is damaged")?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| "its file is damaged")?;
    let (_, issuer) = x509_parser::parse_x509_certificate(&root.der).map_err(|_| "its root is damaged")?;
    if certificate.verify_signature(Some(issuer.public_key())).is_err() {
        return Err("its authority is another one now");
    }
    let sans = certificate.subject_alternative_name().ok().flatten().ok_or("it has no names")?;
    let has: BTreeSet<String> = sans.value.general_names.iter().filter_map(name_of).collect();
    if has != all_names(names).collect() {
        return Err("the hub's names are others now");
    }
    let validity = certificate.validity();
    let (not_before, not_after) =
        (validity.not_before.timestamp() * 1000, validity.not_after.timestamp() * 1000);
    if not_after - not_before > (i64::from(DAYS) + 1) * DAY_MS {
        return Err("it lives too long");
    }
    Ok(ServerCertificate { chain: vec![der.clone(), root.der.clone()], key, not_before, not_after })
}

fn all_names(names: &BTreeSet<String>) -> impl Iterator<Item = String> {
    names.iter().cloned().chain([NAME.to_owned()]).collect::<BTreeSet<_>>().into_iter()
}

fn san(name: &str) -> Result<SanType, CaError> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    let fits = name.len() <= 253
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let text = name.try_into().ok().filter(|_| fits);
    text.map(SanType::DnsName).ok_or_else(|| CaError::Name(name.to_owned()))
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => Some(IpAddr::from(four).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string()),
        },
        _ => None,
    }
}

/// The names and addresses under which the hub can be reached: those of the settings, those where it
/// listens, and what this machine says of itself.
pub fn host_names(settings: &[String], listening: &[SocketAddr]) -> BTreeSet<String> {
    let own = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let own = own.trim();
    let mut names: BTreeSet<String> = settings.iter().map(|n| n.trim().to_ascii_lowercase()).collect();
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if san(own).is_ok() {
        names.insert(own.to_ascii_lowercase());
    }
    let specific = listening.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
    names.extend(specific.chain(primary_addresses()).map(|ip| ip.to_string()));
    names
}

/// The addresses that this machine uses towards the network. Nothing is sent.
pub fn primary_addresses() -> Vec<IpAddr> {
    let towards = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let own = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
    };
    towards.into_iter().filter_map(own).collect()
}
