//! `replay` of clips that are cut off, damaged, or no files: it says so, and ends with its own code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edge_agent::model::Store;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn replay(clip: &Path, stats: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
    command.current_dir(root()).arg("replay").arg(clip).args(["--pipeline", "pipelines/pets.toml"]);
    command.args(["--stills", "off", "--stats"]).arg(stats).output().unwrap()
}

#[test]
fn a_clip_that_is_cut_off_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Store::locate(None, None).models().join("../clips/vtest.avi");
    let bytes = std::fs::read(&clip).expect("the demo's clip is missing: run `make setup`");
    let (cut, stats) = (folder.path().join("cut.avi"), folder.path().join("stats.json"));
    std::fs::write(&cut, &bytes[..200_000]).unwrap();
    let output = replay(&cut, &stats);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cut.avi is not complete") && said.contains("200000 of 8131690 bytes"), "{said}");
    let stats: serde_json::Value = serde_json::from_slice(&std::fs::read(&stats).unwrap()).unwrap();
    assert_eq!(stats["complete"], false, "{stats}");
    assert!(stats["reason"].as_str().unwrap().contains("cut off"), "{stats}");
    assert!(stats["frames_analysed"].as_u64().unwrap() > 3, "{stats}");

    // The same beginning as a file that is whole as far as it says.
    let mut short = bytes[..200_000].to_vec();
    short[4..8].copy_from_slice(&(200_000u32 - 8).to_le_bytes());
    std::fs::write(&cut, &short).unwrap();
    let again = folder.path().join("again.json");
    let output = replay(&cut, &again);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    let again: serde_json::Value = serde_json::from_slice(&std::fs::read(&again).unwrap()).unwrap();
    assert_eq!(again["complete"], output.status.success(), "the figures and the exit code agree");
}

#[test]
fn what_is_no_file_is_called_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let said = |clip: &Path| {
        let output = replay(clip, &folder.path().join("stats.json"));
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let device = said(Path::new("/dev/null"));
    assert!(device.contains("is no file but a device") && !device.contains("directory"), "{device}");
    assert!(said(folder.path()).contains("is a directory"));
}
