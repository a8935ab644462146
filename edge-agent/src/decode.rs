//! The decode seam: packets in, planes out.
//!
//! Owns what a packet, a frame and a decoder are, and the two decoders: inside the agent
//! (`element`) and in a sandboxed child (`process`, `worker`, `sandbox`). Where packets come from
//! stays with `camera` and `clip`; what frames are used for, with the detector.

pub mod element;
mod frame;
mod ledger;
pub mod process;
mod ring;
pub mod sandbox;
mod wire;
pub mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use protocol::{TimeSource, Timestamp};
use serde::{Deserialize, Serialize};

use crate::hardware::{Isolation, MissingElement, Profile};
pub use frame::Frame;

/// How a stream is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    H264,
    H265,
    /// MPEG-4 part 2 (Xvid, DivX 4 and later).
    Mpeg4,
    /// Microsoft's variant of it (DivX 3), as old AVI files have it.
    Msmpeg4,
    Mjpeg,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Mpeg4 => "MPEG-4 part 2",
            Codec::Msmpeg4 => "MS MPEG-4",
            Codec::Mjpeg => "MJPEG",
        })
    }
}

/// What a decoder must know before the first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFormat {
    pub codec: Codec,
    /// GStreamer caps, as text.
    pub caps: String,
    /// Pixels, where the stream's headers say so.
    pub size: Option<(u32, u32)>,
}

impl StreamFormat {
    /// `None`: not a video codec that Signalbox decodes.
    pub fn from_caps(caps: &gst::CapsRef) -> Option<Self> {
        let s = caps.structure(0)?;
        let codec = match s.name().as_str() {
            "video/x-h264" => Codec::H264,
            "video/x-h265" => Codec::H265,
            "image/jpeg" => Codec::Mjpeg,
            "video/mpeg" if s.get::<i32>("mpegversion") == Ok(4) => Codec::Mpeg4,
            "video/x-divx" if s.get::<i32>("divxversion") == Ok(3) => Codec::Msmpeg4,
            "video/x-divx" | "video/x-xvid" => Codec::Mpeg4,
            "video/x-msmpeg" if s.get::<i32>("msmpegversion") == Ok(43) => Codec::Msmpeg4,
            _ => return None,
        };
        let side = |name| s.get::<i32>(name).ok().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let size = side("width").zip(side("height"));
        Some(Self { codec, caps: caps.to_string(), size })
    }
}

/// When a picture was taken, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub captured_at: Timestamp,
    pub time_source: TimeSource,
    /// Half width of the interval the true time lies in; `None`: unknown.
    pub uncertainty_ms: Option<u32>,
    /// When the packet came in, by the agent's monotonic clock.
    pub seen_at: Instant,
}

/// One encoded picture (access unit). Cheap to clone: the bytes are shared.
#[derive(Debug, Clone)]
pub struct Packet {
    pub data: gst::Buffer,
    /// Presentation time on the source's own line.
    pub pts: Option<Duration>,
    /// Decoding can start here.
    pub key: bool,
    pub stream: Arc<StreamFormat>,
    pub moment: Moment,
}

impl Packet {
    /// Encoded bytes.
    pub fn size(&self) -> usize {
        self.data.size()
    }
}

/// Counts since the decoder was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Packets given.
    pub packets: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Packets passed over while a key frame was awaited.
    pub skipped: u64,
    /// Errors in the stream.
    pub damaged: u64,
    /// Processes that died or hung.
    pub restarts: u64,
}

/// Packets in, planes out: give one packet, take the frames it completed, repeat.
pub trait Decoder: Send {
    /// Decodes one packet. Packets before the first key frame (and, after a decoder was lost, before
    /// the next one) are passed over and counted.
    ///
    /// # Errors
    /// [`DecodeError`]; unless [`DecodeError::is_final`] says otherwise, go on with the next packet.
    fn decode(&mut self, packet: &Packet) -> Result<(), DecodeError>;
    /// The next finished frame in the order of display; `None`: give it more packets.
    ///
    /// # Errors
    /// [`DecodeError::NoRoom`] when the caller holds too many frames.
    fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError>;
    /// End of the stream: brings out the frames the decoder still holds back.
    fn drain(&mut self) -> Result<(), DecodeError>;
    /// Forgets everything and waits for a key frame.
    fn flush(&mut self) -> Result<(), DecodeError>;
    fn counts(&self) -> DecodeCounts;
}

/// Why a packet gave no picture. Never a reason to stop the agent.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Missing(#[from] MissingElement),
    #[error("hardware profile {profile} names no decoder for {codec}: add it under [decoder.elements]")]
    NoDecoder { codec: Codec, profile: String },
    #[error("the stream can't be decoded: {what}")]
    Unsupported { what: String },
    #[error("damaged picture: {what}")]
    Damaged { what: String },
    #[error("an encoded picture of {bytes} bytes is over the limit of {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("all {slots} pictures of this camera are in use")]
    NoRoom { slots: u32 },
    #[error("the decoding process was lost: {what}")]
    Lost { what: String },
    #[error("cannot start a decoding process: {what}")]
    Start {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl DecodeError {
    /// Whether no later packet of this stream can do better.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::NoDecoder { .. } | Self::Unsupported { .. })
    }
}

/// What is decoded: a camera wants the newest picture, a clip every picture, the same every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Live,
    Clip,
}

/// The decoder that the profile asks for. Nothing starts before the first packet.
pub fn open(profile: &Profile, purpose: Purpose) -> Box<dyn Decoder> {
    match profile.decoder.isolation {
        Isolation::Process => Box::new(process::ProcessDecoder::new(profile, purpose)),
        Isolation::None => Box::new(element::ElementDecoder::new(profile, purpose)),
    }
}
