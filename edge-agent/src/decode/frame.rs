//! A decoded frame: planes with their number and time. Owns its memory until dropped.

use std::fmt;
use std::time::{Duration, Instant};

use gst_video::prelude::*;
use gstreamer_video as gst_video;
use protocol::{TimeSource, Timestamp};

use super::ledger::Entry;
use super::ring::{Lease, Picture};
use super::{DecodeError, Moment};
use crate::picture::{Chroma, Matrix, Planes};

/// One decoded picture. `Send`; give it back soon: a decoder has few.
pub struct Frame {
    /// Counts from 1 since the decoder was opened.
    pub number: u64,
    /// Time on the stream's own line.
    pub media_time: Duration,
    pub captured_at: Timestamp,
    pub time_source: TimeSource,
    /// See [`Moment::uncertainty_ms`].
    pub uncertainty_ms: Option<u32>,
    pub seen_at: Instant,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// The decoder had to invent parts of it: never evidence.
    pub damaged: bool,
    memory: Memory,
}

enum Memory {
    Mapped { frame: Box<gst_video::VideoFrame<gst_video::video_frame::Readable>>, picture: Picture },
    Shared { lease: Lease, picture: Picture },
}

impl Frame {
    pub(super) fn mapped(
        buffer: gstreamer::Buffer,
        video: &gst_video::VideoInfo,
        entry: Entry,
    ) -> Result<Self, DecodeError> {
        let interleaved = match video.format() {
            gst_video::VideoFormat::I420 => false,
            gst_video::VideoFormat::Nv12 => true,
            other => return Err(DecodeError::Unsupported { what: format!("pixel format {other}") }),
        };
        let damaged = buffer.flags().contains(gstreamer::BufferFlags::CORRUPTED);
        let colour = video.colorimetry();
        let picture = Picture {
            width: video.width(),
            height: video.height(),
            interleaved,
            bt709: match colour.matrix() {
                gst_video::VideoColorMatrix::Bt709 => true,
                gst_video::VideoColorMatrix::Bt601 => false,
                // Untagged: by size, as BT.601 and BT.709 were meant for.
                _ => video.height() >= 720,
            },
            full_range: colour.range() == gst_video::VideoColorRange::Range0_255,
        };
        let frame = gst_video::VideoFrame::from_buffer_readable(buffer, video)
            .map_err(|_| DecodeError::Damaged { what: "the picture can't be mapped".to_owned() })?;
        Ok(Self::new(entry, damaged, picture, Memory::Mapped { frame: Box::new(frame), picture }))
    }

    pub(super) fn shared(lease: Lease, picture: Picture, damaged: bool, entry: Entry) -> Self {
        Self::new(entry, damaged, picture, Memory::Shared { lease, picture })
    }

    fn new((number, media_time, moment): Entry, damaged: bool, picture: Picture, memory: Memory) -> Self {
        let Moment { captured_at, time_source, uncertainty_ms, seen_at } = moment;
        let Picture { width, height, .. } = picture;
        Self {
            number,
            media_time,
            captured_at,
            time_source,
            uncertainty_ms,
            seen_at,
            width,
            height,
            damaged,
            memory,
        }
    }

    /// The pixels, as the decoder left them.
    pub fn planes(&self) -> Planes<'_> {
        match &self.memory {
            Memory::Mapped { frame, picture } => mapped_planes(frame, picture),
            Memory::Shared { lease, picture } => picture.planes(lease.bytes()),
        }
    }

    pub(super) fn picture(&self) -> Picture {
        match &self.memory {
            Memory::Mapped { picture, .. } | Memory::Shared { picture, .. } => *picture,
        }
    }
}

fn mapped_planes<'a>(
    frame: &'a gst_video::VideoFrame<gst_video::video_frame::Readable>,
    picture: &Picture,
) -> Planes<'a> {
    let [y, u, v, _] = frame.planes_data();
    let stride = |plane: usize| usize::try_from(frame.plane_stride()[plane]).unwrap_or(0);
    let chroma = if picture.interleaved {
        Chroma::Interleaved { uv: u, stride: stride(1) }
    } else {
        Chroma::Planar { u, v, stride: stride(1) }
    };
    Planes {
        width: picture.width as usize,
        height: picture.height as usize,
        y,
        y_stride: stride(0),
        chroma,
        matrix: if picture.bt709 { Matrix::Bt709 } else { Matrix::Bt601 },
        full_range: picture.full_range,
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} at {:?}, {}x{})", self.number, self.media_time, self.width, self.height)
    }
}
