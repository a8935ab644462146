//! Conversations with cameras on loopback: right and wrong passwords, wrong clocks, foreign addresses,
//! rubbish. Answers are our own, and recorded ones where `SIGNALBOX_DATA` names their folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use gstreamer::glib::{self, ChecksumType};
use settings::Secret;

use super::*;

const PASSWORD: &str = "right-horse";
const DAY: i64 = 86_400;
/// Where a camera believes to be; it is asked at the address that was reached all the same.
const INSIDE: &str = "192.0.2.9";

type Reply = Box<dyn Fn(&Request) -> String + Send + Sync>;

/// What was asked.
struct Request {
    action: String,
    authorization: Option<String>,
    body: String,
}

/// An HTTP server that answers each POST with what a function says.
struct Door {
    port: u16,
    /// Requests that carried a password in any form.
    tries: Arc<AtomicU32>,
    requests: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    fn open(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tries, requests) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let (own_tries, own_requests, end) = (tries.clone(), requests.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                own_requests.fetch_add(1, Ordering::SeqCst);
                let Some(request) = read(&stream) else { continue };
                let says_password =
                    request.authorization.is_some() || request.body.contains("PasswordDigest");
                own_tries.fetch_add(u32::from(says_password), Ordering::SeqCst);
                let _ = (&stream).write_all(reply(&request).as_bytes());
            }
        });
        Self { port, tries, requests, over, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/onvif/device_service", self.port)
    }

    fn tries(&self) -> u32 {
        self.tries.load(Ordering::SeqCst)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        } else if lower.starts_with("authorization:") {
            authorization = Some(line[14..].trim().to_owned());
        } else if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let rest = body.split("Body>").nth(1)?;
    let name: String = rest.chars().skip(1).take_while(|c| !matches!(c, ' ' | '>' | '/')).collect();
    let action = name.rsplit(':').next()?.to_owned();
    Some(Request { action, authorization, body })
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn soap(inner: &str) -> String {
    let body = format!("<s:Envelope xmlns:s=\"{SOAP}\"><s:Body>{inner}</s:Body></s:Envelope>");
    http("200 OK", "Content-Type: application/soap+xml\r\n", &body)
}

fn refusal() -> String {
    let fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>\
                 <s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>";
    soap(fault).replacen("200 OK", "400 Bad Request", 1)
}

fn unix() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn camera_time(ahead: i64) -> String {
    let at = glib::DateTime::from_unix_utc(unix() + ahead).unwrap();
    let (year, month, day) = at.ymd();
    soap(&format!(
        "<GetSystemDateAndTimeResponse><SystemDateAndTime><DateTimeType>NTP</DateTimeType><UTCDateTime>\
         <Time><Hour>{}</Hour><Minute>{}</Minute><Second>{}</Second></Time>\
         <Date><Year>{year}</Year><Month>{month}</Month><Day>{day}</Day></Date></UTCDateTime>\
         </SystemDateAndTime></GetSystemDateAndTimeResponse>",
        at.hour(),
        at.minute(),
        at.second()
    ))
}

/// What a good camera answers; `own` is the host it believes to have.
fn answer(action: &str, own: &str, ahead: i64) -> String {
    match action {
        "GetSystemDateAndTime" => camera_time(ahead),
        "GetDeviceInformation" => soap(
            "<GetDeviceInformationResponse><Manufacturer>Acme\u{1b}[2J</Manufacturer><Model>Eye</Model>\
             <FirmwareVersion>1</FirmwareVersion><SerialNumber>2</SerialNumber><HardwareId>3</HardwareId></GetDeviceInformationResponse>",
        ),
        "GetServices" => soap(&format!(
            "<GetServicesResponse><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace>\
             <XAddr>http://{own}/onvif/media</XAddr><Version><Major>2</Major><Minor>0</Minor></Version></Service></GetServicesResponse>"
        )),
        "GetProfiles" => soap(
            "<GetProfilesResponse><Profiles token=\"small\"><Name>s</Name><VideoEncoderConfiguration token=\"e2\"/></Profiles>\
             <Profiles token=\"large\"><Name>l</Name><VideoEncoderConfiguration token=\"e1\"/></Profiles></GetProfilesResponse>",
        ),
        "GetVideoEncoderConfigurations" => soap(
            "<GetVideoEncoderConfigurationsResponse>\
             <Configurations token=\"e1\"><Name>a</Name><UseCount>1</UseCount><Encoding>H264</Encoding>\
             <Resolution><Width>2560</Width><Height>1440</Height></Resolution><Quality>1</Quality></Configurations>\
             <Configurations token=\"e2\"><Name>b</Name><UseCount>1</UseCount><Encoding>H264</Encoding>\
             <Resolution><Width>640</Width><Height>360</Height></Resolution><Quality>1</Quality></Configurations>\
             </GetVideoEncoderConfigurationsResponse>",
        ),
        "GetStreamUri" => soap(&format!(
            "<GetStreamUriResponse><MediaUri><Uri>rtsp://admin:secret@{own}/live</Uri><InvalidAfterConnect>false</InvalidAfterConnect>\
             <InvalidAfterReboot>false</InvalidAfterReboot><Timeout>PT0S</Timeout></MediaUri></GetStreamUriResponse>"
        )),
        _ => http("404 Not Found", "", ""),
    }
}

fn credentials(password: &str) -> Credentials {
    Credentials { user: "admin".into(), password: Secret::new(password) }
}

/// Whether an envelope proves the password, at a time that the camera's clock accepts.
fn proves(body: &str, ahead: i64) -> bool {
    let field = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}"))?;
        rest.split_once('>')?.1.split('<').next().map(str::to_owned)
    };
    let (Some(nonce), Some(created)) = (field("wsse:Nonce"), field("wsu:Created")) else { return false };
    let digest = body.split("PasswordDigest\">").nth(1).and_then(|r| r.split('<').next()).unwrap_or_default();
    let mut text = glib::base64_decode(&nonce);
    text.extend_from_slice(created.as_bytes());
    text.extend_from_slice(PASSWORD.as_bytes());
    let sum = glib::compute_checksum_for_data(ChecksumType::Sha1, &text).unwrap();
    let sum: Vec<u8> = (0..20).map(|n| u8::from_str_radix(&sum[2 * n..2 * n + 2], 16).unwrap()).collect();
    let at = glib::DateTime::from_iso8601(&created, None).map_or(0, |t| t.to_unix());
    glib::base64_decode(digest) == sum && (at - unix() - ahead).abs() < 30
}

#[test]
fn a_wrong_password_is_said_once_in_the_envelope_and_never_again() {
    let door = Door::open(Box::new(|r| match r.action.as_str() {
        "GetSystemDateAndTime" => camera_time(0),
        _ if !proves(&r.body, 0) => refusal(),
        other => answer(other, "127.0.0.1", 0),
    }));
    let error = look(&door.url(), Some(&credentials("wrong-battery"))).unwrap_err();
    assert!(matches!(error, OnvifError::Refused), "{error}");
    assert!(!format!("{error:?} {error}").contains("wrong-battery"));
    assert_eq!(door.tries(), 1);
    let error = look(&door.url(), None).unwrap_err();
    assert!(matches!(error, OnvifError::NeedsPassword), "{error}");
    assert_eq!(door.tries(), 1, "nothing was said");
}

#[test]
fn a_camera_whose_clock_is_years_off_still_believes_the_password() {
    for ahead in [-11 * 365 * DAY, -3600, 0, 3600, 8 * 365 * DAY] {
        let door = Door::open(Box::new(move |r| match r.action.as_str() {
            "GetSystemDateAndTime" => camera_time(ahead),
            _ if !proves(&r.body, ahead) => refusal(),
            other => answer(other, INSIDE, ahead),
        }));
        let device =
            look(&door.url(), Some(&credentials(PASSWORD))).unwrap_or_else(|e| panic!("{ahead}: {e}"));
        assert!((device.clock_ahead_s.unwrap() - ahead).abs() < 5, "{ahead}: {device:?}");
        assert_eq!(device.profiles.len(), 2, "{ahead}");
    }
}

/// Answers only what is proven by HTTP Digest, each challenge once; the rest gets a new challenge.
struct DigestDoor {
    algorithm: &'static str,
    spent: Mutex<Vec<String>>,
    issued: AtomicU32,
}

impl DigestDoor {
    fn answer(&self, request: &Request) -> String {
        if request.action == "GetSystemDateAndTime" {
            return camera_time(0);
        }
        match &request.authorization {
            Some(header) if self.is_proven(header) => answer(&request.action, INSIDE, 0),
            _ => {
                let nonce = self.issued.fetch_add(1, Ordering::SeqCst);
                let algorithm = self.algorithm;
                let challenge = format!(
                    "WWW-Authenticate: Basic realm=\"cam\"\r\nWWW-Authenticate: Digest realm=\"IP Camera(C1)\", \
                     qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce:08x}:{}\", opaque=\"5ccc\"\r\n",
                    unix()
                );
                http("401 Unauthorized", &challenge, "")
            }
        }
    }

    /// RFC 7616, 3.4: computed here from the header's own fields.
    fn is_proven(&self, header: &str) -> bool {
        let field = |name: &str| {
            let rest = header.split([',', ' ']).find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='));
            rest.unwrap_or_default().trim_matches('"').to_owned()
        };
        let hash = if self.algorithm == "MD5" { ChecksumType::Md5 } else { ChecksumType::Sha256 };
        let sum = |text: String| glib::compute_checksum_for_data(hash, text.as_bytes()).unwrap().to_string();
        // The realm has a space in it, which the fields above are cut at.
        let secret = sum(format!("admin:IP Camera(C1):{PASSWORD}"));
        let request = sum(format!("POST:{}", field("uri")));
        let nonce = field("nonce");
        let (count, client) = (field("nc"), field("cnonce"));
        let expected = sum(format!("{secret}:{nonce}:{count}:{client}:auth:{request}"));
        let mut spent = self.spent.lock().unwrap();
        let fresh = !spent.contains(&nonce)
            && header.contains("realm=\"IP Camera(C1)\"")
            && header.contains("opaque=\"5ccc\"");
        spent.push(nonce);
        fresh && count == "00000001" && field("uri").starts_with("/onvif/") && field("response") == expected
    }
}

#[test]
fn a_whole_conversation_by_digest() {
    for algorithm in ["MD5", "SHA-256"] {
        let digest = Arc::new(DigestDoor { algorithm, spent: Mutex::default(), issued: AtomicU32::new(0) });
        let own = digest.clone();
        let door = Door::open(Box::new(move |r| own.answer(r)));
        let device = look(&door.url(), Some(&credentials(PASSWORD))).unwrap();
        assert_eq!((device.model.as_str(), device.profiles.len()), ("Eye", 2), "{algorithm}");
        let issued = digest.issued.load(Ordering::SeqCst);
        let proven = digest.spent.lock().unwrap().len();
        assert!(proven >= 5 && issued as usize == proven, "one proof a challenge: {issued} and {proven}");

        let before = proven;
        let error = look(&door.url(), Some(&credentials("wrong-battery"))).unwrap_err();
        assert!(matches!(error, OnvifError::Refused), "{error}");
        assert_eq!(digest.spent.lock().unwrap().len() - before, 1, "a wrong one is proven once");
    }
}

/// Most let everybody ask who they are, and mind the password only later; then each stream is asked for.
#[test]
fn a_wrong_password_is_said_once_wherever_the_camera_first_minds_it() {
    const OPEN: [&str; 4] = ["GetDeviceInformation", "GetServices", "GetProfiles", "GetStreamUri"];
    for from in 0..=OPEN.len() {
        let refused = Arc::new(AtomicU32::new(0));
        let count = refused.clone();
        let door = Door::open(Box::new(move |r| match r.action.as_str() {
            "GetSystemDateAndTime" => camera_time(0),
            open if OPEN[..from].contains(&open) => answer(open, INSIDE, 0),
            _ if !proves(&r.body, 0) => {
                count.fetch_add(1, Ordering::SeqCst);
                refusal()
            }
            other => answer(other, INSIDE, 0),
        }));
        let outcome = look(&door.url(), Some(&credentials("wrong-battery")));
        assert_eq!(refused.load(Ordering::SeqCst), 1, "open up to {from}: {outcome:?}");
        assert_eq!(outcome.is_ok(), from == OPEN.len(), "{from}: {outcome:?}");
    }
}

#[test]
fn a_thousand_damaged_answers_are_told_or_used_and_none_holds_the_box_up() {
    const SEED: u64 = 20_261_125;
    println!("seed {SEED}");
    let chance = Mutex::new(testkit::Chance::new(SEED));
    let spoilt = Arc::new(AtomicU32::new(0));
    let count = spoilt.clone();
    let door = Door::open(Box::new(move |r| {
        let whole = answer(&r.action, INSIDE, 0);
        let mut chance = chance.lock().unwrap();
        // A conversation takes some eight answers: one in four lets some come to their end.
        if !chance.one_in(4) {
            return whole;
        }
        count.fetch_add(1, Ordering::SeqCst);
        damaged(&whole, &mut chance)
    }));
    let (mut used, mut told) = (0, 0);
    while spoilt.load(Ordering::SeqCst) < 1000 {
        match look(&door.url(), None) {
            Ok(device) => {
                assert!(
                    device.profiles.iter().all(|p| address::host_of(&p.url).as_deref() == Some("127.0.0.1"))
                );
                used += 1;
            }
            Err(error) => {
                assert!(error.to_string().len() < 400, "{error}");
                told += 1;
            }
        }
    }
    println!("{used} conversations used, {told} told");
    assert!(used > 5 && told > 100, "{used} {told}");
}

/// Flipped, cut, doubled or swapped, in the head or in the body.
fn damaged(answer: &str, chance: &mut testkit::Chance) -> String {
    let mut bytes = answer.as_bytes().to_vec();
    let at = chance.below(bytes.len());
    let to = (at + chance.below(60)).min(bytes.len());
    match chance.below(7) {
        0 | 1 => bytes[at] ^= 1 << chance.below(8),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..to)),
        4 => {
            let part = bytes[at..to].repeat(1 + chance.below(200));
            bytes.splice(at..at, part);
        }
        5 => drop(bytes.splice(at..to, b"<a>".repeat(chance.below(400)))),
        _ => drop(bytes.splice(at..at, b"&#x0;\xff<![CDATA[".iter().copied())),
    }
    // The length as it is: a wrong one is damage of its own, and the first cases make it.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each answer comes just in time, and there is always one more: the whole is bounded.
#[test]
fn a_camera_that_is_slow_in_every_answer_is_given_up() {
    let door = Door::open(Box::new(|r| {
        let slow = (0..64).map(|n| format!("<Profiles token=\"p{n}\"><Name>n</Name></Profiles>"));
        match r.action.as_str() {
            "GetProfiles" => {
                soap(&format!("<GetProfilesResponse>{}</GetProfilesResponse>", slow.collect::<String>()))
            }
            other => answer(other, INSIDE, 0),
        }
    }));
    let patience = Patience { answer: Duration::from_secs(8), visit: Duration::ZERO };
    let error = look_within(&door.url(), None, patience).unwrap_err();
    assert!(
        matches!(error, OnvifError::Unreachable { .. }) && error.to_string().contains("too long"),
        "{error}"
    );
    let device = look(&door.url(), None).unwrap();
    assert_eq!(device.profiles.len(), MOST_PROFILES);
}

#[test]
fn no_way_to_write_an_address_leads_a_session_to_somebody_else() {
    use crate::camera::fence::tests::{Neighbour, evasions};
    let neighbour = Neighbour::listen();
    let (mut streams, mut refused) = (0, 0);
    for evil in evasions(neighbour.port) {
        let named = evil.replace('&', "&amp;");
        let door = Door::open(Box::new(move |r| match r.action.as_str() {
            "GetStreamUri" => soap(&format!(
                "<GetStreamUriResponse><MediaUri><Uri>{named}</Uri></MediaUri></GetStreamUriResponse>"
            )),
            other => answer(other, INSIDE, 0),
        }));
        match look(&door.url(), None) {
            Err(error) => {
                assert!(matches!(error, OnvifError::NoStream), "{evil}: {error}");
                refused += 1;
            }
            Ok(device) => {
                streams += 1;
                for profile in device.profiles {
                    assert_eq!(address::host_of(&profile.url).as_deref(), Some("127.0.0.1"), "{evil}");
                    crate::camera::fence::tests::session_at(&profile.url);
                }
            }
        }
        assert_eq!(neighbour.visitors(), 0, "{evil} was followed");
    }
    println!("{streams} became streams of the camera's own, {refused} were refused");
    assert!(streams > 20 && refused > 20, "{streams} {refused}");
}

#[test]
fn a_password_is_never_said_in_the_open() {
    let door = Door::open(Box::new(|r| match r.action.as_str() {
        "GetSystemDateAndTime" => camera_time(0),
        _ => http("401 Unauthorized", "WWW-Authenticate: Basic realm=\"cam\"\r\n", ""),
    }));
    let error = look(&door.url(), Some(&credentials(PASSWORD))).unwrap_err();
    assert!(matches!(error, OnvifError::BasicOnly), "{error}");
}

#[test]
fn foreign_addresses_in_answers_are_never_followed() {
    let elsewhere = Door::open(Box::new(|r| answer(&r.action, "127.0.0.1", 0)));
    let foreign = format!("127.0.0.2:{}", elsewhere.port);
    let named = foreign.clone();
    let door = Door::open(Box::new(move |r| answer(&r.action, &named, 0)));
    let device = look(&door.url(), None).unwrap();
    let urls: Vec<_> = device.profiles.iter().map(|p| p.url.clone()).collect();
    assert!(urls.iter().all(|u| *u == format!("rtsp://127.0.0.1:{}/live", elsewhere.port)), "{urls:?}");
    assert!(device.notes.iter().any(|n| n.en.contains("127.0.0.2") && n.zh.contains("127.0.0.2")));

    let to = format!("Location: http://127.0.0.1:{}/onvif/device_service\r\n", elsewhere.port);
    let door = Door::open(Box::new(move |_| http("302 Found", &to, "")));
    let error = look(&door.url(), Some(&credentials(PASSWORD))).unwrap_err();
    assert!(matches!(error, OnvifError::NotOnvif { .. }), "{error}");
    assert_eq!((elsewhere.requests.load(Ordering::SeqCst), door.tries()), (0, 0));
}

#[test]
fn rubbish_is_told_and_bounded() {
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    let entity = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>";
    for body in ["", "hello", "<a", &deep, entity, &"x".repeat(2_000_000)] {
        let body = body.to_owned();
        let door = Door::open(Box::new(move |_| http("200 OK", "", &body)));
        let error = look(&door.url(), None).unwrap_err();
        assert!(matches!(error, OnvifError::NotOnvif { .. }), "{error}");
        assert!(error.to_string().len() < 400 && !speaks(&door.url(), PATIENCE.answer));
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = look(&format!("http://{closed}/x"), None).unwrap_err();
    assert!(matches!(error, OnvifError::Unreachable { .. }), "{error}");
}

/// The folder of recorded answers, if it is there: other people's, and so no part of the project.
fn recorded() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SIGNALBOX_DATA").map_or(beside, PathBuf::from);
    let folder = folder.join("onvif/agsh-serverMockup");
    folder.is_dir().then_some(folder)
}

fn recorded_answer(folder: &std::path::Path, action: &str) -> Option<String> {
    let names = [format!("{action}.xml"), format!("media.{action}.xml")];
    names.iter().find_map(|name| std::fs::read_to_string(folder.join(name)).ok())
}

#[test]
fn recorded_answers_of_another_camera_are_understood() {
    let Some(folder) = recorded() else {
        println!("skipped: needs recorded answers in ../shared/data or where SIGNALBOX_DATA says");
        return;
    };
    let door = Door::open(Box::new(move |r| match recorded_answer(&folder, &r.action) {
        Some(body) => http("200 OK", "", &body),
        None => http("404 Not Found", "", ""),
    }));
    let device = look(&door.url(), Some(&credentials("any"))).unwrap();
    println!("{device:#?}");
    assert_eq!(
        (device.manufacturer.as_str(), device.model.as_str()),
        ("Mockup Manufacturer", "Mockup Model")
    );
    assert!(device.clock_ahead_s.unwrap() < -10 * 365 * DAY, "recorded in 2014");
    assert!(!device.profiles.is_empty());
    assert!(device.profiles.iter().all(|p| p.url == "rtsp://127.0.0.1/h264main"), "{:?}", device.profiles);
    assert!(device.notes.iter().any(|n| n.en.contains("192.168.68.111")));
}
