//! Pipelines as installers write them, right and wrong.

use super::*;

fn refuse(text: &str) -> String {
    Pipeline::parse(text, Path::new("p.toml")).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_a_pipeline_that_looks_for_nothing() {
    let pipeline = Pipeline::parse("", Path::new("p.toml")).unwrap();
    assert_eq!(*pipeline.detector(), Detector::default());
    assert_eq!(*pipeline.scene_config(), SceneConfig::default());
}

#[test]
fn the_pipelines_that_are_shipped_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            Pipeline::load(&path).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} pipelines");
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let line = "[[line]]\nname = \"gate\"\na = [0.1, 0.2]\n";
    let zone = "[[zone]]\nname = \"yard\"\npolygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]\n";
    for (text, expected) in [
        (format!("{line}b = [1.3, 0.2]"), "p.toml: [[line]] \"gate\": b: [1.3, 0.2] lies outside"),
        (format!("{line}b = [nan, 0.2]"), "b: [NaN, 0.2] lies outside"),
        (format!("{line}b = [0.1, 0.2]"), "the same point"),
        (format!("{line}b = [0.9, 0.2]\nclasses = [\"Car\"]"), "does not look for Car"),
        (
            format!("{line}b = [0.9, 0.2]\n{zone}entry = true\n{zone}entry = true"),
            "[[zone]] \"yard\": another",
        ),
        (zone.to_owned(), "[[zone]] \"yard\": it looks for nothing"),
        (format!("{zone}loitering = \"100ms\""), "not above settle"),
        (format!("{zone}loitering = \"15\""), "is no length of time"),
        (format!("{zone}entri = true"), "did you mean `entry`?"),
        ("[[zone]]\nname = \"夜\"\nentry = true\npolygon = []".to_owned(), "is no rule id"),
        ("[[exclude]]\npolygon = [[0.1, 0.1], [0.2, 0.2]]".to_owned(), "number 1: polygon has 2 corners"),
        ("[[exclude]]\npolygon = [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]".to_owned(), "encloses no area"),
        ("[tracker]\nlow = 0.6\nhigh = 0.5".to_owned(), "[tracker]: low = 0.6 is above high = 0.5"),
        ("[tracker]\nhigh = inf".to_owned(), "[tracker]: high = inf: use 0 to 1"),
        ("[detector]\nanalyse_fps = -1.0".to_owned(), "[detector]: analyse_fps = -1"),
        ("[detector]\nclasses = []".to_owned(), "[detector]: classes is empty"),
    ] {
        let error = refuse(&text);
        assert!(error.contains(expected), "{text}\n-> {error}");
    }
}

/// A pipeline for vehicles, or one that asks for certainty, must not leave a head uncovered.
#[test]
fn persons_are_looked_for_whatever_the_pipeline_is_after() {
    let text = "[detector]\nclasses = [\"Car\"]\nconfidence = 0.7\nnms_iou = 0.05\n";
    let pipeline = Pipeline::parse(text, Path::new("cars.toml")).unwrap();
    let config = pipeline.detector_config();
    assert!(config.classes.contains(&ObjectClass::Human) && config.classes.contains(&ObjectClass::Car));
    assert!(config.confidence <= 0.1 && config.nms_iou >= 0.4);
    let seen =
        |class, confidence| Detection { class, confidence, bbox: edge_core::Rect::new(0.0, 0.0, 9.0, 9.0) };
    assert!(pipeline.wants(&seen(ObjectClass::Car, 0.8)));
    assert!(!pipeline.wants(&seen(ObjectClass::Car, 0.6)));
    assert!(!pipeline.wants(&seen(ObjectClass::Human, 0.9)), "persons are covered, not followed");
}
