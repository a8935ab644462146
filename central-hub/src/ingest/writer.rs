//! The one task that writes records: takes what is there, commits it together, acknowledges.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::backlog::Backlog;
use super::{Outgoing, QUEUED_MESSAGES};
use crate::refusals::Refusals;
use crate::service::Question;
use crate::store::Store;
use crate::store::records::{Arrival, Committed, Content, Counts, SettledCache};

/// Most messages in one transaction. A transaction costs much, a message more in it little.
const GROUP: usize = QUEUED_MESSAGES;
/// Most records in one transaction, so that nobody waits long for another one's backlog.
const GROUP_RECORDS: usize = 4096;
/// How often a transaction that lost against another hub's is tried.
const TRIES: u32 = 10;
/// After so many transactions in a row that failed it is the database that cannot, not a message that it chokes on: one
/// message of a whole group is found by nine.
const FAILURES: u32 = 16;
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
                let mut waiting = group.as_slice();
                while !waiting.is_empty() {
                    let (now, later) = waiting.split_at(portion(waiting));
                    work.commit(now).await;
                    now.iter().for_each(|arrival| backlog.leave(&arrival.agent));
                    waiting = later;
                }
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
    /// One message may be what the database chokes on: the others shall not wait for it, so what fails is halved.
    async fn commit(&mut self, group: &[Arrival]) {
        let (mut parts, mut failures, mut tries) = (vec![group], 0, 0);
        while let Some(part) = parts.pop() {
            let error = match self.store.commit(&mut self.cache, part).await {
                Ok(committed) => {
                    self.finish(committed).await;
                    (failures, tries) = (0, 0);
                    continue;
                }
                Err(error) => error,
            };
            if error.is_transient() && tries < TRIES {
                tries += 1;
                parts.push(part);
                continue;
            }
            (failures, tries) = (failures + 1, 0);
            if failures >= FAILURES {
                let messages = part.len() + parts.iter().map(|part| part.len()).sum::<usize>();
                tracing::error!(messages, %error, "messages not stored, their agents will send them again");
                return;
            }
            if let [only] = part {
                tracing::error!(agent = %only.agent, %error, "message not stored, its agent will send it again");
                continue;
            }
            tracing::warn!(messages = part.len(), %error, "group not stored, trying its halves");
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second, first]);
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

/// How many of the first messages go into one transaction: one at least.
fn portion(waiting: &[Arrival]) -> usize {
    let mut records = 0;
    let fit = waiting.iter().take_while(|arrival| {
        records += match &arrival.content {
            Content::Records(records) | Content::Forged { records, .. } => records.len().max(1),
            _ => 1,
        };
        records <= GROUP_RECORDS
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn message(records: usize) -> Arrival {
        let records: Vec<_> = (1..=records)
            .map(|seq| serde_json::json!({ "epoch": "e1", "seq": seq, "at": "2026-11-23T08:00:00.000Z", "type": "new" }))
            .collect();
        let payload = serde_json::json!({ "v": 1, "records": records }).to_string();
        read("signalbox/v1/market/gate/alert", payload.as_bytes(), 0).unwrap()
    }

    #[test]
    fn a_transaction_takes_what_waits_up_to_its_bound_of_records() {
        let small: Vec<_> = (0..GROUP).map(|_| message(1)).collect();
        assert_eq!(portion(&small), GROUP);
        let full: Vec<_> = (0..80).map(|_| message(64)).collect();
        assert_eq!(portion(&full), GROUP_RECORDS / 64);
        assert_eq!(portion(&full[..3]), 3);
    }
}
