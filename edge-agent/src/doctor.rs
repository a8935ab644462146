//! What is well on this box, what is not, and how to mend it.
//!
//! Owns the checks, their deadlines and their words in both languages. A check changes nothing but a test
//! file that it removes again. Where the agent runs, it is asked, so that no camera and no broker sees a
//! second session. Printing is `cmd::doctor`'s.

mod clock;
mod decoder;
mod disk;
mod explain;
mod hub;
mod login;
mod machine;
mod models;
mod network;
mod ownership;
mod settings;
mod streams;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use self::disk::room_to_begin;
pub use self::explain::explain;
pub use self::hub::of_identity;
use crate::config::Config;
use crate::control::{self, Answer, AskError, Report, Request};
use crate::hub::HubError;
use crate::identity::{Folder, Stranger};
use crate::service::by_hand::Act;
use crate::wording::Text;

/// Longest time that any check may take, on a slow box that is busy; all of them run at once, cameras four at a time.
const LONGEST: Duration = Duration::from_secs(60);
/// Cameras that are looked at in one go.
const CAMERAS_AT_ONCE: usize = 4;
/// A running agent answers at once.
const AGENT: Duration = Duration::from_secs(3);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Warning,
    Broken,
}

/// What one check found, why, and the cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub title: Text,
    pub state: State,
    pub reason: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<Text>,
}

/// A check's name and its title in both languages.
#[derive(Debug, Clone, Copy)]
struct Subject(&'static str, &'static str, &'static str);

impl Subject {
    fn check(self, state: State, reason: Text, cure: Option<Text>) -> Check {
        Check { name: self.0, title: Text::new(self.1, self.2), state, reason, cure }
    }

    fn ok(self, zh: impl Into<String>, en: impl Into<String>) -> Check {
        self.check(State::Ok, Text::new(zh, en), None)
    }

    fn warning(self, reason: Text, cure: Text) -> Check {
        self.check(State::Warning, reason, Some(cure))
    }

    fn broken(self, reason: Text, cure: Text) -> Check {
        self.check(State::Broken, reason, Some(cure))
    }
}

/// What the checks share.
struct Patient {
    config: Config,
    /// What the running agent says of itself.
    report: Option<Report>,
}

/// All checks, in the order in which an installer would mend things.
pub fn all(path: &Path) -> Vec<Check> {
    let mut checks = vec![clock::own()];
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            checks.push(settings::refused(&error));
            checks.extend([machine::memory(), machine::temperature()]);
            return checks;
        }
    };
    checks.push(settings::read(path, &config));
    checks.extend(settings::silent(&config));
    let asked = control::ask(&config.agent.data, &Request::Status, AGENT);
    checks.push(agent(&asked, Folder::look(&config.agent.data).newest().is_ok()));
    let report = match asked {
        Ok(Answer::Status(report)) => Some(*report),
        _ => None,
    };
    let patient = Arc::new(Patient { config, report });
    checks.extend(together(&patient));
    clock_first(&mut checks);
    checks
}

/// A clock that is far off makes others look broken: it is mended first.
fn clock_first(checks: &mut [Check]) {
    let far = checks.iter().position(|c| c.name == clock::AGAINST_HUB.0 && c.state == State::Broken);
    if let Some(at) = far {
        checks[..=at].rotate_right(1);
    }
}

/// What it means that the hub at `address` did not answer as it should, for other commands that ask it.
pub fn of_hub(address: &str, error: &HubError, stranger: Option<Stranger>) -> Check {
    hub::refused(address, error, stranger)
}

type Part = (Subject, fn(&Patient) -> Vec<Check>);

/// Everything that may take time, at once.
fn together(patient: &Arc<Patient>) -> Vec<Check> {
    let parts: [Part; 7] = [
        (network::SUBJECT, network::checks),
        (hub::SUBJECT, hub::checks),
        (login::SUBJECT, |p| vec![login::check(p)]),
        (disk::SUBJECT, disk::checks),
        (ownership::SUBJECT, |p| ownership::check(p).into_iter().collect()),
        (decoder::SUBJECT, |p| vec![decoder::check(p)]),
        (models::SUBJECT, models::checks),
    ];
    let begun = Instant::now();
    let running = parts.map(|(subject, work)| {
        let patient = patient.clone();
        (subject, start(move || work(&patient)))
    });
    let mut checks = Vec::new();
    for (subject, outcome) in running {
        checks.extend(wait(subject, &outcome, LONGEST.saturating_sub(begun.elapsed())));
    }
    checks.extend([machine::memory(), machine::temperature()]);
    checks.extend(cameras(patient));
    checks
}

/// The cameras, a few at a time.
fn cameras(patient: &Arc<Patient>) -> Vec<Check> {
    let numbers: Vec<usize> = (0..patient.config.cameras.len()).collect();
    let mut checks = Vec::new();
    for few in numbers.chunks(CAMERAS_AT_ONCE) {
        let begun = Instant::now();
        let running: Vec<_> = few
            .iter()
            .map(|&number| {
                let patient = patient.clone();
                start(move || vec![streams::check(&patient, number)])
            })
            .collect();
        for outcome in running {
            checks.extend(wait(streams::SUBJECT, &outcome, LONGEST.saturating_sub(begun.elapsed())));
        }
    }
    checks
}

/// On a thread of its own. One that never ends is left behind: the command ends soon after.
fn start(work: impl FnOnce() -> Vec<Check> + Send + 'static) -> Receiver<Vec<Check>> {
    let (sender, receiver) = sync_channel(1);
    // A thread that cannot be started shows as a check that gave no answer.
    let _ = std::thread::Builder::new().name("check".into()).spawn(move || sender.send(work()));
    receiver
}

fn wait(subject: Subject, outcome: &Receiver<Vec<Check>>, within: Duration) -> Vec<Check> {
    let cure = Text::new(
        "再运行一次；若仍如此，重启盒子后再试",
        "run it again; if it stays so, restart the box and try once more",
    );
    let reason = match outcome.recv_timeout(within) {
        Ok(checks) => return checks,
        Err(RecvTimeoutError::Timeout) => Text::new(
            format!("检查在 {} 秒内没有完成", LONGEST.as_secs()),
            format!("the check did not end within {} seconds", LONGEST.as_secs()),
        ),
        Err(RecvTimeoutError::Disconnected) => Text::new("检查意外中断", "the check ended without a result"),
    };
    vec![subject.broken(reason, cure)]
}

const RUNNING: Subject = Subject("agent", "盒子端服务", "Agent service");

/// `enrolled`: the service does not start before there is a certificate.
fn agent(asked: &Result<Answer, AskError>, enrolled: bool) -> Check {
    match asked {
        Ok(Answer::Status(report)) => RUNNING.ok(
            format!("正在运行（版本 {}，进程 {}）", report.version, report.pid),
            format!("running (version {}, process {})", report.version, report.pid),
        ),
        Err(AskError::NotRunning) if !enrolled => RUNNING.warning(
            Text::new("没有运行：盒子入网登记后才会启动", "not running: it starts once the box is enrolled"),
            Text::new(
                "先完成下面“证书”一行所说的登记",
                "enrol the box first, as the line `Certificate` below says",
            ),
        ),
        Err(AskError::NotRunning) => RUNNING.warning(
            Text::new("没有运行，摄像机无人看守", "not running: nobody watches the cameras"),
            Act::Start.here(),
        ),
        Err(AskError::Forbidden) => RUNNING.warning(
            Text::new("正在运行，但当前用户无权询问它", "running, but this user may not ask it"),
            Text::new("用 sudo 再运行一次", "run this again with sudo"),
        ),
        Ok(_) | Err(_) => RUNNING.broken(
            Text::new("有控制接口，但服务没有应答", "its socket is there, but the service does not answer"),
            Act::Restart.here(),
        ),
    }
}

#[cfg(test)]
mod tests;
