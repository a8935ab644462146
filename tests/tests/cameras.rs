//! Finding and adding cameras by the command line: against `ipycam`, a camera that nobody here wrote, in a
//! network of its own, and against one that locks its account.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use testkit::camera::{Camera, Clip, Spec};
use testkit::process::Child;

/// Longest wait for a camera to come up.
const UP: Duration = Duration::from_secs(180);
const ADDRESS: &str = "10.77.0.1";
const USER: &str = "installer";
const PASSWORD: &str = "right-horse";

/// A box's settings in a folder of their own.
struct Kit {
    folder: tempfile::TempDir,
    /// The program before `edge-agent`, and its arguments.
    within: Vec<String>,
}

impl Kit {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = testkit::workspace();
        let settings = format!(
            "[agent]\ndata = \"data\"\npipeline = {:?}\n\n[models]\nfolder = {:?}\n",
            root.join("pipelines/default.toml"),
            root.join("models")
        );
        std::fs::write(folder.path().join("agent.toml"), settings).unwrap();
        Self { folder, within: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner may read.
    fn secret(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn agent(&self, words: &[&str]) -> Output {
        let program = testkit::binary("edge-agent").unwrap();
        let mut line = self.within.clone();
        line.push(program.to_str().unwrap().to_owned());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).args(words).arg("--config").arg(self.path("agent.toml"));
        command.env("LANG", "en_GB.UTF-8").output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.agent(words);
        let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{words:?}: {said}\n{log}");
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{words:?}: {e}: {said}"))
    }

    /// What it says when it fails.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.agent(words);
        assert!(!output.status.success(), "{words:?} should have failed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// A network with one interface, `cams`, that ends with the test; `None` where the machine makes none.
fn street(folder: &Path) -> Option<(Child, Vec<String>)> {
    // SAFETY: a plain system call.
    let root = unsafe { libc::geteuid() } == 0;
    let own: &[&str] = if root { &["--net"] } else { &["--net", "--user", "--map-root-user"] };
    let set_up = format!(
        "ip link set lo up && ip link add cams type bridge && ip address add {ADDRESS}/24 dev cams \
         && ip link set cams up multicast on && ip route add default dev cams && echo ready && exec sleep 900"
    );
    let mut command = Command::new("unshare");
    command.args(own).args(["sh", "-c", &set_up]);
    let mut child = Child::start("street", &mut command, &folder.join("street.log")).ok()?;
    child.wait_for_line("ready", UP).inspect_err(|why| println!("{why}")).ok()?;
    let mut enter = vec!["nsenter".to_owned(), format!("--target={}", child.pid()), "--net".to_owned()];
    if !root {
        enter.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
    }
    Some((child, enter))
}

#[test]
fn a_camera_that_nobody_here_wrote_is_found_added_tested_and_removed() {
    let python = testkit::cache().join("ipycam/bin/python");
    if !python.is_file() {
        println!("skipped: needs ipycam, which `make test` sets up");
        return;
    }
    let mut kit = Kit::new();
    let Some((_street, enter)) = street(kit.folder.path()) else {
        println!("skipped: needs network namespaces");
        return;
    };
    kit.within = enter;
    let settings = format!(
        "{{\"name\": \"East Gate\", \"username\": {USER:?}, \"password\": {PASSWORD:?}, \"main_width\": 1280, \
         \"main_height\": 720, \"main_fps\": 10, \"main_bitrate\": \"2M\", \"sub_fps\": 10, \"hw_accel\": \"cpu\"}}"
    );
    std::fs::write(kit.path("ipycam.json"), settings).unwrap();
    let mut command = Command::new(&kit.within[0]);
    command
        .args(&kit.within[1..])
        .arg(python)
        .args(["-m", "ipycam", "--config"])
        .arg(kit.path("ipycam.json"));
    command.arg("--source").arg(testkit::cache().join("clips/vtest.mp4")).current_dir(kit.folder.path());
    let mut camera = Child::start("ipycam", &mut command, &kit.path("ipycam.log")).unwrap();

    // By multicast on its interface; it may take a while to start.
    let found = camera
        .wait_for("its answer to WS-Discovery", UP, || {
            let found = kit.json(&["discover", "--interface", "cams", "--timeout", "2s", "--json"]);
            let cameras = found["cameras"].as_array().unwrap();
            cameras.iter().find(|c| !c["onvif"].is_null()).cloned()
        })
        .unwrap();
    assert_eq!((&found["address"], &found["configured"]), (&ADDRESS.into(), &Value::Null), "{found}");
    assert_eq!(found["onvif"], format!("http://{ADDRESS}:8080/onvif/device_service"), "{found}");
    assert!(found["name"].as_str().is_some_and(|n| n.starts_with("East")), "{found}");
    // By looking at its network, address by address; its RTSP server comes up after the rest.
    camera
        .wait_for("its RTSP server", UP, || {
            let network = format!("{ADDRESS}/32");
            let found = kit.json(&["discover", "--network", &network, "--timeout", "2s", "--json"]);
            (found["cameras"][0]["rtsp_port"] == 8554).then_some(())
        })
        .unwrap();

    let (right, wrong) = (kit.secret("right", PASSWORD), kit.secret("wrong", "wrong-battery"));
    let add = |password: &str| {
        let still = kit.path("still.jpg");
        [
            "camera",
            "add",
            ADDRESS,
            "--id",
            "gate",
            "--user",
            USER,
            "--password-file",
            password,
            "--measure",
            "3s",
            "--still",
            still.to_str().unwrap(),
            "--line",
            "door:C4-F7",
            "--yes",
        ]
        .map(str::to_owned)
    };
    fn words(all: &[String]) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }
    let refused = kit.refused(&words(&add(&wrong)));
    assert!(refused.contains("refuses user or password") && !refused.contains("battery"), "{refused}");
    assert!(!kit.path("cameras/gate.toml").exists());

    let all = [&add(&right)[..], &["--json".to_owned()]].concat();
    let added = kit.json(&words(&all));
    println!("{added:#}");
    assert_eq!(added["device"]["manufacturer"], "PythonCam", "{added}");
    assert_eq!(
        added["device"]["clock_ahead_s"],
        Value::Null,
        "it tells its time to nobody without a password"
    );
    assert_eq!(added["device"]["profiles"].as_array().unwrap().len(), 2, "{added}");
    let figures = &added["streams"][0]["figures"];
    assert_eq!((&figures["codec"], &figures["width"]), (&"H.264".into(), &1280.into()), "{added}");
    assert!(figures["delivered_fps"].as_f64().is_some_and(|fps| fps > 1.0), "{added}");
    assert!(std::fs::read(kit.path("still.jpg")).unwrap().starts_with(&[0xff, 0xd8]));
    let file = std::fs::read_to_string(kit.path("cameras/gate.toml")).unwrap();
    assert!(file.contains(&format!("rtsp://{ADDRESS}:8554/")) && !file.contains(PASSWORD), "{file}");
    assert!(kit.refused(&words(&add(&right))).contains("gate"), "twice is refused");

    let tested = kit.json(&["camera", "test", "gate", "--measure", "2s", "--json"]);
    assert_eq!(tested["figures"]["width"], 1280, "{tested}");
    let listed = kit.json(&["camera", "list", "--json"]);
    assert_eq!(
        (&listed["cameras"][0]["id"], &listed["cameras"][0]["reachable"]),
        (&"gate".into(), &true.into())
    );
    let found = kit.json(&["discover", "--interface", "cams", "--timeout", "2s", "--json"]);
    assert_eq!(found["cameras"][0]["configured"], "gate", "{found}");
    kit.json(&["camera", "remove", "gate", "--json"]);
    assert_eq!(kit.json(&["camera", "list", "--json"])["cameras"].as_array().unwrap().len(), 0);
    camera.stop(Duration::from_secs(10)).unwrap();
}

/// Real cameras lock an account after a few wrong passwords, for half an hour or for good.
#[test]
fn no_command_locks_a_camera_s_account() {
    let kit = Kit::new();
    let clip = Arc::new(Clip::drawn(320, 240, 10, 40).unwrap());
    let spec = Spec {
        id: "gate".into(),
        clip,
        port: 0,
        user: USER.into(),
        password: PASSWORD.into(),
        start_at: Duration::ZERO,
        max_sessions: 0,
        lock_after: 3,
    };
    let camera = Camera::start(spec).unwrap();
    let (right, wrong) = (kit.secret("right", PASSWORD), kit.secret("wrong", "wrong-battery"));
    let url = camera.url();
    let port = camera.port().to_string();
    let look = [
        "discover",
        "--network",
        "127.0.0.1/32",
        "--rtsp-ports",
        &port,
        "--onvif-ports",
        &port,
        "--timeout",
        "1s",
        "--json",
    ];
    assert_eq!(kit.json(&look)["cameras"][0]["rtsp_port"], camera.port());
    assert_eq!(camera.counts().refused, 0, "looking says no password");

    let add = |password| {
        [
            "camera",
            "add",
            &url,
            "--id",
            "gate",
            "--user",
            USER,
            "--password-file",
            password,
            "--measure",
            "2s",
            "--yes",
        ]
    };
    let refused = kit.refused(&add(&wrong));
    assert!(refused.contains("refuses user or password"), "{refused}");
    assert_eq!(camera.counts().refused, 1, "one try");
    let added = kit.agent(&add(&right));
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));

    // The camera's password is another one now; the box says the old one once.
    let sealed = kit.agent(&["camera", "password", "gate", "--password-file", &wrong]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    let refused = kit.refused(&["camera", "test", "gate", "--measure", "2s"]);
    assert!(refused.contains("refuses user or password"), "{refused}");
    let listed = kit.json(&["camera", "list", "--json"]);
    assert_eq!(listed["cameras"][0]["reachable"], true);
    assert_eq!((camera.counts().refused, camera.counts().locks), (2, 0), "the account is open");
}
