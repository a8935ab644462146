//! `DATA/config/`: the wishes that are kept, which of them is in force, and the last verdict.
//!
//! `N.toml` is the text of generation N; `applied` and `trial` name a generation and its text's SHA-256;
//! `report.json` is the last verdict. Each is written whole or not at all, and is on the disk before the
//! call returns. Whatever bytes lie here, reading gives an answer.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use edge_core::trial::Kept;
use protocol::{ConfigReport, ConfigState};
use settings::MAX_WISH_BYTES;
use sha2::{Digest, Sha256};

const APPLIED: &str = "applied";
const TRIAL: &str = "trial";
const REPORT: &str = "report.json";
/// No pointer or report is longer.
const LONGEST_NOTE: u64 = 16 << 10;

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is damaged: the box's own settings are in force until the hub sends the next configuration", path.display())]
    Damaged { path: PathBuf },
}

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    pub kept: Kept,
    /// The text in force; an error where it is named and cannot be had.
    pub applied: Option<Result<String, FolderError>>,
    /// What could not be read, to be logged.
    pub problems: Vec<FolderError>,
}

impl Folder {
    /// That in `data`, the agent's data folder. Makes nothing yet.
    pub fn open(data: &Path) -> Self {
        Self { path: data.join("config") }
    }

    pub fn read(&self) -> Found {
        let mut found = Found::default();
        let mut pointer = |name| {
            self.pointer(name).unwrap_or_else(|problem| {
                found.problems.push(problem);
                None
            })
        };
        let (applied, trial) = (pointer(APPLIED), pointer(TRIAL));
        found.applied = applied.as_ref().map(|p| self.text(p));
        let report = self.report().unwrap_or_else(|problem| {
            found.problems.push(problem);
            None
        });
        found.kept =
            Kept { applied: applied.map(|p| p.generation), trial: trial.map(|p| p.generation), report };
        found
    }

    /// Writes a text down and marks it as on trial.
    pub fn begin(&self, generation: u64, text: &str) -> Result<(), FolderError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(fail("make", &self.path))?;
        self.write(&format!("{generation}.toml"), text.as_bytes())?;
        self.write(TRIAL, Pointer::to(generation, text).written().as_bytes())?;
        self.clear();
        Ok(())
    }

    /// What is on trial is the good one from now on.
    pub fn confirm(&self, generation: u64, text: &str) -> Result<(), FolderError> {
        self.write(APPLIED, Pointer::to(generation, text).written().as_bytes())?;
        // A mark that stays says the same as the one above: see `Trial::resume`.
        let _ = self.forget();
        self.clear();
        Ok(())
    }

    /// Takes the mark of the trial away.
    pub fn forget(&self) -> Result<(), FolderError> {
        let path = self.path.join(TRIAL);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(fail("remove", &path)(e)),
            Err(_) => Ok(()),
            Ok(()) => File::open(&self.path).and_then(|f| f.sync_all()).map_err(fail("write", &self.path)),
        }
    }

    /// Keeps a verdict; what is only on trial is none.
    pub fn keep(&self, report: &ConfigReport) -> Result<(), FolderError> {
        if report.state == ConfigState::Trying {
            return Ok(());
        }
        let path = self.path.join(REPORT);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(fail("make", &self.path))?;
        let json = serde_json::to_vec(report).map_err(|e| fail("write", &path)(e.into()))?;
        self.write(REPORT, &json)
    }

    /// Texts that nothing names any more.
    fn clear(&self) {
        let (Ok(applied), Ok(trial)) = (self.pointer(APPLIED), self.pointer(TRIAL)) else { return };
        let keep: Vec<String> =
            applied.iter().chain(&trial).map(|p| format!("{}.toml", p.generation)).collect();
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.as_encoded_bytes().ends_with(b".toml") && !keep.iter().any(|k| name == k.as_str()) {
                // One that stays takes space and nothing else.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn pointer(&self, name: &str) -> Result<Option<Pointer>, FolderError> {
        let path = self.path.join(name);
        let Some(bytes) = read(&path, LONGEST_NOTE)? else { return Ok(None) };
        let pointer = std::str::from_utf8(&bytes).ok().and_then(Pointer::read);
        pointer.map(Some).ok_or(FolderError::Damaged { path })
    }

    fn text(&self, pointer: &Pointer) -> Result<String, FolderError> {
        let path = self.path.join(format!("{}.toml", pointer.generation));
        let bytes = read(&path, MAX_WISH_BYTES as u64)?;
        let text = bytes.and_then(|b| String::from_utf8(b).ok());
        let whole = text.filter(|text| digest(text) == pointer.digest);
        whole.ok_or(FolderError::Damaged { path })
    }

    fn report(&self) -> Result<Option<ConfigReport>, FolderError> {
        let path = self.path.join(REPORT);
        let Some(bytes) = read(&path, LONGEST_NOTE)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| FolderError::Damaged { path })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        let new = self.path.join(format!(".{name}.new"));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&new, &path))
            .and_then(|()| File::open(&self.path)?.sync_all());
        written.map_err(fail("write", &path))
    }
}

/// A generation and what its text must be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pointer {
    generation: u64,
    digest: String,
}

impl Pointer {
    fn to(generation: u64, text: &str) -> Self {
        Self { generation, digest: digest(text) }
    }

    fn written(&self) -> String {
        format!("{} {}\n", self.generation, self.digest)
    }

    fn read(text: &str) -> Option<Self> {
        let (generation, digest) = text.trim_end().split_once(' ')?;
        let whole = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Self { generation: generation.parse().ok()?, digest: whole.then(|| digest.to_owned())? })
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// A file's bytes; `None` when there is none. One that is too long is damaged.
fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FolderError> {
    let mut bytes = Vec::new();
    match settings::open_file(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > most => Err(FolderError::Damaged { path: path.to_owned() }),
        Ok(_) => Ok(Some(bytes)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(fail("read", path)(e)),
    }
}

fn fail<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> FolderError + 'a {
    move |source| FolderError::File { doing, path: path.to_owned(), source }
}
