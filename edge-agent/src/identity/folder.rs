//! The identity on disk: generations of key and certificate, and the authorities believed.
//!
//! ```text
//! DATA/identity/            0700, locked by whoever changes it
//!   lock
//!   hub.json                home.json of the newest generation, for whoever waits for a first one
//!   redeemed                by which token the box was let in
//!   trust.json              authorities, and when the newest certificate of the hub was issued
//!   0001/  key.pem | key.cred, home.json, certificate.pem, confirmed
//!   refused-0002/           what the hub or this box could not use, for a look
//! ```
//!
//! A generation counts as soon as its `certificate.pem` is there, which is written last; a key without a
//! certificate is one that was asked for and waits. Only one such key exists at a time.

mod redeemed;
mod trust;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use protocol::enrol::Enrolment;
use protocol::{AgentId, SiteId};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::file;
use super::key::{Key, KeyError};
use super::recognise;
use super::seal::{Sealing, is_root};
use crate::service::by_hand::Act;
pub use trust::Believed;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{doing} {}: {source}: see that the folder is writable, not full and owned by the agent's user", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is in use by another edge-agent: {}", path.display(), Act::Stop.here().en)]
    Busy { path: PathBuf },
    #[error("{} holds no certificate: run `edge-agent provision`", path.display())]
    None { path: PathBuf },
    #[error("{}: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the hub's answer cannot be used: {0}: check the hub's version and its log")]
    Answer(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Who the box is by one certificate, and where the hub is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    pub site: SiteId,
    pub agent: AgentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `https://host:port` of the hub's agents' door.
    pub hub: String,
    /// `host:port` of the broker.
    pub mqtt: String,
    /// The authorities as they were named with the certificate, PEM.
    pub roots: Vec<String>,
}

/// One key with its certificate.
#[derive(Debug)]
pub struct Generation {
    pub number: u32,
    pub home: Home,
    pub key: Key,
    pub certificate: Vec<CertificateDer<'static>>,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
    /// Whether the hub was told that it is in use.
    pub confirmed: bool,
}

const CERTIFICATE: &str = "certificate.pem";
const HOME: &str = "home.json";
const CONFIRMED: &str = "confirmed";
/// Its being there starts the service.
const SIGN: &str = "hub.json";
/// Generations are written with four digits; a box that renews daily needs 27 years for them.
const LAST_GENERATION: u32 = 9_999;

#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: Option<File>,
}

impl Folder {
    /// For reading only, beside a running agent.
    pub fn look(data: &Path) -> Self {
        Self { path: super::folder_in(data), _lock: None }
    }

    /// For reading and writing: makes the folder, and is alone in it until dropped.
    pub fn hold(data: &Path) -> Result<Self, IdentityError> {
        let path = super::folder_in(data);
        file::make_private(&path).map_err(failed("making", &path))?;
        let lock_path = path.join("lock");
        let open = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = open.map_err(failed("opening", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: Some(lock) }),
            Err(fs::TryLockError::WouldBlock) => Err(IdentityError::Busy { path }),
            Err(fs::TryLockError::Error(source)) => {
                Err(IdentityError::File { doing: "locking", path: lock_path, source })
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The numbers of all generations, complete or not, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let digits = name.len() == 4 && name.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| name.parse().ok())?
            })
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// Those with a certificate, ascending.
    pub fn complete(&self) -> Vec<u32> {
        let mut numbers = self.numbers();
        numbers.retain(|n| self.of(*n).join(CERTIFICATE).exists());
        numbers
    }

    /// The generations that can be used, newest first. What cannot be read is put aside and said.
    pub fn usable(&self) -> Result<Vec<Generation>, IdentityError> {
        let mut usable = Vec::new();
        for number in self.complete().into_iter().rev() {
            match self.read(number) {
                Ok(generation) => usable.push(generation),
                Err(error @ IdentityError::File { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a damaged generation of the identity is put aside");
                    self.put_aside(number, "damaged")?;
                }
            }
        }
        if usable.is_empty() {
            return Err(IdentityError::None { path: self.path.clone() });
        }
        Ok(usable)
    }

    /// The newest one, as doctor and settings want it.
    pub fn newest(&self) -> Result<Generation, IdentityError> {
        let number = self.complete().last().copied();
        self.read(number.ok_or_else(|| IdentityError::None { path: self.path.clone() })?)
    }

    pub fn read(&self, number: u32) -> Result<Generation, IdentityError> {
        let folder = self.of(number);
        let read = |name: &str| {
            let path = folder.join(name);
            let found = file::read_whole(&path).map_err(failed("reading", &path))?;
            found.ok_or_else(|| IdentityError::Damaged { path, what: "is missing".into() })
        };
        let damaged = |name: &str, what: String| IdentityError::Damaged { path: folder.join(name), what };
        let home: Home = serde_json::from_slice(&read(HOME)?).map_err(|e| damaged(HOME, e.to_string()))?;
        let key = self.read_key(number)?;
        let pem = read(CERTIFICATE)?;
        let (certificate, validity) =
            certificate_of(&pem, &key).map_err(|what| damaged(CERTIFICATE, what))?;
        Ok(Generation {
            number,
            home,
            key,
            certificate,
            not_before: validity.not_before,
            not_after: validity.not_after,
            confirmed: folder.join(CONFIRMED).exists(),
        })
    }

    /// The number of the key that waits for its certificate.
    pub fn waiting_key(&self) -> Option<u32> {
        let newest = self.complete().last().copied().unwrap_or(0);
        let waiting = self.numbers().into_iter().filter(|n| *n > newest);
        waiting.filter(|n| sealings().any(|s| self.of(*n).join(s.file_name()).exists())).max()
    }

    /// Makes the key of the next generation. Where the TPM refuses, it lies in a file as without one.
    pub fn make_key(&self) -> Result<(u32, Sealing), IdentityError> {
        let number = self.numbers().last().copied().unwrap_or(0) + 1;
        if number > LAST_GENERATION {
            return Err(IdentityError::Damaged {
                path: self.path.clone(),
                what: "no number is left for a generation: remove the folder and provision again".into(),
            });
        }
        let folder = self.of(number);
        file::make_private(&folder).map_err(failed("making", &folder))?;
        let key = Key::make()?.to_pem();
        let (sealing, bytes) = match self.best_sealing() {
            Sealing::Chip => match Sealing::Chip.close(&key) {
                Ok(bytes) => (Sealing::Chip, bytes),
                Err(error) => {
                    tracing::warn!(%error, "the TPM does not take the key; it lies in a file");
                    (Sealing::Plain, key.into_bytes())
                }
            },
            Sealing::Plain => (Sealing::Plain, key.into_bytes()),
        };
        let path = folder.join(sealing.file_name());
        file::write_whole(&path, &bytes).map_err(failed("writing", &path))?;
        file::sync_folder(&self.path).map_err(failed("syncing", &self.path))?;
        Ok((number, sealing))
    }

    /// Only root may ask the TPM: where the agent runs as somebody else, it could not open its key again.
    fn best_sealing(&self) -> Sealing {
        let owner = self.path.parent().and_then(|data| fs::metadata(data).ok()).map(|m| m.uid());
        if owner == Some(0) { Sealing::best() } else { Sealing::Plain }
    }

    /// Gives everything to the owner of the data folder: provisioning runs as root, the agent does not.
    pub fn hand_over(&self) -> Result<(), IdentityError> {
        let Some(data) = self.path.parent() else { return Ok(()) };
        let owner = fs::metadata(data).map_err(failed("reading", data))?;
        let mine = fs::metadata(&self.path).map_err(failed("reading", &self.path))?;
        if !is_root() || (owner.uid() == mine.uid() && owner.uid() == 0) {
            return Ok(());
        }
        give(&self.path, owner.uid(), owner.gid())
    }

    pub fn sealing_of(&self, number: u32) -> Option<Sealing> {
        sealings().find(|s| self.of(number).join(s.file_name()).exists())
    }

    pub fn read_key(&self, number: u32) -> Result<Key, IdentityError> {
        let folder = self.of(number);
        let Some(sealing) = self.sealing_of(number) else {
            return Err(IdentityError::Damaged { path: folder, what: "the key is missing".into() });
        };
        let path = folder.join(sealing.file_name());
        let bytes = file::read_whole(&path).map_err(failed("reading", &path))?.unwrap_or_default();
        let damaged = |what: String| IdentityError::Damaged { path: path.clone(), what };
        let pem = sealing.open(&bytes).map_err(|e| damaged(e.to_string()))?;
        Key::from_pem(&pem).map_err(|e| damaged(e.to_string()))
    }

    /// Writes down what the hub answered for a waiting key. From then on the generation counts.
    pub fn keep(
        &self,
        number: u32,
        answer: &Enrolment,
        hub: &str,
        confirmed: bool,
    ) -> Result<(), IdentityError> {
        let key = self.read_key(number)?;
        certificate_of(answer.certificate.as_bytes(), &key).map_err(IdentityError::Answer)?;
        let home = Home {
            site: answer.site.clone(),
            agent: answer.agent.clone(),
            name: answer.name.clone(),
            hub: hub.to_owned(),
            mqtt: broker_address(&answer.mqtt, hub)?,
            roots: answer.trust.roots.clone(),
        };
        // Both hubs' authorities while one certificate replaces the other.
        let before = self.believed()?.roots;
        let both: Vec<String> = answer.trust.roots.iter().chain(&before).cloned().collect();
        self.believe(&both)?;
        let folder = self.of(number);
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            file::write_whole(&path, bytes).map_err(failed("writing", &path))
        };
        let home = serde_json::to_vec_pretty(&home).map_err(|e| IdentityError::Answer(e.to_string()))?;
        write(HOME, &home)?;
        if confirmed {
            write(CONFIRMED, b"")?;
        }
        write(CERTIFICATE, answer.certificate.as_bytes())?;
        file::write_whole(&self.path.join(SIGN), &home).map_err(failed("writing", &self.path))?;
        self.believe(&answer.trust.roots)
    }

    /// Notes that the hub knows of the generation's use.
    pub fn mark_confirmed(&self, number: u32) -> Result<(), IdentityError> {
        let path = self.of(number).join(CONFIRMED);
        file::write_whole(&path, b"").map_err(failed("writing", &path))
    }

    /// What is older than the one before `number`: a hub restored from a backup may know only that.
    pub fn outdated(&self, number: u32) -> Vec<u32> {
        let older: Vec<u32> = self.numbers().into_iter().filter(|n| *n < number).collect();
        let kept = self.complete().into_iter().rfind(|n| *n < number);
        older.into_iter().filter(|n| Some(*n) != kept).collect()
    }

    /// Removes a generation; one that is half removed does not count any more.
    pub fn remove(&self, number: u32) -> Result<(), IdentityError> {
        let folder = self.of(number);
        match fs::remove_file(folder.join(CERTIFICATE)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(IdentityError::File { doing: "removing", path: folder, source });
            }
            _ => {}
        }
        fs::remove_dir_all(&folder).map_err(failed("removing", &folder))
    }

    /// Takes a generation out of use, for a look. One of each number at most.
    pub fn put_aside(&self, number: u32, why: &str) -> Result<(), IdentityError> {
        let (from, to) = (self.of(number), self.path.join(format!("{why}-{number:04}")));
        if to.exists() {
            fs::remove_dir_all(&to).map_err(failed("removing", &to))?;
        }
        fs::rename(&from, &to).map_err(failed("renaming", &from))?;
        file::sync_folder(&self.path).map_err(failed("syncing", &self.path))
    }

    fn of(&self, number: u32) -> PathBuf {
        self.path.join(format!("{number:04}"))
    }
}

fn give(path: &Path, user: u32, group: u32) -> Result<(), IdentityError> {
    std::os::unix::fs::lchown(path, Some(user), Some(group)).map_err(failed("handing over", path))?;
    let is_folder = fs::symlink_metadata(path).is_ok_and(|m| m.is_dir());
    for entry in is_folder.then(|| fs::read_dir(path).ok()).flatten().into_iter().flatten().flatten() {
        give(&entry.path(), user, group)?;
    }
    Ok(())
}

fn sealings() -> impl Iterator<Item = Sealing> {
    [Sealing::Plain, Sealing::Chip].into_iter()
}

/// The chain in a PEM text, if its first certificate is of this key.
fn certificate_of(
    pem: &[u8],
    key: &Key,
) -> Result<(Vec<CertificateDer<'static>>, super::clock::Validity), String> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| format!("no certificate: {e}"))?;
    let own = chain.first().ok_or("no certificate in it")?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(own.as_ref()).map_err(|e| format!("no certificate: {e}"))?;
    if parsed.public_key().raw != key.public_der() {
        return Err("the certificate is of another key".into());
    }
    let validity = recognise::validity(own).ok_or("the certificate has no dates")?;
    Ok((chain, validity))
}

/// `host:port` of the broker; a bare `:port` is at the hub's own host.
fn broker_address(mqtt: &str, hub: &str) -> Result<String, IdentityError> {
    let refuse = || IdentityError::Answer(format!("`{mqtt}` is no address of a broker"));
    let (host, port) = mqtt.rsplit_once(':').ok_or_else(refuse)?;
    port.parse::<u16>().map_err(|_| refuse())?;
    if !host.is_empty() {
        return Ok(mqtt.to_owned());
    }
    let hub = reqwest::Url::parse(hub).map_err(|_| refuse())?;
    Ok(format!("{}:{port}", hub.host_str().ok_or_else(refuse)?))
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> IdentityError + 'a {
    move |source| IdentityError::File { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
