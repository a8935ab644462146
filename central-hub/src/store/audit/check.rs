//! The stored audit as the pure walk wants it: days, entries in order, and what stands outside every day.

use hub_core::audit::{Algorithm, Day, Digest, Entry, Faults, Head, Plan};

use super::super::{Store, StoreError, sql};
use super::{AuditRow, DayRow, select_day};

/// Entries read at a time.
const PORTION: i64 = 1_000;

/// What `audit verify` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub days: usize,
    pub entries: u64,
    pub published: usize,
    pub faults: Faults,
    /// Entries beyond what their day says it has, or of no day.
    pub strays: i64,
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.faults.count == 0 && self.strays == 0
    }
}

impl Store {
    /// How far each day has come, oldest first.
    pub async fn audit_heads(&self) -> Result<Vec<(Head, Algorithm)>, StoreError> {
        let rows: Vec<DayRow> = self.read().all(sql(select_day!("ORDER BY day"))).await?;
        rows.iter().map(|row| Ok((row.head()?, row.algorithm()?))).collect()
    }

    /// Walks the whole audit, beside a running hub too: what is written meanwhile is not looked at.
    /// `published` must have been read before.
    pub async fn verify_audit(&self, published: Vec<Head>) -> Result<Verdict, StoreError> {
        let rows: Vec<DayRow> = self.read().all(sql(select_day!("ORDER BY day"))).await?;
        let days: Vec<Day> = rows.iter().map(day).collect::<Result<_, _>>()?;
        let (mut entries, published_count) = (0, published.len());
        let plan = Plan::new(days.clone(), published);
        let mut walk = plan.walk();
        for day in &days {
            self.each_entry(&day.day, day.count, |entry, digest| {
                entries += 1;
                walk.entry(&entry, &digest);
            })
            .await?;
        }
        let text = "SELECT count(*) FROM audit a LEFT JOIN audit_days d ON d.day = a.day
            WHERE d.day IS NULL OR a.number > d.count OR a.number < 1";
        let (strays,): (i64,) = self.read().one(sql(text)).await?;
        Ok(Verdict { days: days.len(), entries, published: published_count, faults: walk.finish(), strays })
    }

    /// The entries of a day in order, up to a number.
    pub async fn each_entry(
        &self,
        day: &str,
        up_to: u64,
        mut each: impl FnMut(Entry, Digest),
    ) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let text =
                "SELECT day, number, at, action, actor, site, object, detail, reason, digest FROM audit
                WHERE day = $1 AND number > $2 AND number <= $3 ORDER BY number LIMIT $4";
            let statement = sql(text).bind(day).bind(after).bind(up_to.cast_signed()).bind(PORTION);
            let rows: Vec<AuditRow> = self.read().all(statement).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.number;
            for row in rows {
                // A digest of another length is as wrong as any other wrong one.
                let digest = Digest::from_bytes(&row.digest).unwrap_or(Digest([0; 32]));
                each(row.into_entry(), digest);
            }
        }
    }
}

impl AuditRow {
    pub fn into_entry(self) -> Entry {
        Entry {
            day: self.day,
            number: self.number.cast_unsigned(),
            at: self.at,
            action: self.action,
            actor: self.actor,
            site: self.site,
            object: self.object,
            detail: self.detail,
            reason: self.reason,
        }
    }
}

fn day(row: &DayRow) -> Result<Day, StoreError> {
    let Head { day, count, digest } = row.head()?;
    Ok(Day { day, algorithm: row.algorithm()?, after: row.after()?, count, head: digest })
}
