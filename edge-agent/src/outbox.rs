//! Uploads stills to the hub by HTTPS, newest first; alerts never wait for it.
//!
//! The spool puts `{epoch}-{seq}.jpg` into the folder; an upload that the hub took removes it, one
//! that it refused for good is reported by an `updated` record before it goes. A still that the hub
//! does not take now waits by itself and holds up no other; without a hub, all wait.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use protocol::Epoch;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::identity::Pass;
use crate::spool::SpoolHandle;

/// A still that waits.
pub struct Waiting {
    pub path: PathBuf,
    pub epoch: Epoch,
    pub seq: u64,
    pub bytes: u64,
    modified: SystemTime,
}

/// Which record a still's file name belongs to.
pub fn identity(name: &str) -> Option<(Epoch, u64)> {
    let (epoch, seq) = name.strip_suffix(".jpg")?.rsplit_once('-')?;
    Some((epoch.parse().ok()?, seq.parse().ok()?))
}

/// The stills in a folder, newest first.
pub fn waiting(folder: &Path) -> Vec<Waiting> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Waiting> = files
        .flatten()
        .filter_map(|file| {
            let (epoch, seq) = identity(file.file_name().to_str()?)?;
            let m = file.metadata().ok().filter(fs::Metadata::is_file)?;
            let modified = m.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            Some(Waiting { path: file.path(), epoch, seq, bytes: m.len(), modified })
        })
        .collect();
    found.sort_by_key(|w| std::cmp::Reverse((w.modified, w.seq)));
    found
}

pub struct OutboxConfig {
    /// What is shown at the hub's door; each upload takes the newest.
    pub pass: watch::Receiver<Arc<Pass>>,
    /// Where the HTTPS client works.
    pub runtime: Handle,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// The file is no more: whoever removed it said why.
    Gone,
    Refused(u16),
    /// This still not now.
    Later(u16),
    /// Nobody answered: no still now.
    Offline(String),
}

/// Starts the thread `outbox`; it ends soon after `cancel` (an upload under way is bounded to 30 s).
pub fn start(
    config: OutboxConfig,
    spool: SpoolHandle,
    cancel: CancellationToken,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("outbox".into()).spawn(move || run(&config, &spool, &cancel))
}

const SECOND: Duration = Duration::from_secs(1);
/// Longest pause between two tries of one still, and of any still where nobody answers.
const LONGEST: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(500);

/// When one still is tried again, and the pause after that.
struct Retry {
    at: Instant,
    pause: Duration,
}

fn run(config: &OutboxConfig, spool: &SpoolHandle, cancel: &CancellationToken) {
    let mut door = Door { pass: config.pass.clone(), hub: None };
    let mut offline = SECOND;
    let mut retries: HashMap<PathBuf, Retry> = HashMap::new();
    while !cancel.is_cancelled() {
        let stills = waiting(spool.outbox());
        retries.retain(|path, _| stills.iter().any(|s| s.path == *path));
        let now = Instant::now();
        let due = stills.into_iter().find(|s| retries.get(&s.path).is_none_or(|r| r.at <= now));
        let Some(still) = due else {
            rest(cancel, LOOK);
            continue;
        };
        let outcome = upload(&mut door, &config.runtime, &still);
        if let Outcome::Offline(reason) = outcome {
            tracing::warn!(reason, "still not uploaded; trying again");
            rest(cancel, offline);
            offline = (offline * 2).min(LONGEST);
            continue;
        }
        offline = SECOND;
        if !settle(&outcome, &still, spool) {
            let retry = retries.entry(still.path).or_insert(Retry { at: now, pause: SECOND });
            retry.at = now + retry.pause;
            retry.pause = (retry.pause * 2).min(LONGEST);
            // Where the hub takes none, its refusals come at this pace however many wait.
            rest(cancel, LOOK);
        }
    }
}

/// Whether the still is done with.
fn settle(outcome: &Outcome, still: &Waiting, spool: &SpoolHandle) -> bool {
    match outcome {
        Outcome::Taken | Outcome::Gone => {}
        Outcome::Refused(status) => {
            tracing::error!(status, seq = still.seq, "hub refused a still for good");
            if let Err(error) = spool.still_given_up(still.epoch.clone(), still.seq, "given_up") {
                tracing::warn!(%error, seq = still.seq, "that a still is given up could not be stored");
                return false;
            }
        }
        Outcome::Later(status) => {
            tracing::warn!(status, seq = still.seq, "hub does not take a still now; trying it again");
            return false;
        }
        Outcome::Offline(_) => return false,
    }
    match fs::remove_file(&still.path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, seq = still.seq, "still cannot be removed");
            false
        }
        _ => true,
    }
}

/// The hub's door by the newest pass; the client is made anew only with a new one.
struct Door {
    pass: watch::Receiver<Arc<Pass>>,
    hub: Option<Hub>,
}

impl Door {
    fn hub(&mut self) -> Result<Hub, String> {
        if self.pass.has_changed().unwrap_or(false) {
            self.hub = None;
        }
        if let Some(hub) = &self.hub {
            return Ok(hub.clone());
        }
        let pass = self.pass.borrow_and_update().clone();
        let hub = Hub::new(&pass.home.hub, &pass.tls).map_err(|e| e.to_string())?;
        Ok(self.hub.insert(hub).clone())
    }
}

fn upload(door: &mut Door, runtime: &Handle, still: &Waiting) -> Outcome {
    let bytes = match fs::read(&still.path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Outcome::Gone,
        Err(error) => {
            tracing::error!(%error, seq = still.seq, "still cannot be read");
            return Outcome::Later(0);
        }
    };
    let digest = base64(&Sha256::digest(&bytes));
    let hub = match door.hub() {
        Ok(hub) => hub,
        Err(reason) => return Outcome::Offline(reason),
    };
    match runtime.block_on(hub.put_still(&still.epoch, still.seq, bytes, &digest)).map(|s| s.as_u16()) {
        Ok(200 | 201) => Outcome::Taken,
        Ok(status @ (409 | 413 | 415 | 422)) => Outcome::Refused(status),
        // What is said of the box (401, 403) is no verdict on the still.
        Ok(status) => Outcome::Later(status),
        Err(error) => Outcome::Offline(error.to_string()),
    }
}

/// Waits, but not past a cancellation.
fn rest(cancel: &CancellationToken, time: Duration) {
    let end = std::time::Instant::now() + time;
    while !cancel.is_cancelled() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// RFC 4648, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests;
