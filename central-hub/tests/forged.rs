//! Ten thousand lies at the embedded broker, and what is heard and stored of them: nothing.

mod street;

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use street::forgery::Lies;
use street::lying::{self, Count, Heard, hello, lie};
use street::raw::{Dial, Hello, Publish};
use street::tls::TlsDoor;
use street::{Hub, message, raised, until};

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

async fn spy(hub: &Hub) -> Heard {
    let (user, password) = hub.broker.for_hub().login.unwrap();
    let login = Some((user.as_bytes(), password.expose().as_bytes()));
    lying::spy(&Dial::plain(hub.broker.address()), &Hello { client: b"spy", login, will: None }).await
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
