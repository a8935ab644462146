//! `[audit]`, and publishing the chain's heads to a second place.
//!
//! Whoever can write the database can make a chain anew; they find it harder to also change a file on another
//! machine's disk, or a log that was shipped away. So each head goes to both: a line in a file of the operator's
//! choice, and a line of the hub's log. What is published is only ever added to.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hub_core::audit::{Algorithm, Head};
use protocol::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::clock::now_ms;
use crate::store::Store;
use crate::web::looking::Look;

/// `[audit]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which hash chains the entries of a day, `sha256` or `sm3`; a day keeps the one it began with. Default
    /// `sha256`.
    #[serde(deserialize_with = "algorithm")]
    pub hash: Algorithm,
    /// A file that the chain's heads are added to each minute in which something was audited: best on another
    /// machine's disk. `audit verify` holds the audit against it. Default: none; the heads stand in the log alone.
    pub heads: Option<PathBuf>,
    /// What needs a reason first: `view_still`, `watch_live`, `view_photo`, `export`, `read_audit`. Default: nothing.
    pub reason_for: Vec<Look>,
}

fn algorithm<'d, D: Deserializer<'d>>(from: D) -> Result<Algorithm, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Why the published heads could not be read or added to.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the audit's heads in {}: {source}", path.display())]
pub struct HeadsError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What a file of heads holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// In their order.
    pub heads: Vec<Head>,
    /// Lines that are none: cut by a power failure, or changed.
    pub unreadable: usize,
}

/// The heads that a file holds; none where there is no file yet.
pub fn published(path: &Path) -> Result<Published, HeadsError> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(HeadsError { doing: "read", path: path.to_owned(), source }),
    };
    let mut found = Published::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match read_line(line) {
            Some(head) => found.heads.push(head),
            None => found.unreadable += 1,
        }
    }
    Ok(found)
}

/// `DAY COUNT DIGEST ALGORITHM TIME`
fn read_line(line: &str) -> Option<Head> {
    let mut words = line.split(' ');
    let head = Head {
        day: words.next()?.to_owned(),
        count: words.next()?.parse().ok()?,
        digest: words.next()?.parse().ok()?,
    };
    let _: Algorithm = words.next()?.parse().ok()?;
    let _: Timestamp = words.next()?.parse().ok()?;
    words.next().is_none().then_some(head)
}

/// Publishes what was not published yet.
#[derive(Debug)]
pub struct Publisher {
    file: Option<PathBuf>,
    /// How far each day was published.
    known: BTreeMap<String, u64>,
}

impl Publisher {
    pub fn open(settings: &Settings) -> Result<Self, HeadsError> {
        let mut known = BTreeMap::new();
        for head in settings.heads.as_deref().map(published).transpose()?.unwrap_or_default().heads {
            let count: &mut u64 = known.entry(head.day).or_default();
            *count = head.count.max(*count);
        }
        Ok(Self { file: settings.heads.clone(), known })
    }

    /// To be called now and then. What cannot be published now is the next time.
    pub async fn publish(&mut self, store: &Store) {
        let heads = match store.audit_heads().await {
            Ok(heads) => heads,
            Err(error) => return tracing::error!(%error, "audit's heads not published"),
        };
        let mut lines = String::new();
        let mut news = Vec::new();
        for (head, algorithm) in heads {
            let known = self.known.get(&head.day).copied().unwrap_or(0);
            if head.count < known {
                let day = &head.day;
                tracing::error!(
                    day,
                    published = known,
                    found = head.count,
                    "audit is shorter than published"
                );
            }
            if head.count > known {
                let Head { day, count, digest } = &head;
                let (algorithm, at) = (algorithm.as_str(), Timestamp::from_unix_ms(now_ms()));
                lines.push_str(&format!("{day} {count} {digest} {algorithm} {at}\n"));
                tracing::info!(day, count, %digest, algorithm, "audit head");
                news.push(head);
            }
        }
        if let Some(path) = self.file.clone().filter(|_| !news.is_empty()) {
            let added = tokio::task::spawn_blocking(move || add(&path, &lines)).await;
            if let Some(error) = added.ok().and_then(Result::err) {
                return tracing::error!(%error, "audit's heads not published");
            }
        }
        self.known.extend(news.into_iter().map(|head| (head.day, head.count)));
    }
}

fn add(path: &Path, lines: &str) -> Result<(), HeadsError> {
    let write = || {
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o640).open(path)?;
        // A line that was cut by a power failure stays one of its own.
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let begin = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{begin}{lines}").as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| HeadsError { doing: "add to", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use hub_core::audit::Digest;

    use super::*;

    fn line(count: u64) -> String {
        let digest = Digest([7; 32]);
        format!("2026-11-25 {count} {digest} sm3 2026-11-25T08:00:00.000Z\n")
    }

    #[test]
    fn heads_are_read_as_they_were_added_and_a_cut_line_costs_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads");
        assert_eq!(published(&path).unwrap(), Published::default(), "no file yet");
        add(&path, &line(3)).unwrap();
        add(&path, &line(5)[..40]).unwrap();
        add(&path, &line(8)).unwrap();
        let found = published(&path).unwrap();
        let counts: Vec<u64> = found.heads.iter().map(|h| h.count).collect();
        assert_eq!((counts, found.unreadable), (vec![3, 8], 1));
        assert_eq!(found.heads[0].digest, Digest([7; 32]));
        let settings = Settings { heads: Some(path), ..Settings::default() };
        assert_eq!(Publisher::open(&settings).unwrap().known, BTreeMap::from([("2026-11-25".to_owned(), 8)]));
        let error = add(folder.path(), "x").unwrap_err().to_string();
        assert!(error.contains("cannot add to the audit's heads"), "{error}");
    }

    #[test]
    fn settings_name_a_hash_and_looks_that_exist() {
        let read = |text: &str| settings::parse::<Settings>(text, Path::new("hub.toml"));
        let all = read(
            "hash = \"sm3\"\nreason_for = [\"view_still\", \"watch_live\", \"view_photo\", \"export\", \"read_audit\"]\n",
        )
        .unwrap();
        assert_eq!((all.hash, all.reason_for.len()), (Algorithm::Sm3, 5));
        assert!(read("hash = \"md5\"\n").unwrap_err().to_string().contains("sha256 and sm3"));
        assert!(read("reason_for = [\"breathing\"]\n").is_err());
    }
}
