//! Appending, reopening, settling, and a disk that is none.

mod damage;
mod limits;

use protocol::{AgentEvent, Raised, Severity, Still};

use super::*;

fn config(folder: &std::path::Path) -> SpoolConfig {
    SpoolConfig { cap: 32 << 10, ballast: 4096, segment: 4096, ..SpoolConfig::new(folder) }
}

fn event(n: u64) -> Draft {
    Draft {
        at: Timestamp::from_unix_ms(1_700_000_000_000),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        body: Body::AgentEvent(AgentEvent { event: format!("event {n}"), camera: None, reason: None }),
        still: None,
    }
}

fn raised(severity: Severity, still: Option<Vec<u8>>) -> Draft {
    let body = Body::Raised(Raised {
        camera: "gate".parse().unwrap(),
        kind: protocol::Kind::ZoneEntered,
        rule: "yard".parse().unwrap(),
        rule_name: None,
        severity,
        direction: None,
        track: Some(1),
        object_class: None,
        confidence: None,
        bounding_box: None,
        still: Still::None { reason: "not_wanted".into() },
        test: false,
    });
    Draft { body, still, ..event(0) }
}

fn ack(hub: &str, epoch: &Epoch, through: u64) -> Ack {
    Ack {
        hub_epoch: hub.parse().unwrap(),
        epoch: epoch.clone(),
        settled_through: through,
        settled: vec![],
        rejected: vec![],
    }
}

/// All records that would be sent now.
fn drain(spool: &SpoolHandle) -> Vec<Record> {
    let mut all = Vec::new();
    while let Some(batch) = spool.take(10_000, 128 << 10).unwrap() {
        all.extend(batch.iter().map(|r| serde_json::from_slice::<Record>(r).unwrap()));
    }
    all
}

#[test]
fn records_and_what_is_settled_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let records = spool.append((0..10).map(event).collect()).unwrap();
    spool.acknowledge(ack("h1", &records[0].epoch, 4)).unwrap();
    spool.close();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((report.records, report.lost_records, report.damaged), (10, 0, 0));
    assert_eq!(drain(&spool), records[4..]);
    assert_eq!(spool.append(vec![event(11)]).unwrap()[0].seq, 11);
    // A restored hub gets all that is held, settled or not.
    spool.acknowledge(ack("h2", &records[0].epoch, 0)).unwrap();
    spool.link(false).unwrap();
    assert_eq!(drain(&spool).len(), 11);
    spool.close();
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = Spool::open(config(dir.path())).unwrap();
    let records = first.append(vec![event(1)]).unwrap();
    let refused = Spool::open(config(dir.path())).err().unwrap().to_string();
    assert!(
        refused.starts_with(&format!("another agent is running on {}", dir.path().display())),
        "{refused}"
    );
    assert_eq!(first.append(vec![event(2)]).unwrap()[0].seq, 2);
    first.close();
    let (next, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((report.records, report.lost_records, report.damaged), (2, 0, 0));
    assert_eq!(drain(&next)[0], records[0]);
    assert!(!dir.path().join("index.aside").exists());
    next.close();
}

#[test]
fn an_index_that_another_process_holds_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    // As an agent of a version without the lock file would hold it.
    let held = sled::Config::new().path(dir.path().join("index.sled")).open().unwrap();
    assert!(matches!(Spool::open(config(dir.path())), Err(SpoolError::InUse { .. })));
    assert!(dir.path().join("index.sled").exists() && !dir.path().join("index.aside").exists());
    drop(held);
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    spool.close();
}

#[test]
fn a_broken_index_is_set_aside_beside_earlier_ones() {
    let dir = tempfile::tempdir().unwrap();
    for aside in ["index.aside", "index.aside-2"] {
        std::fs::write(dir.path().join("index.sled"), b"no database").unwrap();
        let (spool, _) = Spool::open(config(dir.path())).unwrap();
        spool.close();
        assert_eq!(std::fs::read(dir.path().join(aside)).unwrap(), b"no database");
        std::fs::remove_dir_all(dir.path().join("index.sled")).unwrap();
    }
}

#[test]
fn without_a_disk_records_are_kept_in_memory_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let (spool, report) = Spool::open(config(&file)).unwrap();
    assert!(!report.durable);
    let records = spool.append(vec![event(1), event(2)]).unwrap();
    assert!(records.iter().all(|r| r.not_durable));
    assert_eq!(drain(&spool), records);
    spool.close();
}

#[test]
fn a_still_is_stored_before_its_record_and_an_orphan_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let record = spool.append(vec![raised(Severity::High, Some(vec![1, 2, 3]))]).unwrap().remove(0);
    let still = dir.path().join("outbox").join(format!("{}-{}.jpg", record.epoch, record.seq));
    assert_eq!(std::fs::read(&still).unwrap(), [1, 2, 3]);
    assert!(matches!(record.body, Body::Raised(Raised { still: Still::Pending, .. })));
    let orphan = dir.path().join("outbox").join(format!("{}-77.jpg", record.epoch));
    std::fs::write(&orphan, b"x").unwrap();
    spool.close();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    assert!(still.exists() && !orphan.exists());
    spool.close();
}

#[test]
fn a_still_of_a_record_that_no_disk_took_cannot_land_on_another() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let stored = spool.append(vec![event(1)]).unwrap().remove(0);
    let (segments, away) = (dir.path().join("segments"), dir.path().join("away"));
    std::fs::rename(&segments, &away).unwrap();
    // The file for `high` cannot be made now; the outbox still can be written.
    let record = spool.append(vec![raised(Severity::High, Some(vec![1, 2, 3]))]).unwrap().remove(0);
    assert!(record.not_durable && record.epoch != stored.epoch);
    let Body::Raised(alert) = &record.body else { panic!("{record:?}") };
    assert_eq!(alert.still, Still::None { reason: "no_disk".into() });
    assert_eq!(std::fs::read_dir(spool.outbox()).unwrap().count(), 0);
    std::fs::rename(&away, &segments).unwrap();
    spool.close();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!(report.lost_records, 0);
    let next = spool.append(vec![raised(Severity::High, None)]).unwrap().remove(0);
    assert_eq!((next.epoch, next.seq), (stored.epoch, 3), "number 2 may lie on disk in part");
    spool.close();
}

#[test]
fn a_still_that_cannot_be_stored_says_so_and_not_that_the_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let still = |jpeg| {
        let record = spool.append(vec![raised(Severity::High, Some(jpeg))]).unwrap().remove(0);
        let Body::Raised(Raised { still, .. }) = record.body else { panic!("{record:?}") };
        assert!(!record.not_durable);
        still
    };
    let none = |reason: &str| Still::None { reason: reason.into() };
    assert_eq!(still(vec![0; 1 + (32 << 10)]), none("no_space"), "over the cap");
    std::fs::remove_dir_all(spool.outbox()).unwrap();
    assert_eq!(still(vec![1, 2, 3]), none("not_stored"));
    spool.close();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn callers_that_wait_share_one_write_and_one_refused_draft_hits_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (mut owner, _report) = owner::Owner::open(config(dir.path()), watch::channel(0).0).unwrap();
    let (requests, inbox) = sync_channel(QUEUE);
    let mut large = event(3);
    large.body = Body::AgentEvent(AgentEvent { event: "y".repeat(200_000), camera: None, reason: None });
    let mut answers = Vec::new();
    for drafts in [vec![event(1), event(2)], vec![large], vec![event(4)]] {
        let (reply, answer) = sync_channel(1);
        requests.send(Request::Append(drafts, reply)).unwrap();
        answers.push(answer);
    }
    requests.send(Request::Link(true)).unwrap();
    let Ok(Request::Append(drafts, reply)) = inbox.recv() else { panic!("the first request") };
    let held = owner.append_waiting(drafts, reply, &inbox);
    assert!(matches!(held, Some(Request::Link(true))));
    let mut answers = answers.into_iter().map(|a| a.try_recv().expect("an answer to all that wait"));
    let seqs = |records: Vec<Record>| records.iter().map(|r| r.seq).collect::<Vec<_>>();
    assert_eq!(seqs(answers.next().unwrap().unwrap()), [1, 2]);
    assert!(matches!(answers.next().unwrap(), Err(SpoolError::TooLarge { .. })));
    assert_eq!(seqs(answers.next().unwrap().unwrap()), [3]);
}

#[test]
fn acknowledgements_are_remembered_one_by_one_in_files_that_stay_small() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolConfig { cap: 1 << 20, ..config(dir.path()) }).unwrap();
    let records = spool.append((0..400).map(event).collect()).unwrap();
    let settle_bytes = || {
        let files = std::fs::read_dir(dir.path().join("segments")).unwrap().map(|f| f.unwrap());
        let files = files.filter(|f| f.file_name().to_str().unwrap().starts_with("settle"));
        files.map(|f| f.metadata().unwrap().len()).sum::<u64>()
    };
    // Every other one: 200 ranges, which one snapshot an acknowledgement would write 200 times.
    let mut written = 0;
    for seq in (1..400).step_by(2) {
        let before = settle_bytes();
        let settled = vec![(seq, seq)];
        spool.acknowledge(Ack { settled, ..ack("h1", &records[0].epoch, 0) }).unwrap();
        assert_eq!(spool.figures().unwrap().open_records, 400 - seq.div_ceil(2));
        written += settle_bytes().saturating_sub(before);
        assert!(settle_bytes() <= 8 << 10);
    }
    assert!(written < 100 << 10, "{written} bytes for 200 acknowledgements");
    // As a power cut would leave it.
    let image = tempfile::tempdir().unwrap();
    copy(dir.path(), image.path());
    spool.close();
    let (spool, report) = Spool::open(SpoolConfig { cap: 1 << 20, ..config(image.path()) }).unwrap();
    assert_eq!((report.records, report.lost_records), (400, 0));
    assert!(drain(&spool).iter().map(|r| r.seq).eq((2..=400).step_by(2)));
    spool.close();
}
