//! Cameras that lead elsewhere, against a neighbour that counts who comes: nobody may.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::source::Source;
use super::super::{CameraConfig, Credentials, reach};
use super::*;
use protocol::CameraState;
use settings::Secret;

/// Longer than any session here takes to end.
const BOUND: Duration = Duration::from_secs(20);

/// A neighbour of the camera, by every address that this machine has for it.
pub(crate) struct Neighbour {
    tcp: Vec<TcpListener>,
    udp: UdpSocket,
    pub port: u16,
}

impl Neighbour {
    pub fn listen() -> Self {
        let first = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let mut tcp = vec![first];
        tcp.extend(TcpListener::bind(("::1", port)));
        for listener in &tcp {
            listener.set_nonblocking(true).unwrap();
        }
        let udp = UdpSocket::bind(("127.0.0.2", port)).unwrap();
        udp.set_nonblocking(true).unwrap();
        Self { tcp, udp, port }
    }

    /// Connections and datagrams that came.
    pub fn visitors(&self) -> usize {
        let connections = self.tcp.iter().map(|l| std::iter::from_fn(|| l.accept().ok()).count());
        let datagrams = std::iter::from_fn(|| self.udp.recv_from(&mut [0; 16]).ok()).count();
        connections.sum::<usize>() + datagrams
    }
}

/// Two hundred ways to name the neighbour, or somebody else than one seems to name.
pub(crate) fn evasions(port: u16) -> Vec<String> {
    const HOSTS: [&str; 25] = [
        "127.0.0.2",
        "2130706434",
        "0x7f000002",
        "0X7F.0.0.2",
        "0177.0.0.2",
        "127.2",
        "127.0.0.2.",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[::1]",
        "ip6-localhost",
        "127.0.0.1@127.0.0.2",
        "127.0.0.1:80@127.0.0.2",
        "guard:word@127.0.0.2",
        "127.0.0.1#@127.0.0.2",
        "127.0.0.1?@127.0.0.2",
        "127.0.0.1/@127.0.0.2",
        "127.0.0.1\\@127.0.0.2",
        "127.0.0.2\\@127.0.0.1",
        "127.0.0.2#@127.0.0.1",
        "127.0.0.2?@127.0.0.1",
        "127.0.0.1%2f@127.0.0.2",
        "127.0.0.1\t@127.0.0.2",
        "１２７.0.0.2",
        "127.0.0.1:99999@127.0.0.2",
    ];
    const FORMS: [fn(&str, u16) -> String; 8] = [
        |host, port| format!("rtsp://{host}:{port}/live"),
        |host, port| format!("RTSP://{host}:{port}/live?a=@b"),
        |host, port| format!("rtspt://{host}:{port}/live"),
        |host, port| format!("rtspu://{host}:{port}"),
        |host, port| format!("rtsph://{host}:{port}/live"),
        |host, port| format!(" rtsp://{host}:{port}/live "),
        |host, port| format!("rtsp:///{host}:{port}/live"),
        |host, port| format!("rtsp://rtsp://{host}:{port}/live"),
    ];
    FORMS.iter().flat_map(|form| HOSTS.iter().map(move |host| form(host, port))).collect()
}

/// An RTSP server in the camera's place that says what it is told to.
struct Liar {
    port: u16,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    described: Arc<AtomicU32>,
    /// What sessions said in answer to challenges.
    answers: Arc<Mutex<Vec<String>>>,
}

/// Status line and headers, and the body.
type Say = Box<dyn Fn(&str) -> (String, String) + Send>;

impl Liar {
    fn start(say: Say) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (over, described) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (end, count, said) = (over.clone(), described.clone(), answers.clone());
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                let mut answer = stream.try_clone().unwrap();
                let (mut method, mut sequence) = (String::new(), String::new());
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if let Some(number) = line.strip_prefix("CSeq: ") {
                        sequence = number.to_owned();
                    } else if line.to_ascii_lowercase().starts_with("authorization") {
                        said.lock().unwrap().push(line);
                    } else if line.is_empty() {
                        count.fetch_add(u32::from(method == "DESCRIBE"), Ordering::SeqCst);
                        let (head, body) = say(&method);
                        let length = body.len();
                        let reply = format!(
                            "RTSP/1.0 {head}\r\nCSeq: {sequence}\r\nContent-Length: {length}\r\n\r\n{body}"
                        );
                        method.clear();
                        if answer.write_all(reply.as_bytes()).is_err() {
                            break;
                        }
                    } else if method.is_empty() {
                        method = line.split(' ').next().unwrap_or_default().to_owned();
                    }
                }
            }
        });
        Self { port, over, thread: Some(thread), described, answers }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn camera(url: &str, udp: bool) -> CameraConfig {
    let transport = if udp { "udp" } else { "tcp" };
    toml::from_str(&format!("id = \"gate\"\nurl = \"{url}\"\nuser = \"guard\"\ntransport = \"{transport}\""))
        .unwrap()
}

/// One session up to its end, or to a bound where a camera keeps it waiting.
fn session(camera: &CameraConfig, bound: Duration) -> Option<super::super::source::Ended> {
    gst::init().unwrap();
    let credentials = Credentials { user: "guard".into(), password: Secret::new("right-horse") };
    let source = Source::start(camera, Some(&credentials), Duration::from_secs(3)).unwrap();
    let deadline = Instant::now() + bound;
    while Instant::now() < deadline {
        source.packet(Duration::from_millis(5));
        if let Some(ended) = source.ended() {
            return Some(ended);
        }
    }
    None
}

/// One session with whoever is there.
pub(crate) fn session_at(url: &str) {
    session(&camera(url, false), BOUND);
}

const FORMAT: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n";

fn description(session: &str, media: &str) -> String {
    format!("{FORMAT}{session}m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{media}")
}

#[test]
fn a_redirect_is_never_followed_however_it_is_written() {
    let neighbour = Neighbour::listen();
    let mut described = 0;
    for to in evasions(neighbour.port) {
        let location = to.clone();
        let liar = Liar::start(Box::new(move |method| match method {
            "DESCRIBE" => (format!("302 Moved Temporarily\r\nLocation: {location}"), String::new()),
            _ => ("200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY".into(), String::new()),
        }));
        let ended = session(&camera(&format!("rtsp://127.0.0.1:{}/live", liar.port), false), BOUND);
        assert!(ended.is_some(), "{to:?}: the session hangs");
        described += liar.described.load(Ordering::SeqCst);
        assert_eq!(neighbour.visitors(), 0, "{to:?} was followed");
    }
    assert!(described >= 200, "the redirects were really said: {described}");
}

#[test]
fn a_plain_redirect_is_told_with_the_cure() {
    let neighbour = Neighbour::listen();
    for port in [neighbour.port, 22] {
        let location = format!("rtsp://127.0.0.{}:{port}/live", if port == 22 { 1 } else { 2 });
        let liar = Liar::start(Box::new(move |method| match method {
            "DESCRIBE" => (format!("301 Moved\r\nLocation: {location}"), String::new()),
            _ => ("200 OK".into(), String::new()),
        }));
        let ended = session(&camera(&format!("rtsp://127.0.0.1:{}/live", liar.port), false), BOUND).unwrap();
        assert_eq!(ended.state, CameraState::Unsupported, "{}", ended.reason);
        assert!(ended.reason.contains("points to another address"), "{}", ended.reason);
    }
    assert_eq!(neighbour.visitors(), 0);
}

#[test]
fn a_password_is_said_by_digest_or_not_at_all() {
    const OFFERS: [(&[&str], bool); 4] = [
        (&["Basic realm=\"cam\""], false),
        (&["basic realm=\"cam\"", "Digest realm=\"cam\", nonce=\"n\""], true),
        (&["Digest realm=\"cam\", nonce=\"n\"", "Basic realm=\"cam\""], true),
        (&["Negotiate", "Basic realm=\"cam\""], false),
    ];
    for (offers, digest) in OFFERS {
        for challenged in ["OPTIONS", "DESCRIBE"] {
            let challenge: String = offers.iter().map(|o| format!("\r\nWWW-Authenticate: {o}")).collect();
            let liar = Liar::start(Box::new(move |method| match method {
                m if m == challenged => (format!("401 Unauthorized{challenge}"), String::new()),
                _ => ("200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY".into(), String::new()),
            }));
            let camera = camera(&format!("rtsp://127.0.0.1:{}/live", liar.port), false);
            let ended = session(&camera, BOUND).unwrap();
            let answers = liar.answers.lock().unwrap().clone();
            let is_digest = |a: &String| a.to_ascii_lowercase().starts_with("authorization: digest ");
            assert!(answers.iter().all(is_digest), "{offers:?} {challenged}: {answers:?}");
            assert_eq!(!answers.is_empty(), digest, "{offers:?} {challenged}: {answers:?}");
            let (state, word) = match digest {
                true => (CameraState::Credentials, "refuses user or password"),
                false => (CameraState::Unsupported, "in the open"),
            };
            assert_eq!(ended.state, state, "{offers:?} {challenged}: {}", ended.reason);
            assert!(ended.reason.contains(word), "{offers:?} {challenged}: {}", ended.reason);
        }
    }
}

#[test]
fn addresses_in_a_session_description_are_never_connected() {
    let neighbour = Neighbour::listen();
    let away = format!("rtsp://127.0.0.2:{}/live", neighbour.port);
    for (session_part, media, base) in [
        (String::new(), format!("a=control:{away}/track\r\n"), String::new()),
        (format!("a=control:{away}\r\n"), "a=control:track\r\n".into(), String::new()),
        (String::new(), "a=control:track\r\n".into(), format!("\r\nContent-Base: {away}/")),
        (
            format!("a=control:{away}\r\n"),
            format!("a=control:{away}/track\r\n"),
            format!("\r\nContent-Base: {away}/"),
        ),
        ("a=control:*\r\nc=IN IP4 127.0.0.2\r\n".into(), format!("a=control:{away}\r\n"), String::new()),
    ] {
        for udp in [false, true] {
            let (sdp, base) = (description(&session_part, &media), base.clone());
            let port = neighbour.port;
            let liar = Liar::start(Box::new(move |method| match method {
                "DESCRIBE" => (format!("200 OK\r\nContent-Type: application/sdp{base}"), sdp.clone()),
                "SETUP" if udp => (
                    format!(
                        "200 OK\r\nSession: 1\r\nTransport: RTP/AVP;unicast;client_port=5000-5001;\
                         server_port={port}-{port};source=127.0.0.2;destination=127.0.0.2"
                    ),
                    String::new(),
                ),
                "SETUP" => (
                    "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1".into(),
                    String::new(),
                ),
                _ => (
                    "200 OK\r\nSession: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN".into(),
                    String::new(),
                ),
            }));
            let camera = camera(&format!("rtsp://127.0.0.1:{}/live", liar.port), udp);
            let begun = Instant::now();
            // On a busy machine a session may not come as far as its description.
            while liar.described.load(Ordering::SeqCst) == 0 {
                assert!(begun.elapsed() < BOUND, "never described");
                session(&camera, Duration::from_millis(700));
            }
            assert_eq!(neighbour.visitors(), 0, "{session_part:?} {media:?} udp {udp}");
        }
    }
}

/// The name meant one address when it was looked up, and means another when GIO looks.
#[test]
fn a_name_that_changes_its_mind_is_not_followed() {
    gst::init().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let reach = reach::Reach { addresses: vec!["192.0.2.7".parse().unwrap()], port };
    let pipeline = gst::Pipeline::new();
    let rtsp = crate::hardware::make("rtspsrc").unwrap();
    rtsp.set_property("location", format!("rtsp://localhost:{port}/live"));
    pipeline.add(&rtsp).unwrap();
    let fence = Fence::around(&rtsp, &pipeline, reach);
    let _ = pipeline.set_state(gst::State::Playing);
    let error = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(BOUND.as_secs()), &[gst::MessageType::Error]);
    assert!(error.is_some() && fence.is_crossed());
    let _ = pipeline.set_state(gst::State::Null);
    assert!(listener.accept().is_err(), "nobody came");
}
