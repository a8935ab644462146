//! Configuration from the centre, with the real programs: a good one is applied, a broken one refused, and
//! one that takes a camera down rolled back by the box itself, while alerts go on.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::{BOUND, Set, alerts_when, seqs, set_up};
use testkit::camera::control;
use testkit::stage::{AGENT, CAMERAS};

/// What the hub knows of the box, as soon as it is `enough`.
fn box_when(set: &mut Set, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + BOUND;
    loop {
        let shown = set.stage.hub_command(&["agent", "show", "--agent", AGENT, "--json"]).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        if enough(&shown) {
            return shown;
        }
        if let Some(text) = set.stage.fallen().unwrap() {
            panic!("{text}");
        }
        let log = set.folder.path().join("edge-agent.log");
        assert!(Instant::now() < deadline, "no {what}: {shown}\n{}", testkit::process::tail_of(&log));
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn all_live(shown: &Value) -> bool {
    let cameras = shown["cameras"].as_array().unwrap();
    cameras.len() == CAMERAS.len() && cameras.iter().all(|c| c["state"] == "live")
}

fn state(shown: &Value) -> (u64, &str, Option<u64>) {
    let config = &shown["config"];
    let generation = config["generation"].as_u64().unwrap_or(0);
    (generation, config["state"].as_str().unwrap_or(""), config["applied"].as_u64())
}

/// Sends a wish to the box.
fn configure(set: &Set, text: &str) -> Result<String, testkit::stage::Error> {
    let file = set.folder.path().join("wish.toml");
    std::fs::write(&file, text).unwrap();
    set.stage.hub_command(&["agent", "configure", "--agent", AGENT, file.to_str().unwrap()])
}

/// Has the box's own settings read again, over its local socket.
fn reload(set: &Set) -> Value {
    let mut stream = UnixStream::connect(set.folder.path().join("agent/control.sock")).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(b"{\"do\":\"reload\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// How many RTSP sessions each camera has seen begin.
fn sessions(set: &Set) -> Vec<u64> {
    let state = control::tell(set.stage.control_port(), &serde_json::json!({"do": "state"})).unwrap();
    state["cameras"].as_array().unwrap().iter().map(|c| c["counts"]["setups"].as_u64().unwrap()).collect()
}

#[test]
fn the_centre_changes_a_box_and_cannot_break_it() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    box_when(&mut set, "four live cameras", all_live);

    // The box's own settings: what is broken changes nothing, what is right is in force.
    let path = set.folder.path().join("agent.toml");
    let own = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, own.replace("[models]", "[moddels]")).unwrap();
    let refused = reload(&set);
    assert!(refused["reason"].as_str().is_some_and(|r| r.contains("moddels")), "{refused}");
    std::fs::write(&path, format!("{own}\n[desired]\ntrial = \"40s\"\nsteady = \"3s\"\n")).unwrap();
    let begun = sessions(&set);
    assert_eq!(reload(&set)["answer"], "done");
    box_when(&mut set, "four live cameras after reading the settings again", all_live);

    // A good one.
    configure(&set, "[[camera]]\nid = \"east-gate\"\nname = \"东大门\"\n").unwrap();
    let shown =
        box_when(&mut set, "verdict on 1", |b| matches!(state(b).1, "applied" | "refused" | "rolled_back"));
    assert_eq!(state(&shown), (1, "applied", Some(1)), "{shown}");
    let gate = shown["cameras"].as_array().unwrap().iter().find(|c| c["camera"] == "east-gate").unwrap();
    assert_eq!((&gate["name"], &gate["state"]), (&"东大门".into(), &"live".into()));

    assert_eq!(sessions(&set), begun, "a name is no reason to connect anew");

    // A secret does not leave the hub; a broken one is refused by the box, with the reason.
    let secret =
        configure(&set, "[[camera]]\nid = \"east-gate\"\npassword = \"hunter2\"\n").unwrap_err().to_string();
    assert!(secret.contains("would carry a secret") && !secret.contains("hunter2"), "{secret}");
    configure(&set, "[[camera]]\nid = \"east-gate\"\npipeline = \"nowhere\"\n").unwrap();
    let shown = box_when(&mut set, "verdict on 2", |b| state(b).0 == 2 && state(b).1 != "pending");
    assert_eq!(state(&shown), (2, "refused", Some(1)), "{shown}");
    assert!(shown["config"]["reason"].as_str().unwrap().contains("`nowhere`"), "{shown}");
    assert!(all_live(&shown), "{shown}");

    // One that takes a camera down: nobody listens at port 9 there.
    let before = hub.alerts().unwrap().len();
    let wrong = "[[camera]]\nid = \"south-square\"\nurl = \"rtsp://127.0.0.1:9/stream\"\n";
    configure(&set, wrong).unwrap();
    box_when(&mut set, "trial of 3", |b| state(b).1 == "trying");
    alerts_when(&mut set, &hub, "alerts of the other cameras in the trial", |alerts| alerts.len() > before);
    let shown =
        box_when(&mut set, "verdict on 3", |b| matches!(state(b).1, "applied" | "refused" | "rolled_back"));
    assert_eq!(state(&shown), (3, "rolled_back", Some(1)), "{shown}");
    assert!(shown["config"]["reason"].as_str().unwrap().contains("`south-square`"), "{shown}");
    let shown = box_when(&mut set, "four live cameras after rolling back", all_live);
    let gate = shown["cameras"].as_array().unwrap().iter().find(|c| c["camera"] == "east-gate").unwrap();
    assert_eq!(gate["name"], "东大门", "what was good before is in force");
    let again: Vec<bool> =
        std::iter::zip(sessions(&set), &begun).map(|(now, before)| now > *before).collect();
    assert_eq!(again, [false, true, false, false], "only the camera that was changed connected anew");
    let after = hub.alerts().unwrap().len();
    let alerts = alerts_when(&mut set, &hub, "alerts after rolling back", |alerts| alerts.len() > after);
    assert_eq!(seqs(&alerts).len(), 1, "the spool went on: one epoch");
    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}
