//! Replacing the certificate, one step at a time: after each step, and in the middle of each, the power
//! may go, and what is on disk still opens the hub's door.
//!
//! ```text
//! key made -> asked -> kept -> confirmed -> marked -> older ones removed
//!              (old)            (new)
//! ```
//!
//! What is done next follows from the files alone. Only an answer that was not written down yet is
//! held in memory; it can be asked for again.

use protocol::enrol::{Enrolment, RefusalCode, Trust};

use super::clock::HubClock;
use super::folder::{Folder, IdentityError};
use super::pass::Pass;
use crate::hub::{Hub, HubError};

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl Trouble {
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Hub(error) => error.refusal(),
            Self::Identity(_) => None,
        }
    }

    /// Whether the hub does not take this certificate as one that counts: it may take the one before, if it
    /// was restored from a backup. (Certificates that are not on its list are `revoked` to it.)
    pub fn is_unknown_certificate(&self) -> bool {
        matches!(
            self.refusal(),
            Some(
                RefusalCode::Superseded
                    | RefusalCode::Revoked
                    | RefusalCode::NoCertificate
                    | RefusalCode::Other
            )
        )
    }
}

/// One step; the number is the generation's that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    MakeKey,
    /// By the present certificate.
    Ask(u32),
    Keep(u32),
    /// By the new certificate.
    Confirm(u32),
    Mark(u32),
    Remove(u32),
    Done,
}

/// What the hub answered and no file knows yet.
#[derive(Debug)]
enum Held {
    Certificate(u32, Box<Enrolment>),
    Confirmed(u32, Trust),
}

#[derive(Debug)]
pub struct Renewal {
    folder: Folder,
    held: Option<Held>,
}

/// What follows from the files. `due`: shall there be a new certificate?
pub fn next_step(folder: &Folder, due: bool) -> Result<Step, IdentityError> {
    let Some(newest) = folder.complete().last().copied() else {
        return Err(IdentityError::None { path: folder.path().to_owned() });
    };
    if !folder.read(newest)?.confirmed {
        return Ok(Step::Confirm(newest));
    }
    if let Some(old) = folder.outdated(newest).first() {
        return Ok(Step::Remove(*old));
    }
    if !due {
        return Ok(Step::Done);
    }
    Ok(folder.waiting_key().map_or(Step::MakeKey, Step::Ask))
}

impl Renewal {
    pub fn new(folder: Folder) -> Self {
        Self { folder, held: None }
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Gives the folder back; an answer that no file knows is forgotten.
    pub fn into_folder(self) -> Folder {
        self.folder
    }

    pub fn pass(&self, number: u32) -> Result<Pass, IdentityError> {
        Pass::of(&self.folder.read(number)?, &self.folder.believed()?)
    }

    pub fn next(&self, due: bool) -> Result<Step, IdentityError> {
        match &self.held {
            Some(Held::Certificate(number, _)) => Ok(Step::Keep(*number)),
            Some(Held::Confirmed(number, _)) => Ok(Step::Mark(*number)),
            None => next_step(&self.folder, due),
        }
    }

    /// Does the next step and says which it was. After [`Step::Mark`] the new certificate is the one to use.
    pub async fn advance(&mut self, due: bool, clock: &HubClock) -> Result<Step, Trouble> {
        if let Some(held) = self.held.take() {
            return Ok(self.write_down(held)?);
        }
        let step = next_step(&self.folder, due)?;
        match step {
            Step::MakeKey => {
                self.folder.make_key()?;
            }
            Step::Ask(number) => self.ask(number, clock).await?,
            Step::Confirm(number) => {
                let told = self.hub_by(number)?.confirm().await?;
                told.hub_time.into_iter().for_each(|at| clock.tell(at));
                self.held = Some(Held::Confirmed(number, told.answer));
            }
            Step::Remove(number) => self.folder.remove(number)?,
            Step::Keep(_) | Step::Mark(_) | Step::Done => {}
        }
        Ok(step)
    }

    async fn ask(&mut self, number: u32, clock: &HubClock) -> Result<(), Trouble> {
        let csr = self.folder.read_key(number)?.signing_request().map_err(IdentityError::from)?;
        let present = self.folder.complete().last().copied();
        let present = present.ok_or_else(|| IdentityError::None { path: self.folder.path().to_owned() })?;
        let told = self.hub_by(present)?.renew(csr).await?;
        told.hub_time.into_iter().for_each(|at| clock.tell(at));
        self.held = Some(Held::Certificate(number, Box::new(told.answer)));
        Ok(())
    }

    fn write_down(&mut self, held: Held) -> Result<Step, IdentityError> {
        match held {
            Held::Certificate(number, answer) => {
                let hub = self.folder.newest()?.home.hub;
                self.folder.keep(number, &answer, &hub, false)?;
                Ok(Step::Keep(number))
            }
            Held::Confirmed(number, trust) => {
                self.folder.believe(&trust.roots)?;
                self.folder.mark_confirmed(number)?;
                Ok(Step::Mark(number))
            }
        }
    }

    fn hub_by(&self, number: u32) -> Result<Hub, Trouble> {
        let pass = self.pass(number)?;
        Ok(Hub::new(&pass.home.hub, &pass.tls)?)
    }
}
