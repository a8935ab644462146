//! The one task that writes records: takes what is there, commits it together, acknowledges.

use tokio::sync::mpsc;

use super::Outgoing;
use crate::service::Question;
use crate::store::Store;
use crate::store::records::{Arrival, Counts, SettledCache};

/// Most messages in one transaction: 64 messages of at most 64 records.
const GROUP: usize = 64;

/// Runs until every sender of `arrivals` is gone and the queue is empty.
///
/// `questions` are whether it still gets round to anything.
pub async fn run(
    store: Store,
    mut arrivals: mpsc::Receiver<Arrival>,
    acks: mpsc::Sender<Outgoing>,
    mut questions: mpsc::Receiver<Question>,
) {
    let mut cache = SettledCache::default();
    let mut total = Counts::default();
    let mut group = Vec::with_capacity(GROUP);
    loop {
        tokio::select! {
            taken = arrivals.recv_many(&mut group, GROUP) => {
                if taken == 0 {
                    break;
                }
                commit(&store, &mut cache, &group, &acks, &mut total).await;
                group.clear();
            }
            Some(question) = questions.recv() => drop(question.send(())),
        }
    }
    tracing::info!(
        new = total.new,
        duplicate = total.duplicate,
        rejected = total.rejected,
        stranger = total.stranger,
        "ingest finished"
    );
}

async fn commit(
    store: &Store,
    cache: &mut SettledCache,
    group: &[Arrival],
    acks: &mpsc::Sender<Outgoing>,
    total: &mut Counts,
) {
    let error = match store.commit(cache, group).await {
        Ok(committed) => return finish(committed, acks, total),
        Err(error) => error,
    };
    if group.len() == 1 {
        tracing::error!(agent = %group[0].agent, %error, "message not stored, its agent will send it again");
        return;
    }
    // One message may be what the database chokes on: the others shall not wait for it.
    tracing::warn!(messages = group.len(), %error, "group not stored, trying its messages one by one");
    for arrival in group {
        match store.commit(cache, std::slice::from_ref(arrival)).await {
            Ok(committed) => finish(committed, acks, total),
            Err(error) => {
                tracing::error!(agent = %arrival.agent, %error, "message not stored, its agent will send it again");
            }
        }
    }
}

fn finish(committed: crate::store::records::Committed, acks: &mpsc::Sender<Outgoing>, total: &mut Counts) {
    let counts = committed.counts;
    total.new += counts.new;
    total.duplicate += counts.duplicate;
    total.rejected += counts.rejected;
    total.stranger += counts.stranger;
    for outgoing in committed.acks {
        let agent = outgoing.0.agent.clone();
        // Never waited for: a broker that is away must not stop the writing.
        if acks.try_send(outgoing).is_err() {
            tracing::warn!(%agent, "acknowledgement not sent, it comes with the next resend");
        }
    }
}
