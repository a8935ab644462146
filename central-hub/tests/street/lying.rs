//! A box that tries everything that is not its own, and a spy who hears what came through.

use std::sync::{Arc, Mutex};

use super::forgery::Lies;
use super::raw::{Dial, Hello, Publish, Raw};
use super::tls::Box;

/// Of each kind, for each of the four boxes that lie: 2,500 in all.
pub const TOPICS: usize = 1_500;
pub const FILTERS: usize = 350;
pub const WILLS: usize = 75;
pub const CLIENTS: usize = 75;
pub const PAYLOADS: usize = 500;
pub const BATCH: usize = 25;

#[derive(Debug, Default)]
pub struct Count {
    pub trials: usize,
    pub accepted: usize,
}

/// Topics and payloads.
pub type Heard = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

pub async fn spy(dial: &Dial, hello: &Hello<'_>) -> Heard {
    let mut raw = Raw::hello(dial, hello).await.ok().unwrap();
    for filter in ["#", "$SYS/brokers", "$share/x/#", "$queue/#"] {
        raw.subscribe(filter.as_bytes()).await.unwrap();
        assert_eq!(raw.read().await.unwrap().kind, 9);
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

pub async fn lie(liar: &Box, lies: Lies) -> Count {
    let mut count = Count::default();
    publish_lies(liar, &lies, &mut count).await;
    subscribe_lies(liar, &lies, &mut count).await;
    connect_lies(liar, &lies, &mut count).await;
    payload_lies(liar, &lies, &mut count).await;
    count
}

pub async fn hello(liar: &Box) -> Raw {
    let hello = Hello { client: liar.identity.agent.as_str().as_bytes(), ..Hello::default() };
    match Raw::hello(&liar.dial, &hello).await {
        Ok(raw) => raw,
        Err(code) => panic!("{} was not let in: {code:?}", liar.identity.common_name()),
    }
}

/// What ends a connection is refused; what is answered is refused by its reason.
pub async fn publish_lies(liar: &Box, lies: &Lies, count: &mut Count) {
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

pub async fn subscribe_lies(liar: &Box, lies: &Lies, count: &mut Count) {
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

pub async fn connect_lies(liar: &Box, lies: &Lies, count: &mut Count) {
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
pub async fn payload_lies(liar: &Box, lies: &Lies, count: &mut Count) {
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
