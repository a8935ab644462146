//! The real client against a real broker, with a stand-in for the hub that acknowledges.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use protocol::{Ack, AgentEvent, AgentState, Body, TimeSource, Timestamp};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};

use super::*;
use crate::identity::testing::Authority;
use crate::spool::{Draft, Spool, SpoolConfig};

struct Broker(Child);

impl Broker {
    /// Set-up installs mosquitto; Debian puts it where not everybody's PATH leads.
    ///
    /// Boxes come in at `port` by certificate, the stand-in for the hub at `inside`.
    fn start(folder: &std::path::Path, port: u16, inside: u16) -> Self {
        let file = folder.join("mosquitto.conf");
        let here = folder.display();
        let text = format!(
            "user root\nper_listener_settings true\nlistener {port} 127.0.0.1\nallow_anonymous true\ncafile {here}/ca.pem\n\
             certfile {here}/hub.pem\nkeyfile {here}/hub.key\nrequire_certificate true\n\
             listener {inside} 127.0.0.1\nallow_anonymous true\n"
        );
        std::fs::write(&file, text).unwrap();
        let start = |program: &str| {
            Command::new(program).arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        Self(
            start("mosquitto")
                .or_else(|_| start("/usr/sbin/mosquitto"))
                .expect("run `make setup` for mosquitto"),
        )
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Commits what comes, loses its first acknowledgement, rejects seq 3.
async fn hub(port: u16, stored: watch::Sender<BTreeSet<u64>>) {
    let mut lost = false;
    loop {
        let mut options = MqttOptions::new("hub", "127.0.0.1", port);
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut events) = AsyncClient::new(options, 64);
        client.try_subscribe("signalbox/v1/+/+/alert", QoS::AtLeastOnce).unwrap();
        while let Ok(event) = events.poll().await {
            let Event::Incoming(Packet::Publish(publish)) = event else { continue };
            let mut epoch = None;
            for (record, _) in protocol::alert::parse(&publish.payload).unwrap().into_iter().flatten() {
                epoch = Some(record.epoch);
                stored.send_modify(|s| {
                    s.insert(record.seq);
                });
            }
            if !std::mem::replace(&mut lost, true) {
                continue;
            }
            let ack = Ack {
                hub_epoch: "h1".parse().unwrap(),
                epoch: epoch.unwrap(),
                settled_through: 0,
                settled: stored.borrow().iter().filter(|s| **s != 3).map(|s| (*s, *s)).collect(),
                rejected: vec![protocol::Rejected { seq: 3, reason: protocol::RejectReason::Malformed }],
            };
            let payload = serde_json::to_vec(&ack).unwrap();
            let _ = client.try_publish("signalbox/v1/town/box/ack", QoS::AtLeastOnce, false, payload);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn draft(n: u64) -> Draft {
    let event = AgentEvent { event: format!("event {n}"), camera: None, reason: None };
    Draft {
        at: Timestamp::from_unix_ms(0),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        body: Body::AgentEvent(event),
        still: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_and_settles_over_a_broker_that_dies() {
    let dir = tempfile::tempdir().unwrap();
    let [port, inside] = [(); 2]
        .map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .map(|free| free.local_addr().unwrap().port());
    let authority = Authority::new();
    let (certificate, key) = authority.hub();
    for (name, pem) in
        [("ca.pem", authority.pem()), ("hub.pem", certificate.pem()), ("hub.key", key.serialize_pem())]
    {
        std::fs::write(dir.path().join(name), pem).unwrap();
    }
    let pass = authority.pass(dir.path(), "https://127.0.0.1:9", &format!("127.0.0.1:{port}"));
    let broker = Broker::start(dir.path(), port, inside);
    let bound = Duration::from_secs(40);
    // Before the uplink runs: two connections of one box would end each other.
    let probed = async { while probe(&pass).await.is_err() {} };
    tokio::time::timeout(bound, probed).await.expect("a probe by the certificate");
    let (spool, _) = Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(dir.path()) }).unwrap();
    spool.append((1..=100).map(draft).collect()).unwrap();
    let (stored, arrived) = watch::channel(BTreeSet::new());
    let hub = tokio::spawn(hub(inside, stored));
    let status = Status {
        v: 1,
        state: AgentState::Online,
        name: None,
        version: None,
        since: None,
        cameras: None,
        config: None,
    };
    let (_status, status) = watch::channel(status);
    let (_health, health) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let (passes, pass) = watch::channel(pass);
    let (nudge, mut nudges) = mpsc::channel(4);
    let (orders, _) = mpsc::channel(1);
    let config =
        UplinkConfig { pass, nudge, clock: Arc::default(), orders, desired: watch::Sender::new(None) };
    let uplink = Uplink::start(config, spool.clone(), status, health, cancel.clone());
    let mut state = uplink.state();
    tokio::time::timeout(bound, state.wait_for(|s| s.connected)).await.unwrap().unwrap();
    // A new certificate: connected anew, and no link was lost.
    passes.send_replace(authority.pass(dir.path(), "https://127.0.0.1:9", &format!("127.0.0.1:{port}")));
    drop(broker);
    tokio::time::timeout(bound, state.wait_for(|s| !s.connected)).await.unwrap().unwrap();
    assert_eq!(nudges.recv().await, Some(Nudge::LinkFailed));
    spool.append((101..=150).map(draft).collect()).unwrap();
    let _broker = Broker::start(dir.path(), port, inside);
    let end = Instant::now() + bound;
    while spool.figures().unwrap().open_records > 0 {
        assert!(Instant::now() < end, "{:?}", spool.figures());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(*arrived.borrow(), (1..=150).collect::<BTreeSet<u64>>());
    cancel.cancel();
    uplink.join().await;
    hub.abort();
    spool.close();
}
