//! The socket's file: made for one agent a data folder, replaced when it is stale, removed at the end.
//!
//! Who holds the lock file owns the socket's name, so that a stale socket can be told from one in use
//! without asking anybody. The kernel gives the lock back however the agent ends.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Longest path of a socket (`sun_path`), its end included.
const LONGEST: usize = 108;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("another agent already works in {}: stop it, or give each its own `data` folder", data.display())]
    Taken { data: PathBuf },
    #[error("the path {} is too long for a socket: move the `data` folder to a shorter one", path.display())]
    Long { path: PathBuf },
    #[error("the control socket {} cannot be made: make the folder writable for the agent", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// An open door. Removes its file when dropped.
pub(super) struct Door {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Given back last.
    _lock: File,
}

impl Door {
    /// Must be called within a tokio runtime.
    pub(super) fn open(data: &Path) -> Result<Self, DoorError> {
        let path = super::socket(data);
        let fresh = data.join("control.new");
        let fail = |source| DoorError::File { path: path.clone(), source };
        if path.as_os_str().as_bytes().len() >= LONGEST {
            return Err(DoorError::Long { path });
        }
        let lock = lock(data, &path)?;
        remove(&fresh).map_err(fail)?;
        // Nobody knows the socket by this name before it is closed to others.
        let listener = UnixListener::bind(&fresh).map_err(fail)?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600)).map_err(fail)?;
        std::fs::rename(&fresh, &path).map_err(fail)?;
        Ok(Self { listener, path, _lock: lock })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "the control socket could not be removed");
        }
    }
}

fn lock(data: &Path, socket: &Path) -> Result<File, DoorError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = |source| DoorError::File { path: socket.to_owned(), source };
    let lock = options.open(data.join("control.lock")).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(DoorError::Taken { data: data.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(file(source)),
    }
}

/// As `remove_file`; what is not there is removed.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
