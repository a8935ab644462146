//! The one task that writes records: takes what is there, commits it together, acknowledges.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Outgoing;
use super::backlog::Backlog;
use crate::refusals::Refusals;
use crate::service::Question;
use crate::store::Store;
use crate::store::records::{Arrival, Committed, Counts, SettledCache};

/// Most messages in one transaction: 64 messages of at most 64 records.
const GROUP: usize = 64;
/// How often refusals that were only counted are looked through, to be written down.
const COUNTED_CHECK: Duration = Duration::from_secs(10);

/// Runs until every sender of `arrivals` is gone and the queue is empty.
///
/// `questions` are whether it still gets round to anything.
pub async fn run(
    store: Store,
    mut arrivals: mpsc::Receiver<Arrival>,
    acks: mpsc::Sender<Outgoing>,
    backlog: Backlog,
    mut questions: mpsc::Receiver<Question>,
) {
    let mut work = Writer {
        refusals: Refusals::new(store.clone()),
        store,
        cache: SettledCache::default(),
        acks,
        total: Counts::default(),
    };
    let mut group = Vec::with_capacity(GROUP);
    let mut ticks = tokio::time::interval(COUNTED_CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            taken = arrivals.recv_many(&mut group, GROUP) => {
                if taken == 0 {
                    break;
                }
                work.commit(&group).await;
                group.iter().for_each(|arrival| backlog.leave(&arrival.agent));
                group.clear();
            }
            _ = ticks.tick() => work.refusals.write_counted().await,
            Some(question) = questions.recv() => drop(question.send(())),
        }
    }
    let total = work.total;
    tracing::info!(
        new = total.new,
        duplicate = total.duplicate,
        rejected = total.rejected,
        stranger = total.stranger,
        "ingest finished"
    );
}

struct Writer {
    store: Store,
    cache: SettledCache,
    acks: mpsc::Sender<Outgoing>,
    total: Counts,
    refusals: Refusals,
}

impl Writer {
    async fn commit(&mut self, group: &[Arrival]) {
        let error = match self.store.commit(&mut self.cache, group).await {
            Ok(committed) => return self.finish(committed).await,
            Err(error) => error,
        };
        if let [only] = group {
            tracing::error!(agent = %only.agent, %error, "message not stored, its agent will send it again");
            return;
        }
        // One message may be what the database chokes on: the others shall not wait for it.
        tracing::warn!(messages = group.len(), %error, "group not stored, trying its messages one by one");
        for arrival in group {
            match self.store.commit(&mut self.cache, std::slice::from_ref(arrival)).await {
                Ok(committed) => self.finish(committed).await,
                Err(error) => {
                    let agent = &arrival.agent;
                    tracing::error!(%agent, %error, "message not stored, its agent will send it again");
                }
            }
        }
    }

    async fn finish(&mut self, committed: Committed) {
        let Committed { acks, counts, forged } = committed;
        self.total.new += counts.new;
        self.total.duplicate += counts.duplicate;
        self.total.rejected += counts.rejected;
        self.total.stranger += counts.stranger;
        for outgoing in acks {
            let agent = outgoing.0.agent.clone();
            // Never waited for: a broker that is away must not stop the writing.
            if self.acks.try_send(outgoing).is_err() {
                tracing::warn!(%agent, "acknowledgement not sent, it comes with the next resend");
            }
        }
        for (identity, detail) in forged {
            self.refusals.note("forged_identity", &identity, detail).await;
        }
    }
}
