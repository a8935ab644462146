//! The change log that the feed reads: numbers in commit order, kept to a bound.

use super::{Store, StoreError, Tx, sql};

/// Older changes are dropped; whoever asks for them is told to read everything anew.
const KEPT: i64 = 100_000;
/// They are dropped so many at a time.
const DROPPED: i64 = 1_000;

/// What a change was about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Agent(String),
    Alert { agent: String, epoch: String, seq: i64 },
    Incident { site: String, incident: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub number: i64,
    pub subject: Subject,
}

impl Subject {
    /// As the database keeps it. No id holds a `/`.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Agent(agent) => format!("agent/{agent}"),
            Self::Incident { site, incident } => format!("incident/{site}/{incident}"),
            Self::Alert { agent, epoch, seq } => format!("alert/{agent}/{epoch}/{seq}"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut part = || parts.next().map(str::to_owned);
        let subject = match part()?.as_str() {
            "agent" => Self::Agent(part()?),
            "incident" => Self::Incident { site: part()?, incident: part()? },
            "alert" => Self::Alert { agent: part()?, epoch: part()?, seq: part()?.parse().ok()? },
            _ => return None,
        };
        parts.next().is_none().then_some(subject)
    }
}

/// Drops what is beyond the bound, now and then; `before` and `latest` are the numbers before and after a commit.
pub(super) async fn prune(tx: &mut Tx, before: i64, latest: i64) -> Result<(), StoreError> {
    if before / DROPPED != latest / DROPPED {
        // What nobody followed yet stays, however long that takes.
        let statement = sql("DELETE FROM changes WHERE change <= $1
                AND change <= (SELECT coalesce(min(through), $1) FROM followers)");
        tx.execute(statement.bind(latest - KEPT)).await?;
    }
    Ok(())
}

impl Store {
    /// The latest change, by whichever process.
    pub async fn latest_change(&self) -> Result<i64, StoreError> {
        let statement = sql("SELECT value FROM counters WHERE name = 'changes'");
        Ok(self.read().one::<(i64,)>(statement).await?.0)
    }

    /// Up to `limit` changes after number `after`, in order; `None` where some of them are dropped
    /// already, or `after` is not of this database.
    pub async fn changes_after(&self, after: i64, limit: i64) -> Result<Option<Vec<Change>>, StoreError> {
        let latest = self.latest_change().await?;
        let statement = sql("SELECT change, subject FROM changes WHERE change > $1 ORDER BY change LIMIT $2");
        let rows: Vec<(i64, String)> = self.read().all(statement.bind(after).bind(limit)).await?;
        // Every number has a row: where the first is another one, some were dropped.
        let known = match rows.first() {
            Some((first, _)) => *first == after + 1,
            None => after == latest,
        };
        if !known {
            return Ok(None);
        }
        let read = |(number, text): (i64, String)| match Subject::parse(&text) {
            Some(subject) => Ok(Change { number, subject }),
            None => Err(StoreError::Unreadable { what: "changes.subject", value: text }),
        };
        Ok(Some(rows.into_iter().map(read).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_was_written() {
        let alert = Subject::Alert { agent: "gate".into(), epoch: "e1".into(), seq: 7 };
        let incident = Subject::Incident { site: "market".into(), incident: "0-1".into() };
        for subject in [Subject::Agent("gate".into()), alert, incident] {
            assert_eq!(Subject::parse(&subject.to_text()), Some(subject));
        }
        for text in ["", "agent", "agent/a/b", "alert/gate/e1", "alert/gate/e1/x", "thing/x"] {
            assert_eq!(Subject::parse(text), None, "{text}");
        }
    }
}
