//! Whatever order facts come in, an incident stands the same; against a definition that is no fold.

mod story;

use hub_core::workflow::{Deed, Fact, Facts, Part, Reopening, Standing, State, StepKind, fold};
use story::{facts, part};

const STORIES: [&str; 8] = [
    "09:00 li acknowledge\n09:01 li dispatch unit:patrol-2\n09:02 wang arrive\n09:03 wang resolve\n09:04 li close\n09:20 alert",
    "09:00 li close\n09:01 hu acknowledge\n09:02 alert\n09:03 chen reopen\n09:04 li false_alarm\n09:30 alert",
    "09:00 li acknowledge\n09:01 li pause\n09:02 hu pause\n09:03 li resume\n09:04 li resolve\n09:05 chen reopen",
    "09:00 hu acknowledge on B\n09:01 A absorbs B\n09:02 li resolve\n09:03 alert\n09:04 li close\n09:05 hu note on B",
    "09:00 A absorbs B\n09:01 B absorbs A\n09:02 li acknowledge\n09:03 hu resolve on B\n09:04 li close\n09:05 alert on B",
    "09:00 B absorbs C\n09:01 A absorbs B\n09:02 hu close on C\n09:03 hu close on B\n09:04 li acknowledge\n09:05 alert",
    "09:00 overdue acknowledge\n09:01 escalated 1\n09:02 li acknowledge\n09:03 escalated 2\n09:04 li resolve\n09:06 alert",
    "09:00 li assign member:zhao\n09:01 zhao accept\n09:02 li dispatch unit:patrol-2\n09:03 wang accept\n09:04 wang arrive\n09:05 wang resolve",
];

fn parts() -> Vec<Part> {
    vec![part("A", "08:59:00"), part("B", "08:58:30"), part("C", "08:59:30")]
}

#[test]
fn every_order_of_arrival_ends_in_the_same_standing() {
    for story in STORIES {
        let facts = facts(story);
        let expected = fold(&parts(), &Facts::from_iter(facts.clone()), &Reopening::default());
        let mut orders = 0;
        permutations(6, |order| {
            orders += 1;
            let mut set = Facts::default();
            for n in order {
                set.insert(facts[*n].clone());
                // Told twice is told once.
                set.insert(facts[order[0]].clone());
            }
            assert_eq!(fold(&parts(), &set, &Reopening::default()), expected, "{order:?} of {story}");
            let mut backwards = parts();
            backwards.reverse();
            assert_eq!(fold(&backwards, &set, &Reopening::default()), expected, "parts backwards");
        });
        assert_eq!(orders, 720);
    }
}

/// "Closed" before "opened", arrived before sent: every order in which the six things may have happened.
#[test]
fn every_order_of_events_stands_as_defined() {
    for story in STORIES {
        let plain = facts(story);
        permutations(6, |order| {
            let reordered = (0..6).map(|n| Fact {
                at: plain[n].at,
                id: plain[n].id.clone(),
                ..timed(&plain[order[n]], plain[n].at)
            });
            agrees(&parts(), &reordered.collect::<Vec<_>>(), &format!("{order:?} of {story}"));
        });
    }
}

fn timed(fact: &Fact, at: i64) -> Fact {
    let deed = match &fact.deed {
        Deed::Alert { .. } => Deed::Alert { happened: at },
        other => other.clone(),
    };
    Fact { deed, at, ..fact.clone() }
}

#[test]
fn random_longer_stories_stand_as_defined() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_125);
    println!("SEED={seed}");
    let mut chance = Chance(seed);
    for n in 0..100_000 {
        let parts = &parts()[..1 + chance.below(3)];
        let story = random_story(&mut chance, parts);
        agrees(parts, &story, &format!("story {n} of seed {seed}"));
    }
}

fn random_story(chance: &mut Chance, parts: &[Part]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = (0..2 + chance.below(24))
        .map(|n| {
            let at = story::time("08:59:00") + chance.below(7200) as i64 * 1000;
            let incident = parts[chance.below(parts.len())].incident.clone();
            let deed = match chance.below(10) {
                0..3 => Deed::Alert { happened: at - chance.below(600) as i64 * 1000 },
                3 if parts.len() > 1 => {
                    Deed::Absorbed { incident: parts[chance.below(parts.len())].incident.clone() }
                }
                _ => {
                    let kind = StepKind::ALL[chance.below(StepKind::ALL.len())];
                    let who = ["li", "chen", "wang", "zhao"][chance.below(4)];
                    Deed::Step { by: story::actor(who), step: story::step(kind.as_str(), Some("unit:p")) }
                }
            };
            Fact { at, id: format!("f{n:02}"), incident, deed }
        })
        .collect();
    // As they arrive.
    for n in (1..facts.len()).rev() {
        facts.swap(n, chance.below(n + 1));
    }
    facts
}

fn agrees(parts: &[Part], story: &[Fact], what: &str) {
    let reopening = Reopening::default();
    let folded = fold(parts, &story.iter().cloned().collect(), &reopening);
    let defined = defined(parts, story, &reopening);
    assert_eq!(brief(&folded), defined, "{what}: {story:#?}");
}

/// State, since when, when settled, how often opened again.
type Brief = (State, i64, Option<i64>, u32);

fn brief(standing: &Standing) -> Brief {
    (standing.state, standing.clock_from, standing.settled_at(), standing.reopened)
}

/// By looking through the whole story again for each question, without carrying anything along.
fn defined(parts: &[Part], story: &[Fact], reopening: &Reopening) -> Brief {
    let mut story = story.to_vec();
    story.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let each: Vec<Brief> = parts.iter().map(|part| defined_part(part, &story, reopening)).collect();
    let reopened = each.iter().map(|b| b.3).max().unwrap();
    let open: Vec<_> = each.iter().filter(|b| !b.0.is_settled()).collect();
    if !open.is_empty() {
        let state = open.iter().map(|b| b.0).max().unwrap();
        return (state, open.iter().map(|b| b.1).min().unwrap(), None, reopened);
    }
    let state = each.iter().map(|b| b.0).min().unwrap();
    let since = each.iter().map(|b| b.1).min().unwrap();
    let mut of_state: Vec<_> = each.iter().zip(parts).filter(|(b, _)| b.0 == state).collect();
    of_state.sort_by_key(|(_, part)| part.incident.clone());
    (state, since, of_state[0].0.2, reopened)
}

fn defined_part(part: &Part, story: &[Fact], reopening: &Reopening) -> Brief {
    let meant: Vec<&Fact> =
        story.iter().filter(|f| covers(&f.incident, &part.incident, f.at, story)).collect();
    let (mut begin, mut since, mut floor, mut lives) = (0, part.clock_from, State::New, 0);
    loop {
        let life = &meant[begin..];
        let Some(end) = life.iter().position(|f| end_of(f).is_some()) else {
            let best = life.iter().filter_map(|f| progress_of(f)).max().unwrap_or(State::New);
            return (best.max(floor), since, None, lives);
        };
        let settled = life[end].at;
        let again = (end + 1..life.len()).find(|&n| {
            let is_false = state_between(&life[..n]) == State::FalseAlarm;
            let quiet = if is_false { reopening.after_false_alarm } else { reopening.after_resolved };
            match &life[n].deed {
                Deed::Step { step, .. } => step.kind == StepKind::Reopen,
                Deed::Alert { happened } => *happened.min(&life[n].at) > settled + quiet,
                _ => false,
            }
        });
        let Some(again) = again else { return (state_between(life), since, Some(settled), lives) };
        floor = match life[again].deed {
            Deed::Alert { .. } => State::New,
            _ => State::Acknowledged,
        };
        since = life[again].at;
        begin += again + 1;
        lives += 1;
    }
}

/// Of a settled life: whether it was merely resolved, or which end came first.
fn state_between(life: &[&Fact]) -> State {
    let ends = life.iter().filter_map(|f| end_of(f));
    ends.clone().find(|end| *end != State::Resolved).unwrap_or(State::Resolved)
}

fn end_of(fact: &Fact) -> Option<State> {
    progress_of(fact).filter(|s| *s >= State::Resolved)
}

fn progress_of(fact: &Fact) -> Option<State> {
    let Deed::Step { step, .. } = &fact.deed else { return None };
    match step.kind {
        StepKind::Acknowledge => Some(State::Acknowledged),
        StepKind::Dispatch | StepKind::Accept => Some(State::Dispatched),
        StepKind::Arrive => Some(State::OnScene),
        StepKind::Resolve => Some(State::Resolved),
        StepKind::Close => Some(State::Closed),
        StepKind::FalseAlarm => Some(State::FalseAlarm),
        _ => None,
    }
}

/// Whether a step on `on` at `at` is meant for `part`: by whom had `part` been absorbed until then?
fn covers(on: &str, part: &str, at: i64, story: &[Fact]) -> bool {
    let (mut current, mut seen) = (part.to_owned(), Vec::new());
    while current != on {
        if seen.contains(&current) {
            return false;
        }
        seen.push(current.clone());
        let until = story.iter().filter(|f| f.at <= at);
        let mut into = until.filter_map(|f| match &f.deed {
            Deed::Absorbed { incident } if *incident == current => Some(f.incident.clone()),
            _ => None,
        });
        match into.next_back() {
            Some(into) => current = into,
            None => return false,
        }
    }
    true
}

fn permutations(n: usize, mut each: impl FnMut(&[usize])) {
    fn go(order: &mut Vec<usize>, k: usize, each: &mut impl FnMut(&[usize])) {
        if k == order.len() {
            return each(order);
        }
        for i in k..order.len() {
            order.swap(k, i);
            go(order, k + 1, each);
            order.swap(k, i);
        }
    }
    go(&mut (0..n).collect(), 0, &mut each);
}

/// A small generator of its own, so that a seed says everything.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}
