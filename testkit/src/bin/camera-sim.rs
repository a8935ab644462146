//! `camera-sim`: RTSP cameras from a clip, until it is told to shut down or killed.
//!
//! Prints one JSON line with all ports when it is ready.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use serde::Deserialize;
use testkit::camera::{Camera, Clip, Spec, control};

#[derive(Parser)]
#[command(about = "Simulated RTSP cameras")]
struct Cli {
    /// A settings file; the other flags are then not used.
    #[arg(long)]
    config: Option<PathBuf>,
    /// H.264 video (MP4) that every camera plays.
    #[arg(long, required_unless_present = "config")]
    clip: Option<PathBuf>,
    /// How many cameras.
    #[arg(long, default_value_t = 4)]
    cameras: u16,
    /// One line a camera: `user password`. Mode 600.
    #[arg(long, required_unless_present = "config")]
    passwords_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// H.264 video (MP4).
    clip: PathBuf,
    /// Port for commands; 0 takes a free one.
    #[serde(default)]
    control_port: u16,
    camera: Vec<CameraConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraConfig {
    id: String,
    /// 0 takes a free one.
    #[serde(default)]
    port: u16,
    user: String,
    /// Mode 600; its first line is the password.
    password_file: PathBuf,
    /// Where in the clip the camera begins.
    #[serde(default)]
    start_at: Option<settings::Span>,
    /// RTSP sessions at a time; 0 for no limit.
    #[serde(default)]
    max_sessions: u32,
    /// Wrong passwords after which the account is locked; 0 for never.
    #[serde(default)]
    lock_after: u64,
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("camera-sim: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let (control_port, specs) = specs(Cli::parse())?;
    let cameras = specs.into_iter().map(Camera::start).collect::<Result<Vec<_>, _>>()?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, control_port)).context("cannot open the control port")?;
    let mut ready = control::state(&cameras);
    ready["control"] = listener.local_addr()?.port().into();
    println!("{ready}");
    control::serve(&listener, &cameras)?;
    Ok(())
}

fn specs(cli: Cli) -> anyhow::Result<(u16, Vec<Spec>)> {
    if let Some(path) = &cli.config {
        let config: Config = settings::load(path)?;
        let clip = Arc::new(Clip::read(&config.clip)?);
        let spec = |camera: CameraConfig| -> anyhow::Result<Spec> {
            Ok(Spec {
                id: camera.id,
                clip: Arc::clone(&clip),
                port: camera.port,
                user: camera.user,
                password: settings::Secret::read(&camera.password_file)?.expose().to_owned(),
                start_at: camera.start_at.map_or_else(Default::default, |span| span.0),
                max_sessions: camera.max_sessions,
                lock_after: camera.lock_after,
            })
        };
        let specs = config.camera.into_iter().map(spec).collect::<anyhow::Result<_>>()?;
        return Ok((config.control_port, specs));
    }
    let clip = cli.clip.as_deref().context("--clip is missing")?;
    let accounts = accounts(cli.passwords_file.as_deref().context("--passwords-file is missing")?)?;
    anyhow::ensure!(
        accounts.len() >= usize::from(cli.cameras),
        "the passwords file has fewer lines than cameras"
    );
    let clip = Arc::new(Clip::read(clip)?);
    let length = clip.frame * clip.units.len() as u32;
    let specs = accounts.into_iter().zip(0..cli.cameras).map(|((user, password), n)| Spec {
        id: format!("camera-{}", n + 1),
        clip: Arc::clone(&clip),
        port: 0,
        user,
        password,
        start_at: length * u32::from(n) / u32::from(cli.cameras),
        max_sessions: 0,
        lock_after: 0,
    });
    Ok((0, specs.collect()))
}

fn accounts(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    // Only to refuse a file that others can read.
    settings::Secret::read(path)?;
    let text = std::fs::read_to_string(path)?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (user, password) = line.split_once(' ').context("write `user password` on each line")?;
            Ok((user.to_owned(), password.trim().to_owned()))
        })
        .collect()
}
