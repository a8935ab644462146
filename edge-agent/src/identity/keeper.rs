//! The task that keeps the box's identity good while the agent runs: asks the hub which authorities to
//! believe, renews in time, and falls back to the certificate before where the hub does not know the newest.
//!
//! Whether it is time is told by the hub's clock alone, never by the box's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::enrol::RefusalCode;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::HubClock;
use super::folder::{Folder, IdentityError};
use super::pass::Pass;
use super::recognise;
use super::renewal::{Renewal, Step, Trouble};
use crate::hub::Hub;

/// Between two looks when all is well, unless a twentieth of the certificate's life is shorter.
const LONGEST_LOOK: Duration = Duration::from_secs(6 * 3600);
const SHORTEST_LOOK: Duration = Duration::from_secs(5);
/// Between two tries while the hub cannot be asked or refuses.
const RETRY: Duration = Duration::from_secs(20);
/// A failing uplink asks for a look no more often than this.
const LINK_FAILED_EVERY: Duration = Duration::from_secs(15);
/// One look is a handful of steps; more means that they lead nowhere.
const MOST_STEPS: usize = 64;

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    Well,
    Renewed,
    FellBack,
}

/// Why somebody asks for a look now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// The hub ordered it.
    Ordered,
    /// The broker does not let the box in.
    LinkFailed,
}

/// Owns the folder while the agent runs.
pub struct Keeper {
    renewal: Renewal,
    clock: Arc<HubClock>,
    pass: watch::Sender<Arc<Pass>>,
}

/// Cancel the token given to [`Keeper::start`], then [`KeeperTask::join`].
pub struct KeeperTask {
    task: JoinHandle<()>,
    pub nudge: mpsc::Sender<Nudge>,
    pub pass: watch::Receiver<Arc<Pass>>,
    pub clock: Arc<HubClock>,
}

impl KeeperTask {
    pub async fn join(self) {
        let _ = self.task.await;
    }
}

impl Keeper {
    /// The newest generation that can be read is shown first, confirmed or not.
    pub fn open(folder: Folder) -> Result<Self, IdentityError> {
        let newest = folder.usable()?.remove(0);
        let pass = Pass::of(&newest, &folder.believed()?)?;
        Ok(Self {
            renewal: Renewal::new(folder),
            clock: Arc::default(),
            pass: watch::Sender::new(Arc::new(pass)),
        })
    }

    pub fn pass(&self) -> Arc<Pass> {
        self.pass.borrow().clone()
    }

    pub fn folder(&self) -> &Folder {
        self.renewal.folder()
    }

    /// Must be called within a tokio runtime.
    pub fn start(self, cancel: CancellationToken) -> KeeperTask {
        let (nudge, nudges) = mpsc::channel(4);
        let (pass, clock) = (self.pass.subscribe(), self.clock.clone());
        KeeperTask { task: tokio::spawn(self.run(nudges, cancel)), nudge, pass, clock }
    }

    async fn run(mut self, mut nudges: mpsc::Receiver<Nudge>, cancel: CancellationToken) {
        loop {
            let ended = tokio::select! {
                ended = self.round() => ended,
                () = cancel.cancelled() => return,
            };
            let looked = Instant::now();
            let pause = match &ended {
                Ok(_) => self.pause(),
                Err(trouble) => {
                    say(trouble);
                    RETRY
                }
            };
            loop {
                let rest = pause.saturating_sub(looked.elapsed());
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = tokio::time::sleep(rest) => break,
                    Some(nudge) = nudges.recv() => {
                        if nudge == Nudge::Ordered || looked.elapsed() >= LINK_FAILED_EVERY {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// One look: finishes what was begun, asks the hub, renews if it is time.
    pub async fn round(&mut self) -> Result<Round, Trouble> {
        let begun = match self.finish(false).await {
            Err(trouble) if trouble.is_unknown_certificate() || expired(&trouble) => {
                self.fall_back(trouble).await?
            }
            ended => ended?,
        };
        let due = match self.ask().await {
            Ok(due) => due,
            Err(trouble) if expired(&trouble) => true,
            Err(trouble) if trouble.is_unknown_certificate() => return self.fall_back(trouble).await,
            Err(trouble) => return Err(trouble),
        };
        if !due {
            return Ok(begun);
        }
        match self.finish(true).await {
            // The new one was written and is not wanted: the old one is asked again at the next look.
            Err(trouble) if trouble.is_unknown_certificate() => self.fall_back(trouble).await,
            ended => ended,
        }
    }

    /// Steps until nothing is left to do.
    async fn finish(&mut self, mut due: bool) -> Result<Round, Trouble> {
        let mut round = Round::Well;
        for _ in 0..MOST_STEPS {
            match self.renewal.advance(due, &self.clock).await? {
                Step::Done => break,
                Step::Mark(number) => {
                    (due, round) = (false, Round::Renewed);
                    self.show(number)?;
                    tracing::info!(generation = number, "certificate renewed");
                }
                _ => {}
            }
        }
        Ok(round)
    }

    /// Asks which authorities to believe. Is it time for a new certificate?
    async fn ask(&mut self) -> Result<bool, Trouble> {
        let pass = self.pass();
        let told = Hub::new(&pass.home.hub, &pass.tls)?.trust().await?;
        told.hub_time.into_iter().for_each(|at| self.clock.tell(at));
        let folder = self.renewal.folder();
        if let Some(issued) = pass.recognition.believe_shown() {
            folder.note_hub_certificate(issued)?;
        }
        let before = folder.believed()?.roots;
        folder.believe(&told.answer.roots)?;
        if folder.believed()?.roots != before {
            tracing::info!(authorities = told.answer.roots.len(), "the hub's authorities changed");
            self.show(pass.generation)?;
        }
        Ok(told.answer.renew || self.clock.now().is_some_and(|now| now >= due_at(&pass)))
    }

    /// The hub does not take the newest: if it takes the one before, that one is used from now on.
    async fn fall_back(&mut self, refused: Trouble) -> Result<Round, Trouble> {
        let complete = self.renewal.folder().complete();
        let [.., before, newest] = complete[..] else { return Err(refused) };
        let older = self.renewal.pass(before)?;
        match Hub::new(&older.home.hub, &older.tls)?.trust().await.map_err(Trouble::from) {
            Ok(_) => {}
            Err(trouble) if expired(&trouble) => {}
            Err(_) => return Err(refused),
        }
        tracing::warn!(generation = before, error = %refused, "the hub does not know the newest certificate; back to the one before");
        self.renewal.folder().put_aside(newest, "refused")?;
        self.show(before)?;
        Ok(Round::FellBack)
    }

    fn show(&self, number: u32) -> Result<(), IdentityError> {
        let pass = self.renewal.pass(number)?;
        self.pass.send_replace(Arc::new(pass));
        Ok(())
    }

    /// Jittered, so that a fleet does not ask in step.
    fn pause(&self) -> Duration {
        let pass = self.pass();
        let life = u64::try_from(pass.not_after.saturating_sub(pass.not_before)).unwrap_or(0);
        let longest = Duration::from_secs(life / 20).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        let random = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        longest.mul_f64(0.75 + random / 4.0)
    }
}

fn expired(trouble: &Trouble) -> bool {
    trouble.refusal() == Some(RefusalCode::Expired)
}

/// Two thirds of the certificate's life, and up to a twentieth more: the same for one certificate each
/// time, different from box to box.
fn due_at(pass: &Pass) -> i64 {
    let life = pass.not_after.saturating_sub(pass.not_before).max(0);
    let own = pass.home.agent.as_str().as_bytes();
    let spread = recognise::fingerprint(&own.to_vec().into())[0];
    pass.not_before + life / 3 * 2 + life / 20 * i64::from(spread) / 255
}

/// A hub that is not there is the uplink's news; a refusal is ours.
fn say(trouble: &Trouble) {
    match trouble.refusal() {
        Some(RefusalCode::Revoked | RefusalCode::Held) => {
            tracing::error!(error = %trouble, "the hub shuts this box out; alerts wait on disk");
        }
        Some(RefusalCode::Expired) => {
            tracing::error!(error = %trouble, "the certificate can no longer be renewed: provision the box again with a new token");
        }
        _ => tracing::warn!(error = %trouble, "the hub was not asked about the certificate; trying again"),
    }
}
