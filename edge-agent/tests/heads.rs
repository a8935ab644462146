//! Heads of people who stand in front of taller ones, in frames of the demo's clip: covered.

use std::path::{Path, PathBuf};

use edge_agent::clip::Clip;
use edge_agent::decode::element::ElementDecoder;
use edge_agent::decode::{Decoder, Purpose};
use edge_agent::detect::{DetectorConfig, ObjectDetector};
use edge_agent::hardware::Profile;
use edge_agent::model::{Engine, EngineConfig, Store};
use edge_agent::redact::{Picture, RedactConfig, Redactor};
use edge_core::{Mask, Rect};
use protocol::{ObjectClass, Timestamp};

/// Frames from 1, and the box of somebody there, from the clip's ground truth. The first look alone
/// leaves these heads open.
const HIDDEN: [(usize, Rect); 2] = [
    (81, Rect { left: 404.8, top: 180.8, width: 28.1, height: 83.4 }),
    (121, Rect { left: 687.0, top: 214.9, width: 40.0, height: 90.9 }),
];

/// The share of a head that is covered: of a box the upper 14 %, of its width the middle half.
fn covered(person: &Rect, masks: &[Mask]) -> f64 {
    let (from, to) = (person.left + person.width / 4.0, person.left + person.width * 0.75);
    let (top, bottom) = (person.top, person.top + 0.14 * person.height);
    let under = |x: u32, y: u32| {
        masks
            .iter()
            .any(|m| (m.left..m.left + m.width).contains(&x) && (m.top..m.top + m.height).contains(&y))
    };
    let pixels: Vec<bool> = (top as u32..=bottom as u32)
        .flat_map(|y| (from as u32..=to as u32).map(move |x| under(x, y)))
        .collect();
    pixels.iter().filter(|covered| **covered).count() as f64 / pixels.len() as f64
}

#[test]
fn the_head_of_somebody_in_front_of_a_taller_person_is_covered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let store = Store::locate(Some(root.join("models")), None);
    let clip: PathBuf = store.models().join("../clips/vtest.avi");
    assert!(clip.is_file(), "{} is missing: run `make setup`", clip.display());
    let engine = Engine::start(EngineConfig::new(&store, 1)).unwrap();
    let objects = store.card("yolox-nano").unwrap();
    let mut first_look = DetectorConfig::of(&objects);
    first_look.confidence = RedactConfig::default().person_confidence;
    first_look.classes = vec![ObjectClass::Human];
    let mut detector = ObjectDetector::load(&engine, &objects, first_look).unwrap();
    let faces = store.card("centerface").unwrap();
    let mut redactor = Redactor::load(&engine, &faces, &objects, RedactConfig::default()).unwrap();

    let mut clip = Clip::open(&clip, Timestamp::from_unix_ms(0)).unwrap();
    let mut decoder = ElementDecoder::new(&Profile::builtin().unwrap(), Purpose::Clip);
    let (mut number, mut seen) = (0, 0);
    while seen < HIDDEN.len() {
        decoder.decode(&clip.next_packet().unwrap().expect("the clip is longer")).unwrap();
        while let Some(frame) = decoder.next_frame().unwrap() {
            number += 1;
            for (_, person) in HIDDEN.iter().filter(|(at, _)| *at == number) {
                let picture = Picture::from_planes(&frame.planes()).unwrap();
                let persons = picture.detect(&mut detector).unwrap();
                let size = picture.size();
                let alone: Vec<Mask> =
                    persons.iter().filter_map(|p| Mask::over_head(&p.bbox, size)).collect();
                assert!(covered(person, &alone) < 0.2, "frame {number}: no longer a hard one");
                let redacted = redactor.cover(picture, &persons).unwrap();
                let share = covered(person, redacted.masks());
                assert!(share >= 0.8, "frame {number}: {share:.2} of the head is covered");
                seen += 1;
            }
        }
    }
}

/// With no look left, a person is covered whole.
#[test]
fn persons_beyond_the_last_look_are_covered_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let store = Store::locate(Some(root.join("models")), None);
    let engine = Engine::start(EngineConfig::new(&store, 1)).unwrap();
    let (faces, objects) = (store.card("centerface").unwrap(), store.card("yolox-nano").unwrap());
    let config = RedactConfig { looks: 1, ..RedactConfig::default() };
    let mut redactor = Redactor::load(&engine, &faces, &objects, config).unwrap();
    let picture = Picture::from_rgb(640, 480, vec![90; 640 * 480 * 3]).unwrap();
    let person = |left| edge_core::Detection {
        class: ObjectClass::Human,
        confidence: 0.5,
        bbox: Rect::new(left, 200.0, 30.0, 80.0),
    };
    let redacted = redactor.cover(picture, &[person(20.0), person(500.0)]).unwrap();
    let reaches = |left: u32| {
        let below = |m: &&Mask| m.left.abs_diff(left) < 4 && m.top + m.height >= 280;
        redacted.masks().iter().filter(below).count()
    };
    assert_eq!((reaches(20), reaches(500)), (0, 1), "{:?}", redacted.masks());
}
