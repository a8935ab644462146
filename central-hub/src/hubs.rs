//! One hub among several on one database: it says that it lives, and one of them leads.
//!
//! Records go to whichever hub the broker gives them to. What must be heard in order (agents' status) is heard
//! by the hub that leads; when that one dies, another takes over and hears every retained status anew. A hub with
//! an embedded broker knows nothing of other hubs' boxes, so it runs alone or not at all.

use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::config::Config;
use crate::store::hubs::{Hub, Joined, LEASE_MS};
use crate::store::{Store, StoreError};
use crate::uuid::uuid7;

/// How often it says that it lives.
const EVERY: Duration = Duration::from_secs(3);
/// How soon it sees what other processes have committed.
const LOOK: Duration = Duration::from_millis(250);
const LEAD: &str = "lead";

/// This hub's part among the hubs.
#[derive(Debug)]
pub struct Member {
    store: Store,
    hub: Hub,
    /// Whether this hub leads.
    leads: watch::Sender<bool>,
    /// It was put off the list: another one runs at its place, or it was not heard for too long.
    pub expelled: CancellationToken,
}

impl Member {
    /// Takes its place, or says why there is none for it.
    pub async fn join(store: &Store, config: &Config) -> anyhow::Result<Self> {
        let place = place(store);
        let alone = config.broker.external.is_none() || !store.can_share();
        let hub = Hub { id: uuid7()?, place, alone };
        if store.can_share()
            && let Joined::Beside { place } = store.join(&hub).await?
        {
            bail!(
                "another hub runs on this database, at {place}. Several hubs need one broker for all of them: set \
                 [broker] external in each. 另一个中心已在使用此数据库（{place}）。多个中心必须共用一个外部消息服务器：\
                 请在每个中心的设置中填写 [broker] external"
            );
        }
        let member = Self {
            store: store.clone(),
            hub,
            leads: watch::Sender::new(false),
            expelled: CancellationToken::new(),
        };
        // Who runs alone leads at once; among several, the lease decides.
        let leads = member.lead().await?;
        member.leads.send_replace(leads);
        Ok(member)
    }

    /// What tells its connections to the broker from those of the others; none where there are no others.
    pub fn name(&self) -> Option<String> {
        (!self.hub.alone).then(|| self.hub.id.clone())
    }

    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    /// Stays on the list and tries to lead, until stopped; then leaves.
    pub async fn run(self, stop: CancellationToken) {
        let (mut beat, mut look) = (tokio::time::interval(EVERY), tokio::time::interval(LOOK));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut led = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => match self.store.latest_change().await {
                    Ok(latest) => self.store.announce(latest),
                    Err(error) => tracing::warn!(%error, "changes of other processes not seen"),
                },
                _ = beat.tick(), if self.store.can_share() => self.beat(&mut led).await,
            }
        }
        if let Err(error) = self.store.leave(&self.hub.id).await {
            tracing::warn!(%error, "hub is still on the list of hubs, and leaves it by time");
        }
    }

    async fn beat(&self, led: &mut Instant) {
        match self.store.still_here(&self.hub.id).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(
                    place = self.hub.place,
                    "hub is off the list of hubs: another one runs at its place"
                );
                self.expelled.cancel();
            }
            Err(error) => tracing::warn!(%error, "hub could not say that it lives"),
        }
        match self.lead().await {
            Ok(leads) => {
                *led = Instant::now();
                self.set(leads);
            }
            // The lease ends by itself; nobody may believe to have it beyond that.
            Err(error) if led.elapsed() >= Duration::from_millis(LEASE_MS.unsigned_abs()) => {
                tracing::warn!(%error, "lease not renewed");
                self.set(false);
            }
            Err(error) => tracing::warn!(%error, "lease not renewed yet"),
        }
    }

    fn set(&self, leads: bool) {
        let changed = |known: &mut bool| std::mem::replace(known, leads) != leads;
        if self.leads.send_if_modified(changed) {
            tracing::info!(leads, "who leads the hubs has changed");
        }
    }

    /// Takes or keeps the lead. Who takes it has heard nobody yet: what was online or offline is unknown.
    async fn lead(&self) -> Result<bool, StoreError> {
        let leads = self.hub.alone || self.store.lease(LEAD, &self.hub.id).await?;
        if leads && !*self.leads.borrow() {
            self.store.forget_presence(now_ms()).await?;
        }
        Ok(leads)
    }
}

/// Machine and data folder.
fn place(store: &Store) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = std::fs::canonicalize(store.data()).unwrap_or_else(|_| store.data().to_owned());
    format!("{}:{}", machine.trim(), folder.display())
}
