//! Caps on bytes, pictures, memory and messages; what goes is reported.

use super::*;

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

#[test]
fn without_a_disk_memory_is_bounded_and_what_goes_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let (spool, _) = Spool::open(config(&file)).unwrap();
    let text = "y".repeat(100_000);
    for _ in 0..300 {
        let body = Body::AgentEvent(AgentEvent { event: text.clone(), camera: None, reason: None });
        spool.append(vec![Draft { body, ..event(0) }]).unwrap();
        assert!(spool.figures().unwrap().bytes <= 16 << 20);
    }
    let (mut kept, mut reported, mut gaps) = (0, 0, 0);
    for record in drain(&spool) {
        match record.body {
            Body::Gap(gap) => (reported, gaps) = (reported + gap.count, gaps + 1),
            _ => kept += 1,
        }
    }
    assert_eq!(kept + reported, 300);
    assert!(kept > 100 && gaps < 10, "{kept} kept, {gaps} gaps");
    spool.close();
}
