//! A box's signing request: only its key is used, and that the box holds it is proven by the signature.

use rcgen::SubjectPublicKeyInfo;
use sha2::{Digest, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509;

/// Longest request that is looked at.
const MOST_BYTES: usize = 8 * 1024;
const EC: Oid<'static> = oid!(1.2.840.10045.2.1);
const P256: Oid<'static> = oid!(1.2.840.10045.3.1.7);
const P384: Oid<'static> = oid!(1.3.132.0.34);
const ED25519: Oid<'static> = oid!(1.3.101.112);

/// Why a request is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("the signing request is no PKCS #10 in PEM")]
    Unreadable,
    #[error("the signing request's key is of a kind that is not taken: use ECDSA P-256, P-384 or Ed25519")]
    Key,
    #[error("the signing request is not signed by its own key")]
    Signature,
}

/// What is used of a request.
#[derive(Debug, Clone)]
pub struct Request {
    pub public_key: SubjectPublicKeyInfo,
    /// SHA-256 of the SubjectPublicKeyInfo in DER.
    pub key_hash: Vec<u8>,
}

impl Request {
    pub fn read(pem: &str) -> Result<Self, RequestError> {
        if pem.len() > MOST_BYTES {
            return Err(RequestError::Unreadable);
        }
        let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| RequestError::Unreadable)?;
        if !matches!(pem.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(RequestError::Unreadable);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(&pem.contents).map_err(|_| RequestError::Unreadable)?;
        if !rest.is_empty() {
            return Err(RequestError::Unreadable);
        }
        let key = &request.certification_request_info.subject_pki;
        if !is_taken(key) {
            return Err(RequestError::Key);
        }
        request.verify_signature().map_err(|_| RequestError::Signature)?;
        let public_key = SubjectPublicKeyInfo::from_der(key.raw).map_err(|_| RequestError::Key)?;
        Ok(Self { public_key, key_hash: Sha256::digest(key.raw).to_vec() })
    }
}

fn is_taken(key: &x509::SubjectPublicKeyInfo<'_>) -> bool {
    let kind = &key.algorithm.algorithm;
    if *kind == ED25519 {
        return key.subject_public_key.data.len() == 32;
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
    *kind == EC && curve.is_some_and(|curve| curve == P256 || curve == P384)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        PublicKeyData,
    };

    use super::*;

    fn request(key: &KeyPair) -> String {
        CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
    }

    #[test]
    fn three_kinds_of_keys_are_taken() {
        for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(kind).unwrap();
            let read = Request::read(&request(&key)).unwrap();
            assert_eq!(read.key_hash, Sha256::digest(key.subject_public_key_info()).to_vec());
        }
    }

    #[test]
    fn nothing_else_passes() {
        let key = KeyPair::generate().unwrap();
        let text = request(&key);
        let der = pem::of(&text);
        assert_eq!(Request::read("").err(), Some(RequestError::Unreadable));
        assert_eq!(Request::read(&text.replace("REQUEST", "THING")).err(), Some(RequestError::Unreadable));
        assert_eq!(Request::read(&"x".repeat(MOST_BYTES + 1)).err(), Some(RequestError::Unreadable));
        // Every single bit counts: an altered request is never taken for the same key.
        let mut refused = 0;
        for at in 0..der.len() {
            let mut wrong = der.clone();
            wrong[at] ^= 1;
            match Request::read(&pem::text(&wrong)) {
                Err(_) => refused += 1,
                Ok(read) => panic!("byte {at} may be anything: {read:?}"),
            }
        }
        assert_eq!(refused, der.len());
    }

    #[test]
    fn an_rsa_key_is_refused_by_its_kind() {
        // openssl req -new -newkey rsa:2048 -nodes -subj /CN=x
        let out = std::process::Command::new("openssl")
            .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"])
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert_eq!(Request::read(&text).err(), Some(RequestError::Key), "{text}");
    }

    /// PEM there and back, for altered requests.
    mod pem {
        pub fn of(text: &str) -> Vec<u8> {
            x509_parser::pem::parse_x509_pem(text.as_bytes()).unwrap().1.contents
        }

        pub fn text(der: &[u8]) -> String {
            let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let mut text = "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned();
            for line in der.chunks(48) {
                for group in line.chunks(3) {
                    let bits = group
                        .iter()
                        .enumerate()
                        .fold(0u32, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
                    for i in 0..4 {
                        let digit = digits[(bits >> (18 - 6 * i) & 63) as usize];
                        text.push(if i <= group.len() { char::from(digit) } else { '=' });
                    }
                }
                text.push('\n');
            }
            text + "-----END CERTIFICATE REQUEST-----\n"
        }
    }
}
