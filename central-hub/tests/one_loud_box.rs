//! One box floods, the others are heard as if nothing were.

mod street;

use std::time::{Duration, Instant};

use futures::future::join_all;
use rumqttc::v5::mqttbytes::QoS;
use street::{BoxClient, Door, Hub, message, raised};

/// Generous: alone, an acknowledgement takes a few milliseconds.
const BAR: Duration = Duration::from_secs(2);
const OTHERS: usize = 10;
const EACH: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_held_back_and_the_others_are_heard() {
    let hub = Hub::start().await;
    let flooding = hub.enrol("market", "flood").await;
    let client = flooding.connect().await.unwrap();
    client.subscribe(&flooding.topic("ack")).await;
    let (topic, sender) = (flooding.topic("alert"), client.client.clone());
    let flood = tokio::spawn(async move {
        // As fast as it goes, 16 records a message, at QoS 1 and 0 in turn.
        for n in 0u64.. {
            let records = (n * 16 + 1..=n * 16 + 16).map(|seq| raised("c1", "e1", seq)).collect();
            let qos = if n % 2 == 0 { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            if sender.publish(&topic, qos, false, message(records).to_string()).await.is_err() {
                return;
            }
        }
    });
    street::until(|| async { hub.broker.counts().held_back > 20 }).await;
    let mut doors = Vec::new();
    for n in 0..OTHERS {
        doors.push(hub.enrol("market", &format!("box-{n}")).await);
    }
    let mut took: Vec<Duration> = join_all(doors.iter().map(speak)).await.into_iter().flatten().collect();
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    println!(
        "{} messages beside a flood: median {} ms, p99 {} ms, slowest {} ms; {} pauses",
        took.len(),
        took[took.len() / 2].as_millis(),
        p99.as_millis(),
        took.last().unwrap().as_millis(),
        hub.broker.counts().held_back
    );
    assert!(p99 <= BAR, "{p99:?}");
    // Held back, not thrown out; and what it says is not lost.
    assert!(!flood.is_finished());
    assert!(client.ack().await.is_some());
    flood.abort();
    hub.stop().await;
}

async fn speak(door: &Door) -> Vec<Duration> {
    let client: BoxClient = door.connect().await.unwrap();
    client.subscribe(&door.topic("ack")).await;
    let mut took = Vec::new();
    for seq in 1..=EACH {
        let begun = Instant::now();
        client.publish(&door.topic("alert"), &message(vec![raised("c1", "e1", seq)])).await;
        while client.ack().await.unwrap().settled_through < seq {}
        took.push(begun.elapsed());
    }
    took
}
