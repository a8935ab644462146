//! Scenarios in field words: people walk through a view of 1000 x 1000 pixels, ten frames a second.

use std::time::Duration;

use edge_core::{
    Detection, Finding, FrameSize, LineRule, Phase, Point, Polygon, Rect, Scene, SceneConfig, ZoneRule,
};
use proptest::prelude::*;
use protocol::{Direction, Kind, ObjectClass, Severity};

const VIEW: FrameSize = FrameSize { width: 1000, height: 1000 };
const FRAME_MS: u64 = 100;

/// Feet of the people in each frame; `None` while somebody cannot be seen.
type Walk = Vec<Option<(f32, f32)>>;

fn walk(from: (f32, f32), to: (f32, f32), frames: usize) -> Walk {
    let share = |i: usize| i as f32 / (frames - 1) as f32;
    (0..frames)
        .map(|i| Some((from.0 + (to.0 - from.0) * share(i), from.1 + (to.1 - from.1) * share(i))))
        .collect()
}

fn stand(at: (f32, f32), frames: usize) -> Walk {
    vec![Some(at); frames]
}

fn hidden(frames: usize) -> Walk {
    vec![None; frames]
}

fn person(foot: (f32, f32)) -> Detection {
    let bbox = Rect::new(foot.0 - 20.0, foot.1 - 100.0, 40.0, 100.0);
    Detection { class: ObjectClass::Human, confidence: 0.8, bbox }
}

/// What a run brought: each finding, and the track numbers seen at the places of each person.
struct Seen {
    findings: Vec<Finding>,
    numbers: Vec<Vec<u64>>,
}

fn watch(config: &SceneConfig, people: &[Walk]) -> Seen {
    watch_every(config, people, |_| true)
}

fn watch_every(config: &SceneConfig, people: &[Walk], is_analysed: impl Fn(usize) -> bool) -> Seen {
    let mut scene = Scene::new(config, VIEW);
    let mut seen = Seen { findings: Vec::new(), numbers: vec![Vec::new(); people.len()] };
    let frames = people.iter().map(Vec::len).max().unwrap_or(0);
    for i in (0..frames).filter(|i| is_analysed(*i)) {
        let feet: Vec<_> = people.iter().map(|p| p.get(i).copied().flatten()).collect();
        let detections: Vec<_> = feet.iter().flatten().map(|f| person(*f)).collect();
        let at = Duration::from_millis(i as u64 * FRAME_MS);
        let step = scene.step(i as u64 + 1, at, &detections);
        for track in &step.tracks {
            let near = |f: &(f32, f32)| track.bbox.foot().distance(Point { x: f.0, y: f.1 });
            let whose = (0..feet.len())
                .filter(|p| feet[*p].is_some_and(|f| near(&f) < 60.0))
                .min_by(|a, b| near(&feet[*a].unwrap()).total_cmp(&near(&feet[*b].unwrap())));
            if let Some(whose) = whose
                && seen.numbers[whose].last() != Some(&track.id)
            {
                seen.numbers[whose].push(track.id);
            }
        }
        seen.findings.extend(step.findings);
    }
    seen
}

/// `raised LineDetector/Crossed gate right track 1 frame 17`, one a line.
fn told(findings: &[Finding]) -> String {
    let line = |f: &Finding| {
        let phase = if f.phase == Phase::Raised { "raised" } else { "ended" };
        let direction = f.direction.map_or(String::new(), |d| format!(" {}", d.as_str()));
        let (number, kind, rule, track, frame) =
            (f.number, f.kind.as_str(), f.rule.as_str(), f.track, f.frame);
        format!("{number} {phase} {kind} {rule}{direction} track {track} frame {frame}\n")
    };
    findings.iter().map(line).collect()
}

/// An upright line in the middle, drawn downwards: walking to the left is crossing to its right.
fn gate(direction: Option<Direction>) -> SceneConfig {
    let rule = LineRule {
        id: "gate".parse().unwrap(),
        title: Some("大门".to_owned()),
        a: Point { x: 0.5, y: 0.1 },
        b: Point { x: 0.5, y: 0.9 },
        direction,
        severity: Severity::Medium,
        classes: vec![ObjectClass::Human],
        margin: LineRule::MARGIN,
        settle: LineRule::SETTLE,
    };
    SceneConfig { lines: vec![rule], ..SceneConfig::default() }
}

/// The right half of the view.
fn yard(entry: bool, loitering_s: Option<u64>) -> SceneConfig {
    let corners = [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)];
    let rule = ZoneRule {
        id: "yard".parse().unwrap(),
        title: None,
        area: Polygon::new(corners.iter().map(|&(x, y)| Point { x, y }).collect()).unwrap(),
        entry,
        loitering: loitering_s.map(Duration::from_secs),
        severity: Severity::High,
        classes: Vec::new(),
        settle: ZoneRule::SETTLE,
        bridge: ZoneRule::BRIDGE,
    };
    SceneConfig { zones: vec![rule], ..SceneConfig::default() }
}

#[test]
fn who_crosses_to_and_fro_is_counted_each_time_with_the_right_direction() {
    let to_and_fro =
        [walk((300.0, 500.0), (700.0, 500.0), 40), walk((690.0, 500.0), (300.0, 500.0), 40)].concat();
    let seen = watch(&gate(None), std::slice::from_ref(&to_and_fro));
    insta::assert_snapshot!(told(&seen.findings), @r"
    1 raised LineDetector/Crossed gate left track 1 frame 21
    2 raised LineDetector/Crossed gate right track 1 frame 60
    ");
    let only_right = watch(&gate(Some(Direction::Right)), &[to_and_fro]);
    assert_eq!(only_right.findings.len(), 1);
    assert_eq!(only_right.findings[0].direction, Some(Direction::Right));
}

#[test]
fn who_wavers_on_the_line_or_steps_over_and_back_has_not_crossed() {
    let waver: Walk = (0..100).map(|i| Some((500.0 + 5.0 * [1.0, -1.0][i / 8 % 2], 500.0))).collect();
    let over_and_back = [
        walk((400.0, 300.0), (500.0, 300.0), 15),
        walk((510.0, 300.0), (520.0, 300.0), 2),
        walk((510.0, 300.0), (400.0, 300.0), 15),
        stand((400.0, 300.0), 20),
    ]
    .concat();
    for person in [waver, over_and_back] {
        assert_eq!(told(&watch(&gate(None), &[person]).findings), "");
    }
}

#[test]
fn who_walks_around_the_end_of_the_line_has_not_crossed() {
    let around =
        [walk((400.0, 800.0), (450.0, 950.0), 20), walk((460.0, 950.0), (600.0, 950.0), 20)].concat();
    let inside_again = walk((590.0, 940.0), (600.0, 500.0), 40);
    assert_eq!(told(&watch(&gate(None), &[[around, inside_again].concat()]).findings), "");
}

#[test]
fn two_who_meet_keep_their_numbers() {
    let right = walk((200.0, 500.0), (800.0, 500.0), 60);
    let left = walk((800.0, 540.0), (200.0, 540.0), 60);
    assert_eq!(watch(&gate(None), &[right, left]).numbers, [[1], [2]]);
}

#[test]
fn who_is_hidden_for_a_second_keeps_the_number_and_who_is_hidden_for_long_does_not() {
    for (frames, expected) in [(10, vec![1]), (40, vec![1, 2])] {
        let mut person = walk((200.0, 500.0), (600.0, 500.0), 80);
        for place in &mut person[20..20 + frames] {
            *place = None;
        }
        assert_eq!(watch(&gate(None), &[person]).numbers, [expected], "{frames} frames");
    }
}

#[test]
fn who_is_hidden_on_the_line_has_crossed() {
    let mut person = walk((300.0, 500.0), (700.0, 500.0), 40);
    for place in &mut person[16..24] {
        *place = None;
    }
    let seen = watch(&gate(None), &[person]);
    insta::assert_snapshot!(told(&seen.findings), @"1 raised LineDetector/Crossed gate left track 1 frame 25");
}

#[test]
fn dropped_frames_change_neither_numbers_nor_findings() {
    let person = walk((200.0, 500.0), (800.0, 500.0), 60);
    let seen = watch_every(&gate(None), &[person], |i| i % 3 == 0 || i == 31 || i == 44);
    assert_eq!(seen.numbers, [[1]]);
    insta::assert_snapshot!(told(&seen.findings), @"1 raised LineDetector/Crossed gate left track 1 frame 31");
}

#[test]
fn a_zone_tells_who_enters_and_when_the_visit_is_over() {
    let visit = [walk((405.0, 500.0), (705.0, 500.0), 31), walk((705.0, 500.0), (405.0, 500.0), 31)].concat();
    let passer = walk((400.0, 900.0), (400.0, 100.0), 62);
    let seen = watch(&yard(true, None), &[visit, passer]);
    insta::assert_snapshot!(told(&seen.findings), @r"
    1 raised FieldDetector/ObjectsInside yard track 1 frame 11
    1 ended FieldDetector/ObjectsInside yard track 1 frame 53
    ");
}

#[test]
fn who_stays_too_long_loiters_once_a_visit() {
    let visit = [
        walk((405.0, 500.0), (705.0, 500.0), 31),
        stand((705.0, 500.0), 300),
        walk((705.0, 500.0), (405.0, 500.0), 31),
    ]
    .concat();
    let seen = watch(&yard(false, Some(15)), std::slice::from_ref(&visit));
    insta::assert_snapshot!(told(&seen.findings), @r"
    1 raised LoiteringDetector/ObjectIsLoitering yard track 1 frame 161
    1 ended LoiteringDetector/ObjectIsLoitering yard track 1 frame 353
    ");
    assert!(watch(&yard(false, Some(40)), &[visit]).findings.is_empty());
}

#[test]
fn a_visit_goes_on_under_a_new_number_when_the_track_broke_nearby_but_not_far_away() {
    let visit =
        |again: f32| [stand((700.0, 500.0), 80), hidden(22), stand((again, 500.0), 80), hidden(60)].concat();
    let near = watch(&yard(false, Some(15)), &[visit(760.0)]);
    assert_eq!(near.numbers, [[1, 2]]);
    insta::assert_snapshot!(told(&near.findings), @r"
    1 raised LoiteringDetector/ObjectIsLoitering yard track 2 frame 153
    1 ended LoiteringDetector/ObjectIsLoitering yard track 2 frame 208
    ");
    assert_eq!(told(&watch(&yard(false, Some(15)), &[visit(900.0)]).findings), "");
}

#[test]
fn a_jump_of_the_stream_ends_visits_and_tracks() {
    let mut scene = Scene::new(&yard(true, None), VIEW);
    let mut findings = Vec::new();
    let mut last = Vec::new();
    for i in 0..40u64 {
        if i == 20 {
            findings.extend(scene.discontinuity());
        }
        let at = Duration::from_millis(i % 20 * FRAME_MS);
        let step = scene.step(i + 1, at, &[person((700.0, 500.0))]);
        findings.extend(step.findings);
        last = step.tracks;
    }
    insta::assert_snapshot!(told(&findings), @r"
    1 raised FieldDetector/ObjectsInside yard track 1 frame 3
    1 ended FieldDetector/ObjectsInside yard track 1 frame 20
    2 raised FieldDetector/ObjectsInside yard track 2 frame 23
    ");
    assert_eq!(last.iter().map(|t| t.id).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_stands_in_an_excluded_area_is_nobody() {
    let corners = [(0.65, 0.35), (0.75, 0.35), (0.75, 0.55), (0.65, 0.55)];
    let area = Polygon::new(corners.iter().map(|&(x, y)| Point { x, y }).collect()).unwrap();
    let config = SceneConfig { exclude: vec![area], ..yard(true, None) };
    assert_eq!(watch(&config, &[stand((700.0, 500.0), 30)]).numbers, [[0u64; 0]]);
    assert_eq!(watch(&config, &[stand((800.0, 500.0), 30)]).numbers, [[1]]);
}

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![8 => -100f32..1100.0, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)]
}

fn any_detection() -> impl Strategy<Value = Detection> {
    (any_number(), any_number(), any_number(), any_number(), any_number(), any::<bool>()).prop_map(
        |(left, top, width, height, confidence, is_person)| Detection {
            class: if is_person { ObjectClass::Human } else { ObjectClass::Car },
            confidence: if confidence.is_finite() { confidence.abs() % 1.2 } else { confidence },
            bbox: Rect { left, top, width, height },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_detected_is_survived_and_gives_the_same_again(
        frames in proptest::collection::vec(
            (any::<u32>(), any::<bool>(), proptest::collection::vec(any_detection(), 0..12)), 0..40)
    ) {
        let config = SceneConfig { lines: gate(None).lines, ..yard(true, Some(1)) };
        let run = || {
            let mut scene = Scene::new(&config, VIEW);
            let mut steps = Vec::new();
            for (i, (ms, jumps, detections)) in frames.iter().enumerate() {
                let at = Duration::from_millis(u64::from(if *jumps { *ms } else { i as u32 * 100 }));
                steps.push(scene.step(i as u64 + 1, at, detections));
            }
            let ended = scene.discontinuity();
            (steps, ended)
        };
        let (steps, ended) = run();
        let mut open = std::collections::BTreeSet::new();
        let findings = steps.iter().flat_map(|s| &s.findings).chain(&ended);
        for finding in findings {
            match (finding.phase, finding.kind) {
                (Phase::Raised, Kind::LineCrossed) => {}
                (Phase::Raised, _) => prop_assert!(open.insert(finding.number)),
                (Phase::Ended, _) => prop_assert!(open.remove(&finding.number)),
            }
        }
        prop_assert!(open.is_empty(), "never ended: {open:?}");
        for track in steps.iter().flat_map(|s| &s.tracks) {
            let b = track.bbox;
            prop_assert!(b.left.is_finite() && b.top.is_finite() && b.width > 0.0 && b.height > 0.0, "{b:?}");
        }
        prop_assert_eq!(run(), (steps, ended));
    }
}
