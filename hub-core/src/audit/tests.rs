//! Every entry of a chain altered, removed, moved or added: each is found.

use super::*;

/// Entries over several days with their hashes, as the hub would write them.
struct Audit {
    days: Vec<Day>,
    entries: Vec<(Entry, Digest)>,
    published: Vec<Head>,
}

const DAYS: u64 = 4;

fn entry(day: &str, number: u64, n: u64) -> Entry {
    Entry {
        day: day.to_owned(),
        number,
        at: n.cast_signed(),
        action: "still_viewed".into(),
        actor: format!("user-{}", n % 7),
        site: (!n.is_multiple_of(3)).then(|| "market".to_owned()),
        object: Some(format!("gate/e1/{n}")),
        detail: "A still was viewed.".into(),
        reason: n.is_multiple_of(5).then(|| "理由".to_owned()),
    }
}

/// `count` entries; a head is published after every 20th and the last.
fn audit(algorithm: Algorithm, count: u64) -> Audit {
    let mut made = Audit { days: Vec::new(), entries: Vec::new(), published: Vec::new() };
    let mut last: Option<Head> = None;
    for d in 0..DAYS {
        let day = format!("2026-11-{:02}", 20 + d);
        let after = last.take();
        let mut digest = opening(algorithm, &day, after.as_ref());
        let in_day = count / DAYS;
        for number in 1..=in_day {
            let entry = entry(&day, number, d * in_day + number);
            digest = entry.digest(algorithm, &digest);
            made.entries.push((entry, digest));
            let head = Head { day: day.clone(), count: number, digest };
            if number % 20 == 0 || number == in_day {
                made.published.push(head.clone());
            }
            last = Some(head);
        }
        made.days.push(Day { day, algorithm, after, count: in_day, head: digest });
    }
    made
}

fn check<'a>(plan: &Plan, entries: impl IntoIterator<Item = &'a (Entry, Digest)>) -> Faults {
    let mut walk = plan.walk();
    entries.into_iter().for_each(|(entry, stored)| walk.entry(entry, stored));
    walk.finish()
}

#[test]
fn an_untouched_audit_has_no_faults() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sm3] {
        let Audit { days, entries, published } = audit(algorithm, 400);
        assert_eq!(check(&Plan::new(days, published), &entries), Faults::default(), "{algorithm:?}");
    }
}

/// Goes on from `walk` until something is found; whether anything was.
fn found<'a>(mut walk: Walk<'_>, rest: impl IntoIterator<Item = &'a (Entry, Digest)>) -> bool {
    for (entry, stored) in rest {
        walk.entry(entry, stored);
        if walk.faults().count > 0 {
            return true;
        }
    }
    walk.finish().count > 0
}

/// Entries of one day hashed anew from `before` on, as somebody would who can write the database.
fn chained_anew(entries: &[(Entry, Digest)], algorithm: Algorithm, before: Digest) -> Vec<(Entry, Digest)> {
    let mut digest = before;
    let day = entries.first().map(|(e, _)| e.day.clone());
    let same_day = entries.iter().take_while(|(e, _)| Some(&e.day) == day.as_ref());
    same_day
        .map(|(entry, _)| {
            digest = entry.digest(algorithm, &digest);
            (entry.clone(), digest)
        })
        .collect()
}

#[test]
fn each_single_one_of_ten_thousand_entries_is_missed_or_seen_to_be_altered() {
    const COUNT: u64 = 10_000;
    let algorithm = Algorithm::Sha256;
    let Audit { days, entries, published } = audit(algorithm, COUNT);
    let plan = Plan::new(days, published);
    let mut walk = plan.walk();
    let mut tried = 0u64;
    for (n, (entry, stored)) in entries.iter().enumerate() {
        let rest = &entries[n + 1..];
        // Removed; altered, its old hash kept; altered, hashed anew; inserted twice; changed places.
        assert!(found(walk.clone(), rest), "{n} removed");
        let other = Entry { actor: format!("{}x", entry.actor), ..entry.clone() };
        let kept = [(other.clone(), *stored)];
        assert!(found(walk.clone(), kept.iter().chain(rest)), "{n} altered");
        let before = match n.checked_sub(1).map(|n| &entries[n]) {
            Some((last, digest)) if last.day == entry.day => *digest,
            _ => opening(algorithm, &entry.day, plan_day(&plan, &entry.day).after.as_ref()),
        };
        let anew = [(other.clone(), other.digest(algorithm, &before))];
        assert!(found(walk.clone(), anew.iter().chain(rest)), "{n} altered and hashed");
        assert!(found(walk.clone(), entries[n..=n].iter().chain(&entries[n..])), "{n} twice");
        if let Some(next) = rest.first() {
            let swapped = [next.clone(), entries[n].clone()];
            assert!(found(walk.clone(), swapped.iter().chain(&rest[1..])), "{n} changed places");
        }
        // Everything after it in the day hashed anew as well: the next published head tells.
        let mut tail = entries[n..COUNT.min(n as u64 + 21) as usize].to_vec();
        tail[0].0 = other;
        let anew = chained_anew(&tail, algorithm, before);
        assert!(found(walk.clone(), anew.iter().chain(&entries[n + anew.len()..])), "{n} chained anew");
        walk.entry(entry, stored);
        assert_eq!(walk.faults().count, 0);
        tried += 1;
    }
    assert_eq!((tried, walk.finish()), (COUNT, Faults::default()));
}

fn plan_day<'p>(plan: &'p Plan, day: &str) -> &'p Day {
    plan.day(day).unwrap()
}

#[test]
fn a_tail_cut_off_with_its_traces_is_found_against_the_published_head() {
    let Audit { mut days, mut entries, published } = audit(Algorithm::Sm3, 400);
    entries.truncate(350);
    let last = days.last_mut().unwrap();
    (last.count, last.head) = (50, entries[349].1);
    assert_eq!(check(&Plan::new(days.clone(), []), &entries), Faults::default(), "the database agrees");
    // Published were 20, 40, 60, 80, 100 of the day: three of them are gone.
    let gone = |n: usize| published[published.len() - n..].iter().cloned();
    let told = |n| gone(n).map(|head| Fault::NotAsPublished { head }).collect::<Vec<_>>();
    assert_eq!(check(&Plan::new(days.clone(), published.clone()), &entries).told, told(3));
    // The whole last day, with the day's row.
    entries.truncate(300);
    days.pop();
    assert_eq!(check(&Plan::new(days, published.clone()), &entries).told, told(5));
}

#[test]
fn a_day_cut_out_of_the_middle_is_found_without_any_published_head() {
    let Audit { mut days, mut entries, .. } = audit(Algorithm::Sha256, 400);
    let day = days.remove(1).day;
    entries.retain(|(e, _)| e.day != day);
    let faults = check(&Plan::new(days.clone(), []), &entries);
    let Fault::OpenedAfterNothing { after, .. } = &faults.told[0] else { panic!("{faults:?}") };
    assert_eq!((after.day.as_str(), after.count, faults.count), (day.as_str(), 100, 1));
    // Said to be the beginning of all: then there are two.
    days[1].after = None;
    let faults = check(&Plan::new(days.clone(), []), &entries);
    assert!(faults.told.contains(&Fault::TwoBeginnings { day: days[1].day.clone() }), "{faults:?}");
}

#[test]
fn a_day_may_grow_after_the_next_was_opened() {
    // The clock went back over midnight.
    let Audit { mut days, mut entries, published } = audit(Algorithm::Sha256, 400);
    let before = entries[99].1;
    let late = entry("2026-11-20", 101, 9);
    let digest = late.digest(Algorithm::Sha256, &before);
    entries.insert(100, (late, digest));
    (days[0].count, days[0].head) = (101, digest);
    assert_eq!(check(&Plan::new(days, published), &entries), Faults::default());
}

#[test]
fn one_altered_entry_is_one_fault_and_many_are_counted() {
    let Audit { days, mut entries, published } = audit(Algorithm::Sha256, 400);
    entries[40].0.detail.push('!');
    let faults = check(&Plan::new(days.clone(), published.clone()), &entries);
    assert_eq!(faults.told, [Fault::Altered { day: "2026-11-20".into(), number: 41 }]);
    entries.iter_mut().for_each(|(e, _)| e.at += 1);
    let faults = check(&Plan::new(days, published), &entries);
    assert_eq!((faults.count, faults.told.len()), (400, 100));
}

#[test]
fn no_two_entries_have_the_same_bytes() {
    let base = entry("2026-11-20", 1, 1);
    let change = |f: fn(&mut Entry)| {
        let mut other = base.clone();
        f(&mut other);
        other.canonical()
    };
    let all = [
        base.canonical(),
        change(|e| e.day.push('0')),
        change(|e| e.number += 1),
        change(|e| e.at += 1),
        change(|e| (e.action, e.actor) = ("still_viewedu".into(), "ser-1".into())),
        change(|e| e.site = None),
        change(|e| e.site = Some(String::new())),
        change(|e| (e.site, e.object) = (e.object.take(), e.site.take())),
        change(|e| e.reason = Some(std::mem::take(&mut e.detail))),
    ];
    for (n, bytes) in all.iter().enumerate() {
        assert!(!all[n + 1..].contains(bytes), "{n}");
    }
}

#[test]
fn the_hashes_are_the_standards() {
    // FIPS 180-4 and GB/T 32905-2016, appendix A: both of "abc".
    let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let sm3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
    assert_eq!(Algorithm::Sha256.digest(&[b"a", b"bc"]).to_string(), sha);
    assert_eq!(Algorithm::Sm3.digest(&[b"ab", b"c"]).to_string(), sm3);
    assert_eq!(sm3.parse::<Digest>().unwrap(), Algorithm::Sm3.digest(&[b"abc"]));
    for wrong in ["", "66", &sm3[1..], &format!("{sm3}0"), &sm3.replace('c', "x"), &"é".repeat(32)] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
    assert_eq!(day_of(0), "1970-01-01");
    assert_eq!(day_of(1_764_028_799_999), "2025-11-24");
}

/// The format of today, for ever.
#[test]
fn the_format_never_changes() {
    let head = Head { day: "2026-11-19".into(), count: 7, digest: Digest([9; 32]) };
    let before = opening(Algorithm::Sha256, "2026-11-20", Some(&head));
    let after = entry("2026-11-20", 1, 5).digest(Algorithm::Sha256, &before);
    // Computed apart, by another program after the format's description in ADR 10.
    assert_eq!(before.to_string(), "70be72fe421d8e463be5d12c03103ad07f099a425d05307744486ba75a94c65f");
    assert_eq!(after.to_string(), "cfc028cf3b6727e047736636458bcdba2e6b92ea05993ba9dfb07c74987fdb34");
}
