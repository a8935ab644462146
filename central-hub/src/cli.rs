//! The command line. Every command but `serve` works beside a running hub as well as without one.

mod agent;
mod audit;
mod authority;
mod configure;
mod place;
mod rules;
mod token;
mod user;
mod webhook;
mod words;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use settings::owner;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, DEFAULT_FILE};
use crate::ports::Ports;
use crate::run;
use crate::store::Store;

/// What is logged unless `RUST_LOG` says otherwise; the broker tells of every client at its `info`.
const LOGGED: &str = "info,rmqtt=warn,rmqtt_net=warn";

#[derive(Parser)]
#[command(name = "central-hub", version, about = "The Signalbox hub: broker, alert store, API and wall")]
struct Line {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Args)]
struct Shared {
    /// The settings file; by default the package's, and without one the defaults hold
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub until Ctrl-C or SIGTERM
    Serve,
    /// Tokens that let boxes in
    #[command(subcommand)]
    Token(token::Command),
    /// Agents that may connect
    #[command(subcommand)]
    Agent(agent::Command),
    /// Where cameras are
    #[command(subcommand)]
    Place(place::Command),
    /// The authority that signs certificates
    #[command(subcommand)]
    Ca(authority::Command),
    /// Write the rules for a broker of your own from the list of certificates
    BrokerConfig(rules::Command),
    /// Receivers that are told of incidents
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// People: who may come in, and what as
    #[command(subcommand)]
    User(user::Command),
    /// The audit: what was done, looked at and refused
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Reads the command line, does what it says, tells on standard error what went wrong.
pub fn main() -> ExitCode {
    let line = Line::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let coloured = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).with_writer(std::io::stderr).init();
    let config = match settled(line.shared.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("central-hub: {}", sentence(&error));
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("central-hub: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(dispatch(line.command, config));
    // A blocking call that hangs must not keep the program alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("central-hub: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes; many of ours name their cause themselves already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        known if known.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

/// The settings; from here on root's commands work as the owner of the data folder.
fn settled(file: Option<&Path>) -> anyhow::Result<Config> {
    let packaged = Some(Path::new(DEFAULT_FILE)).filter(|f| f.exists());
    let config = Config::load(file.or(packaged))?;
    let data = &config.hub.data;
    owner::become_owner(data).with_context(|| format!("cannot work as the owner of {}", data.display()))?;
    Ok(config)
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<()> {
    if let Command::Serve = command {
        return run::serve(config).await;
    }
    let store = Store::open(&config.hub.data, &config.store).await?;
    store.chain_audit_by(config.audit.hash);
    let done = match command {
        Command::Serve => Ok(()),
        Command::Token(command) => token::execute(&store, &config, command).await,
        Command::Agent(command) => agent::execute(&store, command).await,
        Command::Place(command) => place::execute(&store, command).await,
        Command::Ca(command) => authority::execute(&store, command).await,
        Command::BrokerConfig(command) => rules::execute(&store, &config, command).await,
        Command::Webhook(command) => webhook::execute(&store, &config, command).await,
        Command::User(command) => user::execute(&store, &config, command).await,
        Command::Audit(command) => audit::execute(&store, &config, command).await,
    };
    store.close().await;
    done
}

/// Where a browser on this machine finds the wall: the running hub's real port, else the settings'.
fn wall_address(config: &Config) -> String {
    let mut address = config.http.listen;
    if let Some(ports) = Ports::read(&config.hub.data) {
        address.set_port(ports.http);
    }
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    format!("{}://{address}", if config.wall_tls() { "https" } else { "http" })
}
