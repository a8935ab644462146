//! `edge-agent run`: watch the cameras of a configuration until stopped.

use std::path::PathBuf;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_FILE)]
    config: PathBuf,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    crate::logging::start();
    let config = Config::read(&args.config)?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    crate::run::run(&config, &stop)
}

/// SIGTERM and Ctrl-C stop in order; a second one ends the process at once.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watch = async move {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            stop.cancel();
        }
        std::io::Result::Ok(())
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Err(error) = runtime.block_on(watch) {
                tracing::error!(%error, "signals cannot be watched");
            }
        })
        .context("thread signals")?;
    Ok(())
}
