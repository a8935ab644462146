//! Files that only their owner may read, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::SecretsError;

fn fail<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> SecretsError + 'a {
    move |source| SecretsError::File { doing, path: path.to_owned(), source }
}

/// Mode 0700, also when it was there with another.
pub(super) fn make_folder(folder: &Path) -> Result<(), SecretsError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail("make", folder))?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).map_err(fail("close", folder))
}

/// At most `limit` bytes; `None` when there is no such file.
pub(super) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, SecretsError> {
    let file = match settings::open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail("read", path)(error)),
    };
    let mode = file.metadata().map_err(fail("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretsError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(limit as u64).read_to_end(&mut bytes).map_err(fail("read", path))?;
    Ok(Some(bytes))
}

/// Replaces what was there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let new = beside(path, bytes)?;
    let moved = std::fs::rename(&new, path).map_err(fail("write", path));
    if moved.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    moved?;
    sync_folder(path)
}

/// Leaves what was there.
pub(super) fn write_first(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let new = beside(path, bytes)?;
    let linked = std::fs::hard_link(&new, path);
    let _ = std::fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(fail("write", path)(error)),
        _ => sync_folder(path),
    }
}

pub(super) fn remove(path: &Path) -> Result<(), SecretsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(fail("remove", path)(error)),
        Err(_) => Ok(()),
        Ok(()) => sync_folder(path),
    }
}

/// A new file with these bytes, on disk, beside `path`.
fn beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, SecretsError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let turn = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}.{turn}", std::process::id()));
    let _ = std::fs::remove_file(&new);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut f| {
        f.write_all(bytes)?;
        f.sync_all()
    });
    match written {
        Ok(()) => Ok(new),
        Err(error) => {
            let _ = std::fs::remove_file(&new);
            Err(fail("write", path)(error))
        }
    }
}

fn sync_folder(path: &Path) -> Result<(), SecretsError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(fail("write", folder))
}
