//! The ONNX Runtime, and one proven model in it. The only place that names `ort`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use sha2::{Digest, Sha256};

use super::{Card, ModelError, Store, golden, graph};

/// How to start the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// `libonnxruntime.so`.
    pub runtime: PathBuf,
    /// The folder of prepared models, `NAME.onnx`.
    pub models: PathBuf,
    /// Threads inside one operator; 1 runs on the caller's thread alone.
    pub intra_threads: usize,
}

impl EngineConfig {
    pub fn new(store: &Store, intra_threads: usize) -> Self {
        Self { runtime: store.runtime(), models: store.models(), intra_threads }
    }
}

/// The runtime, started once a process: later starts share the first one's library and threads.
#[derive(Debug, Clone)]
pub struct Engine {
    environment: Environment,
    models: PathBuf,
}

static STARTED: Mutex<Option<Environment>> = Mutex::new(None);

impl Engine {
    /// Loads the library. Telemetry is off; idle threads sleep instead of spinning.
    pub fn start(config: EngineConfig) -> Result<Self, ModelError> {
        let mut started = STARTED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let environment = match &*started {
            Some(environment) => environment.clone(),
            None => started.insert(environment(&config)?).clone(),
        };
        Ok(Self { environment, models: config.models })
    }

    /// The file of a model.
    pub fn model_path(&self, card: &Card) -> PathBuf {
        self.models.join(format!("{}.onnx", card.name))
    }
}

fn environment(config: &EngineConfig) -> Result<Environment, ModelError> {
    if !config.runtime.is_file() {
        return Err(ModelError::RuntimeMissing { path: config.runtime.clone() });
    }
    let failed = |reason: String| ModelError::Runtime { path: config.runtime.clone(), reason };
    let builder = ort::init_from(&config.runtime).map_err(|e| failed(e.to_string()))?;
    let threads = || {
        GlobalThreadPoolOptions::default()
            .with_intra_threads(config.intra_threads.max(1))?
            .with_inter_threads(1)?
            .with_spin_control(false)
    };
    let threads = threads().map_err(|e: ort::Error| failed(e.to_string()))?;
    let built = builder.with_name("signalbox").with_telemetry(false).with_global_thread_pool(threads).build();
    built.map_err(|e| failed(e.to_string()))
}

/// A model that passed every check of its card.
pub struct Model {
    card: Card,
    session: Session,
}

/// One output: its lengths and its values.
pub struct Answer<'a> {
    pub shape: Vec<usize>,
    pub values: &'a [f32],
}

impl Model {
    /// Reads, checks, loads and tries a model.
    pub fn open(engine: &Engine, card: &Card) -> Result<Self, ModelError> {
        let bytes = proven_bytes(&engine.model_path(card), card)?;
        let model = || card.name.clone();
        graph::inspect(&bytes, &card.operators)
            .map_err(|reason| ModelError::Graph { model: model(), reason })?;
        let session =
            load(engine, &bytes).map_err(|reason| ModelError::Load { model: model(), reason })?;
        shapes(&session, card).map_err(|reason| ModelError::Shape { model: model(), reason })?;
        let mut opened = Self { card: card.clone(), session };
        opened.try_golden()?;
        Ok(opened)
    }

    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Runs the model on a 1 x 3 x height x width input and hands its outputs, in the card's order,
    /// to `read`.
    pub fn run<T>(
        &mut self,
        input: &[f32],
        width: usize,
        height: usize,
        read: impl FnOnce(&[Answer]) -> Result<T, String>,
    ) -> Result<T, ModelError> {
        let failed = |reason: String| ModelError::Run { model: self.card.name.clone(), reason };
        let tensor = TensorRef::from_array_view(([1, 3, height, width], input))
            .map_err(|e| failed(e.to_string()))?;
        let outputs = self
            .session
            .run(ort::inputs![self.card.input.name.as_str() => tensor])
            .map_err(|e| failed(e.to_string()))?;
        let mut answers = Vec::with_capacity(self.card.outputs.len());
        for output in &self.card.outputs {
            let value = outputs.get(&output.name).ok_or_else(|| failed(format!("no `{}`", output.name)))?;
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| failed(e.to_string()))?;
            answers.push(Answer { shape: shape.iter().map(|n| *n as usize).collect(), values });
        }
        read(&answers).map_err(failed)
    }

    fn try_golden(&mut self) -> Result<(), ModelError> {
        let golden = self.card.golden.clone();
        let picture = golden::draw(&golden, self.card.input.colour);
        let verdict = self.run(&picture, golden.width, golden.height, |answers| {
            Ok(golden.samples.iter().find_map(|&(output, index, expected)| {
                let found = answers.get(output).and_then(|a| a.values.get(index)).copied();
                let right = found.is_some_and(|v| (v - expected).abs() <= golden.tolerance);
                (!right).then(|| format!("output {output}, value {index}: {found:?} instead of {expected}"))
            }))
        })?;
        match verdict {
            None => Ok(()),
            Some(reason) => Err(ModelError::Golden { model: self.card.name.clone(), reason }),
        }
    }
}

fn proven_bytes(path: &Path, card: &Card) -> Result<Vec<u8>, ModelError> {
    let model = card.name.clone();
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => {
            ModelError::Missing { model: card.name.clone(), path: path.to_owned() }
        }
        _ => ModelError::Read { path: path.to_owned(), source },
    };
    let found = std::fs::metadata(path).map_err(unreadable)?.len();
    if found != card.size {
        return Err(ModelError::Size { model, found, expected: card.size });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let found: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    if found != card.sha256 {
        return Err(ModelError::Hash { model, found, expected: card.sha256.clone() });
    }
    Ok(bytes)
}

fn load(engine: &Engine, bytes: &[u8]) -> Result<Session, String> {
    let say = |e: &dyn std::fmt::Display| e.to_string();
    Session::builder(&engine.environment)
        .map_err(|e| say(&e))?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|e| say(&e))?
        .with_log_level(ort::logging::LogLevel::Fatal)
        .map_err(|e| say(&e))?
        .commit_from_memory(bytes)
        .map_err(|e| say(&e))
}

fn shapes(session: &Session, card: &Card) -> Result<(), String> {
    let input = &card.input;
    let wanted = [1, 3, input.height, input.width];
    match session.inputs() {
        [only] => same(only, &input.name, &wanted)?,
        inputs => return Err(format!("{} inputs", inputs.len())),
    }
    let outputs = session.outputs();
    if outputs.len() != card.outputs.len() {
        return Err(format!("{} outputs", outputs.len()));
    }
    outputs.iter().zip(&card.outputs).try_for_each(|(found, wanted)| same(found, &wanted.name, &wanted.shape))
}

fn same(outlet: &Outlet, name: &str, wanted: &[i64]) -> Result<(), String> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. }
            if outlet.name() == name && shape[..] == *wanted =>
        {
            Ok(())
        }
        other => Err(format!("`{}` is {other:?}", outlet.name())),
    }
}
