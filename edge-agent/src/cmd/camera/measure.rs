//! `camera test`: what a camera of this box delivers now.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use protocol::CameraId;
use serde_json::json;
use settings::Span;

use super::{Common, find, print, report};
use crate::camera::reach::Reach;
use crate::camera::{CameraConfig, Credentials};
use crate::config::Config;
use crate::discover::asked::{Behind, behind};
use crate::hardware::Profile;
use crate::probe::{self, Measured, ProbeError, advice, still};
use crate::wording::{Language, Text};

/// Longer measurements are a mistake.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The camera.
    id: CameraId,
    /// Write a covered picture with the grid and the camera's rules on it.
    #[arg(long, value_name = "FILE")]
    still: Option<PathBuf>,
    /// How long to measure.
    #[arg(long, default_value = "5s")]
    measure: Span,
    #[command(flatten)]
    common: Common,
}

pub(super) fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.common.language();
    let config = args.common.read()?;
    let camera = find(&config, &args.id, language)?;
    let credentials = camera.credentials()?;
    let measured = session(&config, camera, credentials.as_ref(), args.measure, language)?;
    let figures = &measured.figures;
    let mut all = advice::against(figures);
    all.extend(advice::remarks(figures));
    let covered = match &args.still {
        Some(path) => {
            let frame = measured.frame.as_ref().context("no picture of the stream could be decoded whole")?;
            Some(still::write(&config, frame, &camera.lines, &camera.zones, path)?)
        }
        None => None,
    };
    if args.common.json {
        let still = args.still.as_ref().map(|file| json!({ "file": file, "covered": covered }));
        let camera = super::list::shown(camera);
        let answer = json!({ "camera": camera, "figures": figures, "advice": all, "still": still });
        print(&format!("{answer}\n"));
        return Ok(());
    }
    print(&report::figures(camera.id.as_str(), figures, language));
    print(&report::advice(&all, language));
    if let Some(path) = &args.still {
        print(&report::still(path, language));
    }
    Ok(())
}

/// One session, with the box's own decoder.
pub(super) fn session(
    config: &Config,
    camera: &CameraConfig,
    credentials: Option<&Credentials>,
    time: Span,
    language: Language,
) -> anyhow::Result<Measured> {
    anyhow::ensure!(!time.0.is_zero() && time.0 <= LONGEST, "--measure: more than 0 and at most 60s");
    gstreamer::init().context("GStreamer")?;
    let hardware = match &config.agent.hardware {
        Some(path) => Profile::load(path)?,
        None => Profile::builtin()?,
    };
    probe::measure(camera, credentials, &hardware, time.0).map_err(|error| {
        let text = looked_at(camera, credentials, &error).unwrap_or_else(|| error.text());
        anyhow::anyhow!("{}", text.of(language))
    })
}

/// What is behind the address, where that says more than the session's end did. A wrong password is not tried again,
/// nor anything asked of a camera that is led elsewhere.
fn looked_at(camera: &CameraConfig, credentials: Option<&Credentials>, error: &ProbeError) -> Option<Text> {
    let reach = match error {
        ProbeError::Camera(_) | ProbeError::Refused | ProbeError::NoPicture => {
            Reach::of(&camera.url, &camera.networks).ok()?
        }
        ProbeError::Start(_) => return None,
    };
    let at = SocketAddr::new(*reach.addresses.first()?, reach.port);
    let found = behind(at, camera.url.as_str());
    match found {
        // With a password it was asked already, and refused or not.
        Behind::AsksForUser if credentials.is_some() => None,
        found => found.text(at),
    }
}
