//! Row A25: a model that is cut, altered, swapped or foreign is refused, and nothing crashes.

use std::path::PathBuf;

use super::*;

fn project() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn store() -> Store {
    Store::locate(Some(project().join("models")), None)
}

fn engine(models: PathBuf) -> Option<Engine> {
    let config = EngineConfig { runtime: store().runtime(), models, intra_threads: 1 };
    match Engine::start(config) {
        Ok(engine) => Some(engine),
        Err(ModelError::RuntimeMissing { path }) => {
            eprintln!("skipped: no runtime at {}", path.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIGNALBOX_DATA")
        .map_or_else(|| project().join("../shared/data"), PathBuf::from);
    if !folder.is_dir() {
        eprintln!("skipped: no data");
        return None;
    }
    Some(folder)
}

/// The card, re-dated to another file, and the file in place.
fn forged(name: &str, bytes: &[u8], folder: &std::path::Path) -> Card {
    use sha2::Digest;
    let mut card = store().card(name).unwrap();
    card.sha256 = sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    card.size = bytes.len() as u64;
    std::fs::write(folder.join(format!("{name}.onnx")), bytes).unwrap();
    card
}

#[test]
fn shipped_cards_are_valid_and_their_models_pass() {
    let cards = store().card_paths().unwrap();
    assert!(cards.len() >= 2);
    let Some(engine) = engine(store().models()) else { return };
    for path in cards {
        Model::open(&engine, &Card::load(&path).unwrap()).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_foreign_task_is_refused_by_name_whatever_else_the_card_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, "name = \"arc\"\ntask = \"embed-face\"\nvector = 512\n").unwrap();
    let error = Card::load(&path).unwrap_err();
    assert!(matches!(&error, ModelError::Task { task, .. } if task == "embed-face"), "{error}");
    assert!(error.to_string().contains("never identifies people"));
}

#[test]
fn a_vector_per_face_has_no_place_on_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    let card = std::fs::read_to_string(project().join("models/centerface.toml")).unwrap();
    std::fs::write(&path, card.replace("shape = [1, 10, -1, -1]", "shape = [1, 512]")).unwrap();
    let error = Card::load(&path).unwrap_err();
    assert!(matches!(error, ModelError::Card { .. }), "{error}");
}

#[test]
fn cut_and_flipped_files_are_refused() {
    let Some(engine) = engine(store().models()) else { return };
    let card = store().card("yolox-nano").unwrap();
    let bytes = std::fs::read(engine.model_path(&card)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = self::engine(folder.path().into()).unwrap();
    for step in 0..8 {
        std::fs::write(folder.path().join("yolox-nano.onnx"), &bytes[..bytes.len() * step / 8]).unwrap();
        assert!(matches!(Model::open(&engine, &card), Err(ModelError::Size { .. })));
        let mut flipped = bytes.clone();
        flipped[bytes.len() * step / 8] ^= 1 << step;
        std::fs::write(folder.path().join("yolox-nano.onnx"), flipped).unwrap();
        assert!(matches!(Model::open(&engine, &card), Err(ModelError::Hash { .. })));
    }
}

#[test]
fn an_altered_model_with_a_forged_card_fails_the_golden_picture() {
    let Some(engine) = engine(store().models()) else { return };
    let card = store().card("yolox-nano").unwrap();
    let mut bytes = std::fs::read(engine.model_path(&card)).unwrap();
    // Weights lie in the middle of the file: turn every sign of a stretch of them.
    let middle = bytes.len() / 2 / 4 * 4;
    bytes[middle..middle + 40_000].iter_mut().for_each(|byte| *byte ^= 0x80);
    let folder = tempfile::tempdir().unwrap();
    let engine = self::engine(folder.path().into()).unwrap();
    let card = forged("yolox-nano", &bytes, folder.path());
    let error = Model::open(&engine, &card).err().expect("refused");
    assert!(matches!(error, ModelError::Golden { .. }), "{error}");
}

#[test]
fn a_swapped_but_valid_model_is_refused_by_its_graph_or_shape() {
    let Some(engine) = engine(store().models()) else { return };
    let face = std::fs::read(engine.model_path(&store().card("centerface").unwrap())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = self::engine(folder.path().into()).unwrap();
    let mut card = forged("yolox-nano", &face, folder.path());
    assert!(matches!(Model::open(&engine, &card), Err(ModelError::Graph { .. })));
    card.operators = store().card("centerface").unwrap().operators;
    assert!(matches!(Model::open(&engine, &card), Err(ModelError::Shape { .. })));
}

/// Every hostile file, with a card that vouches for its hash and for all its operators: refused, in
/// this process, without a crash.
#[test]
fn hostile_files_are_refused() {
    let (Some(data), Some(_)) = (data(), engine(store().models())) else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path().into()).unwrap();
    let manifest = std::fs::read(data.join("onnx-bad/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let mut tried = 0;
    for entry in manifest.as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let bytes = std::fs::read(data.join("onnx-bad").join(file)).unwrap();
        let mut card = forged("yolox-nano", &bytes, folder.path());
        let error = Model::open(&engine, &card).err().unwrap_or_else(|| panic!("{file} was taken"));
        card.operators.extend(["Identity", "Relu", "Cast", "Constant", "Gemm", "Softmax"].map(String::from));
        let lenient = Model::open(&engine, &card).err().unwrap_or_else(|| panic!("{file} was taken"));
        eprintln!("{file}: {error} | {lenient}");
        if file == "ok_identity.onnx" {
            assert!(matches!(lenient, ModelError::Shape { .. }), "{lenient}");
        }
        tried += 1;
    }
    assert!(tried > 20);
}
