//! `edge-agent decode-worker`: the sandboxed decoder of one camera. Hidden; started by the agent.

use crate::decode::worker::{self, Probe};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Close the sandbox, try something forbidden, and die of it.
    #[arg(long)]
    probe: Option<Probe>,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    match args.probe {
        Some(probe) => worker::probe(probe)?,
        None => worker::serve()?,
    }
    Ok(())
}
