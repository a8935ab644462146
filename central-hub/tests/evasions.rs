//! Webhooks go where the settings say and nowhere else, however an address is written or a name answers.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use central_hub::webhooks::send::{Message, SendError, Sender};
use central_hub::webhooks::sign::Key;
use central_hub::webhooks::target::{ConnectError, Resolve, Target};
use hub_core::address::Network;
use hub_core::delivery::Outcome;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Longer than any answer on this machine takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where nothing of ours may ever connect to without being told.
const FORBIDDEN: [Ipv4Addr; 8] = [
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(127, 255, 0, 7),
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(10, 1, 2, 3),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(192, 168, 1, 1),
];

/// The ways to write an IPv4 address in the host part of a URL.
fn hosts(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let whole = address.to_bits();
    let low = whole & 0xff_ffff;
    let s = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    let v6 = |segments: [u16; 8]| format!("[{}]", Ipv6Addr::from(segments));
    let wide = |text: &str| -> String {
        text.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect()
    };
    let plain = address.to_string();
    vec![
        plain.clone(),
        format!("{plain}."),
        whole.to_string(),
        format!("0x{whole:x}"),
        format!("0X{whole:08X}"),
        format!("0{whole:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0x{a:x}.{b}.0{c:o}.{d}"),
        format!("{a}.{low}"),
        format!("{a}.{b}.{}", u16::from_be_bytes([c, d])),
        format!("000000{a:o}.{b}.{c}.{d}"),
        plain.replace('.', "%2e"),
        plain.bytes().map(|b| format!("%{b:02x}")).collect(),
        plain.replace('.', "。"),
        plain.replace('.', "．"),
        wide(&plain),
        format!("[::ffff:{plain}]"),
        format!("[0:0:0:0:0:ffff:{:x}:{:x}]", s[0], s[1]),
        format!("[::{plain}]"),
        v6([0, 0, 0, 0, 0xffff, 0, s[0], s[1]]),
        v6([0x64, 0xff9b, 0, 0, 0, 0, s[0], s[1]]),
        v6([0x64, 0xff9b, 1, 0, 0, 0, s[0], s[1]]),
        v6([0x2002, s[0], s[1], 0, 0, 0, 0, 1]),
        v6([0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !s[0], !s[1]]),
        v6([0x2400, 0, 0, 0, 0, 0x5efe, s[0], s[1]]),
    ]
}

/// URLs that lead inside, and names whose answers do.
fn evasions() -> Vec<(String, Vec<IpAddr>)> {
    let mut all: Vec<(String, Vec<IpAddr>)> = Vec::new();
    for address in FORBIDDEN {
        all.extend(hosts(address).into_iter().map(|host| (format!("http://{host}:{{port}}/"), vec![])));
        // The name is honest, its answer is not; alone, or hidden among public ones.
        let public = IpAddr::from([1, 1, 1, 1]);
        for answer in
            [vec![address.into()], vec![public, address.into()], vec![address.to_ipv6_mapped().into()]]
        {
            all.push(("http://rebind.example:{port}/".into(), answer));
        }
    }
    for v6 in [
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "::2",
    ] {
        all.push((format!("http://[{v6}]:{{port}}/"), vec![]));
        all.push(("http://six.example:{port}/".into(), vec![v6.parse().unwrap()]));
    }
    for url in [
        "http://good.example@127.0.0.1:{port}/",
        "http://good.example:80@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@good.example/",
        "http:\\\\127.0.0.1:{port}/",
        "http:127.0.0.1:{port}",
        "http:///127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#good.example",
        "http://127.0.0.1:{port}?@good.example",
        "\thttp://127.0.0.1:{port}/",
        "h\ntt\tp://127.0.0.1:{port}/",
        "HTTP://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/%0d%0aHost:good.example",
        "ftp://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "dict://127.0.0.1:{port}/x",
        "ldap://127.0.0.1:{port}/",
        "jar:http://127.0.0.1:{port}!/",
        "unix:///run/docker.sock",
        "http+unix://%2frun%2fdocker.sock/",
        "http://[::1%25lo]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://①②⑦.⓪.⓪.①:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://0:{port}/",
        "http://0x7f.1:{port}/",
        "http://0177.1:{port}/",
        "http://127.1:{port}/",
        "http://127.0.1:{port}/",
        "http://00000000000000000000000000000177.0.0.1:{port}/",
        "http://4294967296:{port}/",
        "http://256.256.256.256:{port}/",
    ] {
        all.push((url.to_owned(), vec![]));
    }
    for name in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ｌｏｃａｌｈｏｓｔ",
        "metadata.google.internal",
        "127.0.0.1.nip.example",
    ] {
        all.push((format!("http://{name}:{{port}}/"), vec![Ipv4Addr::LOCALHOST.into()]));
    }
    all
}

/// Listens on every address of this machine, counts, answers each with the same.
struct Receiver {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    fn start(address: &str, answer: String) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = stream else { return };
                let mut head = [0; 8192];
                let _ = stream.read(&mut head);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, connections }
    }

    fn count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

fn sender(url: &str, listed: Vec<Network>, resolve: Resolve) -> Option<Sender> {
    let target = Target::parse(url, true, listed).ok()?;
    Some(Sender::new(target, Key::parse(SECRET).unwrap(), None, PATIENCE, resolve).unwrap())
}

fn message() -> Message {
    Message { id: "market.1.1".into(), content_type: "application/json", body: b"{}".to_vec() }
}

fn answering(answer: Vec<IpAddr>) -> Resolve {
    Arc::new(move |_| {
        let answer = answer.clone();
        Box::pin(async move { Ok(answer) })
    })
}

#[tokio::test]
async fn no_way_of_writing_an_address_leads_inside() {
    let (v4, v6) = (Receiver::start("0.0.0.0:0", TAKEN.into()), TcpListener::bind("[::1]:0"));
    drop(v6);
    let all = evasions();
    assert!(all.len() >= 200, "{}", all.len());
    let (mut by_url, mut by_address) = (0, 0);
    for (url, answer) in &all {
        let url = url.replace("{port}", &v4.port.to_string());
        let Some(sender) = sender(&url, Vec::new(), answering(answer.clone())) else {
            by_url += 1;
            continue;
        };
        match sender.send(&message(), 0).await {
            Err(SendError::Connect(ConnectError::Refused { .. })) => by_address += 1,
            Err(SendError::Connect(ConnectError::Nowhere(_))) if answer.is_empty() => by_address += 1,
            other => panic!("{url} {answer:?}: {other:?}"),
        }
    }
    println!("{} evasions: {by_url} refused as URLs, {by_address} by their addresses", all.len());
    assert_eq!(v4.count(), 0, "somebody got through");
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_it_says_later_counts_for_nothing() {
    let (first, second) = (Receiver::start("127.0.0.1:0", TAKEN.into()), Arc::new(Mutex::new(0)));
    let asked = second.clone();
    let rebinding: Resolve = Arc::new(move |_| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        // The first answer is allowed, every later one is not.
        let answer = IpAddr::from(if *asked == 1 { [127, 0, 0, 1] } else { [127, 0, 0, 2] });
        Box::pin(async move { Ok(vec![answer]) })
    });
    let url = format!("http://rebind.example:{}/", first.port);
    let sender = sender(&url, vec!["127.0.0.1".parse().unwrap()], rebinding).unwrap();
    let answer = sender.send(&message(), 0).await.unwrap();
    assert_eq!((answer.outcome, *second.lock().unwrap(), first.count()), (Outcome::Taken, 1, 1));
    let refused = sender.send(&message(), 0).await.unwrap_err();
    assert!(matches!(refused, SendError::Connect(ConnectError::Refused { .. })), "{refused}");
    assert_eq!((*second.lock().unwrap(), first.count()), (2, 1));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inside = Receiver::start("127.0.0.1:0", TAKEN.into());
    for status in [301, 302, 303, 307, 308] {
        let there = format!("http://127.0.0.1:{}/", inside.port);
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n");
        let outside = Receiver::start("127.0.0.1:0", answer);
        let url = format!("http://127.0.0.1:{}/", outside.port);
        let sender = sender(&url, vec!["127.0.0.0/8".parse().unwrap()], answering(vec![])).unwrap();
        let answer = sender.send(&message(), 0).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.outcome), (status, Outcome::Refused));
        assert_eq!((outside.count(), inside.count()), (1, 0));
    }
}
