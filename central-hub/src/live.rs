//! Live video through the hub: who watches which camera now, and the video itself.
//!
//! Owns the UDP port, the requests to boxes and the record of who looked. `room` decides and forwards, one task for
//! all; `orders` tells boxes. What comes by HTTP is `web::live`'s (WHEP) and `agent_api::live`'s (WHIP). The
//! reasons: ADR 17.

mod orders;
mod pace;
mod room;
pub mod settings;
mod viewers;

use futures::future::BoxFuture;
use hub_core::live::Camera;
use live::LiveError;
use protocol::ReplyWhy;
use tokio::sync::{mpsc, oneshot};

pub use orders::Orders;
pub use room::Room;
pub use settings::Settings;

/// Wishes that may wait for the room.
const WISHES: usize = 64;

/// Somebody who wants to watch.
#[derive(Debug, Clone)]
pub struct Who {
    pub account: String,
    /// What they said it is for.
    pub reason: Option<String>,
}

/// What somebody watches by.
#[derive(Debug)]
pub struct Begun {
    /// By what name it is ended.
    pub viewing: String,
    /// The session description for their browser.
    pub answer: String,
}

/// Why nothing came of a wish.
#[derive(Debug, thiserror::Error)]
pub enum LiveRefusal {
    #[error(transparent)]
    Session(#[from] LiveError),
    #[error("too many live views were opened in this minute; wait a moment")]
    Pace,
    #[error("nobody watches this camera")]
    NotAsked,
    #[error("there is no such live view")]
    NoViewing,
    #[error("the hub gives no live video now; its log says why")]
    Closed,
}

/// How it stands with a camera's live video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody watches it.
    Unwatched,
    /// Its box was asked, and its pictures have not come.
    Asked,
    Arriving,
    /// Its box said no.
    Refused(Why),
}

/// Why a box sends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// What it said.
    Said(ReplyWhy),
    /// Its version does not know live video.
    Old,
}

/// A wish on its way into the room.
enum Wish {
    Watch {
        camera: Camera,
        who: Who,
        allowed: Allowed,
        offer: String,
        answer: oneshot::Sender<Answer<Begun>>,
    },
    Leave {
        account: String,
        viewing: String,
        answer: oneshot::Sender<Answer<()>>,
    },
    Publish {
        camera: Camera,
        live: String,
        allowed: Allowed,
        offer: String,
        answer: oneshot::Sender<Answer<String>>,
    },
    Withdraw {
        camera: Camera,
        live: String,
        answer: oneshot::Sender<Answer<()>>,
    },
    State {
        camera: Camera,
        answer: oneshot::Sender<Answer<State>>,
    },
}

type Answer<T> = Result<T, LiveRefusal>;

/// Comes to its end when whoever it is about may no more.
pub type Allowed = BoxFuture<'static, ()>;

/// The way into the room. Cheap to clone.
#[derive(Clone)]
pub struct Live(mpsc::Sender<Wish>);

impl Live {
    /// Without a room behind it: every wish is refused.
    pub fn closed() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Answers the offer of a browser. It is cut when `allowed` ends.
    pub async fn watch(&self, camera: Camera, who: Who, allowed: Allowed, offer: String) -> Answer<Begun> {
        self.ask(|answer| Wish::Watch { camera, who, allowed, offer, answer }).await
    }

    /// Ends what somebody watches; nobody ends another one's.
    pub async fn leave(&self, account: String, viewing: String) -> Answer<()> {
        self.ask(|answer| Wish::Leave { account, viewing, answer }).await
    }

    /// Answers the offer of a box, if it was asked for. It is cut when `allowed` ends.
    pub async fn publish(
        &self,
        camera: Camera,
        live: String,
        allowed: Allowed,
        offer: String,
    ) -> Answer<String> {
        self.ask(|answer| Wish::Publish { camera, live, allowed, offer, answer }).await
    }

    /// The box ends it.
    pub async fn withdraw(&self, camera: Camera, live: String) -> Answer<()> {
        self.ask(|answer| Wish::Withdraw { camera, live, answer }).await
    }

    pub async fn state(&self, camera: Camera) -> Answer<State> {
        self.ask(|answer| Wish::State { camera, answer }).await
    }

    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<Answer<T>>) -> Wish) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(wish(answer)).await.map_err(|_| LiveRefusal::Closed)?;
        answered.await.map_err(|_| LiveRefusal::Closed)?
    }
}
