//! A box on a temporary disk: real settings files, pipelines, passwords and folder; only the cameras are
//! played. Time goes by when it is told to.

use std::cell::{Cell, RefCell, RefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use edge_core::trial::{Reason, Seen, SeenCamera};
use protocol::{ConfigReport, DesiredConfig, Timestamp};

use super::super::folder::Folder;
use super::super::keeper::{Keeper, Start, Station};
use crate::config::Config;
use crate::pipeline::Pipeline;

/// What the hub wishes: something of everything.
pub const GOOD: &str = r#"# From the hub.
[stills]
quality = 70
cover_persons = true

[spool]
cap = "2GiB"

[[camera]]
id = "gate"
name = "东大门"
url = "rtsp://192.0.2.10:8554/stream2"
transport = "udp"
analyse_fps = 5.0

[[camera.line]]
name = "door"
title = "门口"
a = [0.1, 0.5]
b = [0.9, 0.5]
direction = "left"
severity = "high"

[[camera.zone]]
name = "yard"
polygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
loitering = "15s"

[[camera]]
id = "new"
name = "新摄像机"
url = "rtsp://192.0.2.12/s"
pipeline = "quiet"
"#;

const LOCAL: &str = r#"
[agent]
site = "market"
id = "box-1"
data = "data"
pipeline = "pipelines/default.toml"

[hub]
url = "https://hub.example:8443"
mqtt = "hub.example:8883"

[stills]
quality = 80

[[camera]]
id = "gate"
name = "东门"
url = "rtsp://192.0.2.10/stream1"
user = "guard"
password_file = "gate.password"

[[camera]]
id = "square"
name = "广场"
url = "rtsp://192.0.2.11/stream1"
"#;

/// Where a camera answers.
const ANSWERING: [&str; 3] = ["192.0.2.10", "192.0.2.11", "192.0.2.12"];

/// What the played cameras know.
#[derive(Default)]
pub struct YardBook {
    pub running: Option<Config>,
    pub switches: usize,
    /// The size that the spool was given for good.
    pub settled: Option<u64>,
    pub reported: Option<ConfigReport>,
}

/// Loads what the agent loads but models, and plays the cameras.
pub struct Yard(Rc<RefCell<YardBook>>);

fn check(config: &Config) -> Result<(), Reason> {
    for camera in &config.cameras {
        camera.credentials().map_err(|e| e.to_string())?;
        let path = config.pipeline_of(camera);
        let pipeline = Pipeline::load(path).map_err(|e| e.to_string())?;
        pipeline.with_rules(&camera.lines, &camera.zones, path).map_err(|e| e.to_string())?;
    }
    Ok(())
}

impl Station for Yard {
    type Ready = ();

    fn check(&self, config: &Config) -> Result<(), Reason> {
        check(config)
    }

    fn switch(&mut self, config: &Config, (): ()) -> Result<(), String> {
        let mut book = self.0.borrow_mut();
        book.running = Some(config.clone());
        book.switches += 1;
        Ok(())
    }

    fn settle(&mut self, config: &Config) {
        self.0.borrow_mut().settled = Some(config.spool.cap.0);
    }

    fn report(&mut self, report: Option<ConfigReport>) {
        self.0.borrow_mut().reported = report;
    }
}

pub struct World {
    folder: tempfile::TempDir,
    now: Rc<Cell<Duration>>,
    book: Rc<RefCell<YardBook>>,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("pipelines")).unwrap();
        let pipeline = "[[line]]\nname = \"own\"\na = [0.1, 0.1]\nb = [0.9, 0.1]\n";
        std::fs::write(at("pipelines/default.toml"), pipeline).unwrap();
        std::fs::write(at("pipelines/quiet.toml"), "[detector]\nanalyse_fps = 1.0\n").unwrap();
        std::fs::write(at("gate.password"), "open sesame\n").unwrap();
        std::fs::set_permissions(at("gate.password"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(at("agent.toml"), LOCAL).unwrap();
        Self { folder, now: Rc::default(), book: Rc::default() }
    }

    pub fn local_text(&self) -> String {
        LOCAL.to_owned()
    }

    pub fn write_local(&self, text: &str) {
        std::fs::write(self.folder.path().join("agent.toml"), text).unwrap();
    }

    pub fn local(&self) -> Config {
        Config::load(&self.folder.path().join("agent.toml")).unwrap()
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("data/config")
    }

    /// Puts files of the folder back.
    pub fn restore(&self, files: &[(&str, &[u8])]) {
        for (name, bytes) in files {
            std::fs::write(self.folder().join(name), bytes).unwrap();
        }
    }

    pub fn now(&self) -> Duration {
        self.now.get()
    }

    pub fn yard(&self) -> RefMut<'_, YardBook> {
        self.book.borrow_mut()
    }

    /// The agent starts, and its cameras come up.
    pub fn start(&mut self) -> Keeper<Yard> {
        let local = self.local();
        let folder = Folder::open(&local.agent.data);
        let start = Start::read(local, folder, check).unwrap();
        let now = self.now.clone();
        let mut keeper = Keeper::begin(start, Yard(self.book.clone()), move || now.get()).unwrap();
        keeper.seen(self.seen()).unwrap();
        keeper
    }

    pub fn offer(&self, keeper: &mut Keeper<Yard>, generation: u64, text: &str) {
        let issued_at = Timestamp::from_unix_ms(1_763_000_000_000);
        let wish = DesiredConfig { v: 1, generation, issued_at, toml: text.to_owned() };
        // As it travels.
        let json = serde_json::to_vec(&wish).unwrap();
        keeper.offered(&serde_json::from_slice(&json).unwrap()).unwrap();
    }

    /// Time goes by, and the cameras are seen as they are.
    pub fn pass(&self, keeper: &mut Keeper<Yard>, seconds: u64) {
        keeper.seen(self.seen()).unwrap();
        let end = self.now.get() + Duration::from_secs(seconds);
        while let Some(due) = keeper.deadline().filter(|due| *due <= end) {
            self.now.set(due.max(self.now.get()));
            keeper.due().unwrap();
            keeper.seen(self.seen()).unwrap();
        }
        self.now.set(end);
    }

    fn seen(&self) -> Seen {
        let book = self.book.borrow();
        let cameras = book.running.iter().flat_map(|c| &c.cameras).map(|camera| {
            let rest = camera.url.as_str().strip_prefix("rtsp://").unwrap();
            let host = rest.split(['/', ':']).next().unwrap();
            let live = ANSWERING.contains(&host);
            SeenCamera { id: camera.id.clone(), live: Some(live), why: (!live).then(|| "no route".into()) }
        });
        Seen { cameras: cameras.collect(), linked: true }
    }
}
