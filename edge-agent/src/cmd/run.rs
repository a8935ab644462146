//! `edge-agent run`: watch the cameras of a configuration until stopped.

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::settings::Settings;
use crate::run::{self, Reload};
use crate::wording::Speech;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    _speech: Speech,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    crate::logging::start();
    let config = args.settings.take()?;
    let stop = CancellationToken::new();
    let (reload, reloads) = run::reloads();
    stop_on_signal(stop.clone(), reload.clone())?;
    run::run(config, (reload, reloads), &stop)
}

/// SIGTERM and Ctrl-C stop in order; a second one ends the process at once. SIGHUP has the settings read again.
fn stop_on_signal(stop: CancellationToken, reload: mpsc::Sender<Reload>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watch = async move {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {
                    // Enough of them wait already where there is no room.
                    let _ = reload.try_send(Reload { answer: None });
                    continue;
                }
            }
            if stop.is_cancelled() {
                std::process::exit(130);
            }
            stop.cancel();
        }
        #[allow(unreachable_code)] // says what the block's `?` gives
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
