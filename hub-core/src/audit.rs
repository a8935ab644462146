//! The audit's chain: what an entry is as bytes, and how each entry's hash takes in the one before it.
//!
//! Owns the format and the checking of it. Leaves to the hub: storing entries and publishing heads. Each day
//! is a chain of its own, opened by the head of the day that was opened before it, so that a whole day cannot
//! go missing either. Whoever can write the database can make a chain anew; that is found against the heads
//! that were published to a second place. Invariant: the bytes of an entry are unambiguous (every field with
//! its length), and this format never changes: a new one gets a new name.

mod verify;

use std::fmt;
use std::str::FromStr;

use protocol::Timestamp;
use sha2::Sha256;
use sm3::Sm3;

pub use verify::{Day, Fault, Faults, Plan, Walk};

/// What begins every hashed text, so that no other use of the same hash can be taken for one of these.
const ENTRY: &[u8] = b"signalbox audit entry 1";
const DAY: &[u8] = b"signalbox audit day 1";

/// Which hash a day's chain is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    #[default]
    Sha256,
    /// GB/T 32905-2016 (GM/T 0004-2012).
    Sm3,
}

impl Algorithm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sm3 => "sm3",
        }
    }

    fn digest(self, parts: &[&[u8]]) -> Digest {
        match self {
            Self::Sha256 => {
                use sha2::Digest as _;
                let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part));
                Digest(hash.finalize().into())
            }
            Self::Sm3 => {
                use sm3::Digest as _;
                let hash = parts.iter().fold(Sm3::new(), |hash, part| hash.chain_update(part));
                Digest(hash.finalize().into())
            }
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sm3" => Ok(Self::Sm3),
            other => Err(format!("`{other}` is no hash for the audit; there are sha256 and sm3")),
        }
    }
}

/// 256 bits, of whichever algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// From the database's bytes or from 64 hexadecimal digits' bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a digest is 64 hexadecimal digits".to_owned();
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let bytes: Vec<u8> =
            digits.ok_or_else(wrong)?.chunks(2).map(|d| d[0] << 4 | d[d.len() - 1]).collect();
        if text.len() == 64 { Self::from_bytes(&bytes).ok_or_else(wrong) } else { Err(wrong()) }
    }
}

/// One thing that somebody did, looked at, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The day of its chain, `2026-11-25`, in UTC.
    pub day: String,
    /// Its place in the day, from 1.
    pub number: u64,
    /// Milliseconds since 1970 UTC, by the hub's clock.
    pub at: i64,
    pub action: String,
    /// Who: a user, `agent:SITE/AGENT`, or the hub itself.
    pub actor: String,
    /// Where it belongs, if anywhere.
    pub site: Option<String>,
    /// To what: an agent, an alert, an incident, a user.
    pub object: Option<String>,
    /// One plain English sentence.
    pub detail: String,
    /// What the person said it was for.
    pub reason: Option<String>,
}

impl Entry {
    /// The bytes that are hashed.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + self.detail.len());
        text(&mut bytes, &self.day);
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.at.to_be_bytes());
        text(&mut bytes, &self.action);
        text(&mut bytes, &self.actor);
        optional(&mut bytes, self.site.as_deref());
        optional(&mut bytes, self.object.as_deref());
        text(&mut bytes, &self.detail);
        optional(&mut bytes, self.reason.as_deref());
        bytes
    }

    /// Its hash, given the hash before it: the entry's before it, or the day's opening.
    pub fn digest(&self, algorithm: Algorithm, before: &Digest) -> Digest {
        algorithm.digest(&[ENTRY, &before.0, &self.canonical()])
    }
}

/// How far a day's chain had come: what is published to a second place, and what the next day is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub day: String,
    pub count: u64,
    pub digest: Digest,
}

/// What the first entry of a day takes in: the head of the day that was opened before it, as it was then.
pub fn opening(algorithm: Algorithm, day: &str, after: Option<&Head>) -> Digest {
    let mut bytes = Vec::with_capacity(96);
    text(&mut bytes, day);
    match after {
        None => bytes.push(0),
        Some(head) => {
            bytes.push(1);
            text(&mut bytes, &head.day);
            bytes.extend(head.count.to_be_bytes());
            bytes.extend(head.digest.0);
        }
    }
    algorithm.digest(&[DAY, &bytes])
}

/// The day that a time belongs to, in UTC.
pub fn day_of(at: i64) -> String {
    Timestamp::from_unix_ms(at).to_string().chars().take(10).collect()
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn optional(bytes: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => bytes.push(0),
        Some(value) => {
            bytes.push(1);
            text(bytes, value);
        }
    }
}

#[cfg(test)]
mod tests;
