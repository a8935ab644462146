//! Models: what may run, proof that it is what its card says, and the runtime that runs it.
//!
//! A model is used only after, in this order: its task is allowed, its file has the card's size and
//! sha256, its graph holds only the operators of the card and no outside data, its inputs and
//! outputs have the card's types and shapes, and it answers the golden picture. Everything that
//! fails is an error; nothing here panics on what a file holds. What outputs mean is `detect`'s.

mod card;
mod golden;
mod graph;
mod session;
mod store;

pub use card::{Card, Colour, Decoder, Input, Output, Task};
pub use session::{Answer, Engine, EngineConfig, Model};
pub use store::Store;

use std::path::PathBuf;

/// Why a model is not used. `model` is the card's name.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("model card {path} is not valid: {reason}")]
    Card { path: PathBuf, reason: String },
    #[error(
        "model {model}: task `{task}` is refused: only {allowed} are built in; Signalbox reports events and \
         never identifies people, so a model that describes a person or a face is not used",
        allowed = Task::ALLOWED.join(", ")
    )]
    Task { model: String, task: String },
    #[error("model {model}: {path} is missing; run `make setup`")]
    Missing { model: String, path: PathBuf },
    #[error("model {model}: the file is {found} bytes, its card says {expected}; run `make setup`")]
    Size { model: String, found: u64, expected: u64 },
    #[error("model {model}: sha256 is {found}, its card says {expected}; the file was altered: run `make setup`")]
    Hash { model: String, found: String, expected: String },
    #[error("model {model}: the graph is refused: {reason}")]
    Graph { model: String, reason: String },
    #[error("model {model}: the runtime cannot load it: {reason}")]
    Load { model: String, reason: String },
    #[error("model {model}: {reason}, which is not what its card says")]
    Shape { model: String, reason: String },
    #[error("model {model}: wrong answer to the golden picture: {reason}")]
    Golden { model: String, reason: String },
    #[error("model {model}: inference failed: {reason}")]
    Run { model: String, reason: String },
    #[error("ONNX Runtime is missing at {path}; run `make setup`")]
    RuntimeMissing { path: PathBuf },
    #[error("cannot start ONNX Runtime from {path}: {reason}; run `make setup`")]
    Runtime { path: PathBuf, reason: String },
    #[error("no model card `{name}` in {folder}; there are: {known}")]
    Unknown { name: String, folder: PathBuf, known: String },
}

#[cfg(test)]
mod tests;
