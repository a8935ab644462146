//! Stories of an incident in field words, one fact a line, and where they end.
//!
//!     09:00:00 alert                        an alert joins A
//!     09:07:00 alert of 09:01:00            it happened earlier and was sent late
//!     09:00:20 li acknowledge               operators li, hu; shift lead chen; grid members wang, zhao
//!     09:01:00 li dispatch unit:patrol-2
//!     09:02:00 li note on B                 written down for another part
//!     09:03:00 A absorbs B
//!     09:04:00 overdue acknowledge | escalated 1 | clock set +3600

#![allow(dead_code)]

use std::collections::BTreeSet;

use hub_core::clocks::Target;
use hub_core::workflow::{Actor, Assignee, Deed, Fact, Part, Role, Standing, Step, StepKind};

/// 2026-11-23, a Monday, 00:00 UTC.
pub const MONDAY: i64 = 1_795_392_000_000;

pub fn time(text: &str) -> i64 {
    let parts: Vec<i64> = text.split(':').map(|p| p.parse().unwrap_or_else(|_| panic!("{text}"))).collect();
    let seconds = parts.iter().fold(0, |sum, part| sum * 60 + part);
    let seconds = if parts.len() == 2 { seconds * 60 } else { seconds };
    MONDAY + seconds * 1000
}

pub fn clock(at: i64) -> String {
    let s = (at - MONDAY).div_euclid(1000);
    let day = s.div_euclid(86_400);
    let s = s.rem_euclid(86_400);
    let prefix = if day == 0 { String::new() } else { format!("day {day:+} ") };
    format!("{prefix}{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

pub fn actor(name: &str) -> Actor {
    let role = match name {
        "chen" => Role::ShiftLead,
        "wang" | "zhao" => Role::GridMember,
        _ => Role::Operator,
    };
    let units = if name == "wang" { BTreeSet::from(["patrol-2".to_owned()]) } else { BTreeSet::new() };
    Actor { id: name.to_owned(), role, units }
}

pub fn assignee(text: &str) -> Assignee {
    match text.split_once(':') {
        Some(("unit", name)) => Assignee::Unit(name.to_owned()),
        Some(("member", name)) => Assignee::Member(name.to_owned()),
        _ => panic!("{text}: write unit:NAME or member:NAME"),
    }
}

pub fn part(incident: &str, from: &str) -> Part {
    Part { incident: incident.to_owned(), clock_from: time(from) }
}

pub fn facts(story: &str) -> Vec<Fact> {
    let lines = story.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.enumerate().map(|(n, line)| fact(n, line)).collect()
}

fn fact(n: usize, line: &str) -> Fact {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let at = time(words.remove(0));
    let mut incident = "A";
    if let [.., "on", part] = words[..] {
        incident = part;
        words.truncate(words.len() - 2);
    }
    let deed = match words[..] {
        ["alert"] => Deed::Alert { happened: at },
        ["alert", "of", happened] => Deed::Alert { happened: time(happened) },
        [into, "absorbs", other] => {
            incident = into;
            Deed::Absorbed { incident: other.to_owned() }
        }
        ["overdue", target] => Deed::Overdue(Target::named(target).unwrap()),
        ["escalated", level] => Deed::Escalated { level: level.parse().unwrap() },
        ["clock", "set", seconds] => Deed::ClockSet { by: seconds.parse::<i64>().unwrap() * 1000 },
        [name, kind, ref to @ ..] => Deed::Step { by: actor(name), step: step(kind, to.first().copied()) },
        _ => panic!("{line}"),
    };
    Fact { at, id: format!("f{n:02}"), incident: incident.to_owned(), deed }
}

pub fn step(kind: &str, to: Option<&str>) -> Step {
    let kind = StepKind::named(kind).unwrap_or_else(|| panic!("{kind}"));
    Step { to: to.map(assignee), ..Step::new(kind) }
}

pub fn told(standing: &Standing) -> String {
    let mut lines = vec![format!("{} since {}", standing.state.as_str(), clock(standing.clock_from))];
    for r in &standing.reached {
        lines.push(format!("  {} {} by {}", clock(r.at), r.state.as_str(), r.by));
    }
    if standing.reopened > 0 {
        lines.push(format!("  opened again {}x", standing.reopened));
    }
    lines.extend(standing.assigned.as_ref().map(|to| format!("  given to {to:?}")));
    lines.extend(standing.accepted.as_ref().map(|(at, who)| format!("  {who} goes, {}", clock(*at))));
    for pause in &standing.pauses {
        lines.push(format!("  paused {} to {}", clock(pause.from), pause.to.map_or("?".into(), clock)));
    }
    if !standing.overdue.is_empty() || standing.level > 0 {
        lines.push(format!("  missed {:?}, level {}", standing.overdue, standing.level));
    }
    lines.push(String::new());
    lines.join("\n")
}
