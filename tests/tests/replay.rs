//! A replay of the demo's clip: the same bytes each time, and the lines of `pipelines/pets.toml` crossed.

use std::path::Path;
use std::process::Command;

use testkit::{binary, cache, process, workspace};

/// Tracks and events of one replay.
fn replay(clip: &Path, folder: &Path, run: &str) -> (Vec<u8>, Vec<u8>) {
    let (tracks, events) = (folder.join(format!("{run}.txt")), folder.join(format!("{run}.jsonl")));
    let mut command = Command::new(binary("edge-agent").expect("edge-agent is built with the tests"));
    command.current_dir(workspace()).arg("replay").arg(clip);
    command.args(["--pipeline", "pipelines/pets.toml", "--stills", "off", "--gate", "off"]);
    command.arg("--tracks").arg(&tracks).arg("--events").arg(&events);
    process::run("edge-agent replay", &mut command).expect("the replay ends well");
    (std::fs::read(tracks).unwrap(), std::fs::read(events).unwrap())
}

#[test]
fn two_replays_are_byte_identical_and_find_every_line() {
    let clip = cache().join("clips/vtest.avi");
    assert!(clip.is_file(), "{} is missing: run `make setup`", clip.display());
    let folder = tempfile::tempdir().unwrap();
    let first = replay(&clip, folder.path(), "first");
    let second = replay(&clip, folder.path(), "second");
    assert!(first == second, "the same clip, pipeline and models gave other bytes");
    let frames = first.0.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b',').next()?.first());
    assert!(frames.count() > 1000, "hardly anybody was followed");
    let events = String::from_utf8(first.1).unwrap();
    for rule in ["A", "B", "C"] {
        let crossed = events.lines().filter(|line| line.contains(&format!("\"rule\":\"{rule}\""))).count();
        assert!(crossed >= 10, "line {rule} was crossed {crossed} times only");
    }
}
