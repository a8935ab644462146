//! `edge-agent camera`: add, test, list and remove cameras, their rules and their passwords.
//!
//! Owns what is asked and shown. Measuring is `probe`'s, asking by ONVIF `onvif`'s, the files are
//! `config::cameras`' and `secrets`'. Passwords come from a file, standard input or a prompt, never from
//! an argument, and are never shown.

mod add;
mod announce;
mod keep;
mod list;
mod measure;
mod password;
mod report;
mod target;

use std::path::PathBuf;

use protocol::CameraId;

use super::settings::Settings;
use crate::camera::CameraConfig;
use crate::config::Config;
use crate::wording::{Language, Speech};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Measure a camera, and add it to this box.
    Add(add::Args),
    /// Measure a camera of this box again.
    Test(measure::Args),
    /// The cameras of this box.
    List(list::Args),
    /// Give a camera lines and zones, in place of those it has.
    Rules(keep::RulesArgs),
    /// Seal a new password for a camera.
    Password(keep::PasswordArgs),
    /// Remove a camera and its password from this box.
    Remove(keep::RemoveArgs),
}

/// What all of them take.
#[derive(Debug, Clone, clap::Args)]
struct Common {
    #[command(flatten)]
    settings: Settings,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    speech: Speech,
}

impl Common {
    fn language(&self) -> Language {
        self.speech.language()
    }

    /// From then on root's command works as the service's user.
    fn read(&self) -> anyhow::Result<Config> {
        self.settings.take()
    }

    /// The folder that camera files are beside.
    fn base(&self) -> PathBuf {
        self.settings.base()
    }
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Add(args) => add::execute(args),
        Command::Test(args) => measure::execute(args),
        Command::List(args) => list::execute(args),
        Command::Rules(args) => keep::rules(args),
        Command::Password(args) => keep::password(args),
        Command::Remove(args) => keep::remove(args),
    }
}

/// A camera of the configuration.
fn find<'a>(config: &'a Config, id: &CameraId, language: Language) -> anyhow::Result<&'a CameraConfig> {
    config.cameras.iter().find(|c| c.id == *id).ok_or_else(|| {
        let ids: Vec<&str> = config.cameras.iter().map(|c| c.id.as_str()).collect();
        let ids = ids.join(", ");
        match language {
            Language::Zh => anyhow::anyhow!("没有编号为 {id} 的摄像机；现有：{ids}"),
            Language::En => anyhow::anyhow!("there is no camera {id}; there are: {ids}"),
        }
    })
}

/// Prints a text that may be read by `head`.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
