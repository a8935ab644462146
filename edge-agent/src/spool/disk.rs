//! The spool's files: `segments/{class}-{number}.seg`, append-only. Knows bytes, not records.
//! After a failed write or fsync a file is never written again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Classes 0..=2 are severities (low, medium, high); 3 holds what is settled.
pub const CLASSES: [&str; 4] = ["low", "medium", "high", "settle"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    pub number: u64,
    pub class: u8,
}

pub fn path(folder: &Path, id: SegmentId) -> PathBuf {
    let class = CLASSES.get(usize::from(id.class)).unwrap_or(&"low");
    folder.join("segments").join(format!("{class}-{:010}.seg", id.number))
}

/// All segment files, oldest first. What bears another name is not ours and stays.
pub fn list(folder: &Path) -> Vec<SegmentId> {
    let Ok(entries) = fs::read_dir(folder.join("segments")) else { return Vec::new() };
    let mut ids: Vec<SegmentId> = entries
        .filter_map(|e| {
            let e = e.ok()?;
            let name = e.file_name();
            let (class, number) = name.to_str()?.strip_suffix(".seg")?.split_once('-')?;
            let class = CLASSES.iter().position(|c| *c == class)? as u8;
            Some(SegmentId { number: number.parse().ok()?, class })
        })
        .collect();
    ids.sort();
    ids
}

pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The segment of a class that is written now.
pub struct Open {
    pub id: SegmentId,
    pub bytes: u64,
    file: File,
}

impl Open {
    pub fn create(folder: &Path, id: SegmentId) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path(folder, id))?;
        sync_folder(&folder.join("segments"))?;
        Ok(Self { id, bytes: 0, file })
    }

    /// Writes and syncs; after an error the caller drops this file.
    pub fn write(&mut self, bytes: &[u8], sync: bool) -> io::Result<u64> {
        let offset = self.bytes;
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        if sync {
            self.file.sync_data()?;
        }
        Ok(offset)
    }
}

pub fn read(folder: &Path, id: SegmentId, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    File::open(path(folder, id))?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Writes a file that is either whole or absent, and on disk when this returns.
pub fn store(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = folder.join(format!("{name}.part"));
    let stored = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&part, folder.join(name))?;
        sync_folder(folder)
    })();
    if stored.is_err() {
        let _ = fs::remove_file(&part);
    }
    stored
}

/// Makes a folder; what stands in its place is renamed aside.
pub fn folder(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|m| !m.is_dir()) {
        fs::rename(path, path.with_extension("aside"))?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // One that an earlier version made.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}
