//! What the command line offers, one file a command.

pub mod acceptance;
pub mod bench;
pub mod camera;
pub mod decode_worker;
pub mod detect;
pub mod discover;
pub mod doctor;
pub mod models;
pub mod provision;
pub mod redact;
pub mod replay;
pub mod run;
mod settings;
pub mod told;

use clap::{Parser, Subcommand};

/// Signalbox agent: reads cameras, finds events, sends alerts. It never identifies anybody.
#[derive(Debug, Parser)]
#[command(name = "edge-agent", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the cameras of a configuration until stopped.
    Run(run::Args),
    /// Run the same code over a clip, as fast as it can, with the same result every time.
    Replay(replay::Args),
    /// Find objects or faces in pictures.
    Detect(detect::Args),
    /// Cover faces and heads in pictures.
    Redact(redact::Args),
    /// List or verify the installed models.
    Models(models::Args),
    /// Enrol this box at a hub, with a token from there.
    Provision(provision::Args),
    /// Say what is well and what is not, and how to mend it.
    Doctor(doctor::Args),
    /// Try every camera to the hub and back, and write the report that is handed over.
    Acceptance(acceptance::Args),
    /// Look for cameras in the network.
    Discover(discover::Args),
    /// Add, test, list or remove cameras.
    Camera(camera::Args),
    /// Measure this box.
    Bench(bench::Args),
    /// Decode one stream in a sandbox; the agent starts it, nobody else.
    #[command(hide = true)]
    DecodeWorker(decode_worker::Args),
}

impl Cli {
    pub fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(args) => run::execute(args),
            Command::Replay(args) => replay::execute(args),
            Command::Detect(args) => detect::execute(args),
            Command::Redact(args) => redact::execute(args),
            Command::Models(args) => models::execute(args),
            Command::Provision(args) => provision::execute(args),
            Command::Doctor(args) => doctor::execute(args),
            Command::Acceptance(args) => acceptance::execute(args),
            Command::Discover(args) => discover::execute(args),
            Command::Camera(args) => camera::execute(args),
            Command::Bench(args) => bench::execute(args),
            Command::DecodeWorker(args) => decode_worker::execute(args),
        }
    }
}
