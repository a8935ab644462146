//! `edge-agent`: see `cmd` for what it offers.

use clap::Parser;
use edge_agent::cmd::{Cli, replay::Incomplete};

fn main() -> std::process::ExitCode {
    match Cli::parse().execute() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge-agent: {error:#}");
            if let Some(cure) = edge_agent::cmd::cure(&error) {
                eprintln!("edge-agent: {} / {}", cure.zh, cure.en);
            }
            if lacks_rights(&error) {
                eprintln!("edge-agent: 请加 sudo 再运行 / run it again with sudo");
            }
            match error.is::<Incomplete>() {
                true => Incomplete::EXIT_CODE.into(),
                false => std::process::ExitCode::FAILURE,
            }
        }
    }
}

/// Whether a file was closed to this user. Root's commands work as the service's user: for them it is no cure.
fn lacks_rights(error: &anyhow::Error) -> bool {
    let denied = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    !edge_agent::identity::is_root() && !settings::owner::is_for_root() && error.chain().any(denied)
}
