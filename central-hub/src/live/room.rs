//! The one task of live video: it owns the socket, the relay, the requests and the viewers.
//!
//! Takes one thing at a time, lets the pure parts decide (`hub_core::live`, the crate `live`), and does what they
//! say. Never waits for the database or for a box. What is wished of it is granted in `wishes`.

mod wishes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hub_core::live::{Action, Camera, Watching};
use live::{Channel, End, Forwarded, Relay, Session};
use protocol::{Command, Order, Outcome, Reply, ReplyWhy, Timestamp, Topic, VERSION};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::viewers::Viewers;
use super::{Live, Settings, WISHES, Why, Wish};
use crate::clock::now_ms;
use crate::credential;
use crate::store::Store;
use crate::store::audit::Note;

/// No datagram is larger.
const DATAGRAM: usize = 2048;
/// Datagrams that are taken before anything else is looked at.
const AT_ONCE: usize = 64;
/// An order counts as long.
const ORDER_LIVES: Duration = Duration::from_secs(5);
/// Entries that may wait for the audit.
const NOTES: usize = 1024;
/// How long the room waits where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// See the module.
pub struct Room {
    socket: UdpSocket,
    relay: Relay,
    watching: Watching,
    viewers: Viewers,
    cameras: BTreeMap<Camera, Asked>,
    pace: Pace,
    checks: JoinSet<Session>,
    wishes: mpsc::Receiver<Wish>,
    commands: mpsc::Sender<(Topic, Command)>,
    replies: mpsc::Receiver<(Topic, Reply)>,
    store: Store,
    begun: Instant,
    numbered: u64,
}

/// A camera that was asked for.
struct Asked {
    channel: Channel,
    /// The latest order's.
    command: String,
    refused: Option<Why>,
    arriving: bool,
    /// The box's connection, and what waits for the end of its rights.
    source: Option<(Session, AbortHandle)>,
}

impl Room {
    /// Opens the port. `commands`, `replies`: [`super::Orders`]' other ends.
    pub async fn open(
        settings: &Settings,
        store: Store,
        commands: mpsc::Sender<(Topic, Command)>,
        replies: mpsc::Receiver<(Topic, Reply)>,
    ) -> std::io::Result<(Self, Live)> {
        let socket = UdpSocket::bind(settings.listen).await?;
        let addresses = settings.reached_by(socket.local_addr()?.port());
        tracing::info!(?addresses, "live video has its port");
        let (live, wishes) = mpsc::channel(WISHES);
        let room = Self {
            socket,
            relay: Relay::new(addresses, settings.most),
            watching: Watching::default(),
            viewers: Viewers::default(),
            cameras: BTreeMap::new(),
            pace: Pace::default(),
            checks: JoinSet::new(),
            wishes,
            commands,
            replies,
            store,
            begun: Instant::now(),
            numbered: 0,
        };
        Ok((room, Live(live)))
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let (note, notes) = mpsc::channel(NOTES);
        let noting = write_notes(self.store.clone(), notes);
        let working = async {
            self.work(&note, &stop).await;
            self.end_all(&note);
            drop(note);
        };
        tokio::join!(working, noting);
    }

    async fn work(&mut self, note: &mpsc::Sender<Note>, stop: &CancellationToken) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let due = self.due();
            tokio::select! {
                () = stop.cancelled() => return,
                received = self.socket.recv_from(&mut buffer) => {
                    if let Ok((length, from)) = received {
                        self.received(&buffer[..length], from);
                        self.receive_more(&mut buffer);
                    }
                }
                Some(wish) = self.wishes.recv() => self.grant(wish, note),
                Some((topic, reply)) = self.replies.recv() => self.answered(&topic, &reply),
                Some(Ok(session)) = self.checks.join_next(), if !self.checks.is_empty() => {
                    tracing::info!("a live connection is cut: whose it was may no more");
                    self.relay.close(session, Instant::now());
                }
                () = tokio::time::sleep(due) => {
                    self.relay.tick(Instant::now());
                    self.watching.tick(self.now());
                }
            }
            self.act(note);
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn due(&self) -> Duration {
        let relay = self.relay.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let requests = self.watching.deadline().map(|at| at.saturating_sub(self.now()));
        relay.into_iter().chain(requests).min().unwrap_or(IDLE)
    }

    fn received(&mut self, bytes: &[u8], from: SocketAddr) {
        self.relay.receive(from, bytes, Instant::now());
    }

    fn receive_more(&mut self, buffer: &mut [u8]) {
        for _ in 1..AT_ONCE {
            let Ok((length, from)) = self.socket.try_recv_from(buffer) else { return };
            self.received(&buffer[..length], from);
        }
    }

    /// Does what the pure parts want done.
    fn act(&mut self, note: &mpsc::Sender<Note>) {
        self.send_telling(note);
        while let Some(action) = self.watching.poll() {
            match action {
                Action::Start { camera, live } => self.order(&camera, live, true),
                Action::Stop { camera, live } => {
                    self.order(&camera, live, false);
                    if let Some((session, _)) = self.cameras.remove(&camera).and_then(|asked| asked.source) {
                        self.relay.close(session, Instant::now());
                    }
                }
            }
        }
        self.send_telling(note);
    }

    /// Gives datagrams to the network. Who cannot take them asks again: nothing waits here.
    fn send(&mut self) -> Vec<Forwarded> {
        let mut told = Vec::new();
        while let Some(next) = self.relay.poll() {
            match next {
                Forwarded::Send { to, bytes } => drop(self.socket.try_send_to(&bytes, to)),
                other => told.push(other),
            }
        }
        told
    }

    fn send_telling(&mut self, note: &mpsc::Sender<Note>) {
        let now = self.now();
        for told in self.send() {
            match told {
                Forwarded::Arriving(channel) => self.arrives(channel, true),
                Forwarded::Shown(session) => self.viewers.shown(session),
                Forwarded::Ended(session, End::Viewer(_)) => self.left(session, now, note),
                Forwarded::Ended(session, End::Source(channel)) => self.lost(session, channel),
                Forwarded::Send { .. } => {}
            }
        }
    }

    fn arrives(&mut self, channel: Channel, arriving: bool) {
        let now = self.now();
        if let Some((camera, asked)) = self.cameras.iter_mut().find(|(_, asked)| asked.channel == channel) {
            asked.arriving = arriving;
            self.watching.arriving(now, camera, arriving);
            tracing::info!(agent = %camera.agent, camera = %camera.camera, arriving, "live video");
        }
    }

    fn lost(&mut self, session: Session, channel: Channel) {
        let is_current = |asked: &Asked| asked.source.as_ref().is_some_and(|(now, _)| *now == session);
        let asked = self.cameras.values_mut().find(|asked| asked.channel == channel);
        if let Some(asked) = asked.filter(|asked| is_current(asked)) {
            if let Some((_, check)) = asked.source.take() {
                check.abort();
            }
            self.arrives(channel, false);
        }
    }

    fn left(&mut self, session: Session, now: Duration, note: &mpsc::Sender<Note>) {
        if let Some(viewer) = self.viewers.remove(session) {
            self.watching.left(now, &viewer.camera, viewer.number);
            if note.try_send(viewer.left(now)).is_err() {
                tracing::error!(user = viewer.who.account, "the end of a live view is not in the audit");
            }
        }
    }

    fn order(&mut self, camera: &Camera, live: String, start: bool) {
        let Ok(id) = credential::random_token() else { return };
        if let Some(asked) = self.cameras.get_mut(camera) {
            asked.command.clone_from(&id);
        }
        let Camera { site, agent, camera } = camera.clone();
        let order = match start {
            true => Order::LiveStart { camera, live },
            false => Order::LiveStop { camera, live },
        };
        let expires_at = Timestamp::from_unix_ms(now_ms() + ORDER_LIVES.as_millis() as i64);
        let topic = Topic { site, agent, channel: protocol::Channel::Command };
        // One that finds no room is said again.
        let _ = self.commands.try_send((topic, Command { v: VERSION, id, expires_at, order }));
    }

    /// What a box said to the latest order about one of its cameras.
    fn answered(&mut self, topic: &Topic, reply: &Reply) {
        let own = |c: &Camera| c.agent == topic.agent && c.site == topic.site;
        let of = self.cameras.iter_mut().find(|(camera, asked)| asked.command == reply.id && own(camera));
        if let Some((_, asked)) = of {
            asked.refused = match reply.outcome {
                Outcome::Done => None,
                Outcome::Refused => Some(Why::Said(reply.why.unwrap_or(ReplyWhy::Other))),
                Outcome::Unknown => Some(Why::Old),
            };
        }
    }

    fn end_all(&mut self, note: &mpsc::Sender<Note>) {
        let now = self.now();
        for session in self.viewers.sessions() {
            self.left(session, now, note);
        }
        self.checks.abort_all();
    }
}

/// Ends with the room.
async fn write_notes(store: Store, mut notes: mpsc::Receiver<Note>) {
    while let Some(note) = notes.recv().await {
        if let Err(error) = store.note(note).await {
            tracing::error!(%error, "the end of a live view is not in the audit");
        }
    }
}
