//! One RTSP session: connects, sets up the video stream only, and gives packets.
//!
//! Made anew for every try and never reconnected. Dropping it sends TEARDOWN on a thread of its own,
//! because a camera that is gone must not hold up its agent.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use protocol::{CameraState, TimeSource, Timestamp};

use super::digest_only;
use super::fence::Fence;
use super::reach::{Reach, ReachError};
use super::{CameraConfig, Credentials, Transport, refusal};
use crate::decode::{Moment, Packet, StreamFormat};
use crate::hardware::{self, MissingElement};

/// Encoded pictures waiting for the decoder; when they are this many, all are passed over up to the
/// next key frame.
const QUEUE: usize = 64;
/// A camera whose clock differs by more is not believed.
const PLAUSIBLE_MS: i64 = 10_000;
/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// No sender report yet.
const NO_OFFSET: i64 = i64::MIN;
/// How late a picture is when it comes in, at most, on a wired camera: its encoder and our queue.
const AGENT_UNCERTAINTY_MS: u32 = 500;
const LATENCY_MS: u32 = 80;
const REFUSED: &str = "the camera refuses user or password";
const BARE: &str = "the camera would take the password only in the open (RTSP Basic), so it was not said: allow Digest at the camera";
const LED_ELSEWHERE: &str =
    "the camera points to another address, which is not followed; if that is right, make it the camera's url";

pub(crate) struct Source {
    pipeline: gst::Pipeline,
    packets: mpsc::Receiver<Packet>,
    overrun: Arc<AtomicBool>,
    unsupported: Arc<AtomicBool>,
    refused: Arc<AtomicBool>,
    fence: Arc<Fence>,
    ntp: Arc<AtomicI64>,
    teardown: Duration,
}

/// Why no session began.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Missing(#[from] MissingElement),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error(
        "this program cannot keep the camera's password from being sent in the open, and does not start: it was linked in another way than the project's"
    )]
    Bare,
}

impl StartError {
    pub fn state(&self) -> CameraState {
        match self {
            Self::Reach(ReachError::Unresolved { .. }) => CameraState::Offline,
            _ => CameraState::Unsupported,
        }
    }
}

/// Why a session ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub state: CameraState,
    pub reason: String,
}

impl Source {
    pub fn start(
        config: &CameraConfig,
        credentials: Option<&Credentials>,
        teardown: Duration,
    ) -> Result<Self, StartError> {
        let reach = Reach::of(&config.url, &config.networks)?;
        let rtsp = hardware::make("rtspsrc")?;
        for element in ["rtph264depay", "h264parse", "rtph265depay", "h265parse"] {
            hardware::require(element)?;
        }
        rtsp.set_property("location", config.url.as_str());
        rtsp.set_property_from_str(
            "protocols",
            match config.transport {
                Transport::Tcp => "tcp",
                Transport::Udp => "udp",
            },
        );
        rtsp.set_property("latency", LATENCY_MS);
        rtsp.set_property("drop-on-latency", true);
        // A busy camera's reports run ahead of its pictures; `moment` judges whether its clock can be true.
        rtsp.set_property("max-rtcp-rtp-time-diff", -1_i32);
        rtsp.set_property("tcp-timeout", 5_000_000_u64);
        rtsp.set_property("teardown-timeout", 500_000_000_u64);
        rtsp.set_property("do-retransmission", false);
        if let Some(credentials) = credentials {
            if !digest_only::in_force() {
                return Err(StartError::Bare);
            }
            rtsp.set_property("user-id", &credentials.user);
            rtsp.set_property("user-pw", credentials.password.expose());
        }
        let pipeline = gst::Pipeline::new();
        let missing = |_| MissingElement { element: "rtspsrc".to_owned() };
        pipeline.add(&rtsp).map_err(missing)?;
        let fence = Fence::around(&rtsp, &pipeline, reach);
        let (give, packets) = mpsc::sync_channel(QUEUE);
        let overrun = Arc::new(AtomicBool::new(false));
        let unsupported = Arc::new(AtomicBool::new(false));
        let refused = refusal::watch(&rtsp);
        let ntp = Arc::new(AtomicI64::new(NO_OFFSET));
        note_camera_clock(&rtsp, &ntp);
        let intake =
            Intake { give, overrun: overrun.clone(), ntp: ntp.clone(), format: None, until_key: false };
        choose_video(&rtsp, &unsupported);
        build_on_pad(&rtsp, &pipeline, intake, &unsupported);
        let source = Self { pipeline, packets, overrun, unsupported, refused, fence, ntp, teardown };
        // What goes wrong from here on is told by the bus.
        let _ = source.pipeline.set_state(gst::State::Playing);
        Ok(source)
    }

    /// The next packet, if one comes in time.
    pub fn packet(&self, wait: Duration) -> Option<Packet> {
        self.packets.recv_timeout(wait).ok()
    }

    /// Whether packets were passed over since this was asked.
    pub fn overrun(&self) -> bool {
        self.overrun.swap(false, Ordering::AcqRel)
    }

    /// By how much the camera's clock is ahead of ours when a packet of this time comes in; `None` before
    /// its first sender report.
    pub fn clock_ahead_ms(&self, packet: &Packet) -> Option<i64> {
        let offset = Some(self.ntp.load(Ordering::Acquire)).filter(|ns| *ns != NO_OFFSET)?;
        let camera = offset.checked_add(i64::try_from(packet.pts?.as_nanos()).ok()?)? / 1_000_000;
        Some(camera - unix_ms())
    }

    /// Why the session is over, if it is.
    pub fn ended(&self) -> Option<Ended> {
        if self.fence.is_crossed() {
            let reason = LED_ELSEWHERE.to_owned();
            return Some(Ended { state: CameraState::Unsupported, reason });
        }
        if self.fence.is_bare() {
            return Some(Ended { state: CameraState::Unsupported, reason: BARE.to_owned() });
        }
        if self.refused.load(Ordering::Acquire) {
            let reason = REFUSED.to_owned();
            return Some(Ended { state: CameraState::Credentials, reason });
        }
        if self.unsupported.load(Ordering::Acquire) {
            let reason = "the camera offers no H.264 or H.265 video; set its encoding to H.264".to_owned();
            return Some(Ended { state: CameraState::Unsupported, reason });
        }
        let ends = [gst::MessageType::Error, gst::MessageType::Eos];
        let message = self.pipeline.bus()?.pop_filtered(&ends)?;
        let (state, reason) = match message.view() {
            gst::MessageView::Error(e) => why(&e.error()),
            _ => (CameraState::Offline, "the camera ended the stream".to_owned()),
        };
        Some(Ended { state, reason })
    }
}

/// In our own words: GStreamer's may repeat the address.
fn why(error: &gst::glib::Error) -> (CameraState, String) {
    let (state, reason) = if error.matches(gst::ResourceError::NotAuthorized) {
        (CameraState::Credentials, REFUSED)
    } else if error.matches(gst::ResourceError::NotFound) {
        (CameraState::Unsupported, "the camera has no stream of that path; check the url")
    } else if error.matches(gst::StreamError::WrongType) || error.matches(gst::StreamError::CodecNotFound) {
        (CameraState::Unsupported, "the camera's stream can't be used; set its encoding to H.264")
    } else if error.matches(gst::ResourceError::OpenRead) || error.matches(gst::ResourceError::OpenReadWrite)
    {
        (CameraState::Offline, "the camera can't be reached; check power, cable and address")
    } else {
        (CameraState::Offline, "the connection to the camera broke")
    };
    (state, reason.to_owned())
}

impl Drop for Source {
    fn drop(&mut self) {
        let pipeline = self.pipeline.clone();
        let (done, ended) = mpsc::channel();
        let close = move || {
            let _ = pipeline.set_state(gst::State::Null);
            let _ = done.send(());
        };
        let thread = std::thread::Builder::new().name("teardown".to_owned()).spawn(close);
        // Empties the queue, so that no streaming thread waits on it.
        while self.packets.try_recv().is_ok() {}
        match thread {
            Ok(thread) if ended.recv_timeout(self.teardown).is_ok() => drop(thread.join()),
            _ => tracing::warn!("camera session does not end; left behind"),
        }
    }
}

/// Only the first video stream is ever SETUP; audio is not asked for.
fn choose_video(rtsp: &gst::Element, unsupported: &Arc<AtomicBool>) {
    let (chosen, unsupported) = (AtomicBool::new(false), unsupported.clone());
    rtsp.connect("select-stream", false, move |values| {
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let media = caps.as_ref().and_then(|c| c.structure(0));
        let field = |name| media.and_then(|s| s.get::<&str>(name).ok()).unwrap_or_default();
        let video = field("media") == "video";
        let known = matches!(field("encoding-name").to_ascii_uppercase().as_str(), "H264" | "H265");
        if video && !known && !chosen.load(Ordering::Acquire) {
            unsupported.store(true, Ordering::Release);
        }
        let wanted = video && known && !chosen.swap(true, Ordering::AcqRel);
        if wanted {
            unsupported.store(false, Ordering::Release);
        }
        Some(wanted.to_value())
    });
}

fn build_on_pad(
    rtsp: &gst::Element,
    pipeline: &gst::Pipeline,
    intake: Intake,
    unsupported: &Arc<AtomicBool>,
) {
    let (pipeline, unsupported) = (pipeline.downgrade(), unsupported.clone());
    rtsp.connect_pad_added(move |_, pad| {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(pipeline) = pipeline.upgrade() else { return };
        let name = caps.structure(0).and_then(|s| s.get::<String>("encoding-name").ok()).unwrap_or_default();
        let codec = name.to_ascii_lowercase();
        if !matches!(codec.as_str(), "h264" | "h265")
            || branch(&pipeline, pad, &codec, intake.clone()).is_none()
        {
            unsupported.store(true, Ordering::Release);
        }
    });
}

fn branch(pipeline: &gst::Pipeline, pad: &gst::Pad, codec: &str, mut intake: Intake) -> Option<()> {
    let depay = hardware::make(&format!("rtp{codec}depay")).ok()?;
    let parse = hardware::make(&format!("{codec}parse")).ok()?;
    parse.set_property("config-interval", -1_i32);
    let caps = gst::Caps::builder(format!("video/x-{codec}"))
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build();
    let sink = gst_app::AppSink::builder().sync(false).caps(&caps).max_buffers(4).build();
    let take = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        intake.take(&sample);
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(take).build());
    pipeline.add_many([&depay, &parse, sink.upcast_ref()]).ok()?;
    gst::Element::link_many([&depay, &parse, sink.upcast_ref()]).ok()?;
    for element in [sink.upcast_ref(), &parse, &depay] {
        element.sync_state_with_parent().ok()?;
    }
    pad.link(&depay.static_pad("sink")?).ok().map(|_| ())
}

/// Sender reports tie RTP time to the camera's clock; the jitter buffer tells them together with how it
/// ties RTP time to stream time. Kept: Unix time minus stream time, nanoseconds.
fn note_camera_clock(rtsp: &gst::Element, ntp: &Arc<AtomicI64>) {
    let ntp = ntp.clone();
    rtsp.connect("new-manager", false, move |values| {
        let ntp = ntp.clone();
        let manager = values.get(1)?.get::<gst::Element>().ok()?;
        manager.connect("new-jitterbuffer", false, move |values| {
            let ntp = ntp.clone();
            let buffer = values.get(1)?.get::<gst::Element>().ok()?;
            buffer.connect("handle-sync", false, move |values| {
                let report = values.get(1)?.get::<gst::Structure>().ok()?;
                if let Some(offset) = camera_clock(&report) {
                    ntp.store(offset, Ordering::Release);
                }
                None
            });
            None
        });
        None
    });
}

/// RFC 3550, 6.4.1: a sender report names one instant by NTP and by RTP time.
fn camera_clock(report: &gst::StructureRef) -> Option<i64> {
    let number = |name| report.get::<u64>(name).ok().map(i128::from);
    let rate = i128::from(report.get::<u32>("clock-rate").ok().filter(|rate| *rate > 0)?);
    let ticks = number("sr-ext-rtptime")? - number("base-rtptime")?;
    let stream_ns = number("base-time")? + ticks * 1_000_000_000 / rate;
    let packet = report.get::<gst::Buffer>("sr-buffer").ok()?;
    let mut head = [0; 16];
    packet.copy_to_slice(0, &mut head).ok()?;
    let [_, kind, _, _, _, _, _, _, a, b, c, d, e, f, g, h] = head;
    let seconds = i128::from(u32::from_be_bytes([a, b, c, d])) - i128::from(NTP_TO_UNIX);
    let fraction = i128::from(u32::from_be_bytes([e, f, g, h]));
    let unix_ns = seconds * 1_000_000_000 + ((fraction * 1_000_000_000) >> 32);
    // 200: a sender report.
    (kind == 200).then(|| i64::try_from(unix_ns - stream_ns).ok())?
}

#[derive(Clone)]
struct Intake {
    give: mpsc::SyncSender<Packet>,
    overrun: Arc<AtomicBool>,
    ntp: Arc<AtomicI64>,
    format: Option<(gst::Caps, Arc<StreamFormat>)>,
    until_key: bool,
}

impl Intake {
    fn take(&mut self, sample: &gst::Sample) {
        let (Some(caps), Some(data)) = (sample.caps_owned(), sample.buffer_owned()) else { return };
        if self.format.as_ref().is_none_or(|(known, _)| *known != caps) {
            let Some(format) = StreamFormat::from_caps(&caps) else { return };
            self.format = Some((caps, Arc::new(format)));
        }
        let Some((_, stream)) = &self.format else { return };
        let key = !data.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if self.until_key && !key {
            return;
        }
        let pts = data.pts().map(Duration::from);
        let moment = moment(pts, self.ntp.load(Ordering::Acquire));
        let packet = Packet { data, pts, key, stream: stream.clone(), moment };
        self.until_key = self.give.try_send(packet).is_err();
        if self.until_key {
            self.overrun.store(true, Ordering::Release);
        }
    }
}

/// The camera's time where it has one that can be true, else the agent's.
pub(super) fn moment(pts: Option<Duration>, ntp_offset: i64) -> Moment {
    let now = unix_ms();
    let camera = pts
        .filter(|_| ntp_offset != NO_OFFSET)
        .and_then(|pts| ntp_offset.checked_add(i64::try_from(pts.as_nanos()).ok()?))
        .map(|ns| ns / 1_000_000)
        .filter(|ms| (now - ms).abs() <= PLAUSIBLE_MS);
    let (at, time_source, uncertainty) = match camera {
        // Both clocks saw the picture; the truth can't be further off than they differ.
        Some(ms) => (ms, TimeSource::Camera, u32::try_from((now - ms).abs()).unwrap_or(u32::MAX).max(1)),
        None => (now, TimeSource::Agent, AGENT_UNCERTAINTY_MS),
    };
    Moment {
        captured_at: Timestamp::from_unix_ms(at),
        time_source,
        uncertainty_ms: Some(uncertainty),
        seen_at: Instant::now(),
    }
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
