//! The tasks behind webhooks: one reads the change log on, and one a receiver sends what is due there.
//!
//! A receiver has a task, a connection and a circuit breaker of its own: one that hangs holds up nobody else,
//! and ingest least of all, which knows nothing of them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use hub_core::cap;
use hub_core::delivery::{self, Circuit, Next, Outcome};
use protocol::Timestamp;
use protocol::exchange::Incident;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::send::{Message, SendError, Sender};
use super::{Format, Webhook, WebhookError, target};
use crate::clock::now_ms;
use crate::store::deliveries::{After, Due};
use crate::store::exchange::Names;
use crate::store::outside::Pass;
use crate::store::{Store, StoreError};

/// Another process may have committed something without telling us.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);
/// After a pass that found something: an incident in a storm changes with each of its alerts, and whoever reads
/// slower reads it once.
const PACE: Duration = Duration::from_millis(500);
/// After an error of the database.
const REST: Duration = Duration::from_secs(5);
/// Messages under way to one receiver.
const AT_ONCE: u32 = 8;
/// How much longer than an attempt may take a message stays taken on.
const LEASE_MORE_MS: i64 = 30_000;

/// The running tasks.
pub struct Outside {
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl Outside {
    /// Opens every receiver before any is sent to: a wrong secret is told at the start.
    pub fn start(
        webhooks: &[Webhook],
        names: &Arc<Names>,
        store: &Store,
        stop: &CancellationToken,
    ) -> Result<Self, WebhookError> {
        let resolve = target::system();
        let senders = webhooks.iter().map(|w| w.open(resolve.clone())).collect::<Result<Vec<_>, _>>()?;
        let receivers = Arc::new(webhooks.to_vec());
        let following = follow(store.clone(), names.clone(), receivers, stop.clone());
        let mut tasks = vec![("outside", tokio::spawn(following))];
        for (webhook, sender) in webhooks.iter().zip(senders) {
            tracing::info!(receiver = webhook.name, "webhook open");
            let sending = deliver(store.clone(), names.clone(), webhook.clone(), sender, stop.clone());
            tasks.push(("webhook", tokio::spawn(sending)));
        }
        Ok(Self { tasks })
    }

    /// The tasks, to be waited for once they are told to stop.
    pub fn tasks(self) -> Vec<(&'static str, JoinHandle<()>)> {
        self.tasks
    }
}

/// Reads the change log on until it is told to stop.
pub async fn follow(store: Store, names: Arc<Names>, receivers: Arc<Vec<Webhook>>, stop: CancellationToken) {
    let mut news = store.follow();
    let mut ticks = tokio::time::interval(LOOK_ANYWAY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match store.follow_outside(&names, &receivers).await {
            Ok(Pass::More) if !stop.is_cancelled() => continue,
            Ok(Pass::Done) => rest(&stop, PACE).await,
            Ok(_) => {}
            Err(error) if error.is_transient() => continue,
            Err(error) => {
                tracing::error!(%error, "incidents not passed on, tried again");
                rest(&stop, REST).await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = news.changed() => if changed.is_err() { return },
            _ = ticks.tick() => {}
        }
    }
}

/// Sends to one receiver what is due there, until it is told to stop.
pub async fn deliver(
    store: Store,
    names: Arc<Names>,
    webhook: Webhook,
    sender: Sender,
    stop: CancellationToken,
) {
    let mut courier = Courier { store, names, webhook, sender, circuit: Circuit::default() };
    while !stop.is_cancelled() {
        let wait = match courier.round().await {
            Ok(None) => continue,
            Ok(Some(wait)) => wait,
            Err(error) => {
                tracing::error!(receiver = courier.webhook.name, %error, "webhook not sent, tried again");
                REST
            }
        };
        rest(&stop, wait).await;
    }
}

async fn rest(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

struct Courier {
    store: Store,
    names: Arc<Names>,
    webhook: Webhook,
    sender: Sender,
    circuit: Circuit,
}

impl Courier {
    /// Sends what is due; how long there is nothing to do, or `None` where there may be more.
    async fn round(&mut self) -> Result<Option<Duration>, StoreError> {
        let name = &self.webhook.name;
        let now = now_ms();
        match self.store.next_due(name).await? {
            Some(due) if due <= now => {}
            _ => return Ok(Some(LOOK_ANYWAY)),
        }
        if let Err(until) = self.circuit.ask(now) {
            let wait = u64::try_from(until - now).unwrap_or(0);
            return Ok(Some(Duration::from_millis(wait).min(Duration::from_secs(5))));
        }
        let most = if self.circuit.is_open() { 1 } else { AT_ONCE };
        let timeout = i64::try_from(self.webhook.timeout.0.as_millis()).unwrap_or(i64::MAX / 2);
        let taken = self.store.take_due(name, now, now + timeout + LEASE_MORE_MS, most).await;
        let taken = match taken {
            Ok(taken) if !taken.is_empty() => taken,
            other => {
                // The attempt that was asked for was not made.
                self.circuit.tell(now, Outcome::Refused);
                other?;
                return Ok(Some(LOOK_ANYWAY));
            }
        };
        let was_open = self.circuit.is_open();
        let attempts = join_all(taken.iter().map(|due| self.attempt(due))).await;
        for outcome in attempts {
            let outcome = outcome?;
            self.circuit.tell(now_ms(), outcome);
        }
        if self.circuit.is_open() != was_open {
            let (receiver, away) = (&self.webhook.name, !was_open);
            tracing::warn!(receiver, away, "webhook's receiver changed its state");
        }
        Ok(None)
    }

    /// One attempt at one message, and what it came to in the database.
    async fn attempt(&self, due: &Due) -> Result<Outcome, StoreError> {
        let name = &self.webhook.name;
        let told = self.store.told(&self.names, &due.site, &due.incident).await?;
        let Some(incident) = told.map(|told| told.incident) else {
            // It is gone: there is nothing to tell.
            self.store.attempted(name, due, i64::MAX, &After::Told, now_ms()).await?;
            return Ok(Outcome::Taken);
        };
        let version = incident.version.cast_signed();
        let message = message(&self.store, &self.names, self.webhook.format, &incident).await?;
        let answer = self.sender.send(&message, now_ms() / 1_000).await;
        let (outcome, error) = match answer {
            Ok(answer) => (answer.outcome, format!("answered {}", answer.status)),
            Err(error) => (Outcome::Away { retry_after_ms: None }, error_text(&error)),
        };
        let now = now_ms();
        let attempts = u32::try_from(due.attempts).unwrap_or(u32::MAX);
        let give_up = i64::try_from(self.webhook.give_up_after.0.as_millis()).unwrap_or(i64::MAX);
        let chance = u32::try_from(now.rem_euclid(1_000)).unwrap_or(0);
        let after = match delivery::next(outcome, attempts, due.since, now, give_up, chance) {
            Next::Done => After::Told,
            Next::At(at) => After::Again { due: at, error: &error },
            Next::GiveUp => {
                tracing::error!(receiver = name, incident = due.incident, error, "webhook given up");
                After::GivenUp { error: &error }
            }
        };
        self.store.attempted(name, due, version, &after, now).await?;
        Ok(outcome)
    }
}

/// An error with its causes, bounded.
fn error_text(error: &SendError) -> String {
    error.to_string().chars().take(300).collect()
}

/// An incident as a receiver wants it.
pub async fn message(
    store: &Store,
    names: &Names,
    format: Format,
    incident: &Incident,
) -> Result<Message, StoreError> {
    let id = cap::identifier(incident.site.as_str(), &incident.incident, incident.version);
    match format {
        Format::Json => {
            let body = serde_json::json!({
                "type": "incident",
                "timestamp": Timestamp::from_unix_ms(now_ms()),
                "data": incident,
            });
            Ok(Message { id, content_type: "application/json", body: body.to_string().into_bytes() })
        }
        Format::Cap => {
            let body = store.cap(names, incident).await?.into_bytes();
            Ok(Message { id, content_type: "application/cap+xml", body })
        }
    }
}
