//! Camera passwords at rest: sealed on disk under a key of this box.
//!
//! Owns `DATA/secrets/` (0700): `box.key` (32 random bytes, made when the first secret is sealed) and
//! one `CAMERA.sealed` each (ChaCha20-Poly1305, random nonce, the camera's id as associated data, so
//! that a file renamed to another camera does not open). Every write is whole or not at all. Sealing
//! keeps passwords out of backups, copies of the configuration and pictures of a screen; who reads the
//! whole folder as its owner has the key as well.

mod file;

use std::path::{Path, PathBuf};

use protocol::CameraId;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use settings::Secret;

/// First bytes of a sealed file: what it is, and which form it has.
const MAGIC: &[u8] = b"signalbox-sealed-1\n";
const KEY_FILE: &str = "box.key";
const KEY_LEN: usize = 32;
/// No camera takes a longer password.
const LONGEST: usize = 512;
/// No sealed file is longer: magic, nonce, text, tag.
const LONGEST_FILE: usize = MAGIC.len() + NONCE_LEN + LONGEST + 16;

/// The secrets of one box. Cheap to make; reads and writes when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    folder: PathBuf,
}

/// Why a secret could not be sealed or opened. None of these holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot {doing} {}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} can be read by others (mode {mode:03o}): run `chmod 600 {}`", path.display(), path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("{} is no key of a box ({len} bytes instead of {KEY_LEN}): restore it from a backup, or remove it and set the cameras' passwords again", path.display())]
    Key { path: PathBuf, len: usize },
    #[error("{} is gone, so {} can't be opened: restore the key, or set the password again: edge-agent camera password {camera}", key.display(), sealed.display())]
    NoKey { key: PathBuf, sealed: PathBuf, camera: CameraId },
    #[error("{} was changed, cut or sealed for another camera or box: set the password again: edge-agent camera password {camera}", path.display())]
    Damaged { path: PathBuf, camera: CameraId },
    #[error("the password has {len} bytes: 1 to {LONGEST} are allowed")]
    Length { len: usize },
    #[error("no random numbers from the system: {0}")]
    Random(getrandom::Error),
}

impl Secrets {
    /// Those in `data`, the agent's data folder. Makes nothing yet.
    pub fn open(data: &Path) -> Self {
        Self { folder: data.join("secrets") }
    }

    /// Seals the password of a camera; one that was there is replaced.
    pub fn seal(&self, camera: &CameraId, secret: &Secret) -> Result<(), SecretsError> {
        let text = secret.expose().as_bytes();
        if text.is_empty() || text.len() > LONGEST {
            return Err(SecretsError::Length { len: text.len() });
        }
        file::make_folder(&self.folder)?;
        let key = self.key_or_new()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(SecretsError::Random)?;
        let mut sealed = text.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(camera), &mut sealed)
            .map_err(|_| SecretsError::Length { len: text.len() })?;
        file::write(&self.path(camera), &[MAGIC, &nonce, &sealed].concat())
    }

    /// The password of a camera; `None` when none was sealed.
    pub fn unseal(&self, camera: &CameraId) -> Result<Option<Secret>, SecretsError> {
        let path = self.path(camera);
        let Some(bytes) = file::read(&path, LONGEST_FILE + 1)? else { return Ok(None) };
        let damaged = || SecretsError::Damaged { path: path.clone(), camera: camera.clone() };
        let key = self.key()?.ok_or_else(|| SecretsError::NoKey {
            key: self.key_path(),
            sealed: path.clone(),
            camera: camera.clone(),
        })?;
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let mut text = sealed.to_vec();
        let opened = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(camera), &mut text)
            .map_err(|_| damaged())?;
        let text = std::str::from_utf8(opened).map_err(|_| damaged())?;
        Ok(Some(Secret::new(text)))
    }

    /// Whether a password is sealed for a camera; does not open it.
    pub fn has(&self, camera: &CameraId) -> bool {
        self.path(camera).exists()
    }

    /// Forgets the password of a camera; nothing happens when there is none.
    pub fn remove(&self, camera: &CameraId) -> Result<(), SecretsError> {
        file::remove(&self.path(camera))
    }

    fn path(&self, camera: &CameraId) -> PathBuf {
        self.folder.join(format!("{camera}.sealed"))
    }

    fn key_path(&self) -> PathBuf {
        self.folder.join(KEY_FILE)
    }

    fn key(&self) -> Result<Option<LessSafeKey>, SecretsError> {
        let path = self.key_path();
        let Some(bytes) = file::read(&path, KEY_LEN + 1)? else { return Ok(None) };
        let wrong = || SecretsError::Key { path: path.clone(), len: bytes.len() };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| wrong())?;
        Ok(Some(LessSafeKey::new(key)))
    }

    fn key_or_new(&self) -> Result<LessSafeKey, SecretsError> {
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        let mut bytes = [0; KEY_LEN];
        getrandom::fill(&mut bytes).map_err(SecretsError::Random)?;
        // Whoever else makes one at this moment: the first one stays, and both use it.
        file::write_first(&self.key_path(), &bytes)?;
        self.key()?.ok_or_else(|| SecretsError::Key { path: self.key_path(), len: 0 })
    }
}

fn aad(camera: &CameraId) -> Aad<Vec<u8>> {
    Aad::from(format!("signalbox camera password 1 {camera}").into_bytes())
}

#[cfg(test)]
mod tests;
