//! `edge-agent models`: which models there are, and whether each is what its card says.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::model::{Card, Engine, EngineConfig, Model, Store};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// One JSON object on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// The folder of model cards.
    #[arg(long, global = true)]
    models: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::Subcommand)]
enum Action {
    /// What the cards say, and whether the files are there.
    List,
    /// Put every model through all checks that stand before its use.
    Verify,
}

#[derive(Serialize)]
struct Document {
    cards: PathBuf,
    cache: PathBuf,
    models: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    card: PathBuf,
    name: Option<String>,
    task: Option<&'static str>,
    licence: Option<String>,
    source: Option<String>,
    installed: bool,
    /// Whether every check passed; absent in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u128>,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    let store = Store::locate(args.models, None);
    let engine = match args.action {
        Action::List => None,
        Action::Verify => Some(Engine::start(EngineConfig::new(&store, 1))?),
    };
    let models = store.card_paths()?.into_iter().map(|card| entry(card, &store, engine.as_ref())).collect();
    let document = Document { cards: store.cards, cache: store.cache, models };
    if args.json {
        println!("{}", serde_json::to_string(&document)?);
    } else {
        print(&document);
    }
    let refused = document.models.iter().filter(|m| m.error.is_some()).count();
    anyhow::ensure!(refused == 0, "{refused} of {} models refused", document.models.len());
    let missing = document.models.iter().filter(|m| !m.installed).count();
    anyhow::ensure!(
        missing == 0,
        "{missing} of {} models are not installed: run `make setup`, or install the models' package again",
        document.models.len()
    );
    anyhow::ensure!(!document.models.is_empty(), "no model cards in {}", document.cards.display());
    Ok(())
}

fn entry(path: PathBuf, store: &Store, engine: Option<&Engine>) -> Entry {
    let start = Instant::now();
    let card = Card::load(&path);
    let verdict = match (&card, engine) {
        (Err(error), _) => Err(error.to_string()),
        (Ok(card), Some(engine)) => Model::open(engine, card).map(drop).map_err(|e| e.to_string()),
        (Ok(_), None) => Ok(()),
    };
    let card = card.ok();
    Entry {
        installed: card.as_ref().is_some_and(|c| store.models().join(format!("{}.onnx", c.name)).is_file()),
        name: card.as_ref().map(|c| c.name.clone()),
        task: card.as_ref().map(|c| c.task.as_str()),
        licence: card.as_ref().map(|c| c.licence.clone()),
        source: card.as_ref().map(|c| format!("{} {}", c.source.package, c.source.version)),
        card: path,
        ok: engine.map(|_| verdict.is_ok()),
        error: verdict.err(),
        milliseconds: engine.map(|_| start.elapsed().as_millis()),
    }
}

fn print(document: &Document) {
    for model in &document.models {
        let name = model.name.clone().unwrap_or_else(|| model.card.display().to_string());
        let state = match (&model.error, model.ok, model.installed) {
            (Some(error), _, _) => format!("refused: {error}"),
            (None, Some(_), _) => "verified".to_owned(),
            (None, None, true) => "installed".to_owned(),
            (None, None, false) => "not installed; run `make setup`".to_owned(),
        };
        println!(
            "{name:<16} {:<14} {:<12} {:<18} {state}",
            model.task.unwrap_or("-"),
            model.licence.as_deref().unwrap_or("-"),
            model.source.as_deref().unwrap_or("-"),
        );
    }
}
