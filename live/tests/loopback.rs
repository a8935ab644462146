//! A box, the hub's relay and viewers, on a network in memory: what the box encoded is what viewers get.

mod wire;

use std::time::Duration;

use live::{End, Forwarded, LiveError};
use wire::{CHANNEL, Chance, GAP, Viewer, World, address};

/// The numbers of the pictures that a viewer got, each compared with what was encoded.
fn numbers(world: &World, viewer: &Viewer) -> Vec<u32> {
    let number = |bytes: &[u8]| {
        let found = world.made.iter().find(|(_, made)| made.as_slice() == bytes);
        *found.expect("a picture that nobody made").0
    };
    viewer.seen.iter().map(|(_, seen)| number(&seen.bytes)).collect()
}

#[test]
fn everybody_gets_every_picture_from_a_key_frame_on() {
    let mut world = World::new(11);
    world.source(address(10));
    world.run(Duration::from_secs(2));
    for (number, wait) in [(20, 730), (21, 0), (22, 1310)] {
        world.viewer(address(number));
        world.run(Duration::from_millis(wait));
    }
    world.run(Duration::from_secs(4));
    let sources = world.told.iter().filter(|t| matches!(t, Forwarded::Arriving(CHANNEL))).count();
    let shown = world.told.iter().filter(|t| matches!(t, Forwarded::Shown(_))).count();
    assert_eq!((sources, shown), (1, 3));
    let newest = *world.made.keys().next_back().unwrap();
    for viewer in world.viewers.values() {
        let got = numbers(&world, viewer);
        let (first, seen) = &viewer.seen[0];
        assert!(seen.key, "the first picture is a key frame");
        let waited = first.duration_since(viewer.since);
        assert!(waited < 4 * GAP, "the first picture after {waited:?}, though a key frame was asked for");
        assert_eq!(got, (got[0]..got[0] + got.len() as u32).collect::<Vec<_>>(), "all, in order");
        assert!(newest - got[got.len() - 1] <= 2, "up to the end");
        assert!(viewer.seen.iter().all(|(_, seen)| seen.follows));
    }
}

#[test]
fn what_is_lost_on_the_way_is_asked_for_and_sent_again() {
    let mut world = World::new(5);
    world.lost_per_mille = 40;
    world.source(address(10));
    world.run(Duration::from_secs(3));
    world.viewer(address(20));
    world.run(Duration::from_secs(20));
    let viewer = &world.viewers[&address(20)];
    let got = numbers(&world, viewer);
    let made = world.made.keys().filter(|n| **n >= got[0]).count();
    assert!(got.len() * 100 >= made * 97, "{} of {made} pictures arrived whole", got.len());
}

#[test]
fn a_box_that_connects_anew_goes_on_where_it_was() {
    let mut world = World::new(23);
    world.source(address(10));
    world.viewer(address(20));
    world.run(Duration::from_secs(3));
    world.sources.clear();
    world.run(Duration::from_secs(1));
    world.source(address(11));
    world.run(Duration::from_secs(3));
    let viewer = &world.viewers[&address(20)];
    let got = numbers(&world, viewer);
    let cut = got.iter().position(|n| *n >= 1000).expect("pictures of the second");
    assert!(cut > 20 && got.len() - cut > 20, "{got:?}");
    assert!(viewer.seen[cut].1.key);
    assert!(viewer.seen.is_sorted_by(|a, b| a.1.at < b.1.at), "time runs on");
    let ended = world.told.iter().filter(|t| matches!(t, Forwarded::Ended(_, End::Source(CHANNEL)))).count();
    assert_eq!(ended, 1, "the first gave way");
}

#[test]
fn whoever_is_gone_is_noticed_and_nothing_stays() {
    let mut world = World::new(31);
    world.source(address(10));
    world.viewer(address(20));
    world.run(Duration::from_secs(2));
    let session = world.viewers[&address(20)].session;
    world.viewers.get_mut(&address(20)).unwrap().silent = true;
    world.run(Duration::from_secs(60));
    let gone = |t: &Forwarded| matches!(t, Forwarded::Ended(s, End::Viewer(CHANNEL)) if *s == session);
    assert!(world.told.iter().any(gone));
    world.sources.clear();
    world.run(Duration::from_secs(60));
    assert!(world.told.iter().any(|t| matches!(t, Forwarded::Ended(_, End::Source(CHANNEL)))));
    assert_eq!(world.relay.deadline(), None);
}

#[test]
fn whoever_never_connects_gives_its_place_back() {
    let mut world = World::new(2);
    for number in 20..28 {
        world.viewer(address(number));
        world.viewers.get_mut(&address(number)).unwrap().silent = true;
    }
    let (_, offer) = live::Receiver::offer(address(30), world.now).unwrap();
    let refused = world.relay.watch(CHANNEL, &offer, world.now);
    assert!(matches!(refused, Err(LiveError::Full(8))));
    world.run(Duration::from_secs(15));
    assert_eq!(world.relay.deadline(), None);
    world.relay.watch(CHANNEL, &offer, world.now).unwrap();
}

#[test]
fn rubbish_from_outside_changes_nothing() {
    let mut world = World::new(47);
    world.source(address(10));
    world.viewer(address(20));
    let mut chance = Chance::of(3);
    let (_, offer) = live::Receiver::offer(address(30), world.now).unwrap();
    for round in 0..600 {
        if round % 30 == 0 {
            world.run(Duration::from_millis(50));
        }
        let mut bytes: Vec<u8> = (0..chance.next() % 200).map(|_| chance.next() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 20, 128, 144][(chance.next() % 5) as usize];
        }
        let from = [address(10), address(20), address(66)][(chance.next() % 3) as usize];
        world.relay.receive(from, &bytes, world.now);
        let cut = (chance.next() as usize) % offer.len();
        let mut broken = offer.clone().into_bytes();
        broken[cut] = chance.next() as u8;
        broken.truncate(offer.len() - (chance.next() as usize % 3) * cut / 2);
        if let Ok((session, _)) = world.relay.watch(CHANNEL, &String::from_utf8_lossy(&broken), world.now) {
            world.relay.close(session, world.now);
        }
    }
    world.run(Duration::from_secs(3));
    let viewer = &world.viewers[&address(20)];
    assert!(!viewer.over && numbers(&world, viewer).len() > 20);
}

#[test]
fn an_offer_without_our_h264_is_refused() {
    let mut world = World::new(1);
    let (_, offer) = live::Receiver::offer(address(30), world.now).unwrap();
    let other = offer.replace("H264", "VP8");
    assert!(world.relay.watch(CHANNEL, &other, world.now).is_err());
    assert!(matches!(world.relay.watch(CHANNEL, "v=0", world.now), Err(LiveError::Unreadable(_))));
    assert_eq!(world.relay.deadline(), None);
}
