//! One transaction under way: what each record of a batch is, and what becomes of it.

use std::collections::BTreeMap;

use protocol::alert::ReadRecord;
use protocol::enrol::Identity;
use protocol::{AgentId, BadRecord, Body, Channel, Epoch, Record, RejectReason, Rejected, SiteId};

use super::claims::{self, Claims};
use super::courses::Courses;
use super::seen::{self, Enrolled};
use super::{Arrival, Content, Counts, Store, StoreError, Tx, body, content, letters, raised};
use crate::store::{agents, audit};

/// What a batch settles of one epoch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) ranges: Vec<(u64, u64)>,
    pub(super) rejected: Vec<Rejected>,
}

pub(super) type TouchedEpochs = BTreeMap<(SiteId, AgentId, Epoch), Touched>;

/// What became of one record.
enum Verdict {
    New,
    Duplicate,
    Rejected(RejectReason),
}

/// What came of a batch.
#[derive(Default)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) touched: TouchedEpochs,
    /// Who named somebody else, and how.
    pub(super) forged: Vec<(Identity, String)>,
}

pub(super) struct Batch<'a, 'b> {
    tx: &'a mut Tx,
    enrolled: Enrolled<'b>,
    claims: Claims<'b>,
    /// Alerts that were not there before; they are stored together, at the end, and so is how alerts went on.
    raised: Vec<raised::New<'b>>,
    courses: Courses<'b>,
    done: Done,
    letters: bool,
    /// Of local time from UTC.
    offset_minutes: i16,
}

impl<'a, 'b> Batch<'a, 'b> {
    /// Looks who is enrolled, and takes the identities of all that these say.
    pub(super) async fn begin(
        tx: &'a mut Tx,
        arrivals: &[&'b Arrival],
        offset_minutes: i16,
    ) -> Result<Self, StoreError> {
        let enrolled = seen::note(tx, arrivals).await?;
        let heard = arrivals.iter().copied().filter(|a| enrolled.contains(&(&a.site, &a.agent)));
        let claims = Claims::of(tx, heard).await?;
        Ok(Self {
            tx,
            enrolled,
            claims,
            raised: Vec::new(),
            courses: Courses::default(),
            done: Done::default(),
            letters: false,
            offset_minutes,
        })
    }

    /// Stores what is stored together, and says what came of it all.
    pub(super) async fn finish(self, store: &Store) -> Result<Done, StoreError> {
        raised::put(store, self.tx, &self.raised).await?;
        self.courses.put(self.tx).await?;
        if self.letters {
            letters::prune(self.tx).await?;
        }
        Ok(self.done)
    }

    pub(super) async fn take(&mut self, arrival: &'b Arrival) -> Result<(), StoreError> {
        let Arrival { site, agent, content, received_at } = arrival;
        if !self.enrolled.contains(&(site, agent)) {
            self.done.counts.stranger += 1;
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
                self.done.counts.rejected += 1;
                self.letter(arrival, *channel, None, RejectReason::Forged, why, raw).await?;
                for record in records {
                    self.refuse_forged(arrival, record).await?;
                }
                let identity = Identity { site: site.clone(), agent: agent.clone() };
                self.done
                    .forged
                    .push((identity, format!("A message on its {} channel: {why}.", channel.as_str())));
            }
            Content::Unreadable { channel, why, raw } => {
                self.done.counts.rejected += 1;
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
            Verdict::New => self.done.counts.new += 1,
            Verdict::Duplicate => self.done.counts.duplicate += 1,
            Verdict::Rejected(_) => self.done.counts.rejected += 1,
        }
        // Without an identity there is nothing that could be acknowledged.
        let Some((epoch, seq)) = id else { return Ok(()) };
        let touched =
            self.done.touched.entry((arrival.site.clone(), arrival.agent.clone(), epoch)).or_default();
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
        let stored = self.claims.redeem(&arrival.agent, &record.epoch, record.seq);
        if let Some(stored) = stored {
            if stored.is(&content::hash(raw)) {
                return Ok(stored.rejected.map_or(Verdict::Duplicate, Verdict::Rejected));
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
            _ => body::put(self.tx, &mut self.courses, arrival, record).await?,
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
            if let Some((stored, _)) = claims::take(self.tx, &arrival.agent, id, &hash, Some(reason)).await? {
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
        let forged = Some(RejectReason::Forged);
        let taken = claims::take(self.tx, &arrival.agent, &id, &content::hash(raw), forged).await?;
        let (epoch, seq) = id;
        let touched =
            self.done.touched.entry((arrival.site.clone(), arrival.agent.clone(), epoch)).or_default();
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
