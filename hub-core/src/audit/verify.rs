//! Walks the whole audit and finds what was deleted, altered, inserted, reordered or cut off.
//!
//! Entries come one by one, so that the length of the audit costs no memory. After a fault the walk takes the
//! stored hash for right and goes on: one altered entry is one fault, not ten thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Algorithm, Digest, Entry, Head, opening};

/// Most faults that are told one by one; the rest are counted.
const TOLD: usize = 100;

/// A day as the database keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub day: String,
    pub algorithm: Algorithm,
    /// The head of the day that was opened before it; none for the first of all.
    pub after: Option<Head>,
    pub count: u64,
    pub head: Digest,
}

/// What is wrong with the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes, or those before it, are not what they were.
    Altered { day: String, number: u64 },
    /// There is no entry with these numbers.
    Missing { day: String, from: u64, to: u64 },
    /// It stands where it does not belong: twice, reordered, or in a day that is not listed.
    OutOfPlace { day: String, number: u64 },
    /// The day's own count or head is not what its entries give.
    HeadDiffers { day: String },
    /// A day says it was opened after this head, and the chain does not have it: something was cut off.
    OpenedAfterNothing { day: String, after: Head },
    /// More than one day says that it is the first of all.
    TwoBeginnings { day: String },
    /// A head that was published, and the chain has another one there, or ends before it.
    NotAsPublished { head: Head },
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first of them.
    pub told: Vec<Fault>,
    /// How many in all.
    pub count: u64,
}

impl Faults {
    fn note(&mut self, fault: Fault) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(fault);
        }
    }
}

#[derive(Debug, Clone)]
enum Claim {
    /// This day was opened after it.
    Opened {
        day: String,
        digest: Digest,
    },
    Published(Digest),
}

impl Claim {
    fn holds(&self, found: Option<&Digest>) -> bool {
        let (Self::Opened { digest, .. } | Self::Published(digest)) = self;
        found == Some(digest)
    }

    fn fault(&self, day: &str, count: u64) -> Fault {
        let head = |digest: &Digest| Head { day: day.to_owned(), count, digest: *digest };
        match self {
            Self::Opened { day, digest } => {
                Fault::OpenedAfterNothing { day: day.clone(), after: head(digest) }
            }
            Self::Published(digest) => Fault::NotAsPublished { head: head(digest) },
        }
    }
}

/// What the entries are held against.
#[derive(Debug)]
pub struct Plan {
    days: BTreeMap<String, Day>,
    /// By day, then by how many entries it had.
    claims: BTreeMap<String, BTreeMap<u64, Vec<Claim>>>,
}

impl Plan {
    pub fn new(days: impl IntoIterator<Item = Day>, published: impl IntoIterator<Item = Head>) -> Self {
        let days: BTreeMap<String, Day> = days.into_iter().map(|d| (d.day.clone(), d)).collect();
        let mut claims: BTreeMap<String, BTreeMap<u64, Vec<Claim>>> = BTreeMap::new();
        let mut claim = |head: Head, claim: Claim| {
            claims.entry(head.day).or_default().entry(head.count).or_default().push(claim);
        };
        for day in days.values() {
            if let Some(after) = day.after.clone() {
                let digest = after.digest;
                claim(after, Claim::Opened { day: day.day.clone(), digest });
            }
        }
        for head in published {
            let digest = head.digest;
            claim(head, Claim::Published(digest));
        }
        Self { days, claims }
    }

    /// A day that is listed.
    pub fn day(&self, day: &str) -> Option<&Day> {
        self.days.get(day)
    }

    /// Begins a walk; the entries come in the order of day and number.
    pub fn walk(&self) -> Walk<'_> {
        let mut walk = Walk { plan: self, at: None, seen: BTreeSet::new(), faults: Faults::default() };
        let mut beginnings = self.days.values().filter(|d| d.after.is_none()).skip(1);
        beginnings.by_ref().for_each(|d| walk.faults.note(Fault::TwoBeginnings { day: d.day.clone() }));
        walk
    }
}

/// A walk under way. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Walk<'p> {
    plan: &'p Plan,
    at: Option<Place<'p>>,
    seen: BTreeSet<&'p str>,
    faults: Faults,
}

#[derive(Debug, Clone)]
struct Place<'p> {
    day: &'p Day,
    /// Entries so far, and the hash of the last of them.
    number: u64,
    digest: Digest,
}

impl<'p> Walk<'p> {
    /// The next entry, and the hash that is stored with it.
    pub fn entry(&mut self, entry: &Entry, stored: &Digest) {
        if self.at.as_ref().is_none_or(|at| at.day.day != entry.day) && !self.begin(&entry.day) {
            let (day, number) = (entry.day.clone(), entry.number);
            return self.faults.note(Fault::OutOfPlace { day, number });
        }
        let Some(at) = &mut self.at else { return };
        let (day, number) = (entry.day.clone(), entry.number);
        if number <= at.number {
            return self.faults.note(Fault::OutOfPlace { day, number });
        }
        let expected = at.number + 1;
        if number > expected {
            self.faults.note(Fault::Missing { day: day.clone(), from: expected, to: number - 1 });
        } else if entry.digest(at.day.algorithm, &at.digest) != *stored {
            self.faults.note(Fault::Altered { day: day.clone(), number });
        }
        (at.number, at.digest) = (number, *stored);
        let claims = self.plan.claims.get(&day);
        for claim in claims.and_then(|c| c.get(&number)).into_iter().flatten() {
            if !claim.holds(Some(stored)) {
                self.faults.note(claim.fault(&day, number));
            }
        }
    }

    /// No more entries come: what was found.
    pub fn finish(mut self) -> Faults {
        self.end_day();
        let unseen = |day: &&Day| !self.seen.contains(day.day.as_str());
        for day in self.plan.days.values().filter(unseen) {
            self.faults.note(Fault::HeadDiffers { day: day.day.clone() });
        }
        for (day, claims) in self.plan.claims.iter().filter(|(day, _)| !self.seen.contains(day.as_str())) {
            for (count, claim) in claims.iter().flat_map(|(n, claims)| claims.iter().map(move |c| (*n, c))) {
                self.faults.note(claim.fault(day, count));
            }
        }
        self.faults
    }

    /// What was found so far.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Goes on to a day; whether it is listed and was not walked before.
    fn begin(&mut self, day: &str) -> bool {
        let Some(day) = self.plan.days.get(day).filter(|d| !self.seen.contains(d.day.as_str())) else {
            return false;
        };
        self.end_day();
        self.seen.insert(&day.day);
        let digest = opening(day.algorithm, &day.day, day.after.as_ref());
        self.at = Some(Place { day, number: 0, digest });
        true
    }

    fn end_day(&mut self) {
        let Some(Place { day, number, digest }) = self.at.take() else { return };
        if day.count > number {
            self.faults.note(Fault::Missing { day: day.day.clone(), from: number + 1, to: day.count });
        }
        if day.count < number || (day.count == number && day.head != digest) {
            self.faults.note(Fault::HeadDiffers { day: day.day.clone() });
        }
        let beyond = self.plan.claims.get(&day.day).into_iter().flat_map(|c| c.range(number + 1..));
        for (count, claim) in beyond.flat_map(|(n, claims)| claims.iter().map(move |c| (*n, c))) {
            self.faults.note(claim.fault(&day.day, count));
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { day, number } => write!(f, "{day} entry {number}: altered, or what is before it"),
            Self::Missing { day, from, to } if from == to => write!(f, "{day} entry {from}: missing"),
            Self::Missing { day, from, to } => write!(f, "{day} entries {from} to {to}: missing"),
            Self::OutOfPlace { day, number } => write!(f, "{day} entry {number}: does not belong here"),
            Self::HeadDiffers { day } => write!(f, "{day}: its head is not what its entries give"),
            Self::OpenedAfterNothing { day, after } => {
                let Head { day: before, count, .. } = after;
                write!(f, "{day} was opened after entry {count} of {before}, which is not there as it was")
            }
            Self::TwoBeginnings { day } => write!(f, "{day}: says that it is the first day, and is not"),
            Self::NotAsPublished { head: Head { day, count, .. } } => {
                write!(f, "{day} entry {count}: not what was published of it")
            }
        }
    }
}
