//! What the hub tells boxes by itself: the wished configuration stands retained, and is taken back from the broker when
//! its box is shut out. (The order to renew is shown with real boxes, in the system tests.)

mod street;

use central_hub::configs;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use street::{BoxClient, Hub, bounded};

/// The next message on one of these topics: its topic and what it says.
async fn next(spy: &BoxClient, topics: [&str; 2]) -> (String, String) {
    let wanted = |packet| match packet {
        Packet::Publish(p) if topics.iter().any(|t| p.topic == t.as_bytes()) => Some((
            String::from_utf8_lossy(&p.topic).into_owned(),
            String::from_utf8_lossy(&p.payload).into_owned(),
        )),
        _ => None,
    };
    bounded(spy.wait(wanted)).await.expect("the connection ended")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_stands_retained_until_its_box_is_shut_out() {
    let hub = Hub::start().await;
    let gate = hub.enrol("market", "gate").await;
    let agent = &gate.identity.agent;
    // The only hub leads.
    let (_leading, leads) = tokio::sync::watch::channel(true);
    let telling =
        tokio::spawn(configs::run(hub.broker.for_hub(), hub.store.clone(), leads, hub.stop.clone()));
    let (config, marker) = (gate.topic("config"), gate.topic("command"));
    let spy = hub.spy().await;
    hub.store.put_config(agent, "[spool]\ncap = \"1GiB\"\n", "test").await.unwrap();
    let (_, wish) = next(&spy, [&config, &config]).await;
    assert!(wish.contains("\"generation\":1"), "{wish}");
    drop(spy);
    // Whoever comes later finds it there.
    let spy = hub.spy().await;
    assert_eq!(next(&spy, [&config, &config]).await.1, wish);

    assert!(hub.store.revoke_agent(agent, "test").await.unwrap());
    assert_eq!(next(&spy, [&config, &config]).await, (config.clone(), String::new()));
    drop(spy);
    let spy = hub.spy().await;
    spy.client.publish(&marker, QoS::AtLeastOnce, false, "here").await.unwrap();
    assert_eq!(next(&spy, [&config, &marker]).await.0, marker, "a retained wish is left");
    hub.stop.cancel();
    bounded(telling).await.unwrap();
    hub.stop().await;
}
