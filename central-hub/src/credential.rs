//! Random tokens, their hashes, and password hashes.
//!
//! Tokens and agent keys are 256 random bits, so a plain SHA-256 protects them at rest; passwords
//! are chosen by people and get Argon2id.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use sha2::{Digest, Sha256};

/// Why a credential could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("cannot hash the password: {0}")]
    Hash(argon2::password_hash::Error),
}

/// 256 random bits, as 64 hexadecimal digits.
pub fn random_token() -> Result<String, CredentialError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(CredentialError::Random)?;
    Ok(hex(&bytes))
}

/// A password that a person can type: five groups of four letters and digits, 100 bits.
pub fn random_password() -> Result<String, CredentialError> {
    // No 0/O, 1/l/I: it is read off a screen.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).map_err(CredentialError::Random)?;
    let letters: Vec<char> = bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect();
    Ok(letters.chunks(4).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join("-"))
}

/// What the database keeps of a token or key.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Compares without saying by its duration where two texts differ.
pub fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && std::hint::black_box(a.iter().zip(b).fold(0u8, |d, (x, y)| d | (x ^ y))) == 0
}

/// Argon2id with the crate's defaults (19 MiB, 2 passes), as a PHC string. Takes tens of
/// milliseconds: call it off the async threads.
pub fn password_hash(password: &str) -> Result<String, CredentialError> {
    Ok(Argon2::default().hash_password(password.as_bytes()).map_err(CredentialError::Hash)?.to_string())
}

/// Whether `password` is the one behind `hash`. As slow as [`password_hash`].
pub fn password_matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
}

pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_itself_only() {
        let password = random_password().unwrap();
        assert_eq!(password.len(), 24);
        let hash = password_hash(&password).unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(password_matches(&password, &hash));
        assert!(!password_matches("guess", &hash));
        assert!(!password_matches(&password, "no hash"));
    }

    #[test]
    fn tokens_differ_and_compare_whole() {
        let (a, b) = (random_token().unwrap(), random_token().unwrap());
        assert_ne!(a, b);
        assert!(same_bytes(a.as_bytes(), a.as_bytes()));
        assert!(!same_bytes(a.as_bytes(), b.as_bytes()));
        assert!(!same_bytes(a.as_bytes(), &a.as_bytes()[1..]));
    }
}
