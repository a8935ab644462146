//! Operating procedures: TOML files in a folder, checked whole before the hub starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hub_core::procedure::{Procedure, Question, Wording};
use serde::Deserialize;

/// Most files that are read.
const MOST_FILES: usize = 500;
/// Largest file.
const MOST_BYTES: u64 = 256 * 1024;

/// Kind -> its procedure.
pub type Procedures = BTreeMap<String, Procedure>;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The kinds it is for: those of alerts (`LineDetector/Crossed`) and those of `[[workflow.kinds]]`.
    kinds: Vec<String>,
    name: Wording,
    questions: Vec<Question>,
}

/// Why procedures were refused.
#[derive(Debug, thiserror::Error)]
pub enum ProceduresError {
    #[error("cannot read the procedures in {}: {source}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds more than {MOST_FILES} procedures", .0.display())]
    TooMany(PathBuf),
    #[error("{} is larger than {MOST_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error(transparent)]
    File(#[from] settings::Error),
    #[error("{}: {flaws}", path.display())]
    Flaws { path: PathBuf, flaws: String },
    #[error("{}: kind `{kind}` has a procedure already", path.display())]
    Twice { path: PathBuf, kind: String },
}

/// Reads every `*.toml` of a folder, in the order of names.
pub fn load(folder: &Path) -> Result<Procedures, ProceduresError> {
    let fail = |source| ProceduresError::Folder { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            if std::fs::metadata(&path).map_err(fail)?.len() > MOST_BYTES {
                return Err(ProceduresError::TooLarge(path));
            }
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(ProceduresError::TooMany(folder.to_owned()));
        }
    }
    paths.sort();
    let mut procedures = Procedures::new();
    for path in paths {
        let File { kinds, name, questions } = settings::load(&path)?;
        let procedure = Procedure { name, questions };
        let flaws: Vec<String> = procedure.flaws().iter().map(ToString::to_string).collect();
        if !flaws.is_empty() {
            return Err(ProceduresError::Flaws { path, flaws: flaws.join("; ") });
        }
        for kind in kinds {
            if procedures.insert(kind.clone(), procedure.clone()).is_some() {
                return Err(ProceduresError::Twice { path, kind });
            }
        }
    }
    Ok(procedures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("procedures")
    }

    #[test]
    fn the_shipped_ones_are_whole() {
        let procedures = load(&shipped()).unwrap();
        assert!(procedures.contains_key("quarrel") && procedures.contains_key("fire_lane_blocked"));
    }

    #[test]
    fn a_flaw_names_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let good = std::fs::read_to_string(shipped().join("quarrel.toml")).unwrap();
        write("a.toml", &good);
        assert!(load(folder.path()).is_ok());
        write("b.toml", &good);
        assert!(load(folder.path()).unwrap_err().to_string().contains("b.toml: kind `quarrel`"));
        write(
            "b.toml",
            &good.replace("next = \"injured\"", "next = \"nowhere\"").replace("\"quarrel\"", "\"x\""),
        );
        assert!(load(folder.path()).unwrap_err().to_string().contains("goes on to `nowhere`"));
        write("b.toml", &good.replace("kinds", "kind"));
        assert!(load(folder.path()).unwrap_err().to_string().contains("did you mean `kinds`?"));
        assert!(load(Path::new("/nowhere")).unwrap_err().to_string().contains("/nowhere"));
    }
}
