//! Two boxes with one certificate, and one box that was only away.

mod street;

use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, PubAckReason};
use street::{BoxClient, Door, Hub, message, raised, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_boxes_with_one_certificate_are_flagged_and_never_mixed() {
    const ROUNDS: u64 = 20;
    let hub = Hub::start().await;
    let door = hub.enrol("market", "gate").await;
    let mut slowest = Duration::ZERO;
    for round in 1..=ROUNDS {
        let first = door.connect().await.unwrap();
        first.subscribe(&door.topic("ack")).await;
        let begun = Instant::now();
        assert_eq!(door.connect().await.err(), Some(ConnectReturnCode::NotAuthorized));
        let took = begun.elapsed();
        assert!(hub.held("gate").await.is_some(), "round {round}");
        assert!(took < Duration::from_secs(5), "round {round}: flagged after {took:?}");
        slowest = slowest.max(took);
        // The first one goes on; whoever comes now stays out, and nobody is asked again.
        assert_eq!(door.connect().await.err(), Some(ConnectReturnCode::NotAuthorized));
        let record = raised("first", "e1", round);
        assert_eq!(first.publish(&door.topic("alert"), &message(vec![record])).await, PubAckReason::Success);
        assert_eq!(first.ack().await.unwrap().settled_through, round);
        assert_eq!(hub.store.audited("held", 100).await.unwrap().len() as u64, round);
        drop(first);
        until(|| async { hub.peers.all().is_empty() }).await;
        assert_eq!(door.connect().await.err(), Some(ConnectReturnCode::NotAuthorized), "still held");
        hub.store.release_agent(&door.identity.agent, "test").await.unwrap();
    }
    let alerts = hub.alerts().await;
    assert_eq!(alerts.len() as u64, ROUNDS);
    assert!(alerts.iter().all(|a| a.camera == "first"));
    println!("{ROUNDS} clones, the slowest flagged after {} ms", slowest.as_millis());
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clone_sends_along_with_its_hello_is_not_read() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let hub = Hub::start().await;
    let door = hub.enrol("market", "gate").await;
    let _first = door.connect().await.unwrap();
    let topic = door.topic("alert");
    let payload = message(vec![raised("second", "e1", 1)]).to_string();
    // CONNECT (MQTT 5, clean start, client id `gate`) and a PUBLISH at QoS 0 in one piece.
    let mut bytes = vec![0x10, 17, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 4];
    bytes.extend(b"gate");
    let length = 2 + topic.len() + 1 + payload.len();
    bytes.extend([0x30, (length % 128) as u8 | 0x80, (length / 128) as u8, 0, topic.len() as u8]);
    bytes.extend(topic.as_bytes());
    bytes.push(0);
    bytes.extend(payload.as_bytes());
    let mut clone = tokio::net::TcpStream::connect(door.address).await.unwrap();
    clone.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = street::bounded(clone.read_to_end(&mut answer)).await;
    assert_eq!((answer[0], answer[3]), (0x20, 0x87), "not authorized: {answer:?}");
    assert!(hub.held("gate").await.is_some());
    assert!(hub.alerts().await.is_empty());
    hub.stop().await;
}

/// The box was killed and its old line hangs: nobody closes it, nothing comes through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_comes_back_is_let_in_quickly_and_never_flagged() {
    const ROUNDS: u64 = 3;
    const BOXES: usize = 8;
    let hub = Hub::start().await;
    let mut doors = Vec::new();
    for n in 0..BOXES {
        doors.push(hub.enrol("market", &format!("box-{n}")).await);
    }
    let slowest = futures::future::join_all(doors.iter().map(|door| comes_back(&hub, door, ROUNDS))).await;
    let slowest = slowest.into_iter().max().unwrap();
    assert!(hub.store.audited("held", 1).await.unwrap().is_empty());
    println!(
        "{} returns over a dead line, the slowest took {} ms",
        BOXES as u64 * ROUNDS,
        slowest.as_millis()
    );
    hub.stop().await;
}

async fn comes_back(hub: &Hub, door: &Door, rounds: u64) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut old: Option<BoxClient> = None;
    for round in 1..=rounds {
        door.stall();
        let begun = Instant::now();
        let next = door.connect().await.unwrap();
        slowest = slowest.max(begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        if let Some(old) = old.replace(next) {
            old.ended().await;
        }
        let next = old.as_ref().unwrap();
        next.subscribe(&door.topic("ack")).await;
        let alert = message(vec![raised("c1", "e1", round)]);
        assert_eq!(next.publish(&door.topic("alert"), &alert).await, PubAckReason::Success);
        assert_eq!(next.ack().await.unwrap().settled_through, round);
        let agent = door.identity.agent.as_str();
        assert_eq!(hub.held(agent).await, None, "{agent}, round {round}");
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_hangs_up_or_is_enrolled_anew_is_let_in_at_once() {
    let hub = Hub::start().await;
    let door = hub.enrol("market", "gate").await;
    for _ in 0..10 {
        let client = door.connect().await.unwrap();
        drop(client);
    }
    let _old = door.connect().await.unwrap();
    // A new box in its place, while the old one still runs: no clone, its certificate has ended.
    let begun = Instant::now();
    let anew = hub.enrol_as("market", "gate", "second").await;
    let _new = anew.connect().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(hub.held("gate").await, None);
    assert_eq!(door.connect().await.err(), Some(ConnectReturnCode::NotAuthorized), "the old one is out");
    hub.stop().await;
}
