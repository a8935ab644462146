//! The real hub tells a real receiver: signed, each version once, whatever the receiver does meanwhile.

mod world;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use central_hub::store::changes::Subject;
use central_hub::store::{Store, sql};
use central_hub::webhooks::sign::Key;
use serde_json::Value;
use world::{PATIENCE, World, message, runtime};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Clone)]
struct Got {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// What the receiver does with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Take,
    Fail,
    /// Reads, and never answers.
    Hang,
}

/// A receiver of its own port.
struct Receiver {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, got) = (Arc::new(Mutex::new(Mood::Take)), Arc::new(Mutex::new(Vec::new())));
        let (its_mood, its_got) = (mood.clone(), got.clone());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mood, got) = (its_mood.clone(), its_got.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &mood, &got));
            }
        });
        Self { port, mood, got }
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it has got what is `enough`.
    fn until(&self, what: &str, enough: impl Fn(&[Got]) -> bool) -> Vec<Got> {
        let begun = Instant::now();
        loop {
            let got = self.got();
            if enough(&got) {
                return got;
            }
            assert!(begun.elapsed() < PATIENCE, "no {what}: {:?}", ids(&got));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn serve(mut stream: TcpStream, mood: &Mutex<Mood>, got: &Mutex<Vec<Got>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mood = *mood.lock().unwrap();
    got.lock().unwrap().push(Got { headers, body });
    match mood {
        Mood::Take => drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")),
        Mood::Fail => {
            drop(stream.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"))
        }
        Mood::Hang => drop(stream.read(&mut [0; 1])),
    }
}

fn world_with(receiver: &Receiver, more: &str) -> World {
    let world = World::new();
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = world.folder.path().join("hub.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let webhook = format!(
        "[[webhooks]]\nname = \"city\"\nurl = \"http://127.0.0.1:{}/hook?a=1\"\nsecret_file = {secret:?}\nallow_plain = true\nnetworks = [\"127.0.0.1\"]\ntimeout = \"1s\"\n{more}\n",
        receiver.port
    );
    std::fs::write(&file, format!("{settings}{webhook}")).unwrap();
    world
}

/// An incident beside the running hub, as another hub on the same database would commit it.
async fn put(store: &Store, n: i64, version: i64) {
    let mut tx = store.write().await.unwrap();
    let incident = format!("01936f0a-7c00-7000-8000-{n:012}");
    let text =
        "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at, clock_from,
            alerts, cameras, peak, severity, urgency, root, state, version)
        VALUES ('market', $1, 'alerts', 'LineDetector/Crossed', 'perimeter', FALSE, 1795579200000, 1795579200000,
            1795579200000, 1, '[[\"gate\", \"c1\"]]', 3, 3, 1, $1, 'new', $2)
        ON CONFLICT (site, incident) DO UPDATE SET version = excluded.version";
    tx.execute(sql(text).bind(&incident).bind(version)).await.unwrap();
    tx.changed(Subject::Incident { site: "market".into(), incident });
    tx.commit().await.unwrap();
}

fn put_all(world: &World, incidents: impl IntoIterator<Item = (i64, i64)>) {
    runtime().block_on(async {
        let store = world.store().await;
        for (n, version) in incidents {
            put(&store, n, version).await;
        }
        store.close().await;
    });
}

/// How the receiver stands, as soon as everything was told.
fn until_nothing_waits(world: &World) -> Value {
    let begun = Instant::now();
    loop {
        let list = world.run(&["webhook", "list", "--json"]);
        let line: Value = serde_json::from_slice(&list.stdout).unwrap();
        if line["waiting"] == 0 {
            return line;
        }
        assert!(begun.elapsed() < PATIENCE, "{line}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn ids(got: &[Got]) -> Vec<String> {
    got.iter().map(|g| g.headers["webhook-id"].clone()).collect()
}

#[test]
fn a_receiver_gets_signed_messages_once_each() {
    let receiver = Receiver::start();
    let mut world = world_with(&receiver, "");
    world.start();
    put_all(&world, [(1, 0), (2, 0), (1, 1)]);
    let newest = |got: &[Got]| got.iter().any(|g| g.headers["webhook-id"].ends_with("1.1000002"));
    let got = receiver.until("message", |got| newest(got) && got.len() >= 2);
    let key = Key::parse(SECRET).unwrap();
    for one in &got {
        let seconds = one.headers["webhook-timestamp"].parse().unwrap();
        let id = &one.headers["webhook-id"];
        assert_eq!(one.headers["webhook-signature"], key.sign(id, seconds, &one.body));
        assert_ne!(one.headers["webhook-signature"], key.sign(id, seconds + 1, &one.body));
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        let data: protocol::exchange::Incident = serde_json::from_value(body["data"].clone()).unwrap();
        assert_eq!(format!("{}.{}.{}", data.site, data.incident, data.version), *id);
    }
    let mut unique = ids(&got);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), got.len(), "told twice");

    // Killed and started again, the hub tells nothing a second time that it knows to be told.
    until_nothing_waits(&world);
    world.kill();
    world.start();
    put_all(&world, [(3, 0)]);
    let after = receiver.until("third", |got| ids(got).iter().any(|id| id.contains("000000000003")));
    assert_eq!(after.len(), got.len() + 1, "{:?}", ids(&after));
    assert_eq!(until_nothing_waits(&world)["given_up"], 0);
    let test = world.run(&["webhook", "test", "city"]);
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    let last = receiver.until("test", |got| got.len() == after.len() + 1).pop().unwrap();
    let body: Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(body["data"]["test"], true);
    assert!(!world.run(&["webhook", "test", "nobody"]).status.success());
}

#[test]
fn a_receiver_that_is_away_holds_up_nothing_and_gets_everything_once() {
    let receiver = Receiver::start();
    receiver.be(Mood::Fail);
    let mut world = world_with(&receiver, "format = \"cap\"\n");
    let papers = world.add_agent("market", "gate");
    world.start();
    put_all(&world, [(1, 0)]);
    receiver.until("attempt", |got| !got.is_empty());
    receiver.be(Mood::Hang);
    put_all(&world, (2..=12).map(|n| (n, 0)));
    receiver.until("more attempts", |got| got.len() > 3);
    // Meanwhile alerts come in and are acknowledged.
    let mut agent = world.connect("gate", &papers).unwrap();
    agent.subscribe("signalbox/v1/market/gate/ack");
    for n in 0..10 {
        agent.publish("signalbox/v1/market/gate/alert", &message(n * 10 + 1..=n * 10 + 10));
        while agent.ack().unwrap().settled_through < n * 10 + 10 {}
    }
    receiver.be(Mood::Take);
    let wanted = |n: i64| format!("market.01936f0a-7c00-7000-8000-{n:012}.2");
    let taken = receiver.until("all twelve", |got| (1..=12).all(|n| ids(got).contains(&wanted(n))));
    assert!(taken.iter().all(|g| g.headers["content-type"] == "application/cap+xml"));
    assert!(String::from_utf8_lossy(&taken[0].body).contains("<identifier>market.01936f0a"));
    let standing = until_nothing_waits(&world);
    assert!(standing["told"].as_i64() >= Some(12), "{standing}");
}
