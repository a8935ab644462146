//! Live video, end to end: a camera over RTSP, covered at the box, sent to the hub, watched. Heads are filled, one
//! upstream serves everybody, it ends by itself, and the audit says who looked.

use std::process::Command;
use std::time::{Duration, Instant};

use live::Seen;
use serde_json::Value;
use system_tests::viewer::Viewer;
use system_tests::{BOUND, Set, set_up};
use testkit::hub::Hub;
use testkit::process;
use testkit::stage::AGENT;

const CAMERA: &str = "east-gate";
const SIZE: (usize, usize) = (768, 576);
/// What covers a head: its luma, and how far encoding may move it.
const FILL: u8 = 98;
const NEAR: u8 = 3;
/// Luma blocks of this side are looked at.
const BLOCK: usize = 8;

fn camera() -> String {
    format!("{AGENT}/{CAMERA}")
}

fn state(hub: &Hub) -> Value {
    hub.get_json(&format!("/api/v1/cameras/{}/live", camera())).unwrap()
}

/// Until the box has its cameras' pictures, and the hub knows them.
fn ready(set: &mut Set, hub: &Hub) {
    let begun = Instant::now();
    loop {
        let agents = hub.get_json("/api/v1/agents").unwrap();
        let cameras = agents["agents"][0]["cameras"].as_array().cloned().unwrap_or_default();
        if cameras.iter().any(|c| c["camera"] == CAMERA && c["state"] == "live") {
            return;
        }
        if let Some(text) = set.stage.fallen().unwrap() {
            panic!("{text}");
        }
        assert!(begun.elapsed() < BOUND, "no picture of the camera: {agents}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn pictures(set: &Set, viewer: &mut Viewer, most: usize) -> Vec<Seen> {
    let seen = viewer.until(Duration::from_secs(60), |seen| seen.len() >= most);
    let log = |name: &str| process::tail_of(&set.folder.path().join(name));
    assert!(
        seen.len() >= most,
        "{} pictures; the agent says:\n{}\nthe hub says:\n{}",
        seen.len(),
        log("edge-agent.log"),
        log("central-hub.log")
    );
    seen
}

/// Luma of every picture, by Debian's own decoder.
fn decoded(set: &Set, seen: &[Seen]) -> Vec<Vec<u8>> {
    let (from, to) = (set.folder.path().join("seen.h264"), set.folder.path().join("seen.yuv"));
    std::fs::write(&from, seen.iter().flat_map(|s| s.bytes.iter().copied()).collect::<Vec<u8>>()).unwrap();
    let mut decode = Command::new("ffmpeg");
    decode.args(["-y", "-v", "error", "-f", "h264", "-i"]).arg(&from);
    decode.args(["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo"]).arg(&to);
    process::run("ffmpeg", &mut decode).unwrap();
    let (width, height) = SIZE;
    let planes = std::fs::read(&to).unwrap();
    planes.chunks_exact(width * height * 3 / 2).map(|p| p[..width * height].to_vec()).collect()
}

/// The share of a picture that is filled: blocks in which nothing but the fill is.
fn filled(luma: &[u8]) -> f64 {
    let (width, height) = SIZE;
    let is_fill = |x: usize, y: usize| {
        (0..BLOCK).all(|row| {
            let at = (y + row) * width + x;
            luma[at..at + BLOCK].iter().all(|l| l.abs_diff(FILL) <= NEAR)
        })
    };
    let blocks = (0..height / BLOCK).flat_map(|y| (0..width / BLOCK).map(move |x| (x * BLOCK, y * BLOCK)));
    let blocks: Vec<bool> = blocks.map(|(x, y)| is_fill(x, y)).collect();
    blocks.iter().filter(|fill| **fill).count() as f64 / blocks.len() as f64
}

fn audited(set: &Set, action: &str) -> Vec<Value> {
    // The audit is an auditor's; the command line reads the same table.
    let script = "import sqlite3,sys,json\n\
        hub=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\n\
        rows=hub.execute('select actor,site,object,detail from audit where action=?',(sys.argv[2],))\n\
        print(json.dumps([dict(zip(('actor','site','object','detail'),row)) for row in rows]))";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(set.folder.path().join("hub/hub.db")).arg(action);
    serde_json::from_str(&process::run("database", &mut command).unwrap()).unwrap()
}

#[test]
fn a_camera_is_watched_live_with_every_head_covered_and_no_longer_than_somebody_looks() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    ready(&mut set, &hub);
    assert_eq!(state(&hub)["state"], "unwatched");

    let mut first = Viewer::watch(&hub, &camera());
    let seen = pictures(&set, &mut first, 60);
    println!("first picture after {:?} at most", first.begun.elapsed());
    assert!(seen[0].key, "joined at a key frame");
    assert!(seen.is_sorted_by(|a, b| a.at < b.at));
    assert_eq!(state(&hub)["state"], "arriving");

    let lumas = decoded(&set, &seen);
    assert!(lumas.len() + 1 >= seen.len(), "{} of {} pictures can be decoded", lumas.len(), seen.len());
    let shares: Vec<f64> = lumas.iter().map(|luma| filled(luma)).collect();
    let most = shares.iter().copied().fold(0.0, f64::max);
    let with = shares.iter().filter(|share| **share > 0.001).count();
    println!("filled: {with} of {} pictures, {most:.3} at most", shares.len());
    // There is somebody in almost every picture of the clip.
    assert!(with * 10 >= shares.len() * 9, "{shares:?}");
    assert!(most <= 0.2, "{shares:?}");

    // Another viewer joins what is there, at once and at a key frame.
    let mut second = Viewer::watch(&hub, &camera());
    let joined = pictures(&set, &mut second, 5);
    assert!(joined[0].key);
    let begun = audited(&set, "live_watched");
    assert_eq!(begun.len(), 2, "{begun:?}");
    assert_eq!(begun[0]["object"], camera());

    // The last one leaves: the box ends, and the audit says how long each looked.
    for viewer in [&first, &second] {
        hub.leave(&viewer.place).unwrap();
    }
    assert!(hub.leave(&first.place).is_err(), "ended once");
    let left = Instant::now();
    while state(&hub)["state"] != "unwatched" {
        assert!(left.elapsed() < BOUND, "still sent");
        std::thread::sleep(Duration::from_millis(200));
    }
    let ended = audited(&set, "live_ended");
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(
        ended.iter().all(|e| e["detail"].as_str().is_some_and(|d| d.starts_with("Watched"))),
        "{ended:?}"
    );
    let log = std::fs::read_to_string(set.folder.path().join("edge-agent.log")).unwrap();
    assert_eq!(log.matches("watched live").count() - log.matches("no longer watched live").count(), 1);
    assert!(log.contains("no longer watched live"), "{log}");
    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}
