//! A real hub process in a temporary folder, boxes that speak HTTPS and MQTT over TLS to it, and an operator.

#![allow(dead_code)]

#[path = "../cluster/mod.rs"]
pub mod cluster;
pub mod https;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use central_hub::ca::{Ca, Request};
use central_hub::ports::Ports;
use central_hub::store::certificates::Issued;
use central_hub::store::tokens::Redeemed;
use central_hub::store::{Settings, Store};
use https::{Answer, HERE};
use protocol::Ack;
use protocol::enrol::Identity;
use rcgen::{CertificateParams, KeyPair};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{Client, Connection, ConnectionError, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// No wait is longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The engine that this test program is about: `NAME_postgres` holds the tests of `NAME` once more.
pub fn store_settings() -> Settings {
    let postgres = env!("CARGO_CRATE_NAME").ends_with("_postgres");
    Settings { url: postgres.then(|| cluster::cluster().database()), ..Settings::default() }
}

/// Lets an agent in as its token would; no connection is made here, so the certificate itself is a word.
pub async fn enrol(store: &Store, site: &str, agent: &str) {
    let identity = Identity { site: site.parse().unwrap(), agent: agent.parse().unwrap() };
    store.put_token(agent.as_bytes(), &identity, None, i64::MAX, "test").await.unwrap();
    let issued = Issued {
        serial: agent.to_owned(),
        identity,
        authority: "test".to_owned(),
        key_hash: vec![1],
        pem: String::new(),
        not_before: 0,
        not_after: i64::MAX,
    };
    assert_eq!(store.redeem(agent.as_bytes(), &issued, "test").await.unwrap(), Redeemed::New);
}

pub struct World {
    pub folder: tempfile::TempDir,
    hub: Option<Child>,
    pub ports: Ports,
    store: Settings,
}

impl World {
    /// An empty folder and settings with free ports; nothing runs yet.
    pub fn new() -> Self {
        Self::on(store_settings(), "")
    }

    /// The same on a database of one's own, with more settings.
    pub fn on(store: Settings, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, wall) = (folder.path().join("data"), folder.path().join("wall"));
        std::fs::create_dir(&wall).unwrap();
        std::fs::write(wall.join("index.html"), "<!doctype html><title>the wall</title>").unwrap();
        std::fs::create_dir(wall.join("assets")).unwrap();
        std::fs::write(wall.join("assets/app.js"), "export {}").unwrap();
        let settings = format!(
            "hub.data = {data:?}\nhttp.listen = \"127.0.0.1:0\"\nagents.listen = \"127.0.0.1:0\"\nbroker.listen = \"127.0.0.1:0\"\nlive.listen = \"127.0.0.1:0\"\nwall.folder = {wall:?}\n"
        );
        let url = store.url.as_ref().map_or(String::new(), |url| format!("store.url = {url:?}\n"));
        std::fs::write(folder.path().join("hub.toml"), settings + &url + more).unwrap();
        Self { folder, hub: None, ports: Ports { http: 0, agents: 0, mqtt: None }, store }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(words).arg("--config").arg(self.folder.path().join("hub.toml"));
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// A command whose output and errors nobody reads.
    pub fn run_unread(&self, words: &[&str]) -> ExitStatus {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let errors = writer.try_clone().unwrap();
        self.command(words).stdout(writer).stderr(errors).status().unwrap()
    }

    pub fn start(&mut self) {
        Ports::remove(&self.data());
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut child = self.command(&["serve"]).stderr(log).spawn().unwrap();
        let begun = Instant::now();
        self.ports = loop {
            if let Some(ports) = Ports::read(&self.data()) {
                break ports;
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "hub did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        self.hub = Some(child);
    }

    pub fn kill(&mut self) {
        let mut child = self.hub.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks politely; how long it took.
    pub fn stop(&mut self) -> Duration {
        let mut child = self.hub.take().unwrap();
        let begun = Instant::now();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        assert!(child.wait().unwrap().success(), "{}", self.log());
        begun.elapsed()
    }

    /// User and system time of the running hub so far.
    pub fn cpu_seconds(&self) -> f64 {
        let id = self.hub.as_ref().unwrap().id();
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // Behind the name in brackets, the 12th and 13th field, in ticks of a hundredth of a second.
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Lets a box in, straight by store and authority; beside a running hub or without one.
    pub fn add_agent(&self, site: &str, agent: &str) -> Papers {
        self.add_agent_for(site, agent, 90)
    }

    /// The same, with a certificate for so many days.
    pub fn add_agent_for(&self, site: &str, agent: &str, days: u32) -> Papers {
        let identity = Identity { site: site.parse().unwrap(), agent: agent.parse().unwrap() };
        let (key, csr) = key_and_request();
        runtime().block_on(async {
            let store = self.store().await;
            let ca = Ca::open(&store).await.unwrap();
            let issued = ca.issue(&identity, &Request::read(&csr).unwrap(), days).await.unwrap();
            let secret = issued.serial.as_bytes();
            store.put_token(secret, &identity, None, i64::MAX, "test").await.unwrap();
            assert_eq!(store.redeem(secret, &issued, "here").await.unwrap(), Redeemed::New);
            let roots = ca.roots().await.unwrap().into_iter().map(|r| r.pem).collect();
            store.close().await;
            Papers { key, certificate: issued.pem, roots }
        })
    }

    /// The running hub's database, opened beside it.
    pub async fn store(&self) -> Store {
        Store::open(&self.data(), &self.store).await.unwrap()
    }

    /// TLS as a box speaks it.
    pub fn tls(&self, papers: Option<&Papers>) -> Arc<ClientConfig> {
        match papers {
            Some(papers) => papers.tls(),
            None => {
                let roots = runtime().block_on(async {
                    let store = self.store().await;
                    let roots = store.authorities().await.unwrap();
                    store.close().await;
                    roots.into_iter().map(|r| r.pem).collect()
                });
                Papers { key: String::new(), certificate: String::new(), roots }.tls()
            }
        }
    }

    /// One request at the boxes' HTTPS door.
    pub fn ask(&self, tls: Arc<ClientConfig>, line: &str, body: &Value) -> Answer {
        let head = format!("{line} HTTP/1.1\r\nContent-Type: application/json");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let sent = https::send(self.ports.agents, HERE, tls, &head, body.as_bytes());
        runtime().block_on(sent).unwrap_or_else(|e| panic!("{line}: {e}: {}", self.log()))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/api/v1{path}", self.ports.http)
    }

    pub fn connect(&self, agent: &str, papers: &Papers) -> Result<Agent, Refused> {
        self.connect_with(self.options(agent, papers))
    }

    pub fn options(&self, client: &str, papers: &Papers) -> MqttOptions {
        let mut options = MqttOptions::new(client, "127.0.0.1", self.ports.mqtt.unwrap());
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(papers.tls())));
        options.set_clean_start(true);
        options.set_max_packet_size(Some(256 * 1024));
        options
    }

    pub fn connect_with(&self, options: MqttOptions) -> Result<Agent, Refused> {
        let (client, connection) = Client::new(options, 4096);
        let mut agent = Agent { client, connection };
        loop {
            match agent.event() {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(agent),
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => return Err(Refused::ByBroker(code)),
                Err(error) => return Err(Refused::AtDoor(error.to_string())),
            }
        }
    }
}

/// Why a box has no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    AtDoor(String),
    ByBroker(ConnectReturnCode),
}

/// What a box has to show, and whom it believes; PEM.
#[derive(Debug, Clone)]
pub struct Papers {
    pub key: String,
    pub certificate: String,
    pub roots: Vec<String>,
}

impl Papers {
    pub fn tls(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(if self.key.is_empty() {
            builder.with_no_client_auth()
        } else {
            let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        })
    }
}

/// A box's new key and its signing request, PEM.
pub fn key_and_request() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    (key.serialize_pem(), csr)
}

pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.hub.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An agent's connection to the broker.
pub struct Agent {
    pub client: Client,
    connection: Connection,
}

impl Agent {
    /// The next thing that happens.
    pub fn event(&mut self) -> Result<Event, ConnectionError> {
        self.connection.recv_timeout(PATIENCE).expect("nothing happened in time")
    }

    /// Waits for something; `None` where the connection ends before.
    pub fn wait<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> Option<T> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Event::Incoming(packet) = self.event().ok()?
                && let Some(found) = wanted(packet)
            {
                return Some(found);
            }
        }
        panic!("what was waited for did not happen");
    }

    pub fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QoS::AtLeastOnce).unwrap();
        self.wait(|p| match p {
            Packet::SubAck(ack) => Some(ack.return_codes[0]),
            _ => None,
        })
        .unwrap()
    }

    pub fn publish(&mut self, topic: &str, payload: &Value) -> PubAckReason {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string()).unwrap();
        self.wait(|p| match p {
            Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        })
        .unwrap()
    }

    /// The next acknowledgement of the hub; `None` where the connection ends before.
    pub fn ack(&mut self) -> Option<Ack> {
        self.wait(|p| match p {
            Packet::Publish(p) if p.topic.ends_with(b"/ack") => {
                Some(serde_json::from_slice(&p.payload).unwrap())
            }
            _ => None,
        })
    }
}

/// An operator's browser, as far as the API goes.
pub struct Operator {
    http: ureq::Agent,
    cookie: String,
}

impl Operator {
    /// A browser without a session.
    pub fn stranger() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { http: config.build().into(), cookie: String::new() }
    }

    pub fn log_in(world: &World, login: &Value) -> Result<Self, u16> {
        let mut operator = Self::stranger();
        let response = operator.http.post(world.url("/session")).send_json(login).unwrap();
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        operator.cookie = cookie.split(';').next().unwrap().to_owned();
        Ok(operator)
    }

    pub fn by_link(world: &World) -> Self {
        let out = world.run(&["user", "login-link"]);
        let link = String::from_utf8(out.stdout).unwrap();
        let (page, token) = link.trim().split_once('#').unwrap();
        assert_eq!(page, format!("http://127.0.0.1:{}/login", world.ports.http));
        let operator = Self::log_in(world, &json!({ "token": token })).unwrap();
        assert_eq!(Self::log_in(world, &json!({ "token": token })).err(), Some(401), "used twice");
        operator
    }

    /// The session's cookie, for programs that ask in its name.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub fn get(&self, world: &World, path: &str) -> ureq::http::Response<ureq::Body> {
        self.http.get(world.url(path)).header("cookie", &self.cookie).call().unwrap()
    }

    pub fn json(&self, world: &World, path: &str) -> Value {
        let mut response = self.get(world, path);
        assert_eq!(response.status(), 200, "{path}: {}", response.body_mut().read_to_string().unwrap());
        response.body_mut().read_json().unwrap()
    }

    pub fn post(&self, world: &World, path: &str, body: &Value) -> (u16, Value) {
        read(self.http.post(world.url(path)).header("cookie", &self.cookie).send_json(body).unwrap())
    }

    /// With a key: however often it is sent, it is done once.
    pub fn post_once(&self, world: &World, path: &str, key: &str, body: &[u8]) -> (u16, Value) {
        let request = self.http.post(world.url(path)).header("cookie", &self.cookie);
        let request = request.header("idempotency-key", key).header("content-type", "application/json");
        read(request.send(body).unwrap())
    }

    pub fn put(&self, world: &World, path: &str, body: &Value) -> (u16, Value) {
        read(self.http.put(world.url(path)).header("cookie", &self.cookie).send_json(body).unwrap())
    }

    pub fn send_bytes(&self, world: &World, path: &str, body: &[u8]) -> (u16, Value) {
        read(self.http.post(world.url(path)).header("cookie", &self.cookie).send(body).unwrap())
    }

    pub fn delete(&self, world: &World, path: &str) -> u16 {
        self.http.delete(world.url(path)).header("cookie", &self.cookie).call().unwrap().status().as_u16()
    }

    /// Reads `count` events of the feed: (id, type, data).
    pub fn feed(&self, world: &World, after: Option<&str>, count: usize) -> Vec<(String, String, Value)> {
        let mut request = self.http.get(world.url("/feed")).header("cookie", &self.cookie);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let lines = BufReader::new(request.call().unwrap().into_body().into_reader()).lines();
        let (mut events, mut event) = (Vec::new(), (String::new(), String::new(), Value::Null));
        for line in lines {
            let line = line.unwrap();
            match line.split_once(':').map(|(name, value)| (name, value.trim_start())) {
                Some(("id", id)) => event.0 = id.to_owned(),
                Some(("event", kind)) => event.1 = kind.to_owned(),
                Some(("data", data)) => event.2 = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.1.is_empty() => {
                    events.push(std::mem::replace(&mut event, (String::new(), String::new(), Value::Null)));
                    if events.len() == count {
                        return events;
                    }
                }
                _ => {}
            }
        }
        panic!("the feed ended after {} events", events.len());
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.body_mut().read_json().unwrap_or_default())
}

pub fn raised(seq: u64) -> Value {
    json!({
        "epoch": "e1", "seq": seq, "at": "2026-11-23T08:00:00.000Z", "type": "raised", "camera": "c1",
        "kind": "LineDetector/Crossed", "rule": "line-a", "severity": "high", "still": { "state": "pending" },
    })
}

pub fn message(seqs: impl IntoIterator<Item = u64>) -> Value {
    json!({ "v": 1, "records": seqs.into_iter().map(raised).collect::<Vec<_>>() })
}
