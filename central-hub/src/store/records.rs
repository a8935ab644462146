//! One batch of arrivals, in one transaction: records, what is settled, what agents say of themselves.
//!
//! Invariants: a record is in `records` once, whatever arrives how often and in which order; what an
//! acknowledgement names is committed; a bad record is kept as a dead letter and settled, and takes
//! no good one with it.

use hub_core::RangeSet;
use protocol::alert::ReadRecord;
use protocol::enrol::Identity;
use protocol::{Ack, AgentId, Channel, Epoch, Health, Reply, SiteId, Status, Topic};

use super::{Store, StoreError, Tx};
use batch::{Batch, Done, Touched};

mod batch;
mod body;
mod claims;
mod content;
mod courses;
mod letters;
mod raised;
mod seen;
mod settled;

pub use settled::SettledCache;

/// Most ranges beyond `settled_through` that an acknowledgement names of old; those of the batch it
/// answers are named besides.
const OLD_RANGES: usize = 200;

/// One message from an agent, read.
#[derive(Debug)]
pub struct Arrival {
    pub site: SiteId,
    pub agent: AgentId,
    pub content: Content,
    pub received_at: i64,
}

#[derive(Debug)]
pub enum Content {
    Records(Vec<ReadRecord>),
    Status(Box<Status>),
    Health(Box<Health>),
    /// The answer to a command. Whoever gave the command waits for it; here it only shows that the box lives.
    Reply(Box<Reply>),
    /// A message that names somebody else than its topic: nothing of it is believed.
    Forged {
        channel: Channel,
        why: String,
        /// Its records as far as they can be read, to tell the sender that they were refused.
        records: Vec<ReadRecord>,
        raw: Vec<u8>,
    },
    /// A message of which not even the shape could be read.
    Unreadable {
        channel: Channel,
        why: String,
        raw: Vec<u8>,
    },
}

/// What a commit brought.
#[derive(Debug, Default)]
pub struct Committed {
    pub acks: Vec<(Topic, Ack)>,
    pub counts: Counts,
    /// Who named somebody else, and how.
    pub forged: Vec<(Identity, String)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: u64,
    pub duplicate: u64,
    pub rejected: u64,
    /// Messages under the name of an agent that is not enrolled there; never acknowledged.
    pub stranger: u64,
}

impl Store {
    /// Commits a batch, then says what to acknowledge. On an error nothing of it is stored and
    /// nothing is to be acknowledged: the agents send it again.
    pub async fn commit(&self, cache: &mut SettledCache, batch: &[Arrival]) -> Result<Committed, StoreError> {
        let mut tx = self.write().await?;
        // Agents in one order for all hubs, or two that write at once could wait for each other; each agent's
        // messages in the order in which they came.
        let mut in_order: Vec<_> = batch.iter().collect();
        in_order.sort_by_key(|arrival| &arrival.agent);
        let mut work = Batch::begin(&mut tx, &in_order, self.offset_minutes()).await?;
        for arrival in in_order {
            work.take(arrival).await?;
        }
        let Done { counts, touched, forged } = work.finish(self).await?;
        let sets = settled::add(&mut tx, cache, &touched).await?;
        let acks = touched.into_iter().zip(&sets).map(|(((site, agent, epoch), touched), (_, set))| {
            let ack = self.acknowledgement(&epoch, set, touched);
            (Topic { site, agent, channel: Channel::Ack }, ack)
        });
        let acks = acks.collect();
        tx.commit().await?;
        cache.committed(sets);
        Ok(Committed { acks, counts, forged })
    }

    fn acknowledgement(&self, epoch: &Epoch, set: &RangeSet, touched: Touched) -> Ack {
        let through = set.settled_through();
        let of_batch = touched.ranges.iter().filter_map(|(first, _)| set.range_of(*first));
        let named: RangeSet =
            set.beyond().take(OLD_RANGES).chain(of_batch.filter(|(first, _)| *first > through)).collect();
        Ack {
            hub_epoch: self.hub_epoch().clone(),
            epoch: epoch.clone(),
            settled_through: through,
            settled: named.iter().collect(),
            rejected: touched.rejected,
        }
    }
}
