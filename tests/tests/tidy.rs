//! House rules that a compiler does not check. Each names the files that break it.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::workspace;

/// Files that git knows or would add.
fn files() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.current_dir(workspace()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let out = testkit::process::run("git ls-files", &mut git).unwrap();
    let files: Vec<PathBuf> = out.split('\0').filter(|f| !f.is_empty()).map(PathBuf::from).collect();
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files.into_iter().filter(|f| workspace().join(f).is_file()).collect()
}

fn bytes(file: &Path) -> Vec<u8> {
    std::fs::read(workspace().join(file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn text(file: &Path) -> String {
    String::from_utf8_lossy(&bytes(file)).into_owned()
}

fn has_ending(file: &Path, endings: &[&str]) -> bool {
    let ending = file.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    endings.contains(&ending.as_str())
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

#[test]
fn the_pure_cores_have_no_clock_socket_file_thread_lock_or_chance() {
    const DENIED: [&str; 21] = [
        "Instant",
        "SystemTime",
        "std::net",
        "std::fs",
        "std::io",
        "std::thread",
        "std::process",
        "std::env",
        "Mutex",
        "RwLock",
        "Condvar",
        "Atomic",
        "OnceLock",
        "LazyLock",
        "HashMap",
        "HashSet",
        "getrandom",
        "rand::",
        "tokio",
        "tracing",
        "println!",
    ];
    let mut cores = 0;
    let mut found = Vec::new();
    for file in files().iter().filter(|f| has_ending(f, &["rs"])) {
        if !["edge-core/src", "hub-core/src"].iter().any(|core| file.starts_with(core)) {
            continue;
        }
        cores += 1;
        for (n, line) in text(file).lines().enumerate() {
            let denied = DENIED.iter().filter(|word| code(line).contains(**word));
            found.extend(denied.map(|word| format!("{}:{}: {word}", file.display(), n + 1)));
        }
    }
    assert!(cores > 1, "the cores have moved");
    none("in a pure core", found);
}

#[test]
fn every_source_file_says_what_it_owns() {
    let sources = files().into_iter().filter(|f| has_ending(f, &["rs"]));
    let bare = sources.filter(|f| !text(f).starts_with("//!")).map(|f| f.display().to_string());
    none("no `//!` head", bare.collect());
}

#[test]
fn nothing_that_recognises_people_is_a_dependency() {
    // Parts of package names: libraries whose purpose is identity, embeddings or re-identification.
    const DENIED: [&str; 10] = [
        "face_recognition",
        "face-recognition",
        "facenet",
        "arcface",
        "insightface",
        "dlib-face",
        "rust-faces",
        "embedding",
        "reid",
        "deepface",
    ];
    let mut found = Vec::new();
    for (lock, prefix) in
        [("Cargo.lock", "name = "), ("central-hub/wall/package-lock.json", "\"node_modules/")]
    {
        let text = std::fs::read_to_string(workspace().join(lock)).unwrap_or_default();
        let names = text.lines().map(str::trim).filter(|line| line.starts_with(prefix));
        found.extend(names.filter(|n| DENIED.iter().any(|d| n.contains(d))).map(|n| format!("{lock}: {n}")));
    }
    none("boundary: events, never identities", found);
}

#[test]
fn no_file_names_a_package_registry() {
    // Put together here, so that this file names none itself.
    let hosts = [
        ["crates", "io"],
        ["npmjs", "org"],
        ["npmjs", "com"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["debian", "org"],
    ];
    let hosts = hosts.map(|parts| parts.join("."));
    let mut found = Vec::new();
    for file in files().iter().filter(|f| !f.ends_with("Cargo.lock")) {
        let text = text(file);
        found.extend(
            hosts.iter().filter(|h| text.contains(h.as_str())).map(|h| format!("{}: {h}", file.display())),
        );
    }
    none("names a registry host", found);
}

#[test]
fn pictures_are_only_in_docs_and_carry_no_metadata() {
    let pictures =
        ["jpg", "jpeg", "png", "gif", "webp", "bmp", "avif", "heic", "tif", "tiff", "mp4", "avi", "mkv"];
    let mut found = Vec::new();
    for file in files().iter().filter(|f| has_ending(f, &pictures)) {
        if !file.starts_with("docs") {
            found.push(format!("{}: outside docs/", file.display()));
        }
        let bytes = bytes(file);
        let holds = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
        if holds(b"Exif\0\0") || holds(b"eXIf") || holds(b"http://ns.adobe.com/xap") {
            found.push(format!("{}: carries metadata", file.display()));
        }
    }
    none("pictures", found);
}

#[test]
fn every_guide_exists_in_chinese_and_in_english() {
    let guides: Vec<String> = files()
        .iter()
        .filter(|f| f.starts_with("docs/guide") && has_ending(f, &["md"]))
        .map(|f| f.display().to_string())
        .collect();
    let other = |guide: &str| match guide.strip_suffix(".zh-CN.md") {
        Some(stem) => Some(format!("{stem}.en.md")),
        None => guide.strip_suffix(".en.md").map(|stem| format!("{stem}.zh-CN.md")),
    };
    let alone = guides.iter().filter(|g| other(g).is_none_or(|o| !guides.contains(&o)));
    none("in one language only (NAME.en.md and NAME.zh-CN.md)", alone.cloned().collect());
}
