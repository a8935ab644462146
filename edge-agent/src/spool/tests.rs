//! Every byte flipped, every cut, reopening, caps, and a disk that is none.

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
fn any_flipped_byte_and_any_cut_costs_at_most_the_record_it_hit() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let records = spool.append((0..6).map(event).collect()).unwrap();
    spool.close();
    let path = medium(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let name = path.file_name().unwrap();
    let reopen = |bytes: &[u8]| {
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(copy.path().join("segments")).unwrap();
        std::fs::write(copy.path().join("segments").join(name), bytes).unwrap();
        let (spool, report) = Spool::open(config(copy.path())).unwrap();
        let kept = drain(&spool).into_iter().filter(|r| records.contains(r)).count();
        let next = spool.append(vec![event(99)]).unwrap().remove(0);
        assert!(next.epoch != records[0].epoch || next.seq > kept as u64);
        spool.close();
        (kept, report)
    };
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    for at in 0..whole.len() {
        let bytes = flip(at);
        let (frames, damage) = frame::scan(&bytes);
        assert_eq!((frames.len(), damage.len()), (6, 1), "byte {at}");
    }
    // Reopening is slower, so that it sees a part of them.
    for at in (0..whole.len()).step_by(13) {
        let (kept, report) = reopen(&flip(at));
        assert!(kept >= 5, "byte {at}: {kept} left");
        assert_eq!(report.damaged, 1, "byte {at}");
        assert!(report.lost_records >= 6 - kept as u64, "byte {at}: {report:?}");
    }
    let (sound, _) = frame::scan(&whole);
    for cut in (0..whole.len()).step_by(29) {
        let (kept, _) = reopen(&whole[..cut]);
        let end = |f: &frame::Frame<'_>| f.offset + frame::HEADER + f.payload.len();
        let expected = sound.iter().filter(|f| f.kind == frame::KIND_RECORD && end(f) <= cut).count();
        assert_eq!(kept, expected, "cut at {cut}");
    }
}

#[test]
fn whatever_lies_in_the_folder_the_spool_runs() {
    let dir = tempfile::tempdir().unwrap();
    let segments = dir.path().join("segments");
    std::fs::create_dir(&segments).unwrap();
    std::fs::write(segments.join("high-0000000001.seg"), [0u8; 8192]).unwrap();
    std::fs::write(segments.join("low-0000000002.seg"), b"").unwrap();
    std::fs::create_dir(segments.join("medium-0000000003.seg")).unwrap();
    std::fs::write(segments.join("letter.txt"), b"hello").unwrap();
    std::fs::write(dir.path().join("outbox"), b"a file").unwrap();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert!(report.durable && report.damaged == 2, "{report:?}");
    assert!(!spool.append(vec![event(1)]).unwrap()[0].not_durable);
    spool.close();
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
fn a_full_spool_keeps_its_cap_gives_up_low_first_and_reports_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let mut written = 0;
    for n in 0..200 {
        let severity = if n % 10 == 0 { Severity::High } else { Severity::Low };
        spool.append(vec![raised(severity, None)]).unwrap();
        written += 1;
        assert!(spool.figures().unwrap().bytes <= 32 << 10);
    }
    let sent = drain(&spool);
    let (mut kept, mut reported, mut high) = (0, 0, 0);
    for record in sent {
        match record.body {
            Body::Gap(gap) => {
                assert_eq!(gap.class, Some(Severity::Low));
                reported += gap.count;
            }
            Body::Raised(r) => {
                kept += 1;
                high += u64::from(r.severity == Severity::High);
            }
            _ => {}
        }
    }
    assert_eq!((kept + reported, high), (written, 20));
    assert_eq!(spool.figures().unwrap().given_up, [reported, 0, 0]);
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
    assert_eq!(alert.still, Still::None { reason: "no_space".into() });
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
fn a_record_larger_than_the_broker_takes_is_given_up_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolConfig { segment: 8192, ..config(dir.path()) }).unwrap();
    let mut large = event(1);
    let event_text = AgentEvent { event: "x".into(), camera: None, reason: Some("y".repeat(3000)) };
    large.body = Body::AgentEvent(event_text);
    spool.append(vec![large, event(2)]).unwrap();
    assert_eq!(spool.take(1, LEAST_MESSAGE - 1).unwrap(), None);
    // The one slot of the window is free again at once.
    let sent = spool.take(1, 2000).unwrap().unwrap();
    let sent: Vec<Record> = sent.iter().map(|r| serde_json::from_slice(r).unwrap()).collect();
    assert_eq!(sent.iter().map(|r| r.seq).collect::<Vec<_>>(), [2, 3]);
    let Body::Gap(gap) = &sent[1].body else { panic!("{sent:?}") };
    assert_eq!((gap.count, gap.first_seq, gap.last_seq, gap.cause.as_str()), (1, 1, 1, "too_large"));
    assert_eq!(spool.figures().unwrap().given_up, [0, 1, 0]);
    spool.close();
}

/// The one segment file of class `medium`.
fn medium(folder: &std::path::Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder.join("segments")).unwrap().map(|f| f.unwrap().path());
    files.find(|p| p.to_str().unwrap().contains("medium")).unwrap()
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
fn an_end_cut_off_between_two_frames_is_counted_and_its_numbers_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let records = spool.append((0..6).map(event).collect()).unwrap();
    spool.close();
    let path = medium(dir.path());
    let bytes = std::fs::read(&path).unwrap();
    let (frames, _) = frame::scan(&bytes);
    // The header and 4 of 6 records stay.
    std::fs::write(&path, &bytes[..frames[5].offset]).unwrap();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((report.lost_records, report.damaged), (2, 0));
    let sent = drain(&spool);
    assert_eq!(sent[..4], records[..4]);
    let Body::Gap(gap) = &sent[4].body else { panic!("{sent:?}") };
    assert_eq!((gap.count, gap.first_seq, gap.last_seq, gap.cause.as_str()), (2, 5, 6, "damage"));
    assert_eq!(sent[4].seq, 7);
    spool.close();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!(report.lost_records, 0, "the loss is reported once");
    spool.close();
}

#[test]
fn after_a_stop_that_was_none_numbers_that_may_have_been_handed_out_are_skipped() {
    let (dir, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let first = spool.append(vec![event(1)]).unwrap().remove(0);
    copy(dir.path(), image.path());
    spool.close();
    let (spool, report) = Spool::open(config(image.path())).unwrap();
    assert_eq!(report.lost_records, 0);
    let next = spool.append(vec![event(2)]).unwrap().remove(0);
    assert!(next.epoch == first.epoch && next.seq > 60, "{next:?}");
    spool.close();
    // A clean stop skips none.
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    assert_eq!(spool.append(vec![event(2)]).unwrap()[0].seq, 2);
    spool.close();
}

#[test]
fn whatever_happens_to_the_index_the_segments_speak() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let records = spool.append((0..6).map(event).collect()).unwrap();
    spool.close();
    let db = std::fs::read(dir.path().join("index.sled/db")).unwrap();
    let used = db.iter().rposition(|b| *b != 0).unwrap() + 1;
    let check = |damage: &dyn Fn(&std::path::Path)| {
        let image = tempfile::tempdir().unwrap();
        copy(dir.path(), image.path());
        damage(&image.path().join("index.sled"));
        let (spool, report) = Spool::open(config(image.path())).unwrap();
        assert_eq!((report.records, report.lost_records), (6, 0));
        assert_eq!(drain(&spool), records);
        assert!(spool.append(vec![event(7)]).unwrap()[0].seq > 6);
        spool.close();
    };
    for at in (0..used).step_by(used / 24 + 1) {
        check(&|index| {
            let mut bytes = db.clone();
            bytes[at] ^= 0x10;
            std::fs::write(index.join("db"), bytes).unwrap();
        });
    }
    check(&|index| std::fs::write(index.join("db"), &db[..used / 2]).unwrap());
    check(&|index| std::fs::write(index.join("conf"), b"nonsense").unwrap());
    check(&|index| std::fs::remove_dir_all(index).unwrap());
    check(&|index| {
        std::fs::remove_dir_all(index).unwrap();
        std::fs::write(index, b"a file").unwrap();
    });
}

#[test]
fn callers_that_wait_share_one_write_and_one_refused_draft_hits_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, _report) = sync_channel(1);
    let mut owner = owner::Owner::open(config(dir.path()), watch::channel(0).0, &opened);
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

#[test]
fn what_is_settled_goes_before_what_is_open_and_a_new_hub_opens_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let mut last = 0;
    let mut epoch = None;
    for n in 0..120 {
        let record = spool.append(vec![raised(Severity::Low, None)]).unwrap().remove(0);
        last = record.seq;
        if n % 2 == 0 {
            spool.acknowledge(ack("h1", &record.epoch, last)).unwrap();
        }
        epoch = Some(record.epoch);
    }
    // All that went was settled: no gap, and the newest is open.
    let figures = spool.figures().unwrap();
    assert_eq!((figures.given_up, figures.open_records, last), ([0; 3], 1, 120));
    spool.acknowledge(ack("h2", &epoch.unwrap(), 0)).unwrap();
    let held = spool.figures().unwrap().open_records;
    assert!(held > 20, "{held} of what is held goes to the new hub");
    for _ in 0..120 {
        spool.append(vec![raised(Severity::Low, None)]).unwrap();
    }
    let (mut kept, mut reported) = (0, 0);
    for record in drain(&spool) {
        match record.body {
            Body::Gap(gap) => reported += gap.count,
            _ => kept += 1,
        }
    }
    assert_eq!(kept + reported, held + 120);
    spool.close();
}

#[test]
fn at_their_cap_the_oldest_stills_go_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let mut seqs = Vec::new();
    for n in 0..6u8 {
        let record = spool.append(vec![raised(Severity::High, Some(vec![n; 10 << 10]))]).unwrap().remove(0);
        assert!(matches!(record.body, Body::Raised(Raised { still: Still::Pending, .. })), "{record:?}");
        seqs.push(record.seq);
    }
    let mut left: Vec<u64> = crate::outbox::waiting(spool.outbox()).iter().map(|w| w.seq).collect();
    left.sort_unstable();
    let none = Still::None { reason: "given_up".into() };
    let mut gone: Vec<u64> = Vec::new();
    for record in drain(&spool) {
        if let Body::Updated(protocol::Updated { of_seq, still }) = record.body {
            assert_eq!(still.as_ref(), Some(&none));
            gone.push(of_seq);
        }
    }
    assert_eq!([gone.clone(), left].concat(), seqs, "each still is either there or reported");
    assert_eq!(spool.figures().unwrap().stills_given_up, gone.len() as u64);
    assert!(!gone.is_empty());
    spool.close();
}

/// `cargo test -p edge-agent --lib spool::tests::figures_of -- --ignored --nocapture`
#[test]
#[ignore = "measures"]
fn figures_of_a_large_backlog() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(dir.path()) }).unwrap();
    let rate = |count: u64, since: std::time::Instant| count as f64 / since.elapsed().as_secs_f64();
    let append = |batches: u64, size: u64| {
        let since = std::time::Instant::now();
        (0..batches).for_each(|_| drop(spool.append((0..size).map(event).collect()).unwrap()));
        rate(batches * size, since)
    };
    println!("one at a time: {:.0} records/s", append(1000, 1));
    println!("batches of 200: {:.0} records/s", append(3000, 200));
    println!("one at a time behind 600,000: {:.0} records/s", append(1000, 1));
    let since = std::time::Instant::now();
    std::thread::scope(|scope| {
        (0..16).for_each(|_| {
            scope.spawn(|| (0..500).for_each(|n| drop(spool.append(vec![event(n)]).unwrap())));
        });
    });
    println!("16 callers, one at a time: {:.0} records/s", rate(16 * 500, since));
    spool.link(true).unwrap();
    let (since, mut taken) = (std::time::Instant::now(), 0);
    while taken < 100_000 {
        let batch = spool.take(64, 128 << 10).unwrap().unwrap();
        taken += batch.len() as u64;
        let last: Record = serde_json::from_slice(batch.last().unwrap()).unwrap();
        spool.acknowledge(ack("h1", &last.epoch, last.seq)).unwrap();
    }
    println!("taken and settled: {:.0} records/s", rate(taken, since));
    let since = std::time::Instant::now();
    spool.close();
    let (spool, report) = Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(dir.path()) }).unwrap();
    println!("opened with {} records in {:?}", report.records, since.elapsed());
    spool.close();
}
