//! Incidents worked on, in field words: where they stand, and what is open to whom.

mod story;

use hub_core::workflow::{
    Facts, Language, Part, Refusal, Reopening, Role, Seat, Standing, State, Step, StepKind, fold, permit,
    refused_because, steps_open_to,
};
use story::{actor, clock, facts, part, step, told};

fn stands(parts: &[Part], story: &str) -> Standing {
    fold(parts, &facts(story).into_iter().collect(), &Reopening::default())
}

fn check(name: &str, parts: &[Part], story: &str) {
    insta::with_settings!({ description => story, omit_expression => true }, {
        insta::assert_snapshot!(name.replace([' ', ','], "_"), told(&stands(parts, story)));
    });
}

fn one(name: &str, story: &str) {
    check(name, &[part("A", "09:00:00")], story);
}

#[test]
fn from_the_alert_to_the_end() {
    one(
        "from the alert to the end",
        "09:00:00 alert
         09:00:20 li acknowledge
         09:01:00 li dispatch unit:patrol-2
         09:01:30 wang accept
         09:06:00 wang arrive
         09:20:00 wang resolve
         09:25:00 li close",
    );
}

#[test]
fn closed_before_anything_else_is_closed() {
    one(
        "closed before anything else",
        "08:59:00 li close
         09:00:20 hu acknowledge
         09:01:00 hu dispatch unit:patrol-2",
    );
}

#[test]
fn who_is_on_scene_is_not_sent_back_by_a_late_acknowledgement() {
    one(
        "late acknowledgement",
        "09:00:10 li dispatch member:wang
         09:04:00 wang arrive
         09:04:01 hu acknowledge",
    );
}

#[test]
fn alerts_that_trickle_in_after_the_end_open_nothing_but_later_ones_do() {
    one(
        "trickle",
        "09:00:20 li acknowledge
         09:10:00 li resolve
         09:10:25 alert
         09:12:00 alert of 09:05:00
         09:13:00 li close",
    );
    one(
        "flares up",
        "09:00:20 li acknowledge
         09:01:00 li dispatch unit:patrol-2
         09:10:00 li resolve
         09:10:31 alert
         09:10:40 alert",
    );
    one(
        "rain on the lens",
        "09:00:20 li false_alarm
         09:09:00 alert
         09:12:00 alert",
    );
    // A box whose clock is an hour ahead.
    one(
        "box ahead",
        "09:00:20 li acknowledge
         09:10:00 li resolve
         09:10:05 alert of 10:10:05",
    );
}

#[test]
fn pauses_end_with_resume_or_with_the_end() {
    one(
        "pauses",
        "09:00:20 li acknowledge
         09:02:00 li pause
         09:03:00 hu pause
         09:20:00 li resume
         09:21:00 li resume
         09:30:00 li pause
         09:40:00 li resolve",
    );
}

#[test]
fn a_joined_incident_keeps_its_steps_and_is_open_while_one_part_is() {
    let two = [part("A", "09:00:00"), part("B", "09:05:00")];
    check(
        "joined while one is worked on",
        &two,
        "09:00:20 li acknowledge
         09:01:00 li dispatch unit:patrol-2
         09:05:30 hu acknowledge on B
         09:06:00 A absorbs B
         09:07:00 wang arrive",
    );
    check(
        "closed, then joined with a new one",
        &two,
        "09:00:20 li acknowledge
         09:04:00 li resolve
         09:04:30 li close
         09:06:00 A absorbs B",
    );
    check(
        "both ended by one step",
        &two,
        "09:00:20 li acknowledge
         09:06:00 A absorbs B
         09:07:00 li resolve
         09:08:00 li close",
    );
    check(
        "a step before the joining is not meant for the other",
        &two,
        "09:05:30 li false_alarm
         09:06:00 A absorbs B
         09:06:10 hu note on B",
    );
    check(
        "joined, and parted again by hand",
        &[part("B", "09:05:00")],
        "09:06:00 A absorbs B
         09:07:00 li acknowledge
         09:08:00 B absorbs B
         09:09:00 li resolve",
    );
    let three = [part("A", "09:00:00"), part("B", "09:05:00"), part("C", "08:50:00")];
    check(
        "joined twice over",
        &three,
        "09:05:30 hu acknowledge on B
         09:06:00 A absorbs B
         09:07:00 C absorbs A
         09:08:00 li dispatch member:zhao on C
         09:20:00 zhao resolve on C",
    );
}

#[test]
fn the_hubs_clock_is_set_and_no_time_has_gone_by() {
    one(
        "set forward",
        "09:00:20 li acknowledge
         09:00:30 li pause
         09:00:40 li resume
         10:00:50 clock set +3600
         10:02:00 li dispatch unit:patrol-2",
    );
}

#[test]
fn what_is_open_to_whom() {
    let stories = [
        ("new", ""),
        ("acknowledged", "09:00:20 li acknowledge"),
        ("proposed to patrol-2", "09:00:20 li assign unit:patrol-2"),
        ("dispatched to patrol-2", "09:00:20 li dispatch unit:patrol-2"),
        ("accepted", "09:00:20 li dispatch unit:patrol-2\n09:00:30 wang accept"),
        ("on scene", "09:00:20 li dispatch unit:patrol-2\n09:02:00 wang arrive"),
        ("paused", "09:00:20 li acknowledge\n09:00:30 li pause"),
        ("resolved", "09:00:20 li acknowledge\n09:02:00 li resolve"),
        ("closed", "09:00:20 li acknowledge\n09:02:00 li resolve\n09:03:00 li close"),
        ("false alarm", "09:00:20 li false_alarm"),
    ];
    let mut lines = String::new();
    for (name, story) in stories {
        let standing = stands(&[part("A", "09:00:00")], story);
        lines += &format!("{name}\n");
        for (who, seat) in [
            ("li", Seat::default()),
            ("chen", Seat::default()),
            ("wang", Seat::default()),
            ("zhao", Seat { reporter: true }),
        ] {
            let open = steps_open_to(&standing, &actor(who), seat);
            let open: Vec<_> = open.into_iter().map(StepKind::as_str).collect();
            lines += &format!("  {who:5} {}\n", open.join(" "));
        }
    }
    insta::assert_snapshot!("open_to_whom", lines);
}

#[test]
fn refusals_say_why_in_both_languages() {
    let standing =
        stands(&[part("A", "09:00:00")], "09:00:20 li dispatch member:wang\n09:05:00 wang resolve");
    let open = stands(&[part("A", "09:00:00")], "09:00:20 li dispatch member:wang");
    let tries: [(&Standing, &str, Step); 6] = [
        (&standing, "li", step("dispatch", Some("unit:patrol-2"))),
        (&open, "wang", step("dispatch", Some("member:zhao"))),
        (&open, "zhao", step("arrive", None)),
        (&open, "li", step("pause", None)),
        (&open, "li", step("dispatch", None)),
        (&open, "li", Step { note: Some("字".repeat(2001)), ..step("note", None) }),
    ];
    let mut refusals: Vec<Refusal> = tries
        .iter()
        .map(|(standing, who, step)| {
            let refused = match *who {
                "li" if step.kind == StepKind::Pause => {
                    permit(&acknowledged(), &actor(who), Seat::default(), step)
                }
                _ => permit(standing, &actor(who), Seat::default(), step),
            };
            refused.unwrap_err()
        })
        .collect();
    refusals.push(Refusal::Overtaken {
        step: StepKind::Acknowledge,
        by: "hu".into(),
        did: StepKind::Acknowledge,
        at: story::time("09:00:05"),
    });
    let mut lines = String::new();
    for refusal in &refusals {
        for language in [Language::English, Language::Chinese] {
            lines += &format!("{}\n", refused_because(refusal, language, clock));
        }
    }
    insta::assert_snapshot!("refusals", lines);
}

fn acknowledged() -> Standing {
    stands(&[part("A", "09:00:00")], "09:00:20 li acknowledge")
}

/// What is let through does something, in every state that can be reached in four steps.
#[test]
fn a_step_that_is_open_counts() {
    let parts = [part("A", "09:00:00")];
    let mut looked = 0;
    let mut front = vec![Vec::new()];
    for depth in 0..4 {
        let mut next = Vec::new();
        for done in &front {
            let before = fold(&parts, &Facts::from_iter(facts_of(done)), &Reopening::default());
            for kind in StepKind::ALL {
                let wanted = Step {
                    note: Some("why".into()),
                    to: Some(story::assignee("unit:patrol-2")),
                    ..Step::new(kind)
                };
                for who in ["li", "chen", "wang"] {
                    if permit(&before, &actor(who), Seat::default(), &wanted).is_err() {
                        continue;
                    }
                    looked += 1;
                    let mut after = done.clone();
                    after.push((who, wanted.clone()));
                    let standing = fold(&parts, &Facts::from_iter(facts_of(&after)), &Reopening::default());
                    let (said, _, at) = standing.last.clone().unwrap();
                    assert_eq!((said.id.as_str(), at), (who, facts_of(&after).last().unwrap().at));
                    let leaves_no_mark = matches!(kind, StepKind::Note | StepKind::Attach | StepKind::Answer);
                    let again = kind == StepKind::Assign && before.assigned.is_some()
                        || kind == StepKind::Dispatch && before.state >= State::Dispatched;
                    let moved = Standing { last: before.last.clone(), ..standing.clone() } != before;
                    assert_eq!(moved, !leaves_no_mark && !again || moved && again, "{kind:?} after {done:?}");
                    assert!(who != "wang" || actor(who).role == Role::GridMember);
                    if depth < 3 && !leaves_no_mark {
                        next.push(after);
                    }
                }
            }
        }
        front = next;
    }
    assert!(looked > 1000, "{looked}");
}

fn facts_of(done: &[(&str, Step)]) -> Vec<hub_core::workflow::Fact> {
    let fact = |(n, (who, step)): (usize, &(&str, Step))| hub_core::workflow::Fact {
        at: story::time("09:00:10") + n as i64 * 10_000,
        id: format!("f{n}"),
        incident: "A".into(),
        deed: hub_core::workflow::Deed::Step { by: actor(who), step: step.clone() },
    };
    done.iter().enumerate().map(fact).collect()
}
