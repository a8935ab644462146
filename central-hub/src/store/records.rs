//! One batch of arrivals, in one transaction: records, what is settled, what agents say of themselves.
//!
//! Invariants: a record is in `records` once, whatever arrives how often and in which order; what an
//! acknowledgement names is committed; a bad record is kept as a dead letter and settled, and takes
//! no good one with it.

use std::collections::{BTreeMap, BTreeSet};

use hub_core::RangeSet;
use protocol::alert::ReadRecord;
use protocol::enrol::Identity;
use protocol::{
    Ack, AgentId, BadRecord, Body, Channel, Epoch, Health, Record, RejectReason, Rejected, Reply, SiteId,
    Status, Topic,
};

use super::{Store, StoreError, Tx, agents, audit, sql, sql_for};
use crate::credential::hex;

mod body;
mod content;
mod letters;
mod raised;
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

/// What a batch settles of one epoch.
#[derive(Debug, Default)]
struct Touched {
    ranges: Vec<(u64, u64)>,
    rejected: Vec<Rejected>,
}

type TouchedEpochs = BTreeMap<(SiteId, AgentId, Epoch), Touched>;

/// What became of one record.
enum Verdict {
    New,
    Duplicate,
    Rejected(RejectReason),
}

/// One transaction under way.
struct Batch<'a, 'b> {
    tx: &'a mut Tx,
    /// Alerts that were not there before; they are stored together, at the end.
    raised: Vec<raised::New<'b>>,
    /// Who of this batch is enrolled.
    enrolled: BTreeMap<(&'b SiteId, &'b AgentId), bool>,
    /// Records of this batch that were not there before and are not looked at yet, with their hashes.
    claimed: BTreeMap<(&'b AgentId, &'b Epoch, u64), Vec<u8>>,
    counts: Counts,
    touched: TouchedEpochs,
    letters: bool,
    forged: Vec<(Identity, String)>,
    /// Of local time from UTC.
    offset_minutes: i16,
}

impl Store {
    /// Commits a batch, then says what to acknowledge. On an error nothing of it is stored and
    /// nothing is to be acknowledged: the agents send it again.
    pub async fn commit(&self, cache: &mut SettledCache, batch: &[Arrival]) -> Result<Committed, StoreError> {
        let mut tx = self.write().await?;
        let mut work = Batch {
            tx: &mut tx,
            raised: Vec::new(),
            enrolled: BTreeMap::new(),
            claimed: BTreeMap::new(),
            counts: Counts::default(),
            touched: BTreeMap::new(),
            letters: false,
            forged: Vec::new(),
            offset_minutes: self.offset_minutes(),
        };
        // Agents in one order for all hubs, or two that write at once could wait for each other; each agent's
        // messages in the order in which they came.
        let mut in_order: Vec<_> = batch.iter().collect();
        in_order.sort_by_key(|arrival| &arrival.agent);
        work.admit(&in_order).await?;
        work.claim_all(&in_order).await?;
        for arrival in in_order {
            work.take(arrival).await?;
        }
        let Batch { counts, touched, letters, forged, raised, .. } = work;
        raised::put(self, &mut tx, &raised).await?;
        let mut sets = Vec::new();
        let mut acks = Vec::new();
        for ((site, agent, epoch), touched) in touched {
            let set = settled::add(&mut tx, cache, &agent, &epoch, &touched.ranges).await?;
            let ack = self.acknowledgement(&epoch, &set, touched);
            acks.push((Topic { site, agent: agent.clone(), channel: Channel::Ack }, ack));
            sets.push(((agent, epoch), set));
        }
        if letters {
            letters::prune(&mut tx).await?;
        }
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

impl<'b> Batch<'_, 'b> {
    /// Who may say something here.
    async fn admit(&mut self, arrivals: &[&'b Arrival]) -> Result<(), StoreError> {
        let mut seen: BTreeMap<(&AgentId, &SiteId), i64> = BTreeMap::new();
        for Arrival { site, agent, received_at, .. } in arrivals {
            let last = seen.entry((agent, site)).or_insert(*received_at);
            *last = (*last).max(*received_at);
        }
        for ((agent, site), received_at) in seen {
            // The agent's row stays locked to the end: whatever follows is this hub's alone to decide.
            let text =
                "UPDATE agents SET last_seen = $3 WHERE agent = $1 AND site = $2 AND revoked_at IS NULL";
            let seen = sql(text).bind(agent.as_str()).bind(site.as_str()).bind(received_at);
            let enrolled = self.tx.execute(seen).await? > 0;
            self.enrolled.insert((site, agent), enrolled);
        }
        Ok(())
    }

    fn is_enrolled(&self, arrival: &'b Arrival) -> bool {
        self.enrolled.get(&(&arrival.site, &arrival.agent)).copied().unwrap_or(false)
    }

    /// Takes the identities of all good records of the batch by one statement.
    async fn claim_all(&mut self, arrivals: &[&'b Arrival]) -> Result<(), StoreError> {
        for arrival in arrivals {
            let Content::Records(records) = &arrival.content else { continue };
            if !self.is_enrolled(arrival) {
                continue;
            }
            for (record, raw) in records.iter().flatten() {
                let id = (&arrival.agent, &record.epoch, record.seq);
                // The same once more in this batch is looked at by itself, as a record that is there.
                self.claimed.entry(id).or_insert_with(|| content::hash(raw));
            }
        }
        if self.claimed.is_empty() {
            return Ok(());
        }
        let values = self.claimed.iter().map(|((agent, epoch, seq), hash)| {
            serde_json::json!([agent.as_str(), epoch.as_str(), seq, hex(hash)])
        });
        let statement = sql_for(
            "INSERT INTO records (agent, epoch, seq, hash)
                SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3) FROM json_each($1)
                WHERE NOT EXISTS (SELECT 1 FROM swept w
                    JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch
                        AND s.first <= value ->> 2 AND s.last >= value ->> 2
                    WHERE w.agent = value ->> 0 AND w.epoch = value ->> 1 AND w.through >= value ->> 2)
                ON CONFLICT (agent, epoch, seq) DO NOTHING RETURNING agent, epoch, seq",
            "INSERT INTO records (agent, epoch, seq, hash)
                SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, decode(value ->> 3, 'hex')
                FROM jsonb_array_elements($1::text::jsonb) AS t (value)
                WHERE NOT EXISTS (SELECT 1 FROM swept w
                    JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch
                        AND s.first <= (value ->> 2)::bigint AND s.last >= (value ->> 2)::bigint
                    WHERE w.agent = value ->> 0 AND w.epoch = value ->> 1
                        AND w.through >= (value ->> 2)::bigint)
                ON CONFLICT (agent, epoch, seq) DO NOTHING RETURNING agent, epoch, seq",
        );
        let values = serde_json::Value::from_iter(values).to_string();
        let new: Vec<(String, String, i64)> = self.tx.all(statement.bind(values)).await?;
        if new.len() < self.claimed.len() {
            let new: BTreeSet<(&str, &str, u64)> =
                new.iter().map(|(a, e, s)| (a.as_str(), e.as_str(), s.cast_unsigned())).collect();
            self.claimed
                .retain(|(agent, epoch, seq), _| new.contains(&(agent.as_str(), epoch.as_str(), *seq)));
        }
        Ok(())
    }

    async fn take(&mut self, arrival: &'b Arrival) -> Result<(), StoreError> {
        let Arrival { site, agent, content, received_at } = arrival;
        if !self.is_enrolled(arrival) {
            self.counts.stranger += 1;
            tracing::warn!(%agent, %site, "message of an agent that is not enrolled at this site refused");
            return Ok(());
        }
        match content {
            Content::Records(records) => {
                for record in records {
                    self.take_record(arrival, record).await?;
                }
            }
            Content::Status(status) => {
                let offset = self.offset_minutes;
                agents::put_status(self.tx, agent.as_str(), status, *received_at, offset).await?;
            }
            Content::Health(health) => {
                agents::put_health(self.tx, agent.as_str(), health, *received_at).await?;
            }
            Content::Reply(reply) => {
                tracing::debug!(%agent, command = reply.id, outcome = ?reply.outcome, "agent replied");
            }
            Content::Forged { channel, why, records, raw } => {
                self.counts.rejected += 1;
                self.letter(arrival, *channel, None, RejectReason::Forged, why, raw).await?;
                for record in records {
                    self.refuse_forged(arrival, record).await?;
                }
                let identity = Identity { site: site.clone(), agent: agent.clone() };
                self.forged
                    .push((identity, format!("A message on its {} channel: {why}.", channel.as_str())));
            }
            Content::Unreadable { channel, why, raw } => {
                self.counts.rejected += 1;
                self.letter(arrival, *channel, None, RejectReason::Malformed, why, raw).await?;
            }
        }
        Ok(())
    }

    async fn take_record(&mut self, arrival: &'b Arrival, read: &'b ReadRecord) -> Result<(), StoreError> {
        let (id, verdict) = match read {
            Ok((record, raw)) => {
                let id = (record.epoch.clone(), record.seq);
                (Some(id), self.take_good(arrival, record, raw).await?)
            }
            Err(bad) => {
                let seq = bad.seq.filter(|s| i64::try_from(*s).is_ok());
                let id = bad.epoch.clone().zip(seq);
                (id.clone(), self.take_bad(arrival, id.as_ref(), bad).await?)
            }
        };
        match verdict {
            Verdict::New => self.counts.new += 1,
            Verdict::Duplicate => self.counts.duplicate += 1,
            Verdict::Rejected(_) => self.counts.rejected += 1,
        }
        // Without an identity there is nothing that could be acknowledged.
        let Some((epoch, seq)) = id else { return Ok(()) };
        let touched = self.touched.entry((arrival.site.clone(), arrival.agent.clone(), epoch)).or_default();
        touched.ranges.push((seq, seq));
        if let Verdict::Rejected(reason) = verdict {
            touched.rejected.push(Rejected { seq, reason });
        } else if let Ok((record, _)) = read
            && let Some(range) = body::given_up(record)
        {
            touched.ranges.push(range);
        }
        Ok(())
    }

    async fn take_good(
        &mut self,
        arrival: &'b Arrival,
        record: &'b Record,
        raw: &'b serde_json::Value,
    ) -> Result<Verdict, StoreError> {
        let id = (record.epoch.clone(), record.seq);
        if self.claimed.remove(&(&arrival.agent, &record.epoch, record.seq)).is_none()
            && let hash = content::hash(raw)
            && let Some((stored, rejected)) = self.claim(arrival, &id, &hash, None).await?
        {
            if stored == hash {
                return Ok(rejected.map_or(Verdict::Duplicate, Verdict::Rejected));
            }
            self.hold(arrival, &id).await?;
            let raw = raw.to_string();
            let why = "the same id was stored before with other content";
            self.letter(arrival, Channel::Alert, Some(&id), RejectReason::Conflict, why, raw.as_bytes())
                .await?;
            return Ok(Verdict::Rejected(RejectReason::Conflict));
        }
        match &record.body {
            Body::Raised(raised) => self.raised.push(raised::New { arrival, record, raised, raw }),
            _ => body::put(self.tx, arrival, record).await?,
        }
        Ok(Verdict::New)
    }

    async fn take_bad(
        &mut self,
        arrival: &Arrival,
        id: Option<&(Epoch, u64)>,
        bad: &BadRecord,
    ) -> Result<Verdict, StoreError> {
        let reason = if bad.unknown_type { RejectReason::UnknownType } else { RejectReason::Malformed };
        if let Some(id) = id {
            let hash = content::hash(&bad.raw);
            if let Some((stored, _)) = self.claim(arrival, id, &hash, Some(reason)).await? {
                if stored == hash {
                    return Ok(Verdict::Rejected(reason));
                }
                self.hold(arrival, id).await?;
                return Ok(Verdict::Rejected(RejectReason::Conflict));
            }
        }
        self.letter(arrival, Channel::Alert, id, reason, &bad.why, bad.raw.to_string().as_bytes()).await?;
        Ok(Verdict::Rejected(reason))
    }

    /// A record in a message that is not believed. What is stored under its number stays what it is.
    async fn refuse_forged(&mut self, arrival: &Arrival, read: &ReadRecord) -> Result<(), StoreError> {
        let (epoch, seq, raw) = match read {
            Ok((record, raw)) => (Some(record.epoch.clone()), Some(record.seq), raw),
            Err(bad) => (bad.epoch.clone(), bad.seq, &bad.raw),
        };
        let seq = seq.filter(|s| i64::try_from(*s).is_ok());
        let Some(id) = epoch.zip(seq) else { return Ok(()) };
        let taken = self.claim(arrival, &id, &content::hash(raw), Some(RejectReason::Forged)).await?;
        let (epoch, seq) = id;
        let touched = self.touched.entry((arrival.site.clone(), arrival.agent.clone(), epoch)).or_default();
        touched.ranges.push((seq, seq));
        let reason = taken.map_or(Some(RejectReason::Forged), |(_, rejected)| rejected);
        touched.rejected.extend(reason.map(|reason| Rejected { seq, reason }));
        Ok(())
    }

    /// Two different records under one number: two boxes with one certificate (ADR 6).
    async fn hold(&mut self, arrival: &Arrival, (epoch, seq): &(Epoch, u64)) -> Result<(), StoreError> {
        let agent = &arrival.agent;
        let why = format!("Two different records came under the number {epoch}/{seq}.");
        if agents::hold(self.tx, agent, &why, audit::HUB).await? {
            tracing::error!(%agent, why, "agent held: release or revoke it");
        }
        Ok(())
    }

    /// Takes a record's identity; if it is taken already, by what content and whether that was refused.
    async fn claim(
        &mut self,
        arrival: &Arrival,
        id: &(Epoch, u64),
        hash: &[u8],
        rejected: Option<RejectReason>,
    ) -> Result<Option<(Vec<u8>, Option<RejectReason>)>, StoreError> {
        let (agent, epoch, seq) = (arrival.agent.as_str(), id.0.as_str(), id.1.cast_signed());
        let text = "INSERT INTO records (agent, epoch, seq, hash, rejected)
            SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM swept w
                JOIN settled s ON s.agent = w.agent AND s.epoch = w.epoch AND s.first <= $3 AND s.last >= $3
                WHERE w.agent = $1 AND w.epoch = $2 AND w.through >= $3)
            ON CONFLICT DO NOTHING";
        let claim = sql(text).bind(agent).bind(epoch).bind(seq).bind(hash);
        if self.tx.execute(claim.bind(rejected.map(letters::reason_word))).await? > 0 {
            return Ok(None);
        }
        let text = "SELECT hash, rejected FROM records WHERE agent = $1 AND epoch = $2 AND seq = $3";
        let row: Option<(Vec<u8>, Option<String>)> =
            self.tx.optional(sql(text).bind(agent).bind(epoch).bind(seq)).await?;
        // No row: it was here and was deleted for its age, so what it said is not known any more.
        let (stored, rejected) = row.unwrap_or_else(|| (hash.to_vec(), None));
        Ok(Some((stored, rejected.as_deref().map(letters::reason_of))))
    }

    async fn letter(
        &mut self,
        arrival: &Arrival,
        channel: Channel,
        id: Option<&(Epoch, u64)>,
        reason: RejectReason,
        why: &str,
        raw: &[u8],
    ) -> Result<(), StoreError> {
        self.letters = true;
        tracing::warn!(agent = %arrival.agent, ?reason, why, "record refused for good, kept as a dead letter");
        letters::put(self.tx, arrival, channel, id, reason, why, raw).await
    }
}
