//! Flipped bytes, cuts, foreign files, and an index that is broken: the spool runs and counts.

use super::*;

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

/// The one segment file of class `medium`.
fn medium(folder: &std::path::Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder.join("segments")).unwrap().map(|f| f.unwrap().path());
    files.find(|p| p.to_str().unwrap().contains("medium")).unwrap()
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
fn with_the_index_a_torn_write_is_no_loss_and_a_damaged_record_is_exactly_one() {
    let (dir, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    let records = spool.append((0..3).map(event).collect()).unwrap();
    copy(dir.path(), image.path());
    spool.close();
    let path = medium(image.path());
    let bytes = std::fs::read(&path).unwrap();
    let (frames, _) = frame::scan(&bytes);
    // Half of a write whose caller never got an answer.
    let torn = [&bytes[..], &bytes[frames[1].offset..frames[2].offset + 40]].concat();
    std::fs::write(&path, torn).unwrap();
    let (spool, report) = Spool::open(config(image.path())).unwrap();
    assert_eq!((report.records, report.lost_records, report.damaged), (3, 0, 1));
    assert_eq!(drain(&spool), records);
    spool.close();
    let path = medium(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (spool, report) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((report.lost_records, report.damaged), (1, 1));
    spool.close();
}
