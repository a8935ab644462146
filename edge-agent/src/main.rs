//! `edge-agent`: see `cmd` for what it offers.

use clap::Parser;
use edge_agent::cmd::Cli;

fn main() -> std::process::ExitCode {
    match Cli::parse().execute() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge-agent: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
