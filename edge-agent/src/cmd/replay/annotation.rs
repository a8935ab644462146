//! The clip with tracks drawn in, as Motion JPEG in AVI. Every picture is covered first: an uncovered
//! one cannot be encoded.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use edge_core::{Phase, Step};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::decode::Frame;
use crate::redact::Redacted;

/// Colours of boxes: a track at rest, and one that a rule has just found something about.
const TRACK: [u8; 3] = [255, 210, 60];
const FOUND: [u8; 3] = [255, 70, 70];
const QUALITY: u8 = 85;
/// How long to wait for the file to be completed.
const FINISH: gst::ClockTime = gst::ClockTime::from_seconds(20);

const FAILED: &str = "the annotated clip can't be written";

/// A file being written.
pub struct Annotation {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    caps_set: bool,
    /// Tracks that stay marked until a media time, because a rule found something about them.
    marked: Vec<(u64, Duration)>,
}

impl Annotation {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        gst::init()?;
        // Looked at before the sink is, whose errors come late and name no cause.
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let source = gst_app::AppSrc::builder().format(gst::Format::Time).build();
        let mux = gst::ElementFactory::make("avimux").build()?;
        let sink = gst::ElementFactory::make("filesink")
            .property("location", path.to_str().context("the path must be UTF-8")?)
            .build()?;
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([source.upcast_ref(), &mux, &sink])?;
        source.link_pads(Some("src"), &mux, Some("video_%u"))?;
        mux.link(&sink)?;
        pipeline.set_state(gst::State::Playing)?;
        Ok(Self { pipeline, source, caps_set: false, marked: Vec::new() })
    }

    /// One frame. Boxes are drawn over the covers, so that nothing shows through.
    pub fn write(&mut self, mut picture: Redacted, frame: &Frame, step: &Step) -> anyhow::Result<()> {
        if !self.caps_set {
            let caps = gst::Caps::builder("image/jpeg")
                .field("width", frame.width as i32)
                .field("height", frame.height as i32)
                .field("framerate", gst::Fraction::new(10, 1))
                .build();
            self.source.set_caps(Some(&caps));
            self.caps_set = true;
        }
        let until = frame.media_time + Duration::from_secs(1);
        let found = step.findings.iter().filter(|f| f.phase == Phase::Raised);
        self.marked.extend(found.map(|f| (f.track, until)));
        self.marked.retain(|(_, until)| *until >= frame.media_time);
        for track in &step.tracks {
            let marked = self.marked.iter().any(|(id, _)| *id == track.id);
            picture.outline(&track.bbox, if marked { FOUND } else { TRACK });
        }
        let mut buffer = gst::Buffer::from_slice(picture.to_jpeg(QUALITY)?.into_bytes());
        let pts = gst::ClockTime::from_nseconds(frame.media_time.as_nanos() as u64);
        buffer.get_mut().context("the buffer is new")?.set_pts(pts);
        self.check()?;
        self.source.push_buffer(buffer).context(FAILED)?;
        Ok(())
    }

    /// An error of the file, such as a full disk.
    fn check(&self) -> anyhow::Result<()> {
        let error = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match error.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => anyhow::bail!("{FAILED}: {}", error.error()),
            _ => Ok(()),
        }
    }

    pub fn finish(self) -> anyhow::Result<()> {
        self.source.end_of_stream()?;
        let bus = self.pipeline.bus().context("a pipeline has a bus")?;
        let end = bus.timed_pop_filtered(FINISH, &[gst::MessageType::Eos, gst::MessageType::Error]);
        self.pipeline.set_state(gst::State::Null)?;
        match end.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Eos(_)) => Ok(()),
            Some(gst::MessageView::Error(error)) => {
                anyhow::bail!("{FAILED}: {}", error.error())
            }
            _ => anyhow::bail!("the annotated clip was not completed in time"),
        }
    }
}
