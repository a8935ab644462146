//! Camera files: written and read back, merged, and refused with file and line.

use super::*;
use crate::config::Config;

const MAIN: &str = "[agent]\nsite = \"s\"\nid = \"box\"\ndata = \"data\"\npipeline = \"p.toml\"\n\
                    ";
const GATE: &str = "id = \"gate\"\nurl = \"rtsp://192.0.2.9/1\"\n";

struct Box {
    folder: tempfile::TempDir,
}

impl Box {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        std::fs::write(folder.path().join("edge-agent.toml"), MAIN).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(FOLDER).join(name), text).unwrap();
        }
        Self { folder }
    }

    fn load(&self) -> Result<Config, crate::config::ConfigError> {
        Config::load(&self.folder.path().join("edge-agent.toml"))
    }

    fn refused(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn parse(text: &str) -> CameraConfig {
    settings::parse(text, Path::new("x.toml")).unwrap()
}

#[test]
fn a_camera_that_was_written_is_read_back_the_same() {
    for text in [
        GATE.to_owned(),
        format!(
            "{GATE}name = '东门 \"一号\" \\ \t'\nuser = 'gu\"ard'\ntransport = \"udp\"\nanalyse_fps = 7.5\nlocked = true\n\
             [[line]]\nname = \"in\"\ntitle = \"入口\"\na = [0.1, 0.33333334]\nb = [0.9, 1]\ndirection = \"left\"\n\
             severity = \"high\"\nclasses = [\"Human\", \"Car\"]\nmargin = 0.01\nsettle = \"250ms\"\n\
             [[line]]\nname = \"out\"\na = [0, 0]\nb = [1, 1]\n\
             [[zone]]\nname = \"yard\"\npolygon = [[0, 0], [1, 0], [0.5, 0.7]]\nentry = true\nloitering = \"15s\"\n"
        ),
    ] {
        let set = Box::new(&[]);
        let camera = parse(&text);
        let path = write(set.folder.path(), &camera).unwrap();
        let read = load(set.folder.path()).unwrap();
        assert_eq!(read, [CameraConfig { file: Some(path.clone()), ..camera }]);
        let written = std::fs::read_to_string(path).unwrap();
        assert!(!written.contains("0.10000000149"), "{written}");
        let files = std::fs::read_dir(set.folder.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 1, "no remains of writing");
    }
}

#[test]
fn files_come_after_the_sections_and_keep_their_own_order_and_paths() {
    let yard =
        "id = \"yard\"\nurl = \"rtsp://192.0.2.8/1\"\nuser = \"u\"\npassword_file = \"yard.password\"\n";
    let set = Box::new(&[
        ("yard.toml", yard),
        ("gate.toml", GATE),
        ("gate.toml.bak", "rubbish"),
        (".gate.77", "rubbish"),
    ]);
    std::fs::write(
        set.folder.path().join("edge-agent.toml"),
        format!("{MAIN}[[camera]]\nid = \"zoo\"\nurl = \"rtsp://192.0.2.7/1\"\n"),
    )
    .unwrap();
    let config = set.load().unwrap();
    let ids: Vec<_> = config.cameras.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["zoo", "gate", "yard"]);
    let password = config.cameras[2].password_file.as_ref().unwrap();
    assert_eq!(password, &set.folder.path().join("cameras/yard.password"));
    assert!(config.cameras[0].file.is_none() && config.cameras[1].file.is_some());
    let sealed = config.cameras[0].secrets.as_ref().unwrap();
    assert_eq!(*sealed, crate::secrets::Secrets::open(&set.folder.path().join("data")));
}

#[test]
fn a_sealed_password_is_used_when_no_file_is_named() {
    let set = Box::new(&[("gate.toml", &format!("{GATE}user = \"guard\"\n"))]);
    let camera = |set: &Box| set.load().unwrap().cameras.remove(0);
    assert_eq!(camera(&set).credentials().unwrap(), None);
    let sealed = camera(&set).secrets.unwrap();
    sealed.seal(&"gate".parse().unwrap(), &settings::Secret::new("pw")).unwrap();
    let credentials = camera(&set).credentials().unwrap().unwrap();
    assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("guard", "pw"));
}

#[test]
fn what_is_wrong_is_named_with_file_and_line() {
    for (name, text, said) in [
        ("gate.toml", format!("{GATE}usr = \"x\"\n"), "cameras/gate.toml:3:1: unknown field `usr`"),
        (
            "gate.toml",
            format!("{GATE}[[line]]\nname = \"a\"\na = [0, 0]\nc = 1\n"),
            "gate.toml:6:1: unknown field `c`",
        ),
        (
            "yard.toml",
            GATE.to_owned(),
            "cameras/yard.toml: the camera's id is `gate`: name the file gate.toml",
        ),
        (
            "gate.toml",
            "url = \"rtsp://u:open-sesame@h/\"\nid = \"gate\"\n".to_owned(),
            "gate.toml:1:7: take user and password out",
        ),
        ("gate.toml", format!("{GATE}analyse_fps = -1\n"), "camera `gate`: analyse_fps = -1"),
        ("gate.toml", " ".repeat(70_000), "is longer than 65536 bytes"),
        ("gate.toml", format!("{GATE}secrets = \"x\"\n"), "unknown field `secrets`"),
    ] {
        let error = Box::new(&[(name, &text)]).refused();
        assert!(error.contains(said) && !error.contains("open-sesame"), "{text:.60}\n-> {error}");
    }
    let set = Box::new(&[("gate.toml", GATE)]);
    std::fs::write(set.folder.path().join("edge-agent.toml"), format!("{MAIN}[[camera]]\n{GATE}")).unwrap();
    let error = set.refused();
    assert!(error.contains("the id `gate` is taken") && error.contains("cameras/gate.toml"), "{error}");
}

#[test]
fn a_box_without_cameras_can_be_read_but_not_run_and_removing_is_told() {
    let set = Box::new(&[("gate.toml", GATE)]);
    let gate: CameraId = "gate".parse().unwrap();
    assert!(remove(set.folder.path(), &gate).unwrap());
    assert!(!remove(set.folder.path(), &gate).unwrap());
    assert!(set.refused().contains("no camera: add one with `edge-agent camera add`"));
    assert!(Config::read(&set.folder.path().join("edge-agent.toml")).unwrap().cameras.is_empty());
}

#[test]
fn rules_of_a_camera_join_those_of_its_pipeline() {
    use crate::pipeline::Pipeline;
    let base = "[[line]]\nname = \"in\"\na = [0, 0.5]\nb = [1, 0.5]\n";
    let pipeline = Pipeline::parse(base, Path::new("p.toml")).unwrap();
    let camera = parse(&format!(
        "{GATE}[[zone]]\nname = \"yard\"\npolygon = [[0, 0], [1, 0], [0, 1]]\nentry = true\n"
    ));
    let own = pipeline.with_rules(&camera.lines, &camera.zones, Path::new("gate.toml")).unwrap();
    assert_eq!((own.scene_config().lines.len(), own.scene_config().zones.len()), (1, 1));
    let twice = parse(&format!("{GATE}{base}"));
    let error = pipeline.with_rules(&twice.lines, &twice.zones, Path::new("gate.toml")).unwrap_err();
    assert!(error.to_string().contains("gate.toml: [[line]] \"in\": another"), "{error}");
}
