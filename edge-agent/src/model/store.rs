//! Where cards, models and the runtime are on this box.

use std::path::{Path, PathBuf};

use super::{Card, ModelError};

const INSTALLED_CARDS: &str = "/usr/share/signalbox/models";
/// The package keeps prepared models beside their cards.
const INSTALLED_MODELS: &str = INSTALLED_CARDS;
const INSTALLED_RUNTIME: &str = "/usr/lib/signalbox/libonnxruntime.so";

/// The folder of cards and the cache folder that `make setup` fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub cards: PathBuf,
    pub cache: PathBuf,
}

impl Store {
    /// What is not given is looked for: cards in `models` beside the working folder, else where the
    /// package installs them; the cache in `$SIGNALBOX_CACHE`, `$XDG_CACHE_HOME/signalbox`,
    /// `~/.cache/signalbox`.
    pub fn locate(cards: Option<PathBuf>, cache: Option<PathBuf>) -> Self {
        let beside = || Some(PathBuf::from("models")).filter(|folder| folder.is_dir());
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self {
            cards: cards.or_else(beside).unwrap_or_else(|| INSTALLED_CARDS.into()),
            cache: cache
                .or_else(|| variable("SIGNALBOX_CACHE"))
                .or_else(|| variable("XDG_CACHE_HOME").map(|base| base.join("signalbox")))
                .or_else(|| variable("HOME").map(|home| home.join(".cache/signalbox")))
                .unwrap_or_else(|| "/var/cache/signalbox".into()),
        }
    }

    /// The runtime's shared library: the cache's, else the package's.
    pub fn runtime(&self) -> PathBuf {
        first_there(self.cache.join("runtime/libonnxruntime.so"), INSTALLED_RUNTIME)
    }

    /// The folder of prepared models: the cache's, else the package's.
    pub fn models(&self) -> PathBuf {
        first_there(self.cache.join("models"), INSTALLED_MODELS)
    }

    /// The paths of all cards, in the order of their names.
    pub fn card_paths(&self) -> Result<Vec<PathBuf>, ModelError> {
        let unreadable = |source| ModelError::Read { path: self.cards.clone(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&self.cards).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// A card by its name, or by the path of its file.
    pub fn card(&self, name: &str) -> Result<Card, ModelError> {
        if name.ends_with(".toml") {
            return Card::load(Path::new(name));
        }
        let path = self.cards.join(format!("{name}.toml"));
        if !path.is_file() {
            let known = self.card_paths()?;
            let known: Vec<_> = known.iter().filter_map(|p| p.file_stem()?.to_str()).collect();
            let (name, known) = (name.to_owned(), known.join(", "));
            return Err(ModelError::Unknown { name, folder: self.cards.clone(), known });
        }
        Card::load(&path)
    }
}

/// `own` if it is there, or if neither is: its path is what an error should name.
fn first_there(own: PathBuf, installed: &str) -> PathBuf {
    match !own.exists() && Path::new(installed).exists() {
        true => installed.into(),
        false => own,
    }
}
