//! Files of private keys: there whole or not at all, readable by their owner alone, safe from a power cut.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::CaError;
use crate::credential::hex;

/// Writes or replaces `folder/name`. Blocking, for a few milliseconds.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<(), CaError> {
    let fail = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| CaError::File { doing, path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail("make", folder))?;
    // Two commands at a time must not share a file.
    let mut unique = [0u8; 8];
    getrandom::fill(&mut unique).map_err(crate::credential::CredentialError::Random)?;
    let next = folder.join(format!("{name}.{}.part", hex(&unique)));
    let path = folder.join(name);
    let put = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, &path)
    };
    if let Err(source) = put() {
        let _ = std::fs::remove_file(&next);
        return Err(CaError::File { doing: "write", path, source });
    }
    for level in folder.ancestors().take(2) {
        File::open(level).and_then(|f| f.sync_all()).map_err(fail("secure", level))?;
    }
    Ok(())
}

/// Removes `folder/name`; gone already is as good.
pub(super) fn remove(folder: &Path, name: &str) -> Result<(), CaError> {
    let path = folder.join(name);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(CaError::File { doing: "remove", path, source })
        }
        _ => Ok(()),
    }
}
