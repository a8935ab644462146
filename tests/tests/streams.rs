//! What a camera does to its stream while the box watches: another size, and damage. Stills stay covered, and
//! no still comes from a picture that was not whole.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::{BOUND, Set, alerts_when, set_up};
use testkit::camera::control;
use testkit::hub::{Hub, word};
use testkit::stage::AGENT;

const CAMERA: &str = "east-gate";
/// What covers a head, and how far JPEG may move it.
const FILL: i32 = 96;
const NEAR: i32 = 14;

fn tell(set: &Set, mut command: Value) {
    command["camera"] = CAMERA.into();
    control::tell(set.stage.control_port(), &command).unwrap();
}

/// As the hub knows the camera, as soon as it is `enough`.
fn camera_when(set: &mut Set, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + BOUND;
    loop {
        let shown = set.stage.hub_command(&["agent", "show", "--agent", AGENT, "--json"]).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let camera = shown["cameras"].as_array().unwrap().iter().find(|c| c["camera"] == CAMERA).cloned();
        if let Some(camera) = camera.filter(|c| enough(c)) {
            return camera;
        }
        if let Some(text) = set.stage.fallen().unwrap() {
            panic!("{text}");
        }
        assert!(Instant::now() < deadline, "no {what}: {shown}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn ids(alerts: &[Value]) -> BTreeSet<String> {
    alerts.iter().map(|a| word(&a["id"])).collect()
}

/// The camera's alerts with a still that are not among `known`, as soon as there are `most`.
fn new_stills(set: &mut Set, hub: &Hub, known: &BTreeSet<String>, most: usize) -> Vec<Value> {
    let is_new = |a: &&Value| {
        a["camera"] == CAMERA && a["still"]["state"] == "sent" && !known.contains(&word(&a["id"]))
    };
    let all = alerts_when(set, hub, "stills after the change", |alerts| {
        alerts.iter().filter(is_new).count() >= most
    });
    all.iter().filter(is_new).cloned().collect()
}

/// Size of the still; panics where the head of the one that the alert is about is not covered.
fn covered(hub: &Hub, alert: &Value) -> (u32, u32) {
    let still = image::load_from_memory(&hub.still(alert).unwrap()).unwrap().to_rgb8();
    let (width, height) = still.dimensions();
    let at = |name: &str| alert["box"][name].as_f64().unwrap_or_else(|| panic!("no box: {alert}"));
    let x = (at("left") + at("width") / 2.0) * f64::from(width);
    let y = (at("top") + at("height") * 0.07) * f64::from(height);
    let pixel = still.get_pixel((x as u32).min(width - 1), (y as u32).min(height - 1));
    let is_fill = pixel.0.iter().all(|c| (i32::from(*c) - FILL).abs() <= NEAR);
    assert!(is_fill, "a head at {x:.0},{y:.0} of {width}x{height} is {:?}: {alert}", pixel.0);
    (width, height)
}

#[test]
fn another_size_and_damage_uncover_nobody() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    let before = new_stills(&mut set, &hub, &BTreeSet::new(), 1);
    assert_eq!(covered(&hub, &before[0]), (768, 576));

    // Smaller, then larger: the first stills of each size are covered where the heads are now.
    for (width, height) in [(640, 480), (1024, 768)] {
        tell(&set, json!({"do": "resolution", "width": width, "height": height}));
        camera_when(&mut set, "other size", |c| c["width"] == width && c["state"] == "live");
        let known = ids(&hub.alerts().unwrap());
        let stills = new_stills(&mut set, &hub, &known, 2);
        let sizes: Vec<_> = stills.iter().map(|alert| covered(&hub, alert)).collect();
        println!("{sizes:?}");
        // An alert of just before may still have been on its way.
        assert!(sizes.contains(&(width, height)), "{sizes:?}");
    }

    // Damage: figures count it, and whatever still comes is of a whole picture.
    let known = ids(&hub.alerts().unwrap());
    tell(&set, json!({"do": "garbage", "on": true, "seed": 20_261_125}));
    let damaged = |alerts: &[Value]| {
        alerts.iter().filter(|a| a["camera"] != CAMERA && !known.contains(&word(&a["id"]))).count()
    };
    // The others go on meanwhile, for as long as it takes them to raise some alerts.
    alerts_when(&mut set, &hub, "alerts of the other cameras", |alerts| damaged(alerts) >= 6);
    tell(&set, json!({"do": "resume"}));
    camera_when(&mut set, "its pictures again", |c| c["state"] == "live");
    new_stills(&mut set, &hub, &known, 1);
    for alert in
        hub.alerts().unwrap().iter().filter(|a| a["camera"] == CAMERA && a["still"]["state"] == "sent")
    {
        covered(&hub, alert);
    }
    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}
