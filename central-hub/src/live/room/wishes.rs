//! What people and boxes wish of the room, granted or refused at once.

use std::time::Instant;

use hub_core::live::Camera;
use live::{Channel, Session};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{Asked, Room};
use crate::credential;
use crate::live::viewers::Viewer;
use crate::live::{Allowed, Answer, Begun, LiveRefusal, State, Who, Wish};
use crate::store::audit::Note;

impl Room {
    pub(super) fn grant(&mut self, wish: Wish, note: &mpsc::Sender<Note>) {
        match wish {
            Wish::Watch { camera, who, allowed, offer, answer } => {
                // Whoever asked is gone: nobody watches.
                if let Err(Ok(begun)) = answer.send(self.watch(camera, who, allowed, &offer))
                    && let Some(session) = self.viewers.by_name(&begun.viewing)
                {
                    self.relay.close(session, Instant::now());
                }
            }
            Wish::Leave { account, viewing, answer } => {
                let found = self.viewers.find(&account, &viewing);
                if let Some(session) = found {
                    self.relay.close(session, Instant::now());
                }
                let _ = answer.send(found.map(drop).ok_or(LiveRefusal::NoViewing));
            }
            Wish::Publish { camera, live, allowed, offer, answer } => {
                let _ = answer.send(self.publish(&camera, &live, allowed, &offer));
            }
            Wish::Withdraw { camera, live, answer } => {
                let is_asked = self.watching.is_asked(&camera, &live);
                let source = self.cameras.get(&camera).and_then(|asked| asked.source.as_ref());
                if let (true, Some((session, _))) = (is_asked, source) {
                    self.relay.close(*session, Instant::now());
                }
                let _ = answer.send(if is_asked { Ok(()) } else { Err(LiveRefusal::NotAsked) });
            }
            Wish::State { camera, answer } => {
                let _ = answer.send(Ok(self.state(&camera)));
            }
        }
        self.send_telling(note);
    }

    fn watch(&mut self, camera: Camera, who: Who, allowed: Allowed, offer: &str) -> Answer<Begun> {
        let now = self.now();
        if !self.pace.take(&who.account, now) {
            return Err(LiveRefusal::Pace);
        }
        let name = || credential::random_token().map_err(|_| LiveRefusal::Closed);
        let (viewing, live) = (name()?, name()?);
        self.numbered += 1;
        let number = self.numbered;
        let channel = self.cameras.get(&camera).map_or(Channel(number), |asked| asked.channel);
        let (session, answer) = self.relay.watch(channel, offer, Instant::now())?;
        self.cameras.entry(camera.clone()).or_insert_with(|| Asked {
            channel,
            command: String::new(),
            refused: None,
            arriving: false,
            source: None,
        });
        self.watching.came(now, &camera, number, &live);
        let check = self.cut_after(session, allowed);
        let viewer =
            Viewer { number, camera, who, viewing: viewing.clone(), since: now, shown: false, check };
        self.viewers.add(session, viewer);
        Ok(Begun { viewing, answer })
    }

    fn publish(&mut self, camera: &Camera, live: &str, allowed: Allowed, offer: &str) -> Answer<String> {
        if !self.watching.is_asked(camera, live) {
            return Err(LiveRefusal::NotAsked);
        }
        let channel = self.cameras.get(camera).ok_or(LiveRefusal::NotAsked)?.channel;
        let (session, answer) = self.relay.publish(channel, offer, Instant::now())?;
        let check = self.cut_after(session, allowed);
        if let Some(asked) = self.cameras.get_mut(camera)
            && let Some((_, before)) = asked.source.replace((session, check))
        {
            before.abort();
        }
        Ok(answer)
    }

    fn cut_after(&mut self, session: Session, allowed: Allowed) -> AbortHandle {
        self.checks.spawn(async move {
            allowed.await;
            session
        })
    }

    fn state(&self, camera: &Camera) -> State {
        match self.cameras.get(camera) {
            None => State::Unwatched,
            Some(asked) if asked.arriving => State::Arriving,
            Some(asked) => asked.refused.map_or(State::Asked, State::Refused),
        }
    }
}
