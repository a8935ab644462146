//! The stage: cameras, hub and agent as real programs on free ports in one folder.
//!
//! Owns their settings files, the order in which they start and stop, and the ports. What is
//! checked on the stage stays with the demo and the tests.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::hub::{Hub, token_of};
use crate::process::{self, Child};
use crate::{binary, port, workspace};

/// Id, name and share of the clip at which each camera begins, in percent.
pub const CAMERAS: [(&str, &str, u64); 4] = [
    ("east-gate", "东门", 0),
    ("south-square", "南广场", 25),
    ("west-crossing", "西路口", 50),
    ("north-parking", "北停车场", 75),
];
pub const SITE: &str = "demo";
pub const AGENT: &str = "box-1";
const AGENT_NAME: &str = "演示盒子";
/// The demo clip lasts 79.5 s.
const CLIP_SECONDS: u64 = 80;
const UP_BOUND: Duration = Duration::from_secs(30);
const STOP_BOUND: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error(transparent)]
    Hub(#[from] crate::hub::Error),
    #[error("cannot prepare {}: {source}", path.display())]
    Prepare {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0}")]
    Other(String),
}

/// What runs. Children die with the thread that made the stage.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    http_port: u16,
    mqtt_port: u16,
    /// Where boxes enrol and send stills.
    agents_port: u16,
    cameras: Option<Child>,
    camera_ports: Vec<u16>,
    control_port: u16,
    /// Days that every program's clock is off.
    clock_off: i32,
    /// The folder with the hub's certificate for a broker of the test's own at the MQTT port.
    broker: Option<PathBuf>,
    /// Certificate and key of the wall.
    wall: Option<(PathBuf, PathBuf)>,
    hub: Option<Child>,
    agent: Option<Child>,
}

impl Stage {
    /// A fresh stage in `folder`, which is made; nothing runs yet.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let make = |path: &Path| {
            fs::create_dir_all(path).map_err(|source| Error::Prepare { path: path.to_owned(), source })
        };
        make(&folder.join("secrets"))?;
        make(&folder.join("hub"))?;
        make(&folder.join("agent"))?;
        let port = |wanted: Option<u16>| {
            wanted
                .map_or_else(port::free, port::prefer)
                .map_err(|e| Error::Other(format!("no free port: {e}")))
        };
        Ok(Self {
            folder: folder.to_owned(),
            http_port: port(None)?,
            mqtt_port: port(None)?,
            agents_port: port(None)?,
            cameras: None,
            camera_ports: Vec::new(),
            control_port: 0,
            clock_off: 0,
            broker: None,
            wall: None,
            hub: None,
            agent: None,
        })
    }

    /// Serves the wall on this port if nobody else does.
    pub fn prefer_http_port(&mut self, wanted: u16) {
        self.http_port = port::prefer(wanted).unwrap_or(self.http_port);
    }

    /// Programs that start from now on see a clock that is so many days off.
    pub fn set_clock_off(&mut self, days: i32) {
        self.clock_off = days;
    }

    /// The hub uses a broker of the test's own, which listens at [`Stage::mqtt_port`]. `rules`: where
    /// `broker-config` writes.
    pub fn use_broker(&mut self, rules: &Path) -> Result<(), Error> {
        self.broker = Some(rules.to_owned());
        self.hub_settings().map(drop)
    }

    /// The wall comes by HTTPS with this certificate and key.
    pub fn secure_wall(&mut self, certificate: &Path, key: &Path) {
        self.wall = Some((certificate.to_owned(), key.to_owned()));
    }

    pub fn base(&self) -> String {
        let scheme = if self.wall.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.http_port)
    }

    /// Where boxes enrol.
    pub fn agents_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.agents_port)
    }

    pub fn mqtt_port(&self) -> u16 {
        self.mqtt_port
    }

    /// The RTSP ports of the cameras, in the order of [`CAMERAS`].
    pub fn camera_ports(&self) -> &[u16] {
        &self.camera_ports
    }

    /// Where commands to the cameras go, see [`crate::camera::control`].
    pub fn control_port(&self) -> u16 {
        self.control_port
    }

    /// Every port of the stage that somebody listens on while it is up.
    pub fn ports(&self) -> Vec<u16> {
        let own = [self.http_port, self.mqtt_port, self.agents_port, self.control_port];
        own.into_iter().chain(self.camera_ports.iter().copied()).filter(|p| *p != 0).collect()
    }

    /// Cameras that play `clip`, each with its own password.
    pub fn start_cameras(&mut self, clip: &Path) -> Result<(), Error> {
        let mut config = format!("clip = {}\n", quoted(clip));
        for (id, _, share) in CAMERAS {
            let password_file = self.folder.join("secrets").join(format!("{id}.password"));
            write_secret(&password_file, &random_word()?)?;
            config += &format!(
                "\n[[camera]]\nid = \"{id}\"\nuser = \"{id}\"\npassword_file = {}\nstart_at = \"{}s\"\n",
                quoted(&password_file),
                CLIP_SECONDS * share / 100
            );
        }
        let file = self.write("cameras.toml", &config)?;
        let mut child =
            self.start("camera-sim", Command::new(found("camera-sim")?).arg("--config").arg(file))?;
        let line = child.wait_for_line("{", UP_BOUND)?;
        let ready: Value = serde_json::from_str(&line)
            .map_err(|e| Error::Other(format!("camera-sim said `{line}`: {e}")))?;
        let port = |v: &Value| v.as_u64().and_then(|p| u16::try_from(p).ok());
        let rows = ready["cameras"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.camera_ports = rows.iter().filter_map(|c| port(&c["port"])).collect();
        self.control_port = port(&ready["control"]).unwrap_or(0);
        self.cameras = Some(child);
        Ok(())
    }

    /// The hub, until it serves its pages and its agents.
    pub fn start_hub(&mut self) -> Result<(), Error> {
        let file = self.hub_settings()?;
        let mut child =
            self.start("central-hub", self.program("central-hub")?.args(["serve", "--config"]).arg(file))?;
        let mut ports = vec![self.http_port, self.agents_port];
        ports.extend(self.broker.is_none().then_some(self.mqtt_port));
        child.wait_for("its ports", UP_BOUND, || ports.iter().all(|p| port::is_open(*p)).then_some(()))?;
        self.hub = Some(child);
        Ok(())
    }

    fn hub_settings(&self) -> Result<PathBuf, Error> {
        let broker = match &self.broker {
            None => format!("listen = \"127.0.0.1:{}\"\n", self.mqtt_port),
            Some(rules) => format!(
                "external = \"127.0.0.1:{}\"\nauthority_file = {}\ncertificate_file = {}\nkey_file = {}\n",
                self.mqtt_port,
                quoted(&rules.join("authority.pem")),
                quoted(&rules.join("hub.pem")),
                quoted(&rules.join("hub.key"))
            ),
        };
        let wall = self.wall.as_ref().map_or_else(String::new, |(certificate, key)| {
            format!("certificate_file = {}\nkey_file = {}\n", quoted(certificate), quoted(key))
        });
        let config = format!(
            "[hub]\ndata = {}\n\n[http]\nlisten = \"127.0.0.1:{}\"\n{wall}\n[broker]\n{broker}\n\
             [live]\nlisten = \"127.0.0.1:0\"\n\n[agents]\nlisten = \"127.0.0.1:{}\"\n\n[wall]\nfolder = {}\n",
            quoted(&self.folder.join("hub")),
            self.http_port,
            self.agents_port,
            quoted(&workspace().join("central-hub/wall/dist"))
        );
        self.write("hub.toml", &config)
    }

    /// The settings file of the hub.
    pub fn hub_file(&self) -> PathBuf {
        self.folder.join("hub.toml")
    }

    /// SIGKILL for the hub, as a power cut would.
    pub fn kill_hub(&mut self) -> Result<(), Error> {
        if let Some(hub) = self.hub.take() {
            hub.kill()?;
        }
        Ok(())
    }

    /// A fresh one-time login link.
    pub fn login_link(&self) -> Result<String, Error> {
        let mut command = self.program("central-hub")?;
        command.args(["user", "login-link", "--config"]).arg(self.folder.join("hub.toml"));
        let out = process::run("central-hub user login-link", &mut command)?;
        let link = out.split_whitespace().find(|word| word.starts_with("http"));
        link.map(str::to_owned).ok_or_else(|| Error::Other(format!("no login link in `{}`", out.trim())))
    }

    /// Signs in to the hub's API as the person of the login link.
    pub fn sign_in(&self) -> Result<Hub, Error> {
        let link = self.login_link()?;
        let token = token_of(&link).ok_or_else(|| Error::Other("no token in the login link".to_owned()))?;
        Ok(Hub::sign_in(&self.base(), token)?)
    }

    /// The agent's data folder.
    pub fn agent_data(&self) -> PathBuf {
        self.folder.join("agent")
    }

    /// Enrols the box with the hub that runs, without starting its agent.
    pub fn enrol_agent(&self) -> Result<(), Error> {
        let file = self.agent_settings()?;
        self.enrol(&file)
    }

    /// The agent with all cameras of the stage; returns as soon as it runs.
    pub fn start_agent(&mut self) -> Result<(), Error> {
        let file = self.agent_settings()?;
        if !self.agent_data().join("identity").exists() {
            self.enrol(&file)?;
        }
        let mut command = self.program("edge-agent")?;
        command.current_dir(workspace()).args(["run", "--config"]).arg(file);
        self.agent = Some(self.start("edge-agent", &mut command)?);
        Ok(())
    }

    /// SIGTERM for the agent, until it has ended.
    pub fn stop_agent(&mut self) -> Result<(), Error> {
        if let Some(agent) = self.agent.take() {
            agent.stop(STOP_BOUND)?;
        }
        Ok(())
    }

    /// The settings file of the agent, with all cameras of the stage.
    pub fn agent_settings(&self) -> Result<PathBuf, Error> {
        let root = workspace();
        let mut config = format!(
            "[agent]\nsite = \"{SITE}\"\nid = \"{AGENT}\"\nname = \"{AGENT_NAME}\"\ndata = {}\nhardware = {}\n\n\
             [models]\nfolder = {}\n",
            quoted(&self.agent_data()),
            quoted(&root.join("hardware-profiles/generic-cpu.toml")),
            quoted(&root.join("models"))
        );
        for ((id, name, _), port) in CAMERAS.iter().zip(&self.camera_ports) {
            config += &format!(
                "\n[[camera]]\nid = \"{id}\"\nname = \"{name}\"\nurl = \"rtsp://127.0.0.1:{port}/stream\"\nuser = \"{id}\"\n\
                 password_file = {}\npipeline = {}\n",
                quoted(&self.folder.join("secrets").join(format!("{id}.password"))),
                quoted(&root.join("pipelines/demo.toml"))
            );
        }
        self.write("agent.toml", &config)
    }

    /// The box becomes one that the hub knows, as an installer would do it.
    fn enrol(&self, agent_settings: &Path) -> Result<(), Error> {
        let token = self.folder.join("secrets/token");
        let mut create = self.program("central-hub")?;
        create.args(["token", "create", "--site", SITE, "--agent", AGENT, "--name", AGENT_NAME, "--file"]);
        create.arg(&token).arg("--config").arg(self.folder.join("hub.toml"));
        process::run("central-hub token create", &mut create)?;
        let mut provision = self.program("edge-agent")?;
        provision.args(["provision", "--hub", &format!("https://127.0.0.1:{}", self.agents_port)]);
        provision.arg("--token-file").arg(&token).arg("--config").arg(agent_settings);
        process::run("edge-agent provision", &mut provision)?;
        Ok(())
    }

    /// Runs a command of the hub beside it; what it printed.
    pub fn hub_command(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = self.program("central-hub")?;
        command.args(words).arg("--config").arg(self.folder.join("hub.toml"));
        Ok(process::run("central-hub", &mut command)?)
    }

    /// Which program has ended by itself, with the end of its log.
    pub fn fallen(&mut self) -> Result<Option<String>, Error> {
        for child in [&mut self.cameras, &mut self.hub, &mut self.agent].into_iter().flatten() {
            if let Some(status) = child.ended()? {
                return Ok(Some(format!(
                    "{} ended ({status}); the end of {}:\n{}",
                    child.name(),
                    child.log().display(),
                    child.tail()
                )));
            }
        }
        Ok(None)
    }

    /// Stops everything in reverse order. The ports that are still open afterwards.
    pub fn stop(&mut self) -> Result<Vec<u16>, Error> {
        for child in [self.agent.take(), self.hub.take(), self.cameras.take()].into_iter().flatten() {
            child.stop(STOP_BOUND)?;
        }
        Ok(self.ports().into_iter().filter(|p| port::is_open(*p)).collect())
    }

    /// A program of the workspace, by the stage's clock.
    pub fn program(&self, name: &str) -> Result<Command, Error> {
        let program = found(name)?;
        if self.clock_off == 0 {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("faketime");
        command.args(["--exclude-monotonic", "-f", &format!("{:+}d", self.clock_off)]).arg(program);
        Ok(command)
    }

    fn start(&self, name: &str, command: &mut Command) -> Result<Child, Error> {
        Ok(Child::start(name, command, &self.folder.join(format!("{name}.log")))?)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|source| Error::Prepare { path: path.clone(), source })?;
        Ok(path)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "stage did not stop in order");
        }
    }
}

fn found(name: &str) -> Result<PathBuf, Error> {
    binary(name).map_err(|e| Error::Other(e.to_string()))
}

/// A path as a TOML text: JSON's escapes are TOML's.
fn quoted(path: &Path) -> String {
    Value::from(path.to_string_lossy()).to_string()
}

fn write_secret(path: &Path, secret: &str) -> Result<(), Error> {
    let file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| writeln!(file, "{secret}"))
        .map_err(|source| Error::Prepare { path: path.to_owned(), source })
}

fn random_word() -> Result<String, Error> {
    let mut bytes = [0; 12];
    let source = Path::new("/dev/urandom");
    fs::File::open(source)
        .and_then(|mut file| io::Read::read_exact(&mut file, &mut bytes))
        .map_err(|e| Error::Prepare { path: source.to_owned(), source: e })?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
