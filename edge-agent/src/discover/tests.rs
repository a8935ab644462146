//! Finding cameras on loopback: honest ones, liars, and those that shout.

use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::answer::Answer;
use super::*;

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn matching(endpoint: &str, xaddrs: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"x\"><s:Body><ProbeMatches><ProbeMatch>\
         <EndpointReference><Address>{endpoint}</Address></EndpointReference>\
         <Scopes>onvif://www.onvif.org/name/%E4%B8%9C%E9%97%A8 onvif://www.onvif.org/hardware/Eye\u{1b}[31m</Scopes>\
         <XAddrs>{xaddrs}</XAddrs></ProbeMatch></ProbeMatches></s:Body></s:Envelope>"
    )
}

fn read(xaddrs: &str) -> Answer {
    let mut all = answer::read(LOCAL, matching("urn:uuid:ABC", xaddrs).as_bytes());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn an_answer_says_who_it_is_and_only_its_own_address_counts() {
    let own = read("http://[fe80::1]/onvif http://127.0.0.1/onvif/device_service");
    assert_eq!(own.onvif.as_deref(), Some("http://127.0.0.1/onvif/device_service"));
    assert_eq!((own.name.as_str(), own.model.as_str()), ("东门", "Eye[31m"));
    assert_eq!((own.endpoint.as_deref(), own.notes.len()), (Some("uuid:abc"), 0));
    for lie in [
        "http://10.0.0.1/onvif",
        "http://127.0.0.1@10.0.0.1/onvif",
        "http://127.0.0.1.evil.example/onvif",
        "http://2130706433/onvif",
        "http://0x7f000001/onvif",
        "http://[::ffff:10.0.0.1]x/onvif",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "rtsp://127.0.0.2/onvif",
    ] {
        let answer = read(lie);
        assert_eq!((answer.onvif, answer.notes.len()), (None, 1), "{lie}");
    }
}

#[test]
fn what_is_no_answer_is_none() {
    let deep = "<a>".repeat(9000);
    for bytes in [&b""[..], b"\xff\xfe", b"<a/>", deep.as_bytes(), b"<s><Body></Body></s>"] {
        assert!(answer::read(LOCAL, bytes).is_empty());
    }
    let many = format!("<e><Body><ProbeMatches>{}</ProbeMatches></Body></e>", "<ProbeMatch/>".repeat(500));
    assert_eq!(answer::read(LOCAL, many.as_bytes()).len(), 64);
}

#[test]
fn networks_are_bounded_and_hold_their_own_addresses_only() {
    let net: Network = "192.0.2.77/29".parse().unwrap();
    assert_eq!(net.to_string(), "192.0.2.72/29");
    let hosts: Vec<Ipv4Addr> = net.hosts().collect();
    assert_eq!(
        (hosts.len(), hosts[0], hosts[5]),
        (6, "192.0.2.73".parse().unwrap(), "192.0.2.78".parse().unwrap())
    );
    assert!(hosts.iter().all(|h| net.contains(*h)) && !net.contains("192.0.2.80".parse().unwrap()));
    assert_eq!("10.0.0.1".parse::<Network>().unwrap().hosts().count(), 1);
    assert_eq!("10.0.0.0/31".parse::<Network>().unwrap().hosts().count(), 2);
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains(Ipv4Addr::BROADCAST));
    for wrong in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "fd00::/64", "10.0.0.0/8/8", "10.0.0.0/-1"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
    let parse = |all: &[&str]| all.iter().map(|n| n.parse().unwrap()).collect::<Vec<Network>>();
    assert!(network::check(&parse(&["10.0.0.0/22"])).is_ok());
    for large in [&["10.0.0.0/21"][..], &["10.0.0.0/22", "10.1.0.0/32"], &["0.0.0.0/0", "0.0.0.0/0"]] {
        let error = search(&Search { networks: parse(large), ..Search::default() }).unwrap_err();
        assert!(error.to_string().contains("at most 1024"), "{error}");
    }
}

#[test]
fn one_endpoint_is_one_device_and_ports_join_their_address() {
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let mut merged = merge::Merged::default();
    assert!(merged.answer(LOCAL, read("http://127.0.0.1/a")));
    assert!(merged.answer(other, read("http://127.0.0.2/a")));
    assert!(merged.answer(LOCAL, read("http://10.0.0.1/a")));
    let open = |address| scan::Open { address, rtsp_ports: vec![554, 8554], onvif: None };
    assert!(
        merged.open(open(LOCAL))
            && merged.open(open(other))
            && merged.open(open(Ipv4Addr::new(127, 0, 0, 3)))
    );
    let found = merged.finish();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!((found[0].address, found[0].other_addresses.as_slice()), (LOCAL, &[other][..]));
    assert_eq!((found[0].rtsp_port, found[0].onvif.as_deref()), (Some(554), Some("http://127.0.0.1/a")));
    assert_eq!((found[1].rtsp_port, found[0].notes.len()), (Some(554), 1));
    assert_eq!(found[1].rtsp_ports, [554, 8554]);
    let mut full = merge::Merged::default();
    let taken = (0..2000_u32).filter(|n| full.open(open(Ipv4Addr::from(0x0a00_0000 + n)))).count();
    assert_eq!(taken, MOST_FOUND);
}

/// Answers every question on UDP with the same datagrams, until dropped.
struct Shouter {
    port: u16,
    asked: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Shouter {
    fn start(answers: Vec<Vec<u8>>) -> Self {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let (asked, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (asked.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let mut question = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut question) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                assert!(String::from_utf8_lossy(&question[..len]).contains("Probe>"));
                count.fetch_add(1, Ordering::SeqCst);
                for answer in &answers {
                    let _ = socket.send_to(answer, from);
                }
            }
        });
        Self { port, asked, over, thread: Some(thread) }
    }
}

impl Drop for Shouter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let wake = UdpSocket::bind((LOCAL, 0)).unwrap();
        wake.send_to(b"end", (LOCAL, self.port)).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn local(port: u16) -> Search {
    Search {
        networks: vec!["127.0.0.1/32".parse().unwrap()],
        rtsp_ports: Vec::new(),
        onvif_ports: Vec::new(),
        ws_discovery_port: port,
        wait: Duration::from_millis(700),
        ..Search::default()
    }
}

#[test]
fn a_camera_answers_once_however_often_it_is_heard() {
    let answer = matching("urn:uuid:1", "http://127.0.0.1:9/onvif/device_service").into_bytes();
    let shouter = Shouter::start(vec![answer.clone(), answer]);
    let findings = search(&local(shouter.port)).unwrap();
    assert_eq!((findings.cameras.len(), findings.ignored), (1, 0), "{findings:#?}");
    assert_eq!(shouter.asked.load(Ordering::SeqCst), 2, "two kinds of device are asked for");
}

#[test]
fn one_who_shouts_is_heard_in_bounds() {
    let mut answers: Vec<Vec<u8>> =
        (0..300).map(|n| matching(&format!("urn:uuid:{n}"), "http://127.0.0.1/a").into_bytes()).collect();
    answers.push(vec![b'<'; 40_000]);
    answers.push(b"rubbish".to_vec());
    let shouter = Shouter::start(answers);
    let findings = search(&local(shouter.port)).unwrap();
    assert!((1..=16).contains(&findings.cameras.len()), "{} devices of one sender", findings.cameras.len());
    assert!(findings.ignored > 0);
}

#[test]
fn only_what_speaks_rtsp_is_said_to_and_no_other_address_is_touched() {
    let speaks = |answer: &'static [u8]| {
        use std::io::{Read, Write};
        let listener = TcpListener::bind((LOCAL, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut question = [0; 256];
                let _ = stream.read(&mut question);
                let _ = stream.write_all(answer);
            }
        });
        port
    };
    let (camera, web) =
        (speaks(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"), speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let outside = TcpListener::bind(("127.0.0.2", 0)).unwrap();
    outside.set_nonblocking(true).unwrap();
    let search_of = |ports: &[u16]| Search {
        rtsp_ports: ports.to_vec(),
        onvif_ports: vec![outside.local_addr().unwrap().port()],
        wait: Duration::from_millis(50),
        ..local(9)
    };
    let found = search(&search_of(&[web, camera])).unwrap().cameras;
    assert_eq!(found.iter().map(|f| f.rtsp_port).collect::<Vec<_>>(), [Some(camera)]);
    assert!(search(&search_of(&[web])).unwrap().cameras.is_empty());
    assert!(outside.accept().is_err(), "127.0.0.2 was not named and not touched");
}
