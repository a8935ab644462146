//! One spool, one agent: an exclusive lock on a file in the folder, held as long as the spool is open.
//!
//! Two that wrote the same segments would hand the same numbers to other records. The kernel lets go of
//! the lock when its holder ends, however it ends. Where no file can be made (no disk, or a read-only
//! one) nothing can be written either, and the spool works in memory without a lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::SpoolError;

/// The file beside `segments/`; its content means nothing.
const NAME: &str = "agent.lock";

/// Takes the lock, or says who is in the way. `None`: there is no file to lock.
pub fn take(folder: &Path) -> Result<Option<File>, SpoolError> {
    let path = folder.join(NAME);
    let made =
        std::fs::create_dir_all(folder).and_then(|()| File::options().create(true).append(true).open(&path));
    // A file that is there can be locked even where nothing can be written.
    let file = match made.or_else(|error| File::open(&path).map_err(|_| error)) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "spool cannot be locked against a second agent");
            return Ok(None);
        }
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, path = %path.display(), "spool cannot be locked against a second agent");
            Ok(None)
        }
    }
}
