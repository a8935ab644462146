//! `edge-agent`: see `cmd` for what it offers.

use clap::Parser;
use edge_agent::cmd::{Cli, replay::Incomplete};

fn main() -> std::process::ExitCode {
    match Cli::parse().execute() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge-agent: {error:#}");
            match error.is::<Incomplete>() {
                true => Incomplete::EXIT_CODE.into(),
                false => std::process::ExitCode::FAILURE,
            }
        }
    }
}
