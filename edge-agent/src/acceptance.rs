//! The acceptance of an installation: doctor's findings, and a test alarm of each camera followed to the hub
//! and back.
//!
//! Owns the course of a test alarm and the verdict on each camera. The running agent raises the alarms; that
//! they arrived, the hub says itself. `page` writes the report that is handed over. Pictures in it are
//! covered stills, read back from the hub.

mod page;

use std::path::Path;
use std::time::{Duration, Instant};

use protocol::enrol::Receipt;
use protocol::{CameraId, CameraState, CameraStatus, Epoch, Still, Timestamp};
use serde::Serialize;

use crate::config::Config;
use crate::control::{self, Answer, AskError, Report, Request};
use crate::doctor::{self, Check, State};
use crate::drill::Stored;
use crate::hub::{Hub, HubError};
use crate::identity::{Folder, IdentityError, Pass};
use crate::wording::Text;

pub use page::html;

/// A running agent answers at once; a test alarm takes as long as its picture.
const ANSWER: Duration = Duration::from_secs(30);
/// From the raising of an alarm until the hub has it, its still included.
const ARRIVE: Duration = Duration::from_secs(30);
/// Cameras that were added a moment ago are given this long to show a picture.
const CONNECT: Duration = Duration::from_secs(20);
/// Between two looks at an alarm on its way.
const LOOK: Duration = Duration::from_millis(50);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AcceptanceError {
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    #[error(transparent)]
    Agent(#[from] AskError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The hub is away, or is not ours: no test alarm could arrive.
    #[error("{}", .0.reason.en)]
    NoHub(Box<Check>),
    #[error("the runtime cannot be started")]
    Runtime(#[source] std::io::Error),
    #[error("the agent gave an answer of another kind: are both of one version?")]
    Answer,
}

/// All that is handed over, as JSON too.
#[derive(Debug, Serialize)]
pub struct Acceptance {
    pub passed: bool,
    pub at: Timestamp,
    pub site: String,
    pub agent: String,
    /// The name that people read.
    pub name: Option<String>,
    pub version: String,
    pub hub: String,
    /// Where the certificate ends.
    pub certificate_until: Timestamp,
    pub checks: Vec<Check>,
    pub cameras: Vec<CameraResult>,
}

/// One camera, measured and tried.
#[derive(Debug, Serialize)]
pub struct CameraResult {
    pub camera: CameraId,
    pub name: Option<String>,
    pub passed: bool,
    /// What is missing for it to pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    pub state: CameraState,
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// As the agent measured in the last ten seconds.
    pub decoded_fps: Option<f64>,
    pub analysed_fps: Option<f64>,
    pub latency_ms: Option<f64>,
    pub alarm: Option<Alarm>,
    /// The covered still as the hub has it, JPEG.
    #[serde(skip)]
    pub still: Option<Vec<u8>>,
}

/// A test alarm and how long each leg took, milliseconds since it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    pub epoch: Epoch,
    pub seq: u64,
    pub at: Timestamp,
    /// Picture analysed, covered and stored on the box.
    pub stored_ms: u64,
    /// Acknowledged by the hub after its commit.
    pub settled_ms: Option<u64>,
    /// Seen in the hub's store, marked as a test.
    pub shown_ms: Option<u64>,
    /// The still is there as well.
    pub still_ms: Option<u64>,
    /// By the hub's clock.
    pub received_at: Option<Timestamp>,
}

/// Runs doctor and tries every camera, one after the other. The agent must be running. `say` is told what is
/// being done and waited for.
pub fn run(path: &Path, say: &dyn Fn(&Text)) -> Result<Acceptance, AcceptanceError> {
    let config = Config::read(path)?;
    let data = &config.agent.data;
    report(data)?;
    let folder = Folder::look(data);
    let newest = folder.newest()?;
    let pass = Pass::of(&newest, &folder.believed()?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asking = Asking {
        data,
        hub: Hub::new(&pass.home.hub, &pass.tls)?,
        runtime: runtime.map_err(AcceptanceError::Runtime)?,
        say,
    };
    say(&Text::new(format!("询问中心 {}", pass.home.hub), format!("asking the hub {}", pass.home.hub)));
    asking.runtime.block_on(asking.hub.trust()).map_err(|error| {
        let stranger = pass.recognition.stranger();
        let mut check = doctor::of_hub(&pass.home.hub, &error, stranger);
        if stranger.is_none() && matches!(error, HubError::Unreachable { .. }) {
            check.cure = Some(Text::new(
                "运行 edge-agent doctor，看“连到中心”一行",
                "run `edge-agent doctor` and look at its line `Way to the hub`",
            ));
        }
        AcceptanceError::NoHub(Box::new(check))
    })?;
    let report = settled_report(data, say)?;
    say(&Text::new("检查盒子（最多几分钟）", "checking the box: up to a few minutes"));
    let checks = doctor::all(path);
    let all: Vec<&CameraStatus> = report.status.cameras.iter().flatten().collect();
    let cameras: Result<Vec<CameraResult>, _> = std::iter::zip(1.., &all)
        .map(|(number, camera)| {
            let (id, of) = (&camera.camera, all.len());
            say(&Text::new(
                format!("摄像机 {number}/{of} {id}：请求测试报警，最多 {} 秒", ANSWER.as_secs()),
                format!("camera {number}/{of} {id}: asking for a test alarm, up to {} s", ANSWER.as_secs()),
            ));
            asking.camera(camera)
        })
        .collect();
    let cameras = cameras?;
    let well = checks.iter().all(|c| c.state != State::Broken);
    Ok(Acceptance {
        passed: well && !cameras.is_empty() && cameras.iter().all(|c| c.passed),
        at: crate::alerts::now(),
        site: report.site.to_string(),
        agent: report.agent.to_string(),
        name: report.status.name.clone(),
        version: report.version,
        hub: pass.home.hub.clone(),
        certificate_until: Timestamp::from_unix_ms(pass.not_after.saturating_mul(1000)),
        checks,
        cameras,
    })
}

/// The agent's report, once no camera is being connected any more.
fn settled_report(data: &Path, say: &dyn Fn(&Text)) -> Result<Report, AcceptanceError> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        let report = report(data)?;
        let connecting = report.status.cameras.iter().flatten().any(|c| c.state == CameraState::Connecting);
        if !connecting || begun.elapsed() > CONNECT {
            return Ok(report);
        }
        if !std::mem::replace(&mut told, true) {
            say(&Text::new(
                format!("等待摄像机连上，最多 {} 秒", CONNECT.as_secs()),
                format!("waiting for cameras that are being connected, up to {} s", CONNECT.as_secs()),
            ));
        }
        std::thread::sleep(LOOK);
    }
}

fn report(data: &Path) -> Result<Report, AcceptanceError> {
    match control::ask(data, &Request::Status, ANSWER)? {
        Answer::Status(report) => Ok(*report),
        _ => Err(AcceptanceError::Answer),
    }
}

/// The two that are asked: the agent at its socket, the hub by the certificate.
struct Asking<'a> {
    data: &'a Path,
    hub: Hub,
    runtime: tokio::runtime::Runtime,
    say: &'a dyn Fn(&Text),
}

impl Asking<'_> {
    fn camera(&self, before: &CameraStatus) -> Result<CameraResult, AcceptanceError> {
        let begun = Instant::now();
        let (alarm, failed) = match self.raise(&before.camera) {
            Ok(stored) => {
                let (camera, most) = (&before.camera, (ANSWER + ARRIVE).as_secs());
                (self.say)(&Text::new(
                    format!("{camera}：盒子已存下，等它到中心，最多 {most} 秒"),
                    format!("{camera}: stored on the box, waiting for it at the hub, up to {most} s"),
                ));
                (Some(self.follow(stored, begun)), None)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        // As it is after its alarm: one that was just connecting again has its picture by now.
        let report = report(self.data)?;
        let status = report.status.cameras.iter().flatten().find(|c| c.camera == before.camera);
        let status = status.unwrap_or(before);
        let health = report.health.iter().flat_map(|h| &h.cameras).find(|c| c.camera == status.camera);
        let still = alarm.as_ref().filter(|a| a.still_ms.is_some()).and_then(|a| self.still(a));
        let reason = missing(status, alarm.as_ref(), still.is_some(), failed.as_deref());
        Ok(CameraResult {
            camera: status.camera.clone(),
            name: status.name.clone(),
            passed: reason.is_none(),
            reason,
            state: status.state,
            width: status.width,
            height: status.height,
            decoded_fps: health.map(|h| h.decoded_fps),
            analysed_fps: health.map(|h| h.analysed_fps),
            latency_ms: health.map(|h| h.latency_ms),
            alarm,
            still,
        })
    }

    fn raise(&self, camera: &CameraId) -> Result<Stored, AcceptanceError> {
        match control::ask(self.data, &Request::TestAlarm { camera: camera.clone() }, ANSWER)? {
            Answer::TestAlarm(stored) => Ok(stored),
            _ => Err(AcceptanceError::Answer),
        }
    }

    /// Looks at box and hub in turn until the alarm has arrived with its still, or time is over.
    fn follow(&self, stored: Stored, begun: Instant) -> Alarm {
        let elapsed = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let awaits_still = !matches!(stored.still, Still::None { .. });
        let mut alarm = Alarm {
            epoch: stored.epoch,
            seq: stored.seq,
            at: stored.at,
            stored_ms: elapsed(),
            settled_ms: None,
            shown_ms: None,
            still_ms: None,
            received_at: None,
        };
        loop {
            let (epoch, seq) = (alarm.epoch.clone(), alarm.seq);
            if alarm.settled_ms.is_none() {
                let course = control::ask(self.data, &Request::Course { epoch: epoch.clone(), seq }, ANSWER);
                if matches!(course, Ok(Answer::Course { settled: true, .. })) {
                    alarm.settled_ms = Some(elapsed());
                }
            }
            if let Some(receipt) = self.receipt(&epoch, seq) {
                alarm.shown_ms.get_or_insert_with(elapsed);
                alarm.received_at = Some(receipt.received_at);
                if receipt.still == "sent" {
                    alarm.still_ms.get_or_insert_with(elapsed);
                }
            }
            let arrived = alarm.settled_ms.is_some() && alarm.shown_ms.is_some();
            if (arrived && (alarm.still_ms.is_some() || !awaits_still)) || begun.elapsed() > ANSWER + ARRIVE {
                return alarm;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// What the hub says of a test alarm; nothing while it does not have it or cannot be asked.
    fn receipt(&self, epoch: &Epoch, seq: u64) -> Option<Receipt> {
        let asked = self.runtime.block_on(self.hub.receipt(epoch, seq));
        asked.ok().flatten().filter(|receipt| receipt.test)
    }

    fn still(&self, alarm: &Alarm) -> Option<Vec<u8>> {
        self.runtime.block_on(self.hub.still(&alarm.epoch, alarm.seq)).ok().flatten()
    }
}

/// Why a camera does not pass; nothing where it does.
fn missing(status: &CameraStatus, alarm: Option<&Alarm>, still: bool, failed: Option<&str>) -> Option<Text> {
    if status.state != CameraState::Live {
        return Some(Text::new(
            "摄像机没有画面，见上面的检查",
            "the camera sends no pictures: see the checks",
        ));
    }
    let Some(alarm) = alarm else {
        let why = failed.unwrap_or("no answer");
        return Some(Text::new("盒子没有发出测试报警", format!("the box raised no test alarm: {why}")));
    };
    if alarm.settled_ms.is_none() {
        return Some(Text::new("中心没有确认测试报警", "the hub did not acknowledge the test alarm"));
    }
    if alarm.shown_ms.is_none() {
        return Some(Text::new("中心没有存下测试报警", "the test alarm is not in the hub's store"));
    }
    if !still {
        return Some(Text::new("测试报警的图片没有到达中心", "the test alarm's still did not reach the hub"));
    }
    None
}

#[cfg(test)]
mod tests;
