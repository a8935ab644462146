//! Who watches, by what name and since when: what the audit says of it at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use hub_core::live::Camera;
use live::Session;
use tokio::task::AbortHandle;

use super::Who;
use crate::store::audit::Note;

/// Somebody who watches a camera.
pub struct Viewer {
    pub number: u64,
    pub camera: Camera,
    pub who: Who,
    /// By what name they end it.
    pub viewing: String,
    pub since: Duration,
    /// Pictures were sent.
    pub shown: bool,
    /// What waits for the end of their rights.
    pub check: AbortHandle,
}

impl Viewer {
    /// The entry of their end. Whoever got no picture looked at nothing, and the entry says so.
    pub fn left(&self, now: Duration) -> Note {
        let seconds = now.saturating_sub(self.since).as_secs();
        let detail = match self.shown {
            true => format!("Watched a camera live, covered, for {seconds} s."),
            false => format!("Waited for a camera's live video for {seconds} s; none was sent."),
        };
        let Camera { site, agent, camera } = &self.camera;
        let note = Note::new("live_ended", &self.who.account, &detail);
        note.to(&format!("{agent}/{camera}")).at_site(site.as_str()).for_reason(self.who.reason.as_deref())
    }
}

/// All of them.
#[derive(Default)]
pub struct Viewers(BTreeMap<Session, Viewer>);

impl Viewers {
    pub fn add(&mut self, session: Session, viewer: Viewer) {
        self.0.insert(session, viewer);
    }

    pub fn remove(&mut self, session: Session) -> Option<Viewer> {
        let viewer = self.0.remove(&session)?;
        viewer.check.abort();
        Some(viewer)
    }

    pub fn shown(&mut self, session: Session) {
        if let Some(viewer) = self.0.get_mut(&session) {
            viewer.shown = true;
        }
    }

    /// Theirs alone.
    pub fn find(&self, account: &str, viewing: &str) -> Option<Session> {
        self.by_name(viewing).filter(|session| self.0[session].who.account == account)
    }

    pub fn by_name(&self, viewing: &str) -> Option<Session> {
        self.0.iter().find(|(_, viewer)| viewer.viewing == viewing).map(|(session, _)| *session)
    }

    pub fn sessions(&self) -> Vec<Session> {
        self.0.keys().copied().collect()
    }
}
