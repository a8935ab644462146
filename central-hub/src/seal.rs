//! Secrets of people at rest: sealed under a key of the hub.
//!
//! Owns `people.key` (0600, made when the first secret is sealed) in the shared folder, which is the data folder
//! where there is one hub. The database, its backups and copies
//! alone are worth nothing then. Several hubs on one database share the file. ChaCha20-Poly1305 with a random
//! nonce; whose secret it is is bound to it, so that one moved to another account does not open.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::credential::CredentialError;

const KEY_FILE: &str = "people.key";
const KEY_LEN: usize = 32;
/// First byte of what is sealed: the form.
const FORM: u8 = 1;

/// Why a secret could not be sealed or opened. None of these holds one.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no key: restore it from a backup, or set up second factors anew: central-hub user totp", .0.display())]
    Key(PathBuf),
    #[error("{} is gone: restore it from a backup (several hubs share one), or set up second factors anew: central-hub user totp", .0.display())]
    NoKey(PathBuf),
    #[error(
        "a sealed secret was changed, or sealed by another hub: set it up anew: central-hub user totp --user {0}"
    )]
    Damaged(String),
    #[error(transparent)]
    Random(#[from] CredentialError),
}

/// Seals a secret of `whose`.
pub fn seal(data: &Path, whose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
    let key = match read_key(data) {
        Err(SealError::NoKey(_)) => make_key(data)?,
        known => known?,
    };
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(CredentialError::Random)?;
    let mut sealed = secret.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(whose.as_bytes()),
        &mut sealed,
    )
    .map_err(|_| SealError::Damaged(whose.to_owned()))?;
    Ok([&[FORM], nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal`] made for the same `whose`.
pub fn open(data: &Path, whose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let damaged = || SealError::Damaged(whose.to_owned());
    let key = read_key(data)?;
    let rest = sealed.strip_prefix(&[FORM]).ok_or_else(damaged)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
    let mut text = rest.to_vec();
    let opened =
        key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(whose.as_bytes()), &mut text);
    Ok(opened.map_err(|_| damaged())?.to_vec())
}

fn read_key(data: &Path) -> Result<LessSafeKey, SealError> {
    let path = data.join(KEY_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(SealError::NoKey(path)),
        Err(source) => return Err(SealError::File { doing: "read", path, source }),
    };
    let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| SealError::Key(path))?;
    Ok(LessSafeKey::new(key))
}

/// Two at a time make one: whoever comes second reads the first one's.
fn make_key(data: &Path) -> Result<LessSafeKey, SealError> {
    let path = data.join(KEY_FILE);
    let next = data.join(format!("{KEY_FILE}.{}.part", crate::credential::random_token()?));
    let mut key = [0; KEY_LEN];
    getrandom::fill(&mut key).map_err(CredentialError::Random)?;
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
        file.write_all(&key)?;
        file.sync_all()?;
        match std::fs::hard_link(&next, &path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => std::fs::File::open(data)?.sync_all(),
        }
    };
    let written = write();
    let _ = std::fs::remove_file(&next);
    written.map_err(|source| SealError::File { doing: "write", path, source })?;
    read_key(data)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_for_whom_it_was_sealed_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let sealed = seal(data, "li", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(open(data, "li", &sealed).unwrap(), b"secret");
        assert_ne!(seal(data, "li", b"secret").unwrap(), sealed, "never the same twice");
        assert!(matches!(open(data, "wang", &sealed), Err(SealError::Damaged(_))));
        for n in 0..sealed.len() {
            let mut other = sealed.clone();
            other[n] ^= 1;
            assert!(open(data, "li", &other).is_err(), "byte {n}");
            assert!(open(data, "li", &sealed[..n]).is_err(), "cut at {n}");
        }
        let key = data.join(KEY_FILE);
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&key, "short").unwrap();
        assert!(matches!(seal(data, "li", b"x"), Err(SealError::Key(_))), "never replaced silently");
        std::fs::remove_file(&key).unwrap();
        let error = open(data, "li", &sealed).unwrap_err().to_string();
        assert!(error.contains("people.key is gone"), "{error}");
    }
}
