//! Ten thousand lies at the embedded broker, and what is heard and stored of them: nothing.

mod street;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use street::forgery::Lies;
use street::raw::{Dial, Hello, Publish, Raw};
use street::tls::{Box, TlsDoor};
use street::{Hub, message, raised, until};

/// Of each kind, for each of the four boxes that lie: 2,500 in all.
const TOPICS: usize = 1_500;
const FILTERS: usize = 350;
const WILLS: usize = 75;
const CLIENTS: usize = 75;
const PAYLOADS: usize = 500;
const BATCH: usize = 25;

#[derive(Debug, Default)]
struct Count {
    trials: usize,
    accepted: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_lies_and_none_is_believed() {
    let hub = Hub::start().await;
    let door = TlsDoor::open(&hub).await;
    let mut boxes = vec![];
    for (site, agent) in
        [("market", "gate"), ("market", "yard"), ("school", "gate-2"), ("m", "a"), ("market", "victim")]
    {
        boxes.push(door.enrol(&hub, site, agent).await);
    }
    let heard = spy(&hub).await;
    let identities: Vec<_> = boxes.iter().map(|b| b.identity.clone()).collect();
    let liars = boxes[..4].iter().enumerate().map(|(n, liar)| {
        let others = identities.iter().filter(|i| **i != liar.identity).cloned().collect();
        lie(liar, Lies::new(20_261_124 + n as u64, liar.identity.clone(), others))
    });
    let mut count = Count::default();
    for one in join_all(liars).await {
        count.trials += one.trials;
        count.accepted += one.accepted;
    }
    println!("{} lies through the door, {} accepted by the broker", count.trials, count.accepted);
    assert_eq!((count.trials, count.accepted), (10_000, 0));

    // The spy does hear, and the store does store: what each box says of itself arrives.
    for honest in &boxes {
        let mut raw = hello(honest).await;
        let alert = message(vec![raised("honest", "e1", 1)]).to_string();
        let status = json!({ "v": 1, "state": "online", "name": "honest" }).to_string();
        for (channel, payload) in [("alert", alert), ("status", status)] {
            let topic = honest.topic(channel);
            let payload = payload.as_bytes();
            raw.publish(&Publish { topic: topic.as_bytes(), payload, qos: 1, ..Publish::default() })
                .await
                .unwrap();
            assert_eq!(raw.read().await.unwrap().reason(), 0);
            let said = || {
                let heard = heard.lock().unwrap();
                heard.iter().any(|(t, p)| *t == topic && String::from_utf8_lossy(p).contains("honest"))
            };
            until(|| async { said() }).await;
        }
    }
    for (topic, payload) in heard.lock().unwrap().iter() {
        assert!(boxes.iter().any(|own| topic.starts_with(&own.topic(""))), "heard {topic}");
        assert!(!String::from_utf8_lossy(payload).contains("a lie"), "heard on {topic}");
    }
    // Every box's last word is in, so whatever came before it has been looked at.
    let named = |a: &central_hub::store::agents::AgentView| a.name.as_deref() == Some("honest");
    until(|| async { hub.store.agents(None).await.unwrap().iter().all(named) }).await;
    let alerts = hub.alerts().await;
    assert_eq!((alerts.len(), alerts.iter().filter(|a| a.camera == "honest").count()), (5, 5));
    for agent in hub.store.agents(None).await.unwrap() {
        assert!(agent.health.is_none(), "{agent:?}");
        assert_eq!(hub.held(&agent.agent).await, None);
    }
    // A few rows each, not ten thousand.
    for action in ["forged_topic", "forged_identity"] {
        let rows = hub.store.audited(action, 10_000).await.unwrap().len();
        println!("{rows} audit rows of {action}");
        assert!((8..200).contains(&rows), "{rows} rows of {action}");
    }
    let counts = hub.broker.counts();
    println!("{counts:?}");
    assert!(counts.publishes > 1_000 && counts.subscriptions > 300 && counts.logins > 200, "{counts:?}");
    hub.stop().await;
}

type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

async fn spy(hub: &Hub) -> Heard {
    let address = hub.broker.for_hub();
    let (user, password) = address.login.unwrap();
    let hello =
        Hello { client: b"spy", login: Some((user.as_bytes(), password.expose().as_bytes())), will: None };
    let mut raw = Raw::hello(&Dial::plain(hub.broker.address()), &hello).await.ok().unwrap();
    for filter in ["#", "$SYS/#", "$share/x/#", "$queue/#"] {
        raw.subscribe(filter.as_bytes()).await.unwrap();
    }
    let heard = Heard::default();
    let hearing = heard.clone();
    tokio::spawn(async move {
        while let Some(packet) = raw.read_on().await {
            if packet.kind == 3 {
                hearing.lock().unwrap().push(packet.message());
                if packet.flags & 0b110 != 0 {
                    raw.acknowledge(&packet).await.unwrap();
                }
            }
        }
    });
    heard
}

async fn lie(liar: &Box, lies: Lies) -> Count {
    let mut count = Count::default();
    publish_lies(liar, &lies, &mut count).await;
    subscribe_lies(liar, &lies, &mut count).await;
    connect_lies(liar, &lies, &mut count).await;
    payload_lies(liar, &lies, &mut count).await;
    count
}

async fn hello(liar: &Box) -> Raw {
    let hello = Hello { client: liar.identity.agent.as_str().as_bytes(), ..Hello::default() };
    match Raw::hello(&liar.dial, &hello).await {
        Ok(raw) => raw,
        Err(code) => panic!("{} was not let in: {code:?}", liar.identity.common_name()),
    }
}

/// What ends a connection is refused; what is answered is refused by its reason.
async fn publish_lies(liar: &Box, lies: &Lies, count: &mut Count) {
    let mut left = TOPICS;
    while left > 0 {
        let mut raw = hello(liar).await;
        let mut open = 0;
        for _ in 0..BATCH.min(left) {
            let (topic, qos) = (lies.topic(), 1 + lies.below(2) as u8);
            let retain = lies.below(3) == 0;
            let alias = (lies.below(20) == 0).then_some(1 + lies.below(3) as u16);
            let topic = if alias.is_some() && lies.below(2) == 0 { vec![] } else { topic };
            let publish = Publish { topic: &topic, payload: b"a lie", qos, retain, alias };
            left -= 1;
            count.trials += 1;
            if raw.publish(&publish).await.is_err() {
                break;
            }
            open += 1;
            // Wait for the answer to each: whatever is sent after the end of a connection tries nothing.
            match raw.read().await {
                Some(packet) if packet.kind == 4 || packet.kind == 5 => {
                    open -= 1;
                    count.accepted += usize::from(packet.reason() < 0x80);
                }
                _ => break,
            }
        }
        assert!(open <= 1);
    }
}

async fn subscribe_lies(liar: &Box, lies: &Lies, count: &mut Count) {
    let mut left = FILTERS;
    while left > 0 {
        let mut raw = hello(liar).await;
        for _ in 0..BATCH.min(left) {
            left -= 1;
            count.trials += 1;
            if raw.subscribe(&lies.filter()).await.is_err() {
                break;
            }
            match raw.read().await {
                Some(packet) if packet.kind == 9 => count.accepted += usize::from(packet.granted() < 0x80),
                Some(packet) if packet.kind == 3 => count.accepted += 1,
                _ => break,
            }
        }
    }
}

async fn connect_lies(liar: &Box, lies: &Lies, count: &mut Count) {
    let own = liar.identity.agent.as_str().as_bytes();
    for _ in 0..WILLS {
        let topic = lies.topic();
        let hello = Hello { client: own, will: Some((&topic, b"a lie")), login: None };
        count.trials += 1;
        count.accepted += usize::from(Raw::hello(&liar.dial, &hello).await.is_ok());
    }
    let other = liar.identity.common_name();
    for _ in 0..CLIENTS {
        let client = lies.client();
        let logins: [Option<(&[u8], &[u8])>; 3] =
            [None, Some((b"$hub", b"")), Some((other.as_bytes(), b"x"))];
        let hello = Hello { client: &client, will: None, login: logins[lies.below(3)] };
        count.trials += 1;
        count.accepted += usize::from(Raw::hello(&liar.dial, &hello).await.is_ok());
    }
}

/// These pass the broker, on the box's own topics; what counts is that nothing of them is stored.
async fn payload_lies(liar: &Box, lies: &Lies, count: &mut Count) {
    let mut raw = hello(liar).await;
    for seq in 1..=PAYLOADS as u64 {
        let (channel, payload) = lies.payload(seq);
        let topic = liar.topic(channel);
        let publish =
            Publish { topic: topic.as_bytes(), payload: payload.as_bytes(), qos: 1, ..Publish::default() };
        raw.publish(&publish).await.unwrap();
        count.trials += 1;
        let answer = raw.read().await.unwrap();
        assert_eq!((answer.kind, answer.reason()), (4, 0), "{payload}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_under_load_it_is_cut_and_nothing_more_is_stored() {
    const BAR: Duration = Duration::from_secs(5);
    let hub = Hub::start().await;
    let door = hub.enrol("market", "gate").await;
    let client = door.connect().await.unwrap();
    let (topic, sender) = (door.topic("alert"), client.client.clone());
    let load = tokio::spawn(async move {
        for seq in 1.. {
            let payload = message(vec![raised("c1", "e1", seq)]).to_string();
            let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
            if sender.publish(&topic, qos, false, payload).await.is_err() {
                return;
            }
        }
    });
    until(|| async { hub.alerts().await.len() > 200 }).await;
    assert!(hub.store.revoke_agent(&door.identity.agent, "test").await.unwrap());
    let begun = std::time::Instant::now();
    let stored = hub.alerts().await.len();
    client.ended().await;
    let took = begun.elapsed();
    assert!(took < BAR, "{took:?}");
    assert!(door.connect().await.is_err());
    // What was on its way has been looked at by now: another box's word, sent after it, is stored.
    let other = hub.enrol("market", "yard").await;
    let witness = other.connect().await.unwrap();
    witness.subscribe(&other.topic("ack")).await;
    witness.publish(&other.topic("alert"), &message(vec![raised("c1", "e1", 1)])).await;
    witness.ack().await.unwrap();
    let after = hub.alerts().await.into_iter().filter(|a| a.agent == "gate").count();
    println!(
        "revoked at {stored} alerts, cut after {} ms, {} stored later",
        took.as_millis(),
        after - stored
    );
    assert_eq!(after, stored);
    drop(client);
    load.await.unwrap();
    hub.stop().await;
}
