//! `edge-agent`: see `cmd` for what it offers.

use std::process::ExitCode;

use clap::Parser;
use edge_agent::cmd::{Cli, replay::Incomplete, told};
use edge_agent::wording::Language;

fn main() -> ExitCode {
    let language = Language::of_command_line(std::env::args());
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if let Some(head) = told::misused(&error, language) {
            eprintln!("edge-agent: {head}");
        }
        error.exit()
    });
    match cli.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in told::told(&error, language) {
                eprintln!("edge-agent: {line}");
            }
            match error.is::<Incomplete>() {
                true => Incomplete::EXIT_CODE.into(),
                false => ExitCode::FAILURE,
            }
        }
    }
}
