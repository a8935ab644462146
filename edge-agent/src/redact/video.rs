//! Encoding of live video: H.264, constrained baseline, one picture in and one out. Only a `CoveredFrame` goes in;
//! only what comes out has bytes.

use std::time::Duration;

use edge_core::FrameSize;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::frame::CoveredFrame;
use crate::hardware::{self, MissingElement};

/// The encoder, from Debian's gstreamer1.0-plugins-bad.
pub const ENCODER: &str = "openh264enc";
/// An encoder that takes longer for a picture has failed.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(1_000);
/// Bits a second for each pixel of the picture, and within what.
const BITS_A_PIXEL: u32 = 3;
const LEAST_BITS: u32 = 300_000;
const MOST_BITS: u32 = 2_500_000;
/// Pictures between two key frames that nobody asked for.
const GROUP: u32 = 250;

/// Why there is no encoded picture.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(transparent)]
    Missing(#[from] MissingElement),
    #[error("live video cannot be encoded: {0}")]
    Failed(&'static str),
}

/// An encoded picture, fit to leave: start codes, parameters before each key frame.
#[derive(Clone)]
pub struct AccessUnit {
    bytes: Vec<u8>,
    at: Duration,
}

impl AccessUnit {
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its frame's time on the stream's own line.
    pub fn at(&self) -> Duration {
        self.at
    }
}

/// For pictures of one size. Owned by one thread.
pub struct Encoder {
    size: FrameSize,
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    sink: gst_app::AppSink,
}

impl Encoder {
    pub fn open(size: FrameSize) -> Result<Self, EncodeError> {
        let failed = |what| move |_| EncodeError::Failed(what);
        let encoder = hardware::make(ENCODER)?;
        let bits = (size.width * size.height).saturating_mul(BITS_A_PIXEL).clamp(LEAST_BITS, MOST_BITS);
        encoder.set_property("bitrate", bits);
        encoder.set_property("gop-size", GROUP);
        encoder.set_property("multi-thread", 1_u32);
        encoder.set_property_from_str("rate-control", "bitrate");
        encoder.set_property_from_str("complexity", "low");
        encoder.set_property_from_str("usage-type", "camera");
        let raw = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", size.width as i32)
            .field("height", size.height as i32)
            .field("framerate", gst::Fraction::new(15, 1))
            .build();
        let encoded = gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .field("profile", "constrained-baseline")
            .build();
        let source = gst_app::AppSrc::builder().caps(&raw).format(gst::Format::Time).build();
        let sink = gst_app::AppSink::builder().caps(&encoded).sync(false).build();
        let pipeline = gst::Pipeline::new();
        pipeline
            .add_many([source.upcast_ref(), &encoder, sink.upcast_ref()])
            .map_err(failed("its parts do not fit"))?;
        gst::Element::link_many([source.upcast_ref(), &encoder, sink.upcast_ref()])
            .map_err(failed("its parts do not fit"))?;
        let started = pipeline.set_state(gst::State::Playing);
        started.map_err(|_| EncodeError::Failed("it does not start"))?;
        Ok(Self { size, pipeline, source, encoder, sink })
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// `key`: as a key frame. After an error the encoder is of no use.
    pub fn encode(&mut self, frame: &CoveredFrame, key: bool) -> Result<AccessUnit, EncodeError> {
        if frame.size() != self.size {
            return Err(EncodeError::Failed("the picture has another size"));
        }
        if key {
            let wish = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            self.encoder.send_event(wish);
        }
        let mut buffer = gst::Buffer::from_slice(frame.bytes().to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::try_from(frame.at()).ok());
        }
        self.source.push_buffer(buffer).map_err(|_| EncodeError::Failed("it takes no picture"))?;
        let sample = self.sink.try_pull_sample(PATIENCE);
        let sample = sample.ok_or(EncodeError::Failed("no picture came out in time"))?;
        let encoded = sample.buffer().and_then(|buffer| buffer.map_readable().ok());
        let bytes = encoded.ok_or(EncodeError::Failed("what came out cannot be read"))?.to_vec();
        Ok(AccessUnit { bytes, at: frame.at() })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[cfg(test)]
mod tests {
    use edge_core::live::{Covering, Input, Verdict};

    use super::*;
    use crate::picture::{Chroma, Matrix, Planes};
    use crate::redact::OpenFrame;

    /// Frames of a moving pattern, covered.
    fn frame(number: u64) -> CoveredFrame {
        let (width, height) = (320, 240);
        let y: Vec<u8> = (0..width * height).map(|n| ((n + 7 * number as usize) % 200) as u8).collect();
        let uv = vec![128; width * height / 4];
        let chroma = Chroma::Planar { u: &uv, v: &uv, stride: width / 2 };
        let (matrix, full_range) = (Matrix::Bt601, false);
        let planes = Planes { width, height, y: &y, y_stride: width, chroma, matrix, full_range };
        let at = Duration::from_millis(100 * number);
        let mut covering = Covering::new(false);
        covering.handle(Input::Frame { at });
        covering.handle(Input::Analysed { at, persons: &[] });
        covering.handle(Input::Analysed { at: at + Duration::from_millis(100), persons: &[] });
        let Some(Verdict::Show(cover)) = covering.poll() else { panic!("not shown") };
        OpenFrame::from_planes(&planes, at).unwrap().covered(&cover).unwrap()
    }

    /// Types of the units in a picture.
    fn units(unit: &AccessUnit) -> Vec<u8> {
        unit.as_bytes().windows(4).filter(|w| w[..3] == [0, 0, 1]).map(|w| w[3] & 0x1f).collect()
    }

    #[test]
    fn one_picture_in_one_out_and_key_frames_when_they_are_asked_for() {
        let mut encoder = Encoder::open(frame(0).size()).unwrap();
        for number in 0..20 {
            let unit = encoder.encode(&frame(number), number == 13).unwrap();
            assert_eq!(unit.at(), Duration::from_millis(100 * number));
            let is_key = units(&unit).contains(&5);
            assert_eq!(is_key, number == 0 || number == 13, "picture {number}: {:?}", units(&unit));
            assert_eq!(units(&unit).contains(&7), is_key, "parameters before each key frame");
        }
    }
}
