//! Cameras against a real RTSP server inside the test: right and wrong password, gone and back, stalled.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::glib;
use gstreamer as gst;
use gstreamer_rtsp_server as rtsp;
use protocol::{CameraState, TimeSource};
use rtsp::prelude::*;
use settings::Secret;
use testkit::camera::{Clip, Spec};

use super::{Break, Camera, CameraConfig, CameraOutput, Credentials, Patience};
use crate::hardware::{Isolation, Profile};

pub(crate) const PASSWORD: &str = "right-horse";

/// A camera with one H.264 and one audio stream, user `guard`.
pub(crate) struct Simulator {
    context: glib::MainContext,
    running: glib::MainLoop,
    source: glib::Source,
    server: rtsp::RTSPServer,
    thread: Option<JoinHandle<()>>,
    pub(crate) port: i32,
    pub(crate) connections: Arc<AtomicU32>,
    setups: Arc<AtomicU32>,
    media: Arc<Mutex<Option<rtsp::RTSPMedia>>>,
}

impl Simulator {
    /// Port 0: any free one.
    pub(crate) fn start(port: i32) -> Self {
        Self::start_with(port, "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10")
    }

    pub(crate) fn start_with(port: i32, encoder: &str) -> Self {
        gst::init().unwrap();
        let server = rtsp::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let auth = rtsp::RTSPAuth::new();
        auth.set_supported_methods(rtsp::gst_rtsp::RTSPAuthMethod::Digest);
        let token = rtsp::RTSPToken::builder().field("media.factory.role", "viewer").build();
        auth.add_digest("guard", PASSWORD, &token);
        server.set_auth(Some(&auth));
        let codec = if encoder.starts_with("x265enc") { "h265" } else { "h264" };
        let factory = rtsp::RTSPMediaFactory::new();
        factory.set_shared(true);
        factory.set_launch(&format!(
            "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=20/1 \
             ! {encoder} ! valve name=valve \
             ! rtp{codec}pay name=pay0 pt=96 audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 )"
        ));
        let role = gst::Structure::builder("viewer")
            .field("media.factory.access", true)
            .field("media.factory.construct", true)
            .build();
        factory.add_role_from_structure(&role);
        let media = Arc::new(Mutex::new(None));
        let keep = media.clone();
        factory.connect_media_configure(move |_, media| *keep.lock().unwrap() = Some(media.clone()));
        server.mount_points().unwrap().add_factory("/live", factory);
        let (connections, setups) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (seen, asked) = (connections.clone(), setups.clone());
        server.connect_client_connected(move |_, client| {
            seen.fetch_add(1, Ordering::SeqCst);
            let asked = asked.clone();
            client.connect_setup_request(move |_, _| {
                asked.fetch_add(1, Ordering::SeqCst);
            });
        });
        let context = glib::MainContext::new();
        let source = server.create_source(None::<&rtsp::gio::Cancellable>).unwrap();
        source.attach(Some(&context));
        let running = glib::MainLoop::new(Some(&context), false);
        let turn = running.clone();
        let thread = Some(std::thread::spawn(move || turn.run()));
        let port = server.bound_port();
        Self { context, running, source, server, thread, port, connections, setups, media }
    }

    fn stall(&self) {
        let media = self.media.lock().unwrap();
        let valve =
            media.as_ref().unwrap().element().downcast::<gst::Bin>().unwrap().by_name("valve").unwrap();
        valve.set_property("drop", true);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.source.destroy();
        self.server.client_filter(Some(&mut |_, _| rtsp::RTSPFilterResult::Remove));
        let turn = self.running.clone();
        self.context.invoke(move || turn.quit());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn patience() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        stall: Duration::from_millis(700),
        credentials: Duration::from_secs(600),
        retry: (Duration::from_millis(50), Duration::from_millis(200)),
        teardown: Duration::from_secs(3),
    }
}

fn watch(port: i32, password: &str) -> (Camera, mpsc::Receiver<CameraOutput>) {
    watch_path(port, "/live", password)
}

fn watch_path(port: i32, path: &str, password: &str) -> (Camera, mpsc::Receiver<CameraOutput>) {
    let text = format!("id = \"gate\"\nurl = \"rtsp://127.0.0.1:{port}{path}\"\nuser = \"guard\"");
    let config: CameraConfig = toml::from_str(&text).unwrap();
    let credentials = Credentials { user: config.user.clone(), password: Secret::new(password) };
    let mut profile = Profile::builtin().unwrap();
    profile.decoder.isolation = Isolation::None;
    let (give, outputs) = mpsc::channel();
    let sink = move |output| drop(give.send(output));
    let camera = Camera::start_with(config, Some(credentials), &profile, patience(), sink).unwrap();
    (camera, outputs)
}

/// Reads until `wanted`; everything on the way comes back.
fn until(
    outputs: &mpsc::Receiver<CameraOutput>,
    wanted: impl Fn(&CameraOutput) -> bool,
) -> Vec<CameraOutput> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut seen = vec![];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let output = outputs.recv_timeout(left).unwrap_or_else(|_| {
            let tail = &seen[seen.len().saturating_sub(3)..];
            panic!("never came; seen {} outputs, at last {tail:?}", seen.len())
        });
        let found = wanted(&output);
        seen.push(output);
        if found {
            return seen;
        }
    }
}

fn is(wanted: CameraState) -> impl Fn(&CameraOutput) -> bool {
    move |output| matches!(output, CameraOutput::State { state, .. } if *state == wanted)
}

fn frames(outputs: &[CameraOutput]) -> Vec<(u64, Duration)> {
    let frame = |o: &CameraOutput| match o {
        CameraOutput::Frame(f) => Some((f.number, f.media_time)),
        _ => None,
    };
    outputs.iter().filter_map(frame).collect()
}

#[test]
fn the_right_password_brings_pictures_and_audio_is_never_set_up() {
    let simulator = Simulator::start(0);
    let (camera, outputs) = watch(simulator.port, PASSWORD);
    let mut seen = until(&outputs, is(CameraState::Live));
    seen.extend(until(&outputs, |o| matches!(o, CameraOutput::Frame(f) if f.number == 20)));
    let frames = frames(&seen);
    assert!(frames.windows(2).all(|f| f[0].0 + 1 == f[1].0 && f[0].1 < f[1].1), "{frames:?}");
    let CameraOutput::Frame(frame) = seen.last().unwrap() else { unreachable!() };
    assert_eq!((frame.width, frame.height), (320, 240));
    assert!(frame.uncertainty_ms.is_some());
    // The camera's own clock, by sender reports, is looked at in the system test of first light: on a
    // loaded machine this server sends none for half a minute.
    assert_eq!(simulator.setups.load(Ordering::SeqCst), 1, "one SETUP: the video");
    assert!(camera.stop());
}

/// Longer than many of the waits between two tries here: another one would have come.
const MANY_WAITS: Duration = Duration::from_secs(2);

#[test]
fn a_wrong_password_is_said_twice_and_never_shown() {
    let simulator = Simulator::start(0);
    let (camera, outputs) = watch(simulator.port, "wrong-battery");
    let seen = until(&outputs, is(CameraState::Credentials));
    assert!(!format!("{seen:?}").contains("wrong-battery"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while simulator.connections.load(Ordering::SeqCst) < 2 {
        assert!(Instant::now() < deadline, "two tries");
        std::thread::yield_now();
    }
    let more = outputs.recv_timeout(MANY_WAITS);
    assert!(more.is_err(), "{more:?}");
    assert_eq!(simulator.connections.load(Ordering::SeqCst), 2);
    assert!(camera.stop());
}

/// One that counts wrong passwords and locks the account at the third, as cameras do.
#[test]
fn an_account_is_not_locked_and_the_right_password_still_opens_it() {
    let spec = Spec {
        id: "gate".into(),
        clip: Arc::new(Clip::drawn(320, 240, 10, 20).unwrap()),
        port: 0,
        user: "guard".into(),
        password: PASSWORD.into(),
        start_at: Duration::ZERO,
        max_sessions: 0,
        lock_after: 3,
    };
    let real = testkit::camera::Camera::start(spec).unwrap();
    let port = i32::from(real.port());
    let (camera, outputs) = watch_path(port, "/stream", "wrong-battery");
    until(&outputs, is(CameraState::Credentials));
    let more = outputs.recv_timeout(MANY_WAITS);
    assert!(more.is_err(), "{more:?}");
    assert!(camera.stop());
    assert_eq!((real.counts().refused, real.counts().locks), (2, 0));
    let (camera, outputs) = watch_path(port, "/stream", PASSWORD);
    until(&outputs, is(CameraState::Live));
    assert!(camera.stop());
    // A third wrong one does lock it: now the right one is refused as well.
    for password in ["wrong-battery", PASSWORD] {
        let (camera, outputs) = watch_path(port, "/stream", password);
        until(&outputs, is(CameraState::Credentials));
        assert!(camera.stop());
    }
    assert_eq!(real.counts().locks, 1);
}

#[test]
fn a_camera_that_was_gone_comes_back() {
    let simulator = Simulator::start(0);
    let port = simulator.port;
    let (camera, outputs) = watch(port, PASSWORD);
    let before = frames(&until(&outputs, is(CameraState::Live)));
    drop(simulator);
    let gone = until(&outputs, is(CameraState::Offline));
    let again = Simulator::start(port);
    let back = until(&outputs, is(CameraState::Live));
    let breaks = back.iter().filter(|o| matches!(o, CameraOutput::Discontinuity { why: Break::Reconnected }));
    assert_eq!(breaks.count(), 1);
    let times: Vec<_> = [before, frames(&gone), frames(&back)].concat();
    assert!(times.windows(2).all(|t| t[0].0 + 1 == t[1].0 && t[0].1 < t[1].1), "{times:?}");
    assert!(camera.stop());
    drop(again);
}

#[test]
fn h265_brings_pictures_as_well() {
    let simulator =
        Simulator::start_with(0, "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10");
    let (camera, outputs) = watch(simulator.port, PASSWORD);
    until(&outputs, is(CameraState::Live));
    let seen = until(&outputs, |o| matches!(o, CameraOutput::Frame(f) if f.number == 3));
    let CameraOutput::Frame(frame) = seen.last().unwrap() else { unreachable!() };
    assert_eq!((frame.width, frame.height, frame.damaged), (320, 240, false));
    assert!(camera.stop());
}

#[test]
fn a_stalled_camera_is_noticed_and_connected_anew() {
    let simulator = Simulator::start(0);
    let (camera, outputs) = watch(simulator.port, PASSWORD);
    until(&outputs, is(CameraState::Live));
    simulator.stall();
    until(&outputs, is(CameraState::Stalled));
    assert!(camera.stop());
}

#[test]
fn credentials_in_a_url_are_refused_with_the_cure_and_not_repeated() {
    let text = "id = \"gate\"\nurl = \"rtsp://admin:hunter2@10.0.0.9/live\"";
    let error = settings::parse::<CameraConfig>(text, "agent.toml".as_ref()).unwrap_err().to_string();
    assert!(error.contains("password_file") && !error.contains("hunter2"), "{error}");
    for url in ["http://10.0.0.9/", "rtsp://", "rtsp:///live", "rtsp://a b/"] {
        assert!(super::RtspUrl::try_from(url.to_owned()).is_err(), "{url}");
    }
}

#[test]
fn the_camera_clock_is_believed_only_where_it_can_be_true() {
    use super::source::moment;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_nanos()).unwrap();
    let pts = Some(Duration::from_secs(5));
    let near = moment(pts, now - 5_000_000_000 - 200_000_000);
    assert_eq!(near.time_source, TimeSource::Camera);
    assert!((200..400).contains(&near.uncertainty_ms.unwrap()), "{near:?}");
    assert_eq!(moment(pts, now - 3_600_000_000_000).time_source, TimeSource::Agent);
    assert_eq!(moment(pts, i64::MIN).time_source, TimeSource::Agent);
    assert_eq!(moment(None, now).time_source, TimeSource::Agent);
}
