//! Tracks and events from detections in a file, without any video: to tune a pipeline.
//!
//!     cargo run --example track_detections -- DETECTIONS PIPELINE WIDTHxHEIGHT FPS TRACKS EVENTS
//!
//! DETECTIONS and TRACKS are MOTChallenge lines; EVENTS is one JSON object a line, as `replay` writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use edge_agent::pipeline::Pipeline;
use edge_core::{Detection, FrameSize, Phase, Rect, Scene};
use protocol::ObjectClass;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [detections, pipeline, size, fps, tracks, events] = arguments.as_slice() else {
        bail!("usage: track_detections DETECTIONS PIPELINE WIDTHxHEIGHT FPS TRACKS EVENTS");
    };
    let pipeline = Pipeline::load(Path::new(pipeline))?;
    let (width, height) = size.split_once('x').context("size: write it as 768x576")?;
    let size = FrameSize { width: width.parse()?, height: height.parse()? };
    let fps: f64 = fps.parse()?;
    let frames = read(detections, pipeline.detector().confidence)?;
    let mut tracks = BufWriter::new(File::create(tracks)?);
    let mut events = BufWriter::new(File::create(events)?);

    let mut scene = Scene::new(pipeline.scene_config(), size);
    let last = frames.keys().last().copied().unwrap_or(0);
    for frame in 1..=last {
        let at = Duration::from_secs_f64((frame - 1) as f64 / fps);
        let step = scene.step(frame, at, frames.get(&frame).map_or(&[], Vec::as_slice));
        for t in &step.tracks {
            let Rect { left, top, width, height } = t.bbox;
            let (id, confidence) = (t.id, t.confidence);
            writeln!(
                tracks,
                "{frame},{id},{left:.2},{top:.2},{width:.2},{height:.2},{confidence:.3},1,-1,-1"
            )?;
        }
        for f in step.findings.iter().filter(|f| f.phase == Phase::Raised) {
            let event = serde_json::json!({
                "frame": f.frame, "media_time_ms": f.at.as_millis() as u64, "kind": f.kind.as_str(),
                "rule": f.rule.as_str(), "direction": f.direction.map(|d| d.as_str()), "track": f.track,
            });
            writeln!(events, "{event}")?;
        }
    }
    Ok(())
}

fn read(path: &str, least: f32) -> anyhow::Result<BTreeMap<u64, Vec<Detection>>> {
    let mut frames: BTreeMap<u64, Vec<Detection>> = BTreeMap::new();
    for (i, line) in std::fs::read_to_string(path)?.lines().enumerate() {
        let fields: Result<Vec<f32>, _> = line.split(',').map(|f| f.trim().parse()).collect();
        let fields = fields.with_context(|| format!("{path}:{}", i + 1))?;
        let [frame, _, left, top, width, height, confidence, ..] = fields[..] else {
            bail!("{path}:{}: no MOTChallenge line", i + 1);
        };
        if confidence >= least {
            let bbox = Rect::new(left, top, width, height);
            let class = ObjectClass::Human;
            let detection = Detection { class, confidence: confidence.min(1.0), bbox };
            frames.entry(frame as u64).or_default().push(detection);
        }
    }
    Ok(frames)
}
