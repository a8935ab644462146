//! Logs go to standard error, one line an event; `RUST_LOG` chooses (default `info`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

pub fn start() {
    // sled and the MQTT client speak at info of things nobody at a box can use.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sled=warn,rumqttc=warn,ort=warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
