//! Evidence: stills and photos, each a file below one folder that all hubs of a database see ([ADR 14]).
//!
//! Put, get and delete, by keys that the hub mints: nothing that a box or a person sends becomes part of a path, files
//! are opened below the folder's own handle, and no link below it is followed. What was put survives a power cut once
//! `put` returns, and what was deleted does not come back once `delete` does. What a picture is, and whose, is the
//! database's.
//!
//! [ADR 14]: ../../docs/adr/0014-evidence-folder.md

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::AlertId;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fsync, mkdirat, openat, renameat, unlinkat};

use crate::credential::hex;
use crate::work::attachment::FileId;

/// Nothing larger is read.
const LARGEST: u64 = 8 * 1024 * 1024;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    folders: Vec<String>,
    name: String,
}

impl Key {
    /// `stills/AGENT/EPOCH/SEQ.jpg`: ids hold no separators and no dots.
    pub fn still(id: &AlertId) -> Self {
        let folders = vec!["stills".to_owned(), id.agent.to_string(), id.epoch.to_string()];
        Self { folders, name: format!("{}.jpg", id.seq) }
    }

    /// `attachments/ID`
    pub fn photo(id: &FileId) -> Self {
        Self { folders: vec!["attachments".to_owned()], name: id.as_str().to_owned() }
    }
}

/// The folder, held open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Evidence(Arc<Place>);

#[derive(Debug)]
struct Place {
    path: PathBuf,
    folder: OwnedFd,
}

impl Evidence {
    /// Opens the folder, which is there: a disk that is not mounted must not be taken for an empty one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = openat(CWD, path, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
        Ok(Self(Arc::new(Place { path: path.to_owned(), folder })))
    }

    pub fn folder(&self) -> &Path {
        &self.0.path
    }

    pub async fn put(&self, key: &Key, bytes: impl AsRef<[u8]> + Send + 'static) -> io::Result<()> {
        let (place, key) = (self.0.clone(), key.clone());
        blocking(move || place.put(&key, bytes.as_ref())).await?
    }

    pub async fn get(&self, key: &Key) -> io::Result<Vec<u8>> {
        let (place, key) = (self.0.clone(), key.clone());
        blocking(move || place.get(&key)).await?
    }

    /// Deletes what there is of these; which of them may still be there, and why.
    pub async fn delete(&self, keys: Vec<Key>) -> io::Result<Vec<(Key, io::Error)>> {
        let place = self.0.clone();
        blocking(move || place.delete(keys)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

impl Place {
    fn put(&self, key: &Key, bytes: &[u8]) -> io::Result<()> {
        let levels = self.make(&key.folders)?;
        let folder = levels.last().unwrap_or(&self.folder);
        // Two uploads of one picture at a time must not share a file.
        let mut unique = [0u8; 8];
        getrandom::fill(&mut unique).map_err(|e| io::Error::other(e.to_string()))?;
        let part = format!("{}.{}.part", key.name, hex(&unique));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(folder, &part, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(folder, &part, folder, &key.name)?));
        if written.is_err() {
            let _ = unlinkat(folder, &part, AtFlags::empty());
        }
        written?;
        // The name must survive as well, and so must the folders that may be new.
        for level in levels.iter().rev().chain([&self.folder]) {
            fsync(level)?;
        }
        Ok(())
    }

    fn get(&self, key: &Key) -> io::Result<Vec<u8>> {
        let levels = self.levels(&key.folders)?;
        let folder = levels.last().unwrap_or(&self.folder);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder, &key.name, flags, Mode::empty())?);
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn delete(&self, keys: Vec<Key>) -> Vec<(Key, io::Error)> {
        let mut by_folder: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        for key in keys {
            by_folder.entry(key.folders).or_default().insert(key.name);
        }
        let mut stay = Vec::new();
        for (folders, names) in by_folder {
            let levels = match self.levels(&folders) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                levels => levels,
            };
            let key = |name: &String| Key { folders: folders.clone(), name: name.clone() };
            let all = |error: &io::Error| {
                let copy = |name| (key(name), io::Error::new(error.kind(), error.to_string()));
                names.iter().map(copy).collect::<Vec<_>>()
            };
            match levels {
                Err(error) => stay.extend(all(&error)),
                Ok(levels) => {
                    let folder = levels.last().unwrap_or(&self.folder);
                    for name in &names {
                        match unlinkat(folder, name, AtFlags::empty()).map_err(io::Error::from) {
                            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                                stay.push((key(name), error));
                            }
                            _ => {}
                        }
                    }
                    if let Err(error) = fsync(folder).map_err(io::Error::from) {
                        stay.extend(all(&error));
                    }
                }
            }
        }
        stay
    }

    /// The folders from the first to the last, as they are.
    fn levels(&self, folders: &[String]) -> io::Result<Vec<OwnedFd>> {
        let mut levels: Vec<OwnedFd> = Vec::with_capacity(folders.len());
        for name in folders {
            levels.push(openat(levels.last().unwrap_or(&self.folder), name, FOLDER, Mode::empty())?);
        }
        Ok(levels)
    }

    fn make(&self, folders: &[String]) -> io::Result<Vec<OwnedFd>> {
        let mut levels: Vec<OwnedFd> = Vec::with_capacity(folders.len());
        for name in folders {
            let above = levels.last().unwrap_or(&self.folder);
            match mkdirat(above, name, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            levels.push(openat(above, name, FOLDER, Mode::empty())?);
        }
        Ok(levels)
    }
}

/// Makes the folder that is the hub's own where no other is named.
pub fn make_own(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn key(seq: u64) -> Key {
        Key::still(&AlertId { agent: "gate".parse().unwrap(), epoch: "e1".parse().unwrap(), seq })
    }

    fn photo() -> Key {
        Key::photo(&FileId::parse("0199f1f0-0000-7000-8000-0123456789ab").unwrap())
    }

    #[tokio::test]
    async fn a_picture_is_got_as_it_was_put_until_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = Evidence::open(folder.path()).unwrap();
        for key in [key(1), key(2), photo()] {
            evidence.put(&key, b"picture").await.unwrap();
            evidence.put(&key, b"again").await.unwrap();
            assert_eq!(evidence.get(&key).await.unwrap(), b"again");
        }
        let still = folder.path().join("stills/gate/e1/1.jpg");
        assert_eq!(std::fs::metadata(&still).unwrap().permissions().mode() & 0o777, 0o600);
        let above = std::fs::metadata(still.parent().unwrap()).unwrap();
        assert_eq!(above.permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(still.parent().unwrap()).unwrap().count(), 2, "no part is left");
        let gone = vec![key(1), key(3), photo()];
        assert!(evidence.delete(gone).await.unwrap().is_empty(), "what was not there is gone too");
        assert!(evidence.get(&key(1)).await.is_err() && evidence.get(&photo()).await.is_err());
        assert_eq!(evidence.get(&key(2)).await.unwrap(), b"again");
    }

    #[tokio::test]
    async fn no_link_below_the_folder_is_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let evidence = Evidence::open(folder.path()).unwrap();
        let secret = outside.path().join("1.jpg");
        std::fs::write(&secret, b"secret").unwrap();
        // In the stead of a file, of a folder, and of the first folder.
        std::fs::create_dir_all(folder.path().join("stills/gate/e1")).unwrap();
        symlink(&secret, folder.path().join("stills/gate/e1/1.jpg")).unwrap();
        assert!(evidence.get(&key(1)).await.is_err());
        evidence.put(&key(1), b"picture").await.unwrap();
        assert_eq!(std::fs::read(&secret).unwrap(), b"secret", "the link was replaced, not followed");
        for linked in ["stills/gate/e1", "stills"] {
            let place = folder.path().join(linked);
            std::fs::rename(&place, folder.path().join("aside")).unwrap();
            symlink(outside.path(), &place).unwrap();
            assert!(evidence.get(&key(1)).await.is_err(), "{linked}");
            assert!(evidence.put(&key(1), b"picture").await.is_err(), "{linked}");
            assert_eq!(evidence.delete(vec![key(1)]).await.unwrap().len(), 1, "{linked}");
            std::fs::remove_file(&place).unwrap();
            std::fs::rename(folder.path().join("aside"), &place).unwrap();
        }
        assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
    }

    #[tokio::test]
    async fn what_cannot_be_deleted_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = Evidence::open(folder.path()).unwrap();
        evidence.put(&key(1), b"picture").await.unwrap();
        std::fs::create_dir(folder.path().join("stills/gate/e1/2.jpg")).unwrap();
        let stay = evidence.delete(vec![key(1), key(2)]).await.unwrap();
        assert_eq!(stay.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key(2)]);
        assert!(Evidence::open(&folder.path().join("not-mounted")).is_err());
    }
}
