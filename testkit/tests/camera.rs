//! The simulated camera against a real RTSP client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use testkit::camera::{Camera, Clip, Command, Rubbish, Spec};

/// Longer than anything here should take on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

/// Three seconds of 160x120 at 10 fps.
fn camera() -> Camera {
    locking_after(0)
}

fn locking_after(lock_after: u64) -> Camera {
    let clip = Arc::new(Clip::drawn_for_tests());
    let spec = Spec {
        id: "gate".to_owned(),
        clip,
        port: 0,
        user: "viewer".to_owned(),
        password: "open sesame".to_owned(),
        start_at: Duration::from_secs(1),
        max_sessions: 0,
        lock_after,
    };
    Camera::start(spec).unwrap()
}

trait Drawn {
    fn drawn_for_tests() -> Clip;
}
impl Drawn for Clip {
    fn drawn_for_tests() -> Clip {
        Clip::drawn(160, 120, 10, 30).unwrap()
    }
}

/// A decoding client over TCP. Its times are the camera's own: without `buffer-mode=none` they would
/// follow when the packets arrived.
struct Client {
    pipeline: gst::Pipeline,
    frames: gst_app::AppSink,
}

struct Frame {
    pts: gst::ClockTime,
    width: i32,
    pixels: Vec<u8>,
}

impl Client {
    fn connect(camera: &Camera, password: &str) -> Self {
        gst::init().unwrap();
        let launch = "rtspsrc name=in protocols=tcp latency=0 buffer-mode=none ! rtph264depay ! h264parse ! avdec_h264 \
                      ! video/x-raw,format=I420 ! appsink name=out sync=false";
        let pipeline = gst::parse::launch(launch).unwrap().downcast::<gst::Pipeline>().unwrap();
        let source = pipeline.by_name("in").unwrap();
        source.set_property("location", camera.url());
        source.set_property("user-id", "viewer");
        source.set_property("user-pw", password);
        let frames = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, frames }
    }

    fn frame(&self, bound: Duration) -> Option<Frame> {
        let bound = gst::ClockTime::from_nseconds(bound.as_nanos() as u64);
        let sample = self.frames.try_pull_sample(bound)?;
        let buffer = sample.buffer()?;
        let width = sample.caps()?.structure(0)?.get("width").ok()?;
        Some(Frame { pts: buffer.pts()?, width, pixels: buffer.map_readable().ok()?.to_vec() })
    }

    fn frame_until(&self, what: &str, mut good: impl FnMut(&Frame) -> bool) -> Frame {
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            if let Some(frame) = self.frame(Duration::from_secs(1)).filter(&mut good) {
                return frame;
            }
        }
        panic!("no {what}: {:?}", self.error());
    }

    fn error(&self) -> Option<String> {
        let message =
            self.pipeline.bus()?.timed_pop_filtered(gst::ClockTime::ZERO, &[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(format!("{} {:?}", error.error(), error.debug())),
            _ => None,
        }
    }

    fn wait_for_error(&self) -> String {
        let bound = gst::ClockTime::from_seconds(BOUND.as_secs());
        let message = self.pipeline.bus().unwrap().timed_pop_filtered(bound, &[gst::MessageType::Error]);
        match message.expect("the client should have failed").view() {
            gst::MessageView::Error(error) => format!("{} {:?}", error.error(), error.debug()),
            _ => unreachable!("filtered above"),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[test]
fn pictures_come_and_time_runs_on_over_the_loop_point() {
    let camera = camera();
    let client = Client::connect(&camera, "open sesame");
    // 4.5 s of a 3 s clip: the loop point is in it.
    let times: Vec<_> = (0..45).map(|n| client.frame_until(&format!("frame {n}"), |_| true).pts).collect();
    let steps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).mseconds());
    let steps: Vec<_> = steps.collect();
    assert!(steps.iter().all(|ms| (99..=101).contains(ms)), "milliseconds between pictures: {steps:?}");
    let counts = camera.counts();
    assert_eq!((counts.connections, counts.setups, counts.plays), (1, 1, 1));
}

#[test]
fn a_wrong_password_is_refused_and_a_second_client_shares_the_stream() {
    let camera = camera();
    let wrong = Client::connect(&camera, "guess");
    let error = wrong.wait_for_error();
    assert!(error.to_lowercase().contains("unauthorized"), "{error}");
    let one = Client::connect(&camera, "open sesame");
    let two = Client::connect(&camera, "open sesame");
    assert!(one.frame(BOUND).is_some() && two.frame(BOUND).is_some());
}

#[test]
fn the_third_wrong_password_locks_the_account_until_it_is_unlocked() {
    let camera = locking_after(3);
    assert!(Client::connect(&camera, "open sesame").frame(BOUND).is_some());
    assert_eq!((camera.counts().refused, camera.counts().locks), (0, 0), "a right one is not counted");
    while camera.counts().locks == 0 {
        let before = camera.counts().refused;
        assert!(before < 3, "three wrong ones did not lock it");
        Client::connect(&camera, "guess").wait_for_error();
        assert!(camera.counts().refused > before);
    }
    let error = Client::connect(&camera, "open sesame").wait_for_error();
    assert!(error.to_lowercase().contains("unauthorized"), "{error}");
    camera.apply(&Command::Unlock).unwrap();
    assert!(Client::connect(&camera, "open sesame").frame(BOUND).is_some());
}

#[test]
fn only_digest_authentication_is_offered() {
    use std::io::{Read, Write};
    let camera = camera();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", camera.port())).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let basic = "dmlld2VyOm9wZW4gc2VzYW1l"; // viewer:open sesame
    write!(stream, "DESCRIBE {} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic {basic}\r\n\r\n", camera.url())
        .unwrap();
    let mut answer = [0; 1024];
    let n = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]);
    assert!(answer.starts_with("RTSP/1.0 401"), "{answer}");
    assert!(answer.contains("WWW-Authenticate: Digest") && !answer.contains("Basic"), "{answer}");
}

#[test]
fn a_stalled_camera_keeps_the_connection_and_a_resumed_one_plays_on() {
    let camera = camera();
    let client = Client::connect(&camera, "open sesame");
    assert!(client.frame(BOUND).is_some());
    camera.apply(&Command::Stall).unwrap();
    while client.frame(Duration::from_secs(1)).is_some() {}
    assert_eq!(client.error(), None);
    let late = Client::connect(&camera, "open sesame");
    assert!(late.frame(Duration::from_secs(2)).is_none() && late.error().is_none());
    camera.apply(&Command::Resume).unwrap();
    assert!(client.frame(BOUND).is_some() && late.frame(BOUND).is_some());
}

#[test]
fn a_frozen_camera_shows_bit_equal_pictures() {
    let camera = camera();
    let client = Client::connect(&camera, "open sesame");
    assert!(client.frame(BOUND).is_some());
    camera.apply(&Command::Freeze).unwrap();
    let (mut last, mut equal) = (Vec::new(), 0);
    client.frame_until("15 equal pictures", |frame| {
        equal = if frame.pixels == last { equal + 1 } else { 0 };
        last.clone_from(&frame.pixels);
        equal >= 15
    });
    camera.apply(&Command::Resume).unwrap();
    client.frame_until("other picture", |frame| frame.pixels != last);
}

#[test]
fn a_stopped_camera_closes_its_port_and_comes_back_on_the_same_one() {
    let camera = camera();
    let client = Client::connect(&camera, "open sesame");
    assert!(client.frame(BOUND).is_some());
    camera.apply(&Command::Stop).unwrap();
    assert!(!testkit::port::is_open(camera.port()));
    while client.frame(Duration::from_millis(500)).is_some() {}
    camera.apply(&Command::Start).unwrap();
    assert!(Client::connect(&camera, "open sesame").frame(BOUND).is_some());
}

#[test]
fn a_new_resolution_comes_over_the_open_connection() {
    let camera = camera();
    let client = Client::connect(&camera, "open sesame");
    assert_eq!(client.frame(BOUND).unwrap().width, 160);
    camera.apply(&Command::Resolution { width: 320, height: 240 }).unwrap();
    client.frame_until("wider picture", |frame| frame.width == 320);
    assert_eq!(camera.counts().connections, 1);
    assert!(camera.apply(&Command::Resolution { width: 321, height: 0 }).is_err());
}

#[test]
fn a_changed_password_is_refused_until_it_is_changed_back() {
    let camera = camera();
    camera.apply(&Command::RefusePassword { on: true }).unwrap();
    let error = Client::connect(&camera, "open sesame").wait_for_error();
    assert!(error.to_lowercase().contains("unauthorized"), "{error}");
    camera.apply(&Command::RefusePassword { on: false }).unwrap();
    assert!(Client::connect(&camera, "open sesame").frame(BOUND).is_some());
}

#[test]
fn rubbish_fails_a_client_and_the_camera_recovers() {
    let camera = camera();
    for kind in [Rubbish::Http, Rubbish::BadSdp] {
        camera.apply(&Command::RtspGarbage { kind }).unwrap();
        // Some clients give up, some wait: none may get a picture.
        assert!(Client::connect(&camera, "open sesame").frame(Duration::from_secs(1)).is_none(), "{kind:?}");
    }
    camera.apply(&Command::Resume).unwrap();
    let client = Client::connect(&camera, "open sesame");
    assert!(client.frame(BOUND).is_some());
    let clean = client.frame(BOUND).unwrap().pixels.len();
    camera.apply(&Command::Garbage { on: true, seed: 7 }).unwrap();
    for _ in 0..10 {
        client.frame(Duration::from_millis(200));
    }
    camera.apply(&Command::Resume).unwrap();
    client.frame_until("clean picture", |frame| frame.pixels.len() == clean);
}
