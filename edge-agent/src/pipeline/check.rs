//! What the types of a pipeline file cannot say, and what its sections become.

use std::collections::BTreeSet;
use std::fmt::Display;

use edge_core::{LineRule, Point, Polygon, SceneConfig, ZoneRule};
use protocol::{ObjectClass, RuleId};
use settings::Span;

use super::sections::{Detector, LONGEST, Line, Sections, Tracker, Zone};

/// Which section is wrong, and why.
#[derive(Debug)]
pub(super) struct Wrong {
    pub place: String,
    pub why: String,
}

/// Most lines, zones or excluded areas of a pipeline, and most corners of one of them.
const MAX_EACH: usize = 64;
/// Most letters of a title.
const MAX_TITLE: usize = 100;
/// Lines shorter than this share of the picture are a mistake.
const SHORTEST_LINE: f32 = 0.01;
/// Areas smaller than this share of the picture are a mistake.
const SMALLEST_AREA: f32 = 1e-5;

/// Checks all sections; answers what a scene needs.
pub(super) fn scene(sections: &Sections) -> Result<SceneConfig, Wrong> {
    detector(&sections.detector).map_err(at("[detector]"))?;
    tracker(&sections.tracker).map_err(at("[tracker]"))?;
    for (name, count) in
        [("exclude", sections.exclude.len()), ("line", sections.line.len()), ("zone", sections.zone.len())]
    {
        ensure(count <= MAX_EACH, || format!("there are {count}: at most {MAX_EACH} are allowed"))
            .map_err(at(format!("[[{name}]]")))?;
    }
    let mut names = BTreeSet::new();
    let mut exclude = Vec::new();
    for (i, area) in sections.exclude.iter().enumerate() {
        exclude.push(polygon(&area.polygon).map_err(at(format!("[[exclude]] number {}", i + 1)))?);
    }
    let mut lines = Vec::new();
    for rule in &sections.line {
        let place = format!("[[line]] \"{}\"", rule.name);
        let made = named(&mut names, &rule.name).and_then(|()| line(rule, &sections.detector));
        lines.push(made.map_err(at(place))?);
    }
    let mut zones = Vec::new();
    for rule in &sections.zone {
        let place = format!("[[zone]] \"{}\"", rule.name);
        let made = named(&mut names, &rule.name).and_then(|()| zone(rule, &sections.detector));
        zones.push(made.map_err(at(place))?);
    }
    Ok(SceneConfig { tracker: sections.tracker.config(), exclude, lines, zones })
}

fn detector(detector: &Detector) -> Result<(), String> {
    ensure(!detector.card.is_empty(), || {
        "card is empty: name a model card, for example \"yolox-nano\"".into()
    })?;
    share("confidence", detector.confidence)?;
    share("nms_iou", detector.nms_iou)?;
    ensure(!detector.classes.is_empty(), || {
        "classes is empty: name at least one, for example \"Human\"".into()
    })?;
    let fps = detector.analyse_fps;
    ensure(fps == 0.0 || (0.01..=1000.0).contains(&fps), || {
        format!("analyse_fps = {fps}: use 0 for all frames, or 0.01 to 1000")
    })
}

fn tracker(t: &Tracker) -> Result<(), String> {
    for (name, value) in [
        ("high", t.high),
        ("low", t.low),
        ("birth", t.birth),
        ("first_overlap", t.first_overlap),
        ("second_overlap", t.second_overlap),
        ("tentative_overlap", t.tentative_overlap),
        ("grow", t.grow),
    ] {
        share(name, value)?;
    }
    ensure((0.0..=10.0).contains(&t.grow_per_second), || {
        format!("grow_per_second = {}: use 0 to 10", t.grow_per_second)
    })?;
    ensure(t.low <= t.high, || format!("low = {} is above high = {}", t.low, t.high))?;
    ensure(t.high <= t.birth, || format!("birth = {} is below high = {}", t.birth, t.high))?;
    for (name, value) in [("confirm_after", t.confirm_after), ("keep_lost", t.keep_lost), ("coast", t.coast)]
    {
        span(name, value)?;
    }
    Ok(())
}

fn line(rule: &Line, detector: &Detector) -> Result<LineRule, String> {
    let (a, b) = (point("a", rule.a)?, point("b", rule.b)?);
    ensure(a.distance(b) >= SHORTEST_LINE, || {
        "a and b are (nearly) the same point: draw a longer line".into()
    })?;
    ensure((0.0..=0.2).contains(&rule.margin), || format!("margin = {}: use 0 to 0.2", rule.margin))?;
    span("settle", rule.settle)?;
    title(&rule.title)?;
    classes(&rule.classes, detector)?;
    Ok(LineRule {
        id: rule.name.clone(),
        title: rule.title.clone(),
        a,
        b,
        direction: rule.direction.wanted(),
        severity: rule.severity,
        classes: rule.classes.clone(),
        margin: rule.margin,
        settle: rule.settle.0,
    })
}

fn zone(rule: &Zone, detector: &Detector) -> Result<ZoneRule, String> {
    let area = polygon(&rule.polygon)?;
    ensure(rule.entry || rule.loitering.is_some(), || {
        "it looks for nothing: set `entry = true`, or `loitering` to a time such as \"15s\"".into()
    })?;
    if let Some(limit) = rule.loitering {
        span("loitering", limit)?;
        ensure(limit.0 > rule.settle.0, || {
            format!("loitering = {limit} is not above settle = {}", rule.settle)
        })?;
    }
    span("settle", rule.settle)?;
    span("bridge", rule.bridge)?;
    title(&rule.title)?;
    classes(&rule.classes, detector)?;
    Ok(ZoneRule {
        id: rule.name.clone(),
        title: rule.title.clone(),
        area,
        entry: rule.entry,
        loitering: rule.loitering.map(|s| s.0),
        severity: rule.severity,
        classes: rule.classes.clone(),
        settle: rule.settle.0,
        bridge: rule.bridge.0,
    })
}

fn named(names: &mut BTreeSet<RuleId>, name: &RuleId) -> Result<(), String> {
    ensure(names.insert(name.clone()), || "another line or zone has this name: rename one".into())
}

fn polygon(corners: &[[f32; 2]]) -> Result<Polygon, String> {
    let count = corners.len();
    ensure((3..=MAX_EACH).contains(&count), || {
        format!("polygon has {count} corners: 3 to {MAX_EACH} are allowed")
    })?;
    let points: Result<Vec<Point>, String> = corners.iter().map(|c| point("polygon", *c)).collect();
    Polygon::new(points?)
        .filter(|p| p.area() >= SMALLEST_AREA)
        .ok_or_else(|| "polygon encloses no area: its corners lie on a line or its edges cross".to_owned())
}

fn point(name: &str, [x, y]: [f32; 2]) -> Result<Point, String> {
    let is_inside = |v| (0.0..=1.0).contains(&v);
    ensure(is_inside(x) && is_inside(y), || {
        format!(
            "{name}: [{x}, {y}] lies outside of the picture: coordinates are shares of width and height, 0 to 1"
        )
    })?;
    Ok(Point { x, y })
}

fn share(name: &str, value: f32) -> Result<(), String> {
    ensure((0.0..=1.0).contains(&value), || format!("{name} = {value}: use 0 to 1"))
}

fn span(name: &str, value: Span) -> Result<(), String> {
    ensure(value.0 <= LONGEST, || format!("{name} = {value}: at most {} is allowed", Span(LONGEST)))
}

fn title(title: &Option<String>) -> Result<(), String> {
    let count = title.as_ref().map_or(1, |t| t.chars().count());
    ensure((1..=MAX_TITLE).contains(&count), || {
        format!("title has {count} letters: 1 to {MAX_TITLE} are allowed")
    })
}

fn classes(wanted: &[ObjectClass], detector: &Detector) -> Result<(), String> {
    match wanted.iter().find(|c| !detector.classes.contains(c)) {
        Some(class) => {
            Err(format!("classes: the detector does not look for {class:?}: add it in [detector]"))
        }
        None => Ok(()),
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn at(place: impl Display) -> impl FnOnce(String) -> Wrong {
    move |why| Wrong { place: place.to_string(), why }
}
