//! Attachments on disk: `SHARED/attachments/ID`, one file each, named by ids that the hub mints.
//!
//! Files are opened below the folder's own handle, by a name that has the shape of such an id, and no link is
//! followed: nothing that a person sends becomes part of a path. What a file is, and whose, is the database's.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};

use super::photo::MOST_BYTES;

/// The name of a file: a UUID as the hub writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileId(String);

impl FileId {
    /// `None` for everything that is no such id.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            });
        shaped.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The folder, held open.
#[derive(Debug)]
pub struct Attachments {
    folder: OwnedFd,
}

impl Attachments {
    /// Opens the folder below the hubs' shared folder, making it where it is missing.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = data.join("attachments");
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { folder: openat(CWD, &path, flags, Mode::empty())? })
    }

    /// Writes a file so that it survives a power cut once this returns. Blocking.
    pub fn write(&self, id: &FileId, bytes: &[u8]) -> io::Result<()> {
        let part = format!("{}.part", id.0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, &part, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(&self.folder, &part, &self.folder, &id.0)?));
        if written.is_err() {
            let _ = unlinkat(&self.folder, &part, AtFlags::empty());
        }
        written?;
        Ok(rustix::fs::fsync(&self.folder)?)
    }

    /// Reads a file. Blocking.
    pub fn read(&self, id: &FileId) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&self.folder, &id.0, flags, Mode::empty())?);
        let mut bytes = Vec::new();
        file.take(MOST_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes a file away that nothing speaks of.
    pub fn remove(&self, id: &FileId) -> io::Result<()> {
        Ok(unlinkat(&self.folder, &id.0, AtFlags::empty())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199f1f0-0000-7000-8000-0123456789ab";

    #[test]
    fn a_file_is_read_as_it_was_written_and_written_once() {
        let data = tempfile::tempdir().unwrap();
        let attachments = Attachments::open(data.path()).unwrap();
        let id = FileId::parse(ID).unwrap();
        attachments.write(&id, b"picture").unwrap();
        assert_eq!(attachments.read(&id).unwrap(), b"picture");
        assert_eq!(std::fs::read_dir(data.path().join("attachments")).unwrap().count(), 1);
        attachments.remove(&id).unwrap();
        assert!(attachments.read(&id).is_err());
    }

    #[test]
    fn only_ids_are_names_and_links_are_not_followed() {
        for text in ["", "..", "../hub.db", "%2e%2e", "0199F1F0-0000-7000-8000-0123456789AB", &ID[1..]] {
            assert_eq!(FileId::parse(text), None, "{text}");
        }
        assert_eq!(FileId::parse(&ID.replace('a', "/")), None);
        assert_eq!(FileId::parse(&ID.replace('a', "\0")), None);
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("secret"), b"secret").unwrap();
        let attachments = Attachments::open(data.path()).unwrap();
        std::os::unix::fs::symlink("../secret", data.path().join("attachments").join(ID)).unwrap();
        assert!(attachments.read(&FileId::parse(ID).unwrap()).is_err());
        // The folder put aside and a link in its place: what is open stays what it was.
        std::fs::rename(data.path().join("attachments"), data.path().join("old")).unwrap();
        std::os::unix::fs::symlink(data.path(), data.path().join("attachments")).unwrap();
        assert!(Attachments::open(data.path()).is_err());
        assert!(attachments.read(&FileId::parse(ID).unwrap()).is_err());
    }
}
