//! The core decides and does nothing else: no clock, socket, file, thread, lock, random number or log
//! in it, and no map whose order changes from run to run.

use std::path::{Path, PathBuf};

const FORBIDDEN: [&str; 16] = [
    "Instant",
    "SystemTime",
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "Mutex",
    "RwLock",
    "Atomic",
    "HashMap",
    "HashSet",
    "rand::",
    "tracing::",
    "println!",
];

#[test]
fn no_source_file_of_the_core_reaches_outside() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(files.len() > 4, "{files:?}");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        for (i, line) in product.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            found.extend(
                FORBIDDEN
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{}:{}: {word}", file.display(), i + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false => files.extend(Some(path).filter(|p| p.extension().is_some_and(|e| e == "rs"))),
        }
    }
    files
}
