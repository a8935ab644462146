//! Opening and writing files that people name or put into folders, whatever stands at the path.
//!
//! A pipe or a device in the place of a file would keep whoever opens it waiting for ever: nothing is opened that
//! could wait, and what is no regular file is refused.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What was found in a file's place. Inside an error of the kind [`io::ErrorKind::InvalidInput`].
#[derive(Debug, thiserror::Error)]
#[error("it is {0}")]
struct NoFile(&'static str);

/// Why a file is no text. Inside an error of the kind [`io::ErrorKind::InvalidData`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoText(&'static str);

/// Opens a regular file for reading, without waiting.
pub fn open_file(path: &Path) -> io::Result<File> {
    let refused = |what| io::Error::new(io::ErrorKind::InvalidInput, NoFile(what));
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => refused("a socket or a device and no file: take it away, or name a file"),
        _ => error,
    })?;
    let kind = file.metadata()?.file_type();
    match kind {
        _ if kind.is_file() => Ok(file),
        _ if kind.is_dir() => Err(refused("a folder: name a file")),
        _ if kind.is_fifo() => Err(refused("a named pipe and no file: take it away, or name a file")),
        _ => Err(refused("a device and no file: name a file")),
    }
}

/// The whole text of a regular file.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open_file(path)?.read_to_end(&mut bytes)?;
    let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let refused = |what| io::Error::new(io::ErrorKind::InvalidData, NoText(what));
    let text = String::from_utf8(bytes).map_err(|_| match is_utf16 {
        true => refused("it is UTF-16: save it as UTF-8"),
        false => refused("it is no UTF-8 text: save it as UTF-8"),
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Writes what is for the owner's eyes only: mode 600, also where the file was there with another.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_without_waiting_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let places = [
            (pipe.as_path(), "a named pipe"),
            (socket.as_path(), "a socket"),
            (folder.path(), "a folder"),
            (Path::new("/dev/null"), "a device"),
        ];
        for (path, what) in places {
            let error = read_text(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn what_is_private_is_so_where_the_file_was_open_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("still.jpg");
        std::fs::write(&path, "longer than the next").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_text(&path).unwrap(), "new");
    }
}
