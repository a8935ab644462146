//! Looking is accountable: what somebody views or takes out of the hub is an entry of the audit, with the reason
//! that they gave, where the settings ask for one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde::Deserialize;

use super::scope::Person;
use super::{App, Refusal};
use crate::store::audit::Note;

/// The same look of the same session within this time is no new entry: pages ask for a picture again.
const SAME_LOOK: Duration = Duration::from_secs(600);
/// Most looks that are remembered.
const REMEMBERED: usize = 10_000;

/// Kinds of looking that the settings may ask a reason for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    ViewStill,
    WatchLive,
    ViewPhoto,
    Export,
    ReadAudit,
}

impl Look {
    fn action(self) -> &'static str {
        match self {
            Self::ViewStill => "still_viewed",
            Self::WatchLive => "live_watched",
            Self::ViewPhoto => "photo_viewed",
            Self::Export => "exported",
            Self::ReadAudit => "audit_read",
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    pub look: Look,
    pub site: Option<&'a str>,
    /// The alert, the incident, the table.
    pub object: &'a str,
    /// One plain English sentence.
    pub detail: &'a str,
}

/// Looks of a while ago.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<HashMap<(String, Look, String), Instant>>);

impl Recent {
    /// Whether it is new; remembers it.
    fn is_new(&self, session: &str, look: Look, object: &str, now: Instant) -> bool {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < SAME_LOOK;
        let key = (session.to_owned(), look, object.to_owned());
        if recent.get(&key).is_some_and(fresh) {
            return false;
        }
        if recent.len() >= REMEMBERED {
            recent.retain(|_, at| fresh(at));
            if recent.len() >= REMEMBERED {
                // Rather an entry too many than one too few.
                recent.clear();
            }
        }
        recent.insert(key, now);
        true
    }

    fn forget(&self, session: &str, look: Look, object: &str) {
        let key = (session.to_owned(), look, object.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

/// Notes it; refuses it where a reason is asked for and none was given. Before anything is shown.
pub async fn note(app: &App, person: &Person, looked: Looked<'_>) -> Result<(), Refusal> {
    let Looked { look, object, .. } = looked;
    with_reason(app, person, look)?;
    let session = person.session();
    if !app.recent.is_new(&session.id, look, object, Instant::now()) {
        return Ok(());
    }
    let noted = note_each(app, person, looked).await;
    if noted.is_err() {
        app.recent.forget(&session.id, look, object);
    }
    noted
}

/// Refuses it where a reason is asked for and none was given.
pub fn with_reason(app: &App, person: &Person, look: Look) -> Result<(), Refusal> {
    if person.session().reason.is_none() && app.reason_for.contains(&look) {
        let message = "say what it is for first: PUT /api/v1/session/reason";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "reason_needed", message));
    }
    Ok(())
}

/// Notes it each time: what goes on for a while has an end that is noted too.
pub async fn note_each(app: &App, person: &Person, looked: Looked<'_>) -> Result<(), Refusal> {
    let Looked { look, site, object, detail } = looked;
    let note = Note::new(look.action(), person.user(), detail).to(object);
    let note = note.for_reason(person.session().reason.as_deref());
    let note = match site {
        Some(site) => note.at_site(site),
        None => note,
    };
    Ok(app.store.note(note).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_look_is_new_again_after_a_while_and_memory_is_bounded() {
        let (recent, now) = (Recent::default(), Instant::now());
        assert!(recent.is_new("s", Look::ViewStill, "a", now));
        assert!(!recent.is_new("s", Look::ViewStill, "a", now));
        assert!(recent.is_new("t", Look::ViewStill, "a", now), "of another session");
        assert!(recent.is_new("s", Look::Export, "a", now), "of another kind");
        assert!(recent.is_new("s", Look::ViewStill, "a", now + SAME_LOOK));
        for n in 0..2 * REMEMBERED {
            recent.is_new("s", Look::ViewStill, &n.to_string(), now);
        }
        assert!(recent.0.lock().unwrap().len() <= REMEMBERED);
    }
}
