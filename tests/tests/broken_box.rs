//! `doctor` on a box that is broken for real, each fault once: the right line says so, in both languages, with a
//! cure that mends this fault and not another.

use std::path::Path;
use std::process::Stdio;

use edge_agent::service::by_hand::Act;
use serde_json::{Value, json};
use testkit::camera::control;
use testkit::stage::{CAMERAS, Stage};
use testkit::{cache, workspace};

struct Sick<'a> {
    stage: &'a Stage,
    settings: std::path::PathBuf,
}

impl Sick<'_> {
    fn doctor(&self) -> Value {
        let mut command = self.stage.program("edge-agent").unwrap();
        command.args(["doctor", "--json", "--config"]).arg(&self.settings).current_dir(workspace());
        let out = command.stdin(Stdio::null()).output().unwrap();
        serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
    }

    /// The check of that name that is in this state; its reason and cure hold these words.
    #[track_caller]
    fn finds(&self, name: &str, state: &str, reason: &str, cure: &str) -> Value {
        let found = self.doctor();
        let checks = found["checks"].as_array().unwrap();
        let check = checks.iter().find(|c| c["name"] == name && c["state"] == state);
        let check = check.unwrap_or_else(|| panic!("no {state} {name}: {found:#}")).clone();
        println!(
            "{name}: {} | {}\n  {} | {}",
            check["reason"]["zh"], check["reason"]["en"], check["cure"]["zh"], check["cure"]["en"]
        );
        assert!(check["reason"]["en"].as_str().unwrap().contains(reason), "`{reason}`: {check:#}");
        assert!(check["cure"]["en"].as_str().unwrap().contains(cure), "`{cure}`: {check:#}");
        for part in ["reason", "cure"] {
            let zh = check[part]["zh"].as_str().unwrap();
            assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{check:#}");
        }
        check
    }
}

fn replaced(path: &Path, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "no `{from}` in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
    text
}

#[test]
fn each_fault_is_found_on_its_own_line_with_its_own_cure() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    stage.start_cameras(&cache().join("clips/vtest.mp4")).unwrap();
    let settings = stage.agent_settings().unwrap();
    let (gate, _, _) = CAMERAS[0];
    let (control_port, data) = (stage.control_port(), stage.agent_data());
    let tell = |what: Value| drop(control::tell(control_port, &what).unwrap());

    // Nobody knows the box yet.
    let sick = Sick { stage: &stage, settings: settings.clone() };
    sick.finds("certificate", "broken", "holds no certificate", "sudo edge-agent provision");
    sick.finds("agent", "warning", "once the box is enrolled", "Certificate");
    stage.start_hub().unwrap();
    stage.enrol_agent().unwrap();
    let sick = Sick { stage: &stage, settings: settings.clone() };
    sick.finds("agent", "warning", "nobody watches the cameras", &Act::Start.here().en);

    // Cameras.
    tell(json!({"camera": gate, "do": "refuse_password", "on": true}));
    sick.finds("camera", "broken", "wrong user or password", "east-gate.password (mode 600)");
    tell(json!({"camera": gate, "do": "refuse_password", "on": false}));
    tell(json!({"camera": gate, "do": "stop"}));
    sick.finds("camera", "broken", "", "power");
    tell(json!({"camera": gate, "do": "start"}));
    std::fs::remove_file(folder.path().join(format!("secrets/{gate}.password"))).unwrap();
    sick.finds("camera", "broken", "cannot read the secret", "east-gate.password (mode 600)");

    // Settings, models, decoder, pipeline, data folder.
    let whole = replaced(&settings, "[models]", "[moddels]");
    sick.finds("config", "broken", "did you mean `models`", "mend the place");
    std::fs::write(&settings, whole.replace(&workspace().join("models").display().to_string(), "nowhere"))
        .unwrap();
    sick.finds("models", "broken", "nowhere", "--reinstall signalbox-agent");
    std::fs::write(&settings, whole.replace("pipelines/demo.toml", "pipelines/none.toml")).unwrap();
    sick.finds("pipeline", "broken", "none.toml", "[agent]");
    sick.finds("config", "broken", "no pipeline file", "edge-agent.toml");
    std::fs::write(&settings, whole.replace("generic-cpu.toml", "none.toml")).unwrap();
    sick.finds("decoder", "broken", "none.toml", "mend the path");
    std::fs::write(&settings, whole.replace("id = \"box-1\"", "id = \"box-9\"")).unwrap();
    sick.finds("certificate", "broken", "box-9", "leave site and id out");
    std::fs::write(
        &settings,
        whole.replace(&data.display().to_string(), &folder.path().join("none").display().to_string()),
    )
    .unwrap();
    sick.finds("disk", "warning", "does not exist yet", "the agent makes it");
    std::fs::write(&settings, &whole).unwrap();

    // The hub: away, another one, and one that has shut the box out.
    stage.kill_hub().unwrap();
    let sick = Sick { stage: &stage, settings: settings.clone() };
    sick.finds("hub_reach", "broken", "refused", "check that the hub runs");
    let away = sick.finds("hub", "broken", "no answer", "Way to the hub");
    assert!(!away["cure"].to_string().contains("--again"), "{away:#}");
    std::fs::rename(folder.path().join("hub"), folder.path().join("own-hub")).unwrap();
    stage.start_hub().unwrap();
    let sick = Sick { stage: &stage, settings: settings.clone() };
    sick.finds("hub", "broken", "not by an authority", "pose as the hub");
    stage.kill_hub().unwrap();
    std::fs::rename(folder.path().join("hub"), folder.path().join("other-hub")).unwrap();
    std::fs::rename(folder.path().join("own-hub"), folder.path().join("hub")).unwrap();
    stage.start_hub().unwrap();
    stage.hub_command(&["agent", "revoke", "--agent", testkit::stage::AGENT]).unwrap();
    let sick = Sick { stage: &stage, settings: settings.clone() };
    sick.finds("hub", "broken", "", "provision --again");
    sick.finds("broker", "broken", "hung up", "central-hub agent list");

    // The identity: cut off.
    std::fs::write(data.join("identity/0001/certificate.pem"), "").unwrap();
    sick.finds("certificate", "broken", "certificate.pem", "provision --again");
}
