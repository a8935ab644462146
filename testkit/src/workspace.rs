//! Where things are: the workspace, the programs built from it, the cache of prepared files.

use std::path::{Path, PathBuf};

/// The root of the workspace this was built from.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A program of the workspace, beside the one that asks (a test binary lies one folder deeper).
pub fn binary(name: &str) -> std::io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file()).ok_or_else(
        || {
            let text = format!("`{name}` is not built: run `cargo build --workspace --all-targets`");
            std::io::Error::new(std::io::ErrorKind::NotFound, text)
        },
    )
}

/// The folder in which `make setup` keeps what it prepared: `SIGNALBOX_CACHE`, else
/// `XDG_CACHE_HOME/signalbox`, else `~/.cache/signalbox`.
pub fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("SIGNALBOX_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|p| p.join("signalbox")))
        .or_else(|| set("HOME").map(|p| p.join(".cache/signalbox")))
        .unwrap_or_else(|| PathBuf::from(".cache/signalbox"))
}
