//! Clips: a video file becomes packets, in order, without any clock.
//!
//! Owns finding the video track in a file (AVI, MP4, MKV, raw H.264). Audio is never touched: its pad is
//! not even linked. Decoding stays with `decode`.

mod ending;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use protocol::{TimeSource, Timestamp};

use crate::decode::{Moment, Packet, StreamFormat};
use crate::hardware::{self, MissingElement};

/// Encoded pictures read ahead.
const AHEAD: u32 = 64;
/// A file whose video track is not known by then has none.
const FIND_WITHIN: Duration = Duration::from_secs(5);
/// A file on a disk that has not moved in this time will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// A video file that is being read.
pub struct Clip {
    path: PathBuf,
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    found: Arc<Found>,
    start_at: Timestamp,
    stream: Option<Arc<StreamFormat>>,
    caps: Option<gst::Caps>,
    /// Read while opening, so that a file that is no clip is refused at once.
    first: Option<Packet>,
    missing: Option<String>,
}

/// What the parser said about the tracks.
#[derive(Default)]
struct Found {
    video: AtomicBool,
    /// All tracks are known.
    complete: AtomicBool,
    other: Mutex<Vec<String>>,
}

/// Why a clip can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error("cannot open clip {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is no file but a device, a pipe or a socket: give an AVI, MP4, MKV or raw H.264 file", path.display())]
    NoFile { path: PathBuf },
    #[error("{} is no video: give an AVI, MP4, MKV or raw H.264 file", path.display())]
    NotVideo { path: PathBuf },
    #[error("{} has no video track, only {tracks}", path.display())]
    NoVideoTrack { path: PathBuf, tracks: String },
    #[error("{}: {codec} is not supported: convert it to H.264", path.display())]
    Codec { path: PathBuf, codec: String },
    #[error("{} is damaged: {what}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error(transparent)]
    Missing(#[from] MissingElement),
}

impl Clip {
    /// Opens a file and reads up to its first packet. Its time begins at `start_at`.
    pub fn open(path: &Path, start_at: Timestamp) -> Result<Self, ClipError> {
        let fail = |source| ClipError::Open { path: path.to_owned(), source };
        let meta = std::fs::metadata(path).map_err(fail)?;
        if meta.is_dir() {
            return Err(fail(std::io::ErrorKind::IsADirectory.into()));
        }
        if !meta.is_file() {
            return Err(ClipError::NoFile { path: path.to_owned() });
        }
        let mut file = std::fs::File::open(path).map_err(fail)?;
        let missing = ending::missing(&mut file, meta.len()).map_err(fail)?;
        let source = hardware::make("filesrc")?;
        source.set_property("location", path);
        let parse = hardware::make("parsebin")?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(AHEAD).build();
        let pipeline = gst::Pipeline::new();
        let no_video = || ClipError::NotVideo { path: path.to_owned() };
        pipeline.add_many([&source, &parse, sink.upcast_ref()]).map_err(|_| no_video())?;
        source.link(&parse).map_err(|_| no_video())?;
        let found = link_first_video(&parse, &sink);
        let (path, first) = (path.to_owned(), None);
        let mut clip =
            Self { path, pipeline, sink, found, start_at, stream: None, caps: None, first, missing };
        // A file that is no video fails here or while reading; the bus knows why.
        let _ = clip.pipeline.set_state(gst::State::Playing);
        clip.first = clip.read()?;
        if clip.first.is_none() {
            return Err(clip.why_nothing());
        }
        Ok(clip)
    }

    /// How the video track is encoded.
    pub fn stream(&self) -> Option<&Arc<StreamFormat>> {
        self.stream.as_ref()
    }

    /// Why the file ends before its end, where its container can tell.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// The next packet in the order of decoding; `None` at the end.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ClipError> {
        match self.first.take() {
            Some(packet) => Ok(Some(packet)),
            None => self.read(),
        }
    }

    fn read(&mut self) -> Result<Option<Packet>, ClipError> {
        let begun = Instant::now();
        let sample = loop {
            // Short waits: an error ends the stream without telling the sink.
            if let Some(sample) = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
                break sample;
            }
            if let Some(error) = self.error() {
                return Err(error);
            }
            if self.found.complete.load(Ordering::Acquire) && !self.found.video.load(Ordering::Acquire) {
                return Err(self.why_nothing());
            }
            if self.sink.is_eos() {
                return Ok(None);
            }
            if !self.found.video.load(Ordering::Acquire) && begun.elapsed() > FIND_WITHIN {
                return Err(self.why_nothing());
            }
            if begun.elapsed() > PATIENCE {
                return Err(self.damaged("it gives no more pictures"));
            }
        };
        self.packet(&sample).map(Some)
    }

    fn packet(&mut self, sample: &gst::Sample) -> Result<Packet, ClipError> {
        let caps = sample.caps().ok_or_else(|| self.damaged("a picture without a format"))?;
        if self.caps.as_deref() != Some(caps) {
            let format = StreamFormat::from_caps(caps).ok_or_else(|| ClipError::Codec {
                path: self.path.clone(),
                codec: caps.structure(0).map_or("its codec", |s| s.name()).to_owned(),
            })?;
            self.stream = Some(Arc::new(format));
            self.caps = Some(caps.to_owned());
        }
        let (Some(stream), Some(data)) = (self.stream.clone(), sample.buffer_owned()) else {
            return Err(self.damaged("a picture without data"));
        };
        let pts = data.pts().map(Duration::from);
        let ms = i64::try_from(pts.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        let moment = Moment {
            captured_at: self.start_at.plus_ms(ms),
            time_source: TimeSource::Media,
            uncertainty_ms: None,
            seen_at: Instant::now(),
        };
        let key = !data.flags().contains(gst::BufferFlags::DELTA_UNIT);
        Ok(Packet { data, pts, key, stream, moment })
    }

    fn error(&self) -> Option<ClipError> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        let gst::MessageView::Error(e) = message.view() else { return None };
        let kind = e.error();
        let nothing_yet = self.stream.is_none();
        Some(if nothing_yet && !self.found.others().is_empty() && !self.found.video.load(Ordering::Acquire) {
            self.why_nothing()
        } else if nothing_yet
            && (kind.matches(gst::StreamError::TypeNotFound)
                || kind.matches(gst::StreamError::WrongType)
                || kind.matches(gst::StreamError::CodecNotFound)
                || kind.matches(gst::StreamError::Demux)
                || kind.matches(gst::StreamError::Failed))
        {
            ClipError::NotVideo { path: self.path.clone() }
        } else {
            self.damaged(kind.message())
        })
    }

    fn why_nothing(&self) -> ClipError {
        let path = self.path.clone();
        let tracks = self.found.others();
        match tracks.iter().find(|t| t.starts_with("video/")) {
            Some(codec) => ClipError::Codec { path, codec: codec.clone() },
            None if tracks.is_empty() => ClipError::NotVideo { path },
            None => ClipError::NoVideoTrack { path, tracks: tracks.join(", ") },
        }
    }

    fn damaged(&self, what: &str) -> ClipError {
        ClipError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Found {
    fn others(&self) -> Vec<String> {
        self.other.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Links the first video track that can be decoded; every other track stays unlinked.
fn link_first_video(parse: &gst::Element, sink: &gst_app::AppSink) -> Arc<Found> {
    let found = Arc::new(Found::default());
    let (seen, all) = (found.clone(), found.clone());
    parse.connect_no_more_pads(move |_| all.complete.store(true, Ordering::Release));
    let sink = sink.downgrade();
    parse.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let usable = StreamFormat::from_caps(&caps).is_some();
        let target = sink.upgrade().and_then(|s| s.static_pad("sink"));
        if usable
            && let Some(target) = target
            && !target.is_linked()
            && pad.link(&target).is_ok()
        {
            seen.video.store(true, Ordering::Release);
        } else {
            let name = caps.structure(0).map_or("unknown", |s| s.name()).to_owned();
            let mut other = seen.other.lock().unwrap_or_else(PoisonError::into_inner);
            if other.len() < 16 {
                other.push(name);
            }
        }
    });
    found
}
