//! H.264 clips as a list of access units, read once and kept in memory.
//!
//! Owns reading, drawing and re-encoding; no B-frames, one key frame a second, byte-stream, one
//! access unit a buffer. Pacing and sending stay with `feed`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

/// How long nothing may happen while a clip is read or encoded.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// Access units of one clip: 20 minutes at 25 fps.
const MAX_UNITS: usize = 30_000;

/// Why there is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error("cannot find the clip {}: run `make setup`", .0.display())]
    Missing(PathBuf),
    #[error("cannot build the pipeline to {doing}: {source}")]
    Build {
        doing: &'static str,
        #[source]
        source: gst::glib::Error,
    },
    #[error("cannot {doing}: {reason}")]
    Run { doing: &'static str, reason: String },
    #[error("the clip has {0}")]
    Unusable(&'static str),
}

/// One coded picture with its parameter sets.
#[derive(Debug, Clone)]
pub struct AccessUnit {
    /// Annex B.
    pub bytes: gst::Buffer,
    /// A decoder can start here.
    pub key: bool,
}

/// A clip that begins with a key frame.
#[derive(Debug, Clone)]
pub struct Clip {
    pub units: Vec<AccessUnit>,
    pub frame: Duration,
    pub width: u32,
    pub height: u32,
}

impl Clip {
    /// Reads an MP4 or AVI file with H.264 video of a constant frame rate.
    pub fn read(path: &Path) -> Result<Self, ClipError> {
        if !path.is_file() {
            return Err(ClipError::Missing(path.to_owned()));
        }
        let doing = "read the clip";
        let pipeline = build(doing, "filesrc name=in ! parsebin ! h264parse name=parse config-interval=-1")?;
        by_name(&pipeline, "in")?.set_property("location", path);
        collect(doing, pipeline, "parse")
    }

    /// A moving test card, for tests that need no people.
    pub fn drawn(width: u32, height: u32, fps: u32, frames: u32) -> Result<Self, ClipError> {
        let doing = "draw the clip";
        let pipeline = build(
            doing,
            &format!(
                "videotestsrc pattern=ball num-buffers={frames} \
                 ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
                 ! {} ! h264parse name=parse config-interval=-1",
                encoder("ultrafast", fps, 500)
            ),
        )?;
        collect(doing, pipeline, "parse")
    }

    /// The same pictures in another size; picture n stays picture n.
    pub fn resized(&self, width: u32, height: u32) -> Result<Self, ClipError> {
        if width < 16 || height < 16 || width > 7680 || height > 4320 || width % 2 + height % 2 != 0 {
            return Err(ClipError::Unusable("no such size: even numbers from 16x16 to 7680x4320"));
        }
        let doing = "resize the clip";
        let fps = (1.0 / self.frame.as_secs_f64()).round() as u32;
        let pipeline = build(
            doing,
            &format!(
                "appsrc name=in format=time ! h264parse ! avdec_h264 ! videoscale \
                 ! video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1 ! {} \
                 ! h264parse name=parse config-interval=-1",
                encoder("ultrafast", fps, 1500)
            ),
        )?;
        let source = by_name(&pipeline, "in")?
            .downcast::<gst_app::AppSrc>()
            .map_err(|_| ClipError::Unusable("no source"))?;
        source.set_caps(Some(&caps()));
        for (n, unit) in self.units.iter().enumerate() {
            // All of it fits: appsrc's queue is unlimited when nobody waits for it.
            let _ = source.push_buffer(stamped(&unit.bytes, self.frame * n as u32, self.frame));
        }
        let _ = source.end_of_stream();
        let resized = collect(doing, pipeline, "parse")?;
        if resized.units.len() != self.units.len() {
            return Err(ClipError::Unusable("another number of pictures after resizing"));
        }
        Ok(resized)
    }

    /// The last key frame at or before `at`.
    pub fn key_before(&self, at: usize) -> usize {
        (0..=at.min(self.units.len() - 1)).rev().find(|n| self.units[*n].key).unwrap_or(0)
    }

    /// SPS and PPS of the first key frame: enough to describe the stream, no picture.
    pub fn parameter_sets(&self) -> Vec<u8> {
        let Ok(map) = self.units[0].bytes.map_readable() else { return Vec::new() };
        let mut out = Vec::new();
        for nal in split_nals(&map) {
            if matches!(nal.first().map(|b| b & 0x1f), Some(7 | 8)) {
                out.extend_from_slice(&[0, 0, 0, 1]);
                out.extend_from_slice(nal);
            }
        }
        out
    }
}

/// What `feed` sends and `resized` reads.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("video/x-h264").field("stream-format", "byte-stream").field("alignment", "au").build()
}

/// A cheap copy (the bytes are shared) with its own time.
pub fn stamped(buffer: &gst::Buffer, at: Duration, frame: Duration) -> gst::Buffer {
    let mut copy = buffer.copy();
    if let Some(copy) = copy.get_mut() {
        let at = gst::ClockTime::from_nseconds(at.as_nanos() as u64);
        copy.set_pts(at);
        copy.set_dts(at);
        copy.set_duration(gst::ClockTime::from_nseconds(frame.as_nanos() as u64));
    }
    copy
}

/// The NAL units of an Annex B stream, without their start codes.
pub fn split_nals(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        (0..bytes.len().saturating_sub(2)).filter(|i| bytes[*i..].starts_with(&[0, 0, 1])).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let nal = &bytes[start + 3..end];
            &nal[..nal.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)]
        })
        .collect()
}

fn encoder(preset: &str, fps: u32, kbit: u32) -> String {
    format!(
        "x264enc tune=zerolatency speed-preset={preset} bitrate={kbit} key-int-max={fps} bframes=0 threads=1 \
         option-string=scenecut=0 ! video/x-h264,profile=main"
    )
}

fn build(doing: &'static str, launch: &str) -> Result<gst::Pipeline, ClipError> {
    gst::init().map_err(|source| ClipError::Build { doing, source })?;
    let element = gst::parse::launch(launch).map_err(|source| ClipError::Build { doing, source })?;
    element.downcast().map_err(|_| ClipError::Unusable("no pipeline"))
}

fn by_name(pipeline: &gst::Pipeline, name: &str) -> Result<gst::Element, ClipError> {
    pipeline.by_name(name).ok_or(ClipError::Unusable("no such element"))
}

/// A pipeline that is stopped when it goes out of scope.
struct Running {
    doing: &'static str,
    pipeline: gst::Pipeline,
}

impl Running {
    fn start(doing: &'static str, pipeline: gst::Pipeline) -> Result<Self, ClipError> {
        let running = Self { doing, pipeline };
        match running.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(running),
            Err(_) => Err(running.failure()),
        }
    }

    fn failure(&self) -> ClipError {
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        let reason = match message.as_deref().map(gst::MessageRef::view) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => "it stopped without saying why".to_owned(),
        };
        ClipError::Run { doing: self.doing, reason }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn collect(doing: &'static str, pipeline: gst::Pipeline, last: &str) -> Result<Clip, ClipError> {
    let sink = gst_app::AppSink::builder().caps(&caps()).sync(false).build();
    let parse = by_name(&pipeline, last)?;
    let joined = pipeline.add(&sink).is_ok() && parse.link(&sink).is_ok();
    if !joined {
        return Err(ClipError::Unusable("no H.264 in it"));
    }
    let running = Running::start(doing, pipeline)?;
    let mut units = Vec::new();
    let mut size = (0, 0);
    while let Some(sample) = sink.try_pull_sample(PATIENCE) {
        if let Some(caps) = sample.caps().and_then(|caps| caps.structure(0)) {
            let read = |name| caps.get::<i32>(name).map_or(0, |v| v.max(0) as u32);
            size = (read("width"), read("height"));
        }
        let Some(bytes) = sample.buffer_owned() else { continue };
        let key = !bytes.flags().contains(gst::BufferFlags::DELTA_UNIT);
        units.push((bytes.pts(), AccessUnit { bytes, key }));
        if units.len() > MAX_UNITS {
            return Err(ClipError::Unusable("more pictures than fit into memory"));
        }
    }
    if !sink.is_eos() {
        return Err(running.failure());
    }
    assemble(units, size)
}

fn assemble(
    units: Vec<(Option<gst::ClockTime>, AccessUnit)>,
    (width, height): (u32, u32),
) -> Result<Clip, ClipError> {
    let times: Vec<u64> = units.iter().filter_map(|(pts, _)| pts.map(gst::ClockTime::nseconds)).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        return Err(ClipError::Unusable("no times in it"));
    };
    if units.len() < 2 || first == last {
        return Err(ClipError::Unusable("less than two pictures"));
    }
    if !units[0].1.key {
        return Err(ClipError::Unusable("no key frame at its start"));
    }
    if times.windows(2).any(|pair| pair[1] < pair[0]) {
        return Err(ClipError::Unusable("B-frames: pictures that are not in order"));
    }
    let frame = Duration::from_nanos((last - first) / (times.len() as u64 - 1));
    Ok(Clip { units: units.into_iter().map(|(_, unit)| unit).collect(), frame, width, height })
}
