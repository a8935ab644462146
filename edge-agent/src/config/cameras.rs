//! `cameras/ID.toml`: one file a camera, beside `edge-agent.toml`.
//!
//! Owns reading the folder, and writing and removing one file (whole or not at all). What is in a file
//! is a `[[camera]]` section without its heading, plus its own `[[line]]` and `[[zone]]` rules; their
//! meaning stays with `camera` and `pipeline`. Passwords are never here: see `secrets`.

mod text;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use protocol::CameraId;

use crate::camera::CameraConfig;

/// The folder's name.
pub const FOLDER: &str = "cameras";
/// No box watches more cameras.
const MOST_FILES: usize = 256;
/// No camera file is longer.
const LONGEST_FILE: u64 = 64 << 10;

/// Why a camera file was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CameraFileError {
    #[error("cannot {doing} {}", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Settings(#[from] settings::Error),
    #[error("{}: the camera's id is `{id}`: name the file {id}.toml, or change the id", path.display())]
    Name { path: PathBuf, id: CameraId },
    #[error("{} is longer than {LONGEST_FILE} bytes: it is no camera file", path.display())]
    Long { path: PathBuf },
    #[error("{} holds more than {MOST_FILES} camera files: remove those not in use", path.display())]
    Many { path: PathBuf },
}

/// All cameras of `BASE/cameras`, by name of file; none when there is no such folder. Files that do not
/// end in `.toml` and hidden ones are left alone.
pub fn load(base: &Path) -> Result<Vec<CameraConfig>, CameraFileError> {
    let folder = base.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(CameraFileError::File { doing: "read", path: folder, source }),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail("read", &folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension() == Some(OsStr::new("toml")) {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(CameraFileError::Many { path: folder });
        }
    }
    paths.sort();
    paths.into_iter().map(read).collect()
}

/// The path of a camera's file.
pub fn path_of(base: &Path, id: &CameraId) -> PathBuf {
    base.join(FOLDER).join(format!("{id}.toml"))
}

/// Writes a camera's file; one that was there is replaced. Answers its path. Paths in it are as `Config`
/// resolved them, and are written from the root on.
pub fn write(base: &Path, camera: &CameraConfig) -> Result<PathBuf, CameraFileError> {
    let path = path_of(base, &camera.id);
    let mut camera = camera.clone();
    for own in [&mut camera.pipeline, &mut camera.password_file].into_iter().flatten() {
        *own = std::path::absolute(&*own).map_err(fail("write", &path))?;
    }
    let folder = base.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(fail("make", &folder))?;
    let new = folder.join(format!(".{}.{}", camera.id, std::process::id()));
    let written = File::create(&new)
        .and_then(|mut file| {
            file.write_all(text::of(&camera).as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&new, &path))
        .and_then(|()| File::open(&folder)?.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(fail("write", &path))?;
    Ok(path)
}

/// Removes a camera's file; `false` when there was none.
pub fn remove(base: &Path, id: &CameraId) -> Result<bool, CameraFileError> {
    let path = path_of(base, id);
    match std::fs::remove_file(&path) {
        Ok(()) => {
            let folder = base.join(FOLDER);
            File::open(&folder).and_then(|f| f.sync_all()).map_err(fail("write", &folder))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(fail("remove", &path)(error)),
    }
}

fn read(path: PathBuf) -> Result<CameraConfig, CameraFileError> {
    let mut bytes = String::new();
    settings::open_file(&path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut bytes))
        .map_err(fail("read", &path))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(CameraFileError::Long { path });
    }
    let mut camera: CameraConfig = settings::parse(&bytes, &path)?;
    if path.file_stem() != Some(OsStr::new(camera.id.as_str())) {
        return Err(CameraFileError::Name { path, id: camera.id });
    }
    // Its paths are relative to its own folder; `Config` takes them from the folder above it.
    for own in [&mut camera.pipeline, &mut camera.password_file].into_iter().flatten() {
        *own = Path::new(FOLDER).join(&*own);
    }
    camera.file = Some(path);
    Ok(camera)
}

fn fail<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> CameraFileError + 'a {
    move |source| CameraFileError::File { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
