//! A real mosquitto with the rules that `broker-config` writes, and the hub as its client.

mod street;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use central_hub::broker::selftest;
use central_hub::broker_rules::{HUB_NAME, write_mosquitto};
use central_hub::ca::Ca;
use central_hub::config::Broker;
use central_hub::ingest::backlog::Backlog;
use central_hub::ingest::link::{BrokerAddress, Link};
use central_hub::ingest::{QUEUED_ACKS, QUEUED_MESSAGES, writer};
use central_hub::store::Store;
use central_hub::store::alerts::Filter;
use futures::future::join_all;
use hub_core::rights::Sites;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use street::forgery::Lies;
use street::lying::{self, Count, FILTERS, WILLS, hello, payload_lies, publish_lies};
use street::raw::{Dial, Hello, Publish, Raw};
use street::tls::{self, Box};
use street::{bounded, message, raised, until};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

const LIARS: usize = 4;

/// A mosquitto of this test's own, ended with it.
struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Mosquitto {
    fn start(folder: &Path) -> Self {
        let rules = folder.join("rules");
        let main = folder.join("main.conf");
        // Started by root it would become another user, who must not read the keys.
        let text = format!(
            "user root\npersistence_location {}/\ninclude_dir {}\n",
            folder.display(),
            rules.display()
        );
        std::fs::write(&main, text).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        // Debian puts it where not everybody's PATH leads.
        let start = |program: &str| {
            let log = log.try_clone().unwrap();
            Command::new(program).arg("-c").arg(&main).stderr(log).stdout(Stdio::null()).spawn()
        };
        let child = start("mosquitto").or_else(|_| start("/usr/sbin/mosquitto"));
        Self(child.expect("run `make setup` for mosquitto"))
    }

    fn reload(&self) {
        assert!(Command::new("kill").args(["-HUP", &self.0.id().to_string()]).status().unwrap().success());
    }
}

struct World {
    store: Store,
    ca: Ca,
    address: SocketAddr,
    /// Where it listens to hubs.
    hubs: SocketAddr,
    folder: tempfile::TempDir,
    boxes: Vec<Box>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &Default::default()).await.unwrap();
        let ca = Ca::open(&store).await.unwrap();
        // Free ports: mosquitto cannot choose them by itself.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [address, hubs] = free.map(|listener| listener.local_addr().unwrap());
        let mut boxes = vec![];
        for (site, agent) in
            [("market", "gate"), ("market", "yard"), ("school", "gate-2"), ("m", "a"), ("market", "victim")]
        {
            boxes.push(tls::enrol(&store, &ca, address, site, agent).await);
        }
        Self { store, ca, address, hubs, folder, boxes }
    }

    /// As an operator would; then two clients of the test's own are let in besides.
    async fn write_rules(&self) {
        let rules = self.folder.path().join("rules");
        let names = BTreeSet::from(["127.0.0.1".to_owned()]);
        write_mosquitto(&self.store, &rules, self.address, Some(self.hubs), &names).await.unwrap();
        let mut acl = std::fs::read_to_string(rules.join("acl")).unwrap();
        acl += "\nuser spy\ntopic read #\n";
        for n in 0..LIARS {
            acl += &format!("\nuser marker-{n}\ntopic write signalbox/#\n");
        }
        std::fs::write(rules.join("acl"), acl).unwrap();
    }

    async fn dial(&self, name: &str) -> Dial {
        self.dial_at(self.address, name).await
    }

    async fn dial_at(&self, address: SocketAddr, name: &str) -> Dial {
        let pair = self.ca.client_certificate(name).await.unwrap();
        let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes()).collect::<Result<_, _>>().unwrap();
        tls::dial(address, tls::client(&self.ca, Some((chain, pair.key))).await)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The hub, by the certificate that the rules brought.
    async fn start_hub(&self) -> CancellationToken {
        let rules = self.folder.path().join("rules");
        let broker = Broker {
            authority_file: Some(rules.join("authority.pem")),
            certificate_file: Some(rules.join("hub.pem")),
            key_file: Some(rules.join("hub.key")),
            ..Broker::default()
        };
        let tls = broker.client_tls().unwrap();
        let (host, port) = (self.hubs.ip().to_string(), self.hubs.port());
        let broker = BrokerAddress { host, port, login: None, tls, hub: None };
        if let Err(error) = selftest::run(&broker).await {
            panic!("{error}: {}", self.log());
        }
        let (to_writer, arrivals) = mpsc::channel(QUEUED_MESSAGES);
        let (to_link, acks) = mpsc::channel(QUEUED_ACKS);
        let (hearing, mut heard) = watch::channel(false);
        let stop = CancellationToken::new();
        tokio::spawn(writer::run(
            self.store.clone(),
            arrivals,
            to_link,
            Backlog::default(),
            mpsc::channel(1).1,
        ));
        let link =
            Link { broker, arrivals: to_writer, acks, hearing, among: None, store: self.store.clone() };
        tokio::spawn(link.run(stop.clone()));
        bounded(heard.wait_for(|h| *h)).await.unwrap();
        stop
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_let_every_box_speak_for_itself_and_nobody_for_another() {
    let world = World::new().await;
    world.write_rules().await;
    let mosquitto = Mosquitto::start(world.folder.path());
    until(|| async { tokio::net::TcpStream::connect(world.address).await.is_ok() }).await;
    let stop = world.start_hub().await;
    let spy = Hello { client: b"spy", ..Hello::default() };
    let heard = lying::spy(&world.dial("spy").await, &spy).await;
    let mut markers = vec![];
    for n in 0..LIARS {
        markers.push(world.dial(&format!("marker-{n}")).await);
    }

    several_hubs_by_one_name(&world, &markers[0]).await;
    let mut victim = hello(&world.boxes[LIARS]).await;
    victim.subscribe(world.boxes[LIARS].topic("ack").as_bytes()).await.unwrap();
    let identities: Vec<_> = world.boxes.iter().map(|b| b.identity.clone()).collect();
    let liars = world.boxes[..LIARS].iter().enumerate().map(|(n, liar)| {
        let others = identities.iter().filter(|i| **i != liar.identity).cloned().collect();
        lie(liar, &markers[n], Lies::new(7_261_124 + n as u64, liar.identity.clone(), others))
    });
    let mut count = Count::default();
    for one in join_all(liars).await {
        count.trials += one.trials;
        count.accepted += one.accepted;
    }

    for honest in &world.boxes[..LIARS] {
        let mut raw = hello(honest).await;
        let (topic, alert) = (honest.topic("alert"), message(vec![raised("honest", "e1", 1)]).to_string());
        say(&mut raw, &topic, alert.as_bytes()).await.unwrap();
        let said = || heard.lock().unwrap().iter().any(|(t, p)| *t == topic && *p == alert.as_bytes());
        until(|| async { said() }).await;
    }
    let stored = || async { world.store.alerts(&Sites::All, &Filter::default(), None, 200).await.unwrap().0 };
    until(|| async { stored().await.len() >= 4 }).await;
    for (topic, payload) in heard.lock().unwrap().iter() {
        let lie = String::from_utf8_lossy(payload).contains("a lie");
        count.accepted += usize::from(lie);
        assert!(!lie, "heard on {topic}");
    }
    println!("{} lies at mosquitto, {} accepted", count.trials, count.accepted);
    assert_eq!((count.trials, count.accepted), (10_000, 0));
    assert!(stored().await.iter().all(|a| a.camera == "honest"));
    assert!(world.store.agents(None).await.unwrap().iter().all(|a| a.name.is_none() && a.health.is_none()));

    // Nobody took the victim's place, whatever client id was claimed: its own line still hears.
    let mut hub = Raw::hello(&markers[0], &Hello { client: b"m", ..Hello::default() }).await.ok().unwrap();
    say(&mut hub, &world.boxes[LIARS].topic("ack"), b"still there").await.unwrap();
    drop(hub);
    while let Some(packet) = victim.read().await {
        if packet.kind == 3 && packet.message().1 == b"still there" {
            break;
        }
    }
    revoked_and_replaced(&world, &mosquitto).await;
    stop.cancel();
}

/// Hubs that share the load have more than one connection each, by one certificate.
async fn several_hubs_by_one_name(world: &World, marker: &Dial) {
    let dial = world.dial_at(world.hubs, HUB_NAME).await;
    let topic = world.boxes[0].topic("ack");
    let mut hubs = vec![];
    for client in [&b"hub-a"[..], b"hub-b"] {
        let mut hub = Raw::hello(&dial, &Hello { client, ..Hello::default() }).await.ok().unwrap();
        hub.subscribe(topic.as_bytes()).await.unwrap();
        hubs.push(hub);
    }
    let mut marker = Raw::hello(marker, &Hello { client: b"m", ..Hello::default() }).await.ok().unwrap();
    say(&mut marker, &topic, b"to both").await.unwrap();
    for hub in &mut hubs {
        let heard = async {
            loop {
                let packet = hub.read().await.expect("each keeps its connection");
                if packet.kind == 3 && packet.message().1 == b"to both" {
                    break;
                }
            }
        };
        bounded(heard).await;
    }
}

/// At QoS 1; the reason where it was refused, `None` where the line was closed.
async fn say(raw: &mut Raw, topic: &str, payload: &[u8]) -> Result<(), Option<u8>> {
    let publish = Publish { topic: topic.as_bytes(), payload, qos: 1, ..Publish::default() };
    raw.publish(&publish).await.map_err(|_| None)?;
    loop {
        match raw.read().await {
            Some(packet) if packet.kind == 4 && packet.reason() < 0x80 => return Ok(()),
            Some(packet) if packet.kind == 4 => return Err(Some(packet.reason())),
            Some(_) => {}
            None => return Err(None),
        }
    }
}

async fn lie(liar: &Box, marker: &Dial, lies: Lies) -> Count {
    let mut count = Count::default();
    publish_lies(liar, &lies, &mut count).await;
    subscribe_lies(liar, marker, &lies, &mut count).await;
    connect_lies(liar, &lies, &mut count).await;
    payload_lies(liar, &lies, &mut count).await;
    count
}

/// Mosquitto grants every subscription and asks for rights when it delivers: so what counts is what comes.
async fn subscribe_lies(liar: &Box, marker: &Dial, lies: &Lies, count: &mut Count) {
    let name = liar.identity.common_name();
    let mut left = FILTERS;
    while left > 0 {
        let mut raw = hello(liar).await;
        raw.subscribe(liar.topic("ack").as_bytes()).await.unwrap();
        let mut open = true;
        for _ in 0..25.min(left) {
            left -= 1;
            count.trials += 1;
            open = open && raw.subscribe(&lies.filter()).await.is_ok() && {
                // The answer, or a message that a filter before it brought.
                let packet = raw.read().await;
                count.accepted += usize::from(packet.as_ref().is_some_and(|p| p.kind == 3));
                packet.is_some()
            };
            if !open {
                break;
            }
        }
        if !open {
            continue;
        }
        // What is other people's is said now, and last what is its own: by then it would have come.
        let mut hub = Raw::hello(marker, &Hello { client: b"m", ..Hello::default() }).await.ok().unwrap();
        for topic in
            ["signalbox/v1/market/victim/ack", "signalbox/v1/market/victim/command", "signalbox/selftest/x"]
        {
            say(&mut hub, topic, name.as_bytes()).await.unwrap();
        }
        let mark = format!("{name} {left}");
        say(&mut hub, &liar.topic("ack"), mark.as_bytes()).await.unwrap();
        while let Some(packet) = raw.read().await {
            if packet.kind == 3 {
                let (topic, payload) = packet.message();
                count.accepted += usize::from(topic != liar.topic("ack"));
                if payload == mark.as_bytes() {
                    break;
                }
            }
        }
    }
}

/// Wills are heard by the spy or not at all; a client id is replaced by the certificate's name.
async fn connect_lies(liar: &Box, lies: &Lies, count: &mut Count) {
    for _ in 0..WILLS {
        let topic = lies.topic();
        let will = Some((topic.as_slice(), b"a lie".as_slice()));
        count.trials += 1;
        drop(Raw::hello(&liar.dial, &Hello { client: b"x", will, login: None }).await);
    }
    for _ in 0..lying::CLIENTS {
        let (client, topic) = (lies.client(), lies.topic());
        count.trials += 1;
        let login = Some((b"market/victim".as_slice(), b"x".as_slice()));
        let Ok(mut raw) = Raw::hello(&liar.dial, &Hello { client: &client, will: None, login }).await else {
            continue;
        };
        let publish = Publish { topic: &topic, payload: b"a lie", qos: 1, ..Publish::default() };
        if raw.publish(&publish).await.is_ok()
            && let Some(packet) = raw.read().await
        {
            count.accepted += usize::from(packet.kind == 4 && packet.reason() < 0x80);
        }
    }
}

/// Revoked: without rights when the rules are read again. Replaced: its old certificate is refused.
async fn revoked_and_replaced(world: &World, mosquitto: &Mosquitto) {
    let (gone, old) = (&world.boxes[0], &world.boxes[1]);
    let mut open = hello(gone).await;
    world.store.revoke_agent(&gone.identity.agent, "test").await.unwrap();
    let new = tls::enrol_again(&world.store, &world.ca, world.address, &old.identity).await;
    world.write_rules().await;
    mosquitto.reload();
    let begun = std::time::Instant::now();
    let topic = gone.topic("alert");
    while say(&mut open, &topic, b"{}").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(5), "still heard: {}", world.log());
    }
    println!("revoked: without rights {} ms after the signal", begun.elapsed().as_millis());
    // The old certificate's name is valid still: mosquitto knows by its revocation list alone.
    for ended in [gone, old] {
        assert!(Raw::hello(&ended.dial, &Hello { client: b"x", ..Hello::default() }).await.is_err());
    }
    let mut raw = hello(&new).await;
    say(&mut raw, &new.topic("alert"), message(vec![raised("honest", "e2", 1)]).to_string().as_bytes())
        .await
        .unwrap();
}
