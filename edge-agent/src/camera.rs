//! Cameras: one thread each, from RTSP to frames, for as long as the agent runs.
//!
//! Owns a camera's settings and its life: connecting, losing, waiting, trying again. `source` speaks
//! RTSP, `backoff` and `timeline` are the rules without clocks. What is done with frames stays with
//! the sink that was given.

mod backoff;
mod digest_only;
pub(crate) mod fence;
mod permit;
pub(crate) mod reach;
mod refusal;
pub(crate) mod source;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use protocol::{CameraId, CameraState};
use serde::Deserialize;
use settings::Secret;

use crate::decode::{self, Frame, Purpose};
use crate::discover::Network;
use crate::hardware::Profile;
use crate::live::LivePolicy;
use crate::pipeline::{Line, Zone};
use crate::secrets::{Secrets, SecretsError};
pub use timeline::Break;

/// One `[[camera]]` section, or one file in `cameras/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Opaque ASCII id; alerts carry it. Required.
    pub id: CameraId,
    /// The name that people read, for example `东门`. Default: the id.
    #[serde(default)]
    pub name: String,
    /// `rtsp://host[:port]/path`, without user and password. Required.
    pub url: RtspUrl,
    /// User at the camera. Default: none.
    #[serde(default)]
    pub user: String,
    /// File whose first line is the password; only its owner may read it. Default: what
    /// `edge-agent camera add` or `camera password` sealed for this id.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The pipeline (rules, detector) for this camera. Default: the agent's.
    #[serde(default)]
    pub pipeline: Option<PathBuf>,
    /// How pictures travel: "tcp", inside the RTSP connection, or "udp". Default: "tcp".
    #[serde(default)]
    pub transport: Transport,
    /// Most frames a second that are analysed; 0 for all. Default: the pipeline's `analyse_fps`.
    #[serde(default)]
    pub analyse_fps: Option<f32>,
    /// Whether this camera may be watched live: "covered", with the heads of all persons filled, or "off".
    /// Default: "covered".
    #[serde(default)]
    pub live: LivePolicy,
    /// Whether nobody may change this camera from afar. Default: false.
    #[serde(default)]
    pub locked: bool,
    /// `[[line]]` rules of this camera, beside those of its pipeline.
    #[serde(default, rename = "line")]
    pub lines: Vec<Line>,
    /// `[[zone]]` rules of this camera, beside those of its pipeline.
    #[serde(default, rename = "zone")]
    pub zones: Vec<Zone>,
    /// The file in `cameras/` that it comes from; `None`: a section of the main file.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Its lines or zones are the hub's wish and stand in no file.
    #[serde(skip)]
    pub rules_wished: bool,
    /// Where passwords are sealed.
    #[serde(skip)]
    pub secrets: Option<Secrets>,
    /// `[agent] camera_networks`: where it may be.
    #[serde(skip)]
    pub networks: Vec<Network>,
}

/// How RTP travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Inside the RTSP connection: nothing is lost, and firewalls let it through.
    #[default]
    Tcp,
    /// Datagrams, for cameras that can do nothing else.
    Udp,
}

/// An address without credentials in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspUrl(String);

/// Why an address was refused. Never repeats the address: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("a camera's url must begin with rtsp:// and name a host")]
    Scheme,
    #[error(
        "take user and password out of the url: set `user`, and `password_file` to a file with the password"
    )]
    Credentials,
    #[error("a camera's address is written as four numbers, for example 192.168.1.64")]
    Disguised,
}

impl UrlError {
    pub const ALL: [Self; 3] = [Self::Scheme, Self::Credentials, Self::Disguised];

    pub fn zh(self) -> &'static str {
        match self {
            Self::Scheme => "摄像机的网址要以 rtsp:// 开头，并写明主机",
            Self::Credentials => {
                "请从网址中去掉用户名和密码：用户名写在 `user`，密码写在文件里，由 `password_file` 指定"
            }
            Self::Disguised => "摄像机的地址写成四个数，例如 192.168.1.64",
        }
    }
}

impl TryFrom<String> for RtspUrl {
    type Error = UrlError;
    fn try_from(url: String) -> Result<Self, UrlError> {
        let rest = url.strip_prefix("rtsp://").ok_or(UrlError::Scheme)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or("");
        if host.contains('@') {
            return Err(UrlError::Credentials);
        }
        // Where two readers of one address could disagree about its host, neither is asked.
        let strange = |c: char| !c.is_ascii_graphic() || matches!(c, '\\' | '"' | '<' | '>' | '^' | '`');
        if host.is_empty() || host.starts_with(':') || url.chars().any(strange) {
            return Err(UrlError::Scheme);
        }
        if crate::onvif::address::host_of(&url).is_none_or(|host| reach::is_disguised(&host)) {
            return Err(UrlError::Disguised);
        }
        Ok(Self(url))
    }
}

impl RtspUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// User and password of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

/// Why a camera's password can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(transparent)]
    File(#[from] settings::SecretError),
    #[error(transparent)]
    Sealed(#[from] SecretsError),
}

impl CameraConfig {
    /// Reads the password file, else opens the sealed password; `None` when there is neither, or no user.
    pub fn credentials(&self) -> Result<Option<Credentials>, CredentialsError> {
        if self.user.is_empty() {
            return Ok(None);
        }
        let password = match (&self.password_file, &self.secrets) {
            (Some(path), _) => Some(Secret::read(path)?),
            (None, Some(secrets)) => secrets.unseal(&self.id)?,
            (None, None) => None,
        };
        Ok(password.map(|password| Credentials { user: self.user.clone(), password }))
    }
}

/// What a camera tells.
#[derive(Debug)]
pub enum CameraOutput {
    Frame(Frame),
    /// Its state changed, or the reason did. `reason` is one plain sentence.
    State {
        state: CameraState,
        reason: String,
    },
    /// What follows does not continue what was: trackers start anew.
    Discontinuity {
        why: Break,
    },
    /// A picture was lost to an error in the stream.
    Damaged {
        reason: String,
    },
    /// The decoder died or hung; a new one goes on at the next key frame. `announce`: the hub is to
    /// hear of it, at most once a minute.
    DecoderLost {
        reason: String,
        announce: bool,
    },
}

/// How long a camera waits for what. Tests wait less.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// From starting to the first packet.
    connect: Duration,
    /// Without a packet: this, or two usual gaps, whichever is longer.
    stall: Duration,
    /// After the second refused password; longer after the next ones, so that no camera locks its account.
    credentials: Duration,
    /// Shortest and longest wait between two tries.
    retry: (Duration, Duration),
    teardown: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(8),
            stall: Duration::from_secs(5),
            credentials: Duration::from_secs(300),
            retry: (Duration::from_secs(1), Duration::from_secs(30)),
            teardown: Duration::from_secs(3),
        }
    }
}

/// A running camera.
pub struct Camera {
    id: CameraId,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// The wish to end, on which waits can wake.
#[derive(Default)]
struct Stop {
    wanted: AtomicBool,
}

impl Stop {
    fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Waits; `true` if the end is wanted.
    fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.wanted() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::park_timeout(left);
        }
        true
    }
}

impl Camera {
    /// Starts the camera's thread. `sink` is called on it and must not block for long: while it does,
    /// pictures are passed over.
    pub fn start(
        config: CameraConfig,
        credentials: Option<Credentials>,
        hardware: &Profile,
        sink: impl FnMut(CameraOutput) + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::start_with(config, credentials, hardware, Patience::default(), sink)
    }

    fn start_with(
        config: CameraConfig,
        credentials: Option<Credentials>,
        hardware: &Profile,
        patience: Patience,
        sink: impl FnMut(CameraOutput) + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let id = config.id.clone();
        let decoder = decode::open(hardware, Purpose::Live);
        let watch = watch::Watch::new(config, credentials, decoder, patience, stop.clone(), Box::new(sink));
        let name = format!("camera-{id}").chars().take(15).collect();
        let thread = std::thread::Builder::new().name(name).spawn(move || watch.run())?;
        Ok(Self { id, stop, thread: Some(thread) })
    }

    pub fn id(&self) -> &CameraId {
        &self.id
    }

    /// Ends the session and joins the thread; `false` if it has not ended in 5 s (it is then left behind).
    pub fn stop(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        let Some(thread) = self.thread.take() else { return true };
        self.stop.wanted.store(true, Ordering::Release);
        thread.thread().unpark();
        let deadline = Instant::now() + Duration::from_secs(5);
        while !thread.is_finished() {
            if Instant::now() > deadline {
                tracing::warn!(camera = %self.id, "camera thread does not end");
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        thread.join().is_ok()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.end();
    }
}
