//! What an installer ends with, by the real programs: ten commands to the first alert, an acceptance that passes and
//! one that fails, the wall over HTTPS, a broker of the operator's own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::{BOUND, alerts_when, set_up, turn};
use testkit::camera::control;
use testkit::process::{self, Child, tail_of};
use testkit::stage::{CAMERAS, Stage};
use testkit::{binary, cache, workspace};

/// A program that always gets the same settings.
fn with_settings(folder: &Path, name: &str, settings: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let program = binary(name).unwrap();
    let text = format!("#!/bin/sh\nexec {} \"$@\" --config {}\n", program.display(), settings.display());
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn ten_commands_lead_to_the_first_alert() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    stage.start_cameras(&cache().join("clips/vtest.mp4")).unwrap();
    stage.start_hub().unwrap();
    let root = workspace();
    let settings = folder.path().join("box/edge-agent.toml");
    let programs = folder.path().join("programs");
    for made in [settings.parent().unwrap(), programs.as_path()] {
        std::fs::create_dir(made).unwrap();
    }
    let text = format!(
        "[agent]\ndata = \"data\"\npipeline = \"{0}/pipelines/default.toml\"\n\n[models]\nfolder = \"{0}/models\"\n",
        root.display()
    );
    std::fs::write(&settings, text).unwrap();
    with_settings(&programs, "central-hub", &stage.hub_file());
    with_settings(&programs, "edge-agent", &settings);
    let (camera, _, _) = CAMERAS[0];
    let mut script = Command::new("bash");
    script.arg(root.join("tests/install/ten_commands.sh")).current_dir(settings.parent().unwrap());
    script.arg(format!("rtsp://127.0.0.1:{}/stream", stage.camera_ports()[0])).arg(camera);
    script.arg(folder.path().join(format!("secrets/{camera}.password")));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    script
        .env("PATH", path)
        .env("BY_HAND", "1")
        .env("HUB", stage.agents_url())
        .env_remove("LC_ALL")
        .env("LANG", "en_GB.UTF-8");
    let out = script.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    assert!(
        out.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&out.stderr),
        tail_of(&settings.with_file_name("agent.log"))
    );
    assert!(said.contains("the first alert is at the hub after"));
}

fn acceptance(stage: &Stage, folder: &Path) -> (Option<i32>, Value) {
    let mut command = stage.program("edge-agent").unwrap();
    command.args(["acceptance", "--json", "--out"]).arg(folder.join("acceptance"));
    command.current_dir(workspace()).arg("--config").arg(stage.agent_settings().unwrap());
    let out = command.stdin(Stdio::null()).output().unwrap();
    let report = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)));
    (out.status.code(), report)
}

#[test]
fn an_acceptance_passes_when_all_is_well_and_fails_when_a_camera_is_not() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    alerts_when(&mut set, &hub, "first alert", |alerts| !alerts.is_empty());
    let (code, report) = acceptance(&set.stage, set.folder.path());
    assert_eq!((code, &report["passed"]), (Some(0), &json!(true)), "{report:#}");
    assert_eq!(report["cameras"].as_array().map(Vec::len), Some(CAMERAS.len()));
    for camera in report["cameras"].as_array().unwrap() {
        assert!(camera["alarm"]["still_ms"].is_u64(), "{camera:#}");
    }
    let page = std::fs::read_to_string(set.folder.path().join("acceptance/acceptance.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,"), "the report shows the stills");
    let tests = hub.alerts().unwrap().iter().filter(|a| a["test"] == true).count();
    assert_eq!(tests, CAMERAS.len(), "each camera's test alarm is on the wall, marked as one");

    let (gone, _, _) = CAMERAS[1];
    control::tell(set.stage.control_port(), &json!({"camera": gone, "do": "stop"})).unwrap();
    let begun = Instant::now();
    loop {
        let (code, report) = acceptance(&set.stage, set.folder.path());
        let failed: Vec<&str> = report["cameras"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|c| c["passed"] == false)
            .filter_map(|c| c["camera"].as_str())
            .collect();
        if failed == [gone] {
            assert_eq!((code, &report["passed"]), (Some(2), &json!(false)), "{report:#}");
            break;
        }
        assert!(begun.elapsed() < BOUND, "{report:#}");
    }
    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}

/// Asks over TLS, believing one authority; prints status, and the cookie where there is one.
const BROWSER: &str = "import http.client,json,ssl,sys
authority,port,path,body=sys.argv[1:5]
secure=ssl.create_default_context(cafile=authority)
line=http.client.HTTPSConnection('127.0.0.1',int(port),context=secure,timeout=20)
head={'Origin':f'https://127.0.0.1:{port}','Content-Type':'application/json'}
line.request('POST' if body else 'GET',path,body or None,head)
answer=line.getresponse()
print(answer.status,answer.getheader('set-cookie') or '',answer.read()[:200])";

#[test]
fn the_wall_comes_over_https_and_over_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    stage.start_hub().unwrap();
    let rules = folder.path().join("rules");
    // A certificate for this machine by an authority that the browser is told of.
    stage
        .hub_command(&[
            "broker-config",
            "--kind",
            "mosquitto",
            "--listen",
            "127.0.0.1:1",
            "--out",
            rules.to_str().unwrap(),
        ])
        .unwrap();
    stage.kill_hub().unwrap();
    stage.secure_wall(&rules.join("broker.pem"), &rules.join("broker.key"));
    stage.start_hub().unwrap();
    let link = stage.login_link().unwrap();
    assert!(link.starts_with(&format!("{}/login#", stage.base())) && link.starts_with("https://"), "{link}");
    let port = stage.base().rsplit(':').next().unwrap().to_owned();
    let ask = |path: &str, body: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", BROWSER]).arg(rules.join("authority.pem")).args([&port, path, body]);
        process::run("browser", &mut command).unwrap()
    };
    let page = ask("/", "");
    assert!(page.starts_with("200 ") && page.contains("<!"), "{page}");
    let token = link.rsplit('#').next().unwrap();
    let signed_in = ask("/api/v1/session", &json!({ "token": token }).to_string());
    assert!(
        signed_in.starts_with("200 ") && signed_in.contains("Secure") && signed_in.contains("HttpOnly"),
        "{signed_in}"
    );
    let plain = format!("http://127.0.0.1:{port}");
    assert!(testkit::hub::Hub::sign_in(&plain, token).is_err(), "it answers without TLS");
}

#[test]
fn alerts_come_through_a_mosquitto_that_broker_config_set_up() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    let rules = folder.path().join("rules");
    stage.use_broker(&rules).unwrap();
    let listen = format!("127.0.0.1:{}", stage.mqtt_port());
    let write_rules = |stage: &Stage| {
        let words =
            ["broker-config", "--kind", "mosquitto", "--listen", &listen, "--out", rules.to_str().unwrap()];
        stage.hub_command(&words).unwrap()
    };
    write_rules(&stage);
    let main = folder.path().join("mosquitto.conf");
    // Started by root it would become another user, who must not read the keys.
    std::fs::write(&main, format!("user root\ninclude_dir {}\n", rules.display())).unwrap();
    let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
    let mut mosquitto = Child::start(
        "mosquitto",
        Command::new(program).arg("-c").arg(&main),
        &folder.path().join("mosquitto.log"),
    )
    .unwrap();
    let port = stage.mqtt_port();
    mosquitto.wait_for("its port", BOUND, || testkit::port::is_open(port).then_some(())).unwrap();
    stage.start_cameras(&cache().join("clips/vtest.mp4")).unwrap();
    stage.start_hub().unwrap();
    stage.enrol_agent().unwrap();
    // The broker takes nothing from the box before its rules are written anew and read.
    write_rules(&stage);
    let hup = Command::new("kill").args(["-HUP", &mosquitto.pid().to_string()]).status().unwrap();
    assert!(hup.success());
    stage.start_agent().unwrap();
    let hub = stage.sign_in().unwrap();
    let begun = Instant::now();
    while !hub.alerts().unwrap().iter().any(|a| a["still"]["state"] == "sent") {
        let log = tail_of(&folder.path().join("edge-agent.log"));
        assert!(begun.elapsed() < BOUND, "no alert through mosquitto; the agent says:\n{log}");
        std::thread::sleep(Duration::from_millis(250));
    }
    // The hub refuses a box that was taken out; mosquitto does once its rules are written and read again.
    stage.hub_command(&["agent", "revoke", "--agent", testkit::stage::AGENT]).unwrap();
    write_rules(&stage);
    let acl = std::fs::read_to_string(rules.join("acl")).unwrap();
    assert!(!acl.contains("user demo/box-1"), "{acl}");
}

#[test]
fn a_box_that_is_ordered_to_renew_does_so_at_once() {
    let mut set = set_up();
    let hub = set.stage.sign_in().unwrap();
    alerts_when(&mut set, &hub, "first alert", |alerts| !alerts.is_empty());
    set.stage.hub_command(&["ca", "rotate"]).unwrap();
    let begun = Instant::now();
    // Without the order it would be hours; `ca retire` refuses while a box needs the older authority.
    while let Err(error) = set.stage.hub_command(&["ca", "retire"]) {
        assert!(error.to_string().contains("--force"), "{error}");
        assert!(begun.elapsed() < BOUND, "not renewed: {error}");
        std::thread::sleep(Duration::from_millis(250));
    }
    println!("renewed and retired {:.1} s after `ca rotate`", begun.elapsed().as_secs_f32());
    let before = hub.alerts().unwrap().len();
    alerts_when(&mut set, &hub, "alert under the new authority", |alerts| alerts.len() > before);
    assert_eq!(set.stage.stop().unwrap(), Vec::<u16>::new(), "ports are left open");
}
