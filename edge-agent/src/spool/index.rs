//! How far each epoch's numbers were handed out: a sled database beside the segments.
//!
//! The segments alone cannot tell that a whole end of one is missing. Nothing here is the only copy
//! of a record, and the spool runs without it: sled has been seen to panic on one flipped byte, so
//! that it is opened on a thread of its own, with a deadline, and what it fails on is set aside.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use protocol::Epoch;

use super::SpoolError;

/// What is known of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Handed out for certain, up to and including this one.
    pub handed: u64,
    /// Handed out at most up to and including this one.
    pub reserved: u64,
}

/// Numbers that are reserved at a time: one flush serves them all.
const AHEAD: u64 = 64;
/// The default is 1 GiB.
const CACHE_BYTES: u64 = 16 << 20;
const FLUSH_MS: u64 = 200;
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How often a lock that another process holds is tried again, for as long as opening may take.
const LOCK_RETRY: Duration = Duration::from_millis(100);
/// Broken indexes that are kept.
const KEEP_ASIDE: usize = 4;
/// How sled names a lock that is held; it has no kind of error of its own for it.
const SLED_LOCKED: &str = "could not acquire lock";

/// Failing costs the index, never the spool.
#[derive(Default)]
pub struct Index {
    db: Option<sled::Db>,
    marks: BTreeMap<String, Mark>,
}

impl Index {
    /// Fails only where another process has it open: that is no damage, and nothing is set aside.
    pub fn open(folder: &Path) -> Result<Self, SpoolError> {
        let path = folder.join("index.sled");
        let opened = open_unlocked(&path).or_else(|refused| match refused {
            Refused::Held => Err(Refused::Held),
            Refused::Broken(reason) => {
                let aside = set_aside(&path);
                tracing::error!(reason, ?aside, "spool index cannot be read: it is set aside and made anew");
                open_unlocked(&path)
            }
        });
        match opened {
            Ok((db, marks)) => Ok(Self { db: Some(db), marks }),
            Err(Refused::Held) => Err(SpoolError::InUse { folder: folder.to_owned() }),
            Err(Refused::Broken(reason)) => {
                tracing::error!(reason, "spool goes on without its index");
                Ok(Self::default())
            }
        }
    }

    pub fn mark(&self, epoch: &Epoch) -> Mark {
        self.marks.get(epoch.as_str()).copied().unwrap_or_default()
    }

    /// Makes sure that numbers up to and including `last` are reserved on disk; usually they are.
    pub fn reserve(&mut self, epoch: &Epoch, last: u64) {
        let mark = self.mark(epoch);
        if self.db.is_some() && last > mark.reserved {
            self.write(epoch, Mark { reserved: last.saturating_add(AHEAD), ..mark }, true);
        }
    }

    /// Numbers up to and including `last` were handed out; on disk within a moment.
    pub fn handed(&mut self, epoch: &Epoch, last: u64) {
        let mark = self.mark(epoch);
        if self.db.is_some() && last > mark.handed {
            self.write(epoch, Mark { handed: last, reserved: mark.reserved.max(last) }, false);
        }
    }

    /// Lets go of what was reserved ahead, and of every epoch that is not in `last`.
    pub fn close(&mut self, last: &BTreeMap<String, u64>) {
        let Some(db) = self.db.take() else { return };
        let marks = std::mem::take(&mut self.marks);
        let closed = guarded(|| {
            for epoch in marks.keys().filter(|e| !last.contains_key(*e)) {
                db.remove(epoch)?;
            }
            for (epoch, &last) in last {
                db.insert(epoch, &bytes(Mark { handed: last, reserved: last })[..])?;
            }
            db.flush().map(drop)
        });
        if let Err(reason) = closed {
            tracing::warn!(reason, "spool index could not be closed; some numbers will be skipped");
            std::mem::forget(db);
        }
    }

    fn write(&mut self, epoch: &Epoch, mark: Mark, flush: bool) {
        let Some(db) = self.db.take() else { return };
        let written = guarded(|| {
            db.insert(epoch.as_str(), &bytes(mark)[..])?;
            if flush { db.flush().map(drop) } else { Ok(()) }
        });
        match written {
            Ok(()) => {
                self.marks.insert(epoch.to_string(), mark);
                self.db = Some(db);
            }
            Err(reason) => {
                tracing::error!(reason, "spool index failed; the spool goes on without it");
                // Dropping it could panic again, or wait for its broken threads.
                std::mem::forget(db);
            }
        }
    }
}

type Opened = (sled::Db, BTreeMap<String, Mark>);

/// Why an index did not open.
enum Refused {
    /// Another process has it open.
    Held,
    Broken(String),
}

/// A holder that is just ending gets a moment to do so.
fn open_unlocked(path: &Path) -> Result<Opened, Refused> {
    let until = Instant::now() + OPEN_WITHIN;
    loop {
        match open_bounded(path) {
            Ok(opened) => return Ok(opened),
            Err(reason) if !reason.contains(SLED_LOCKED) => return Err(Refused::Broken(reason)),
            Err(_) if Instant::now() > until => return Err(Refused::Held),
            Err(_) => std::thread::sleep(LOCK_RETRY),
        }
    }
}

fn open_bounded(path: &Path) -> Result<Opened, String> {
    let (send, opened) = sync_channel(1);
    let path = path.to_owned();
    std::thread::Builder::new()
        .name("spool-index".into())
        .spawn(move || send.send(guarded(|| read(&path))))
        .map_err(|e| e.to_string())?;
    opened.recv_timeout(OPEN_WITHIN).unwrap_or_else(|_| Err("no answer in time".into()))
}

fn read(path: &Path) -> sled::Result<Opened> {
    let db = sled::Config::new()
        .path(path)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(Some(FLUSH_MS))
        .open()?;
    let mut marks = BTreeMap::new();
    for entry in db.iter() {
        let (epoch, value) = entry?;
        if let (Ok(epoch), Some(mark)) = (String::from_utf8(epoch.to_vec()), mark(&value)) {
            marks.insert(epoch, mark);
        }
    }
    Ok((db, marks))
}

/// Keeps it for whoever wants to know, and says where. Earlier ones stay, up to a number.
fn set_aside(path: &Path) -> Option<PathBuf> {
    let mut names = (1..=KEEP_ASIDE).map(|n| match n {
        1 => path.with_extension("aside"),
        n => path.with_extension(format!("aside-{n}")),
    });
    let free = names.clone().find(|aside| std::fs::symlink_metadata(aside).is_err());
    let aside = free.or_else(|| {
        let last = names.next_back()?;
        tracing::warn!(path = %last.display(), "an index that was set aside earlier makes room for a newer one");
        let _ = std::fs::remove_dir_all(&last).or_else(|_| std::fs::remove_file(&last));
        Some(last)
    })?;
    match std::fs::rename(path, &aside) {
        Ok(()) => Some(aside),
        Err(_) => {
            let _ = std::fs::remove_dir_all(path).or_else(|_| std::fs::remove_file(path));
            None
        }
    }
}

fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("sled panicked".into()),
    }
}

/// sled does not tell a flipped bit in every place: a mark carries its own checksum.
fn bytes(mark: Mark) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&mark.handed.to_le_bytes());
    bytes[8..16].copy_from_slice(&mark.reserved.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..16]);
    bytes[16..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn mark(bytes: &[u8]) -> Option<Mark> {
    let bytes: &[u8; 20] = bytes.try_into().ok()?;
    let mark = Mark {
        handed: u64::from_le_bytes(bytes[..8].try_into().ok()?),
        reserved: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
    };
    let sound = bytes[16..] == crc32c::crc32c(&bytes[..16]).to_le_bytes() && mark.reserved < i64::MAX as u64;
    sound.then_some(mark)
}
