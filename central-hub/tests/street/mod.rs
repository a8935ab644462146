//! The broker with ingest and store in this process, doors that tests hold open, stall and count, and
//! boxes that speak MQTT through them. TLS is left out: whose certificate it was is entered by hand.

#![allow(dead_code)]

pub mod forgery;
pub mod lying;
pub mod raw;
pub mod tls;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use central_hub::broker::Broker;
use central_hub::door::peers::{Peer, Peers};
use central_hub::ingest::backlog::Backlog;
use central_hub::ingest::link::Link;
use central_hub::ingest::{QUEUED_ACKS, QUEUED_MESSAGES, writer};
use central_hub::store::Store;
use central_hub::store::alerts::{AlertView, Filter};
use central_hub::store::certificates::Issued;
use central_hub::store::tokens::Redeemed;
use hub_core::rights::Sites;
use protocol::enrol::Identity;
use protocol::{Ack, Command, Order, Outcome, Reply};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No wait is longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Hub {
    pub store: Store,
    pub peers: Peers,
    pub broker: Broker,
    tasks: Vec<JoinHandle<()>>,
    pub stop: CancellationToken,
    pub folder: tempfile::TempDir,
}

impl Hub {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &Default::default()).await.unwrap();
        let (peers, backlog) = (Peers::default(), Backlog::default());
        let broker = Broker::start(store.clone(), peers.clone(), backlog.clone()).await.unwrap();
        let (to_writer, arrivals) = mpsc::channel(QUEUED_MESSAGES);
        let (to_link, acks) = mpsc::channel(QUEUED_ACKS);
        let (hearing, mut heard) = watch::channel(false);
        let stop = CancellationToken::new();
        let link = Link {
            broker: broker.for_hub(),
            arrivals: to_writer,
            acks,
            hearing,
            among: None,
            store: store.clone(),
        };
        let tasks = vec![
            tokio::spawn(writer::run(store.clone(), arrivals, to_link, backlog, mpsc::channel(1).1)),
            tokio::spawn(link.run(stop.clone())),
            tokio::spawn(central_hub::door::watch::run(peers.clone(), store.clone(), stop.clone())),
        ];
        bounded(heard.wait_for(|h| *h)).await.unwrap();
        Self { store, peers, broker, tasks, stop, folder }
    }

    /// Lets an agent in and opens a door for whoever has its certificate.
    pub async fn enrol(&self, site: &str, agent: &str) -> Door {
        self.enrol_as(site, agent, &format!("{site}-{agent}")).await
    }

    pub async fn enrol_as(&self, site: &str, agent: &str, serial: &str) -> Door {
        let identity = Identity { site: site.parse().unwrap(), agent: agent.parse().unwrap() };
        let serial = serial.to_owned();
        self.store.put_token(serial.as_bytes(), &identity, None, i64::MAX, "test").await.unwrap();
        let issued = Issued {
            serial: serial.clone(),
            identity: identity.clone(),
            authority: "test".to_owned(),
            key_hash: vec![1],
            pem: String::new(),
            not_before: 0,
            not_after: i64::MAX,
        };
        assert_eq!(self.store.redeem(serial.as_bytes(), &issued, "here").await.unwrap(), Redeemed::New);
        Door::open(identity, serial, self.peers.clone(), self.broker.address()).await
    }

    pub async fn alerts(&self) -> Vec<AlertView> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let (page, next) =
                self.store.alerts(&Sites::All, &Filter::default(), before.as_ref(), 200).await.unwrap();
            all.extend(page);
            before = next;
            if before.is_none() {
                return all;
            }
        }
    }

    pub async fn held(&self, agent: &str) -> Option<String> {
        let agents = self.store.list_agents().await.unwrap();
        agents.into_iter().find(|a| a.agent == agent).unwrap().held_why
    }

    /// A client with the hub's own rights that hears everything.
    pub async fn spy(&self) -> BoxClient {
        let mut options = self.broker.for_hub().options("spy");
        options.set_max_packet_size(Some(256 * 1024));
        let spy = BoxClient::connect(options).await.unwrap();
        assert!(matches!(spy.subscribe("#").await, SubscribeReasonCode::Success(_)));
        spy
    }

    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.abort();
        }
        self.broker.stop().await;
    }
}

/// One box's way in. Every connection through it is by the same certificate.
pub struct Door {
    pub identity: Identity,
    pub serial: String,
    pub address: SocketAddr,
    /// Connections that are older than this number get nothing through any more.
    stalled: watch::Sender<u64>,
    accepted: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Door {
    async fn open(identity: Identity, serial: String, peers: Peers, broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stalled, stall) = watch::channel(0);
        let (count, accepted) = watch::channel(0);
        let who = (identity.clone(), serial.clone());
        let task = tokio::spawn(async move {
            while let Ok((outer, from)) = listener.accept().await {
                let (identity, serial) = who.clone();
                let peer = Peer { identity, serial, from, cut: CancellationToken::new() };
                let number = *count.borrow() + 1;
                tokio::spawn(hand_on(outer, broker, peers.clone(), peer, stall.clone(), number));
                count.send_replace(number);
            }
        });
        Self { identity, serial, address, stalled, accepted, task }
    }

    /// The lines of all connections so far go dead: nothing comes through, and nobody is told.
    pub fn stall(&self) {
        self.stalled.send_replace(*self.accepted.borrow());
    }

    pub fn options(&self, client: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client, self.address.ip().to_string(), self.address.port());
        options.set_clean_start(true).set_max_packet_size(Some(256 * 1024));
        options.set_connection_timeout(10);
        options
    }

    pub async fn connect(&self) -> Result<BoxClient, ConnectReturnCode> {
        BoxClient::connect(self.options(self.identity.agent.as_str())).await
    }

    pub fn topic(&self, channel: &str) -> String {
        format!("signalbox/v1/{}/{}/{channel}", self.identity.site, self.identity.agent)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hand_on(
    mut outer: TcpStream,
    broker: SocketAddr,
    peers: Peers,
    peer: Peer,
    mut stall: watch::Receiver<u64>,
    number: u64,
) {
    let Ok(mut inner) = TcpStream::connect(broker).await else { return };
    let cut = peer.cut.clone();
    let _entry = peers.enter(inner.local_addr().unwrap(), peer);
    let dead = async {
        let _ = stall.wait_for(|below| *below >= number).await;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut outer, &mut inner) => {}
        () = cut.cancelled() => {}
        () = dead => cut.cancelled().await,
    }
}

/// A box's MQTT side: alive as long as it is kept.
pub struct BoxClient {
    pub client: AsyncClient,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Packet>>,
    task: JoinHandle<()>,
}

impl Drop for BoxClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl BoxClient {
    pub async fn connect(options: MqttOptions) -> Result<Self, ConnectReturnCode> {
        let (client, mut events) = AsyncClient::new(options, 4096);
        bounded(connected(&mut events)).await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let answers = client.clone();
        let task = tokio::spawn(async move {
            // Ends with the connection: a box that wants another makes a new client.
            while let Ok(event) = events.poll().await {
                let Event::Incoming(packet) = event else { continue };
                answer(&answers, &packet).await;
                if sender.send(packet).is_err() {
                    return;
                }
            }
        });
        Ok(Self { client, events: tokio::sync::Mutex::new(receiver), task })
    }

    /// The next packet for which `wanted` has an answer; `None` where the connection ends before.
    pub async fn wait<T>(&self, mut wanted: impl FnMut(Packet) -> Option<T>) -> Option<T> {
        let mut events = self.events.lock().await;
        bounded(async {
            loop {
                if let Some(found) = wanted(events.recv().await?) {
                    return Some(found);
                }
            }
        })
        .await
    }

    pub async fn subscribe(&self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        let code = |p| if let Packet::SubAck(ack) = p { Some(ack.return_codes[0]) } else { None };
        self.wait(code).await.unwrap()
    }

    pub async fn publish(&self, topic: &str, payload: &Value) -> PubAckReason {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string()).await.unwrap();
        self.wait(|p| if let Packet::PubAck(ack) = p { Some(ack.reason) } else { None }).await.unwrap()
    }

    /// The hub's next acknowledgement.
    pub async fn ack(&self) -> Option<Ack> {
        self.wait(|p| match p {
            Packet::Publish(p) if p.topic.ends_with(b"/ack") => serde_json::from_slice(&p.payload).ok(),
            _ => None,
        })
        .await
    }

    /// Until the hub has ended it.
    pub async fn ended(&self) {
        while self.wait(Some).await.is_some() {}
    }
}

async fn connected(events: &mut EventLoop) -> Result<(), ConnectReturnCode> {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
            Ok(_) => {}
            Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
            Err(error) => panic!("{error}"),
        }
    }
}

/// As a box answers: to the hub's question whether it is there, and to nothing else.
async fn answer(client: &AsyncClient, packet: &Packet) {
    let Packet::Publish(publish) = packet else { return };
    let topic = String::from_utf8_lossy(&publish.topic);
    let Some(own) = topic.strip_suffix("/command") else { return };
    let Ok(command) = serde_json::from_slice::<Command>(&publish.payload) else { return };
    if command.order != Order::Present {
        return;
    }
    let reply = Reply { v: 1, id: command.id, outcome: Outcome::Done, reason: None, why: None };
    let payload = serde_json::to_vec(&reply).unwrap();
    let _ = client.try_publish(format!("{own}/reply"), QoS::AtLeastOnce, false, payload);
}

pub async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("what was waited for did not happen")
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < PATIENCE, "what was waited for did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn raised(camera: &str, epoch: &str, seq: u64) -> Value {
    json!({
        "epoch": epoch, "seq": seq, "at": "2026-11-23T08:00:00.000Z", "type": "raised", "camera": camera,
        "kind": "LineDetector/Crossed", "rule": "line-a", "severity": "high", "still": { "state": "pending" },
    })
}

pub fn message(records: Vec<Value>) -> Value {
    json!({ "v": 1, "records": records })
}
