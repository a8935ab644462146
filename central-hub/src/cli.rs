//! The command line. Every command but `serve` works beside a running hub as well as without one, on a data
//! folder that is there: a command at the wrong place makes no second hub.

mod agent;
mod audit;
mod authority;
mod configure;
mod place;
mod rules;
mod token;
mod tokens;
mod user;
mod webhook;
pub(crate) mod words;

use std::io::{ErrorKind, IsTerminal};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use hub_core::plain::plain;
use settings::{chinese, owner};
use tracing_subscriber::EnvFilter;

use self::words::{Language, note};
use crate::config::{Config, ConfigError, DEFAULT_FILE};
use crate::ports::Ports;
use crate::run;
use crate::store::Store;

/// What is logged unless `RUST_LOG` says otherwise; the broker tells of every client at its `info`.
const LOGGED: &str = "info,rmqtt=warn,rmqtt_net=warn";

/// How long a command waits for the hub beside it.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

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
    /// The language: zh or en; by default English where LANG says so, else Chinese
    #[arg(long, global = true, value_enum)]
    lang: Option<Language>,
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

impl Command {
    /// Whether a new hub may be made by it: data folder, authority, first administrator. All others work on one
    /// that is there. The rules for a broker are written before a hub behind it can start.
    fn may_make_hub(&self) -> bool {
        matches!(self, Self::Serve | Self::BrokerConfig(_))
    }
}

/// Reads the command line, does what it says, tells on standard error what went wrong.
pub fn main() -> ExitCode {
    Language::ask(std::env::args());
    let line = Line::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() && Language::of_environment() == Language::Zh {
            note(format_args!("central-hub: {}", chinese::of_arguments(&error)));
        }
        error.exit()
    });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    let coloured = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured).with_writer(std::io::stderr).init();
    let packaged = Some(PathBuf::from(DEFAULT_FILE)).filter(|f| f.exists());
    let file = line.shared.config.or(packaged);
    let config = match settled(file.as_deref(), &line.command) {
        Ok(config) => config,
        Err(error) => {
            note(format_args!("central-hub: {}", sentence(&error)));
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            note(format_args!("central-hub: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(dispatch(line.command, config));
    // A blocking call that hangs must not keep the program alive.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match done {
        Ok(()) if words::was_cut() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("central-hub: {}", sentence(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, on one line; many of ours name their cause themselves already.
fn sentence(error: &anyhow::Error) -> String {
    plain(&settings::in_one_line(error.as_ref()))
}

/// The settings; from here on root's commands work as the owner of the data folder.
fn settled(file: Option<&Path>, command: &Command) -> anyhow::Result<Config> {
    let config = Config::load(file).map_err(|error| unusable(Language::of_environment(), file, error))?;
    let data = &config.hub.data;
    owner::become_owner(data).with_context(|| format!("cannot work as the owner of {}", data.display()))?;
    let needs_none = command.may_make_hub() || matches!(command, Command::Webhook(webhook::Command::Secret));
    if !needs_none && !Store::is_there(data, &config.store) {
        bail!("{}", no_hub(Language::of_environment(), file, data));
    }
    Ok(config)
}

/// What is wrong with the settings file, and what to do.
fn unusable(language: Language, file: Option<&Path>, error: ConfigError) -> anyhow::Error {
    let missing = matches!(&error, ConfigError::File(settings::Error::Read { source, .. })
        if source.kind() == ErrorKind::NotFound);
    match file.map(Path::display) {
        Some(file) if missing => anyhow!(language.say(
            format!("没有设置文件 {file}：请核对 --config 后面的路径"),
            format!("there is no settings file {file}: check the path after --config"),
        )),
        _ => match (language, error) {
            (Language::Zh, ConfigError::File(error)) => {
                anyhow!("设置有误，请改正：{}", chinese::of_error(&error))
            }
            (_, error) => anyhow::Error::new(error)
                .context(language.say("设置有误，请改正", "the settings must be mended")),
        },
    }
}

/// Where was looked for a hub, and what to do.
fn no_hub(language: Language, file: Option<&Path>, data: &Path) -> String {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let data = data.display();
    match file.map(Path::display) {
        Some(file) => language.say(
            format!(
                "这里没有中心：数据文件夹 {data}（设置文件 {file}）中没有数据库。请核对设置文件，或先启动中心（central-hub serve）"
            ),
            format!(
                "there is no hub here: the data folder {data} (settings file {file}) holds no database; is it the right settings file? A new hub is made by `central-hub serve`"
            ),
        ),
        None => language.say(
            format!("这里没有中心：没有设置文件 {DEFAULT_FILE}，{data} 中也没有数据库。请用 --config 指明中心的设置文件"),
            format!(
                "there is no hub here: there is no settings file {DEFAULT_FILE} and no database in {data}; name the hub's settings file by --config FILE"
            ),
        ),
    }
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Serve => return run::serve(config).await,
        Command::Webhook(webhook::Command::Secret) => return webhook::secret(),
        _ => {}
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

/// Where a browser on this machine finds the wall.
fn wall_address(config: &Config) -> String {
    format!("{}://{}", if config.wall_tls() { "https" } else { "http" }, listens_at(config))
}

/// Says that what was made has to wait for a hub, where the wall's port refuses connections. Silence is no proof.
fn note_unless_running(config: &Config) {
    let refused = TcpStream::connect_timeout(&listens_at(config), ANSWERS_WITHIN)
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    if refused {
        let wall = wall_address(config);
        note(Language::of_environment().say(
            format!("注意：现在没有中心在运行（{wall} 没有应答）。请先启动中心，再使用它。"),
            format!("Note: no hub is running at the moment (nothing answers at {wall}): start it before this is used."),
        ));
    }
}

/// The running hub's real port, else the settings'.
fn listens_at(config: &Config) -> SocketAddr {
    let mut address = config.http.listen;
    if let Some(ports) = Ports::read(&config.hub.data) {
        address.set_port(ports.http);
    }
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    address
}
