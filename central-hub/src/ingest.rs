//! From the broker to the database, and the acknowledgement back.
//!
//! One link (an MQTT 5 client of whichever broker) reads messages into a bounded queue; one writer
//! commits them in groups and only then acknowledges. The broker's PUBACK is never held for a
//! commit: what is not committed is simply not acknowledged, and its agent sends it again.

pub mod link;
mod names;
pub mod writer;

use protocol::alert::parse;
use protocol::enrol::Identity;
use protocol::{Ack, Channel, Topic};

use crate::store::records::{Arrival, Content};

/// Messages waiting to be written: 256 messages of at most 128 KiB.
pub const QUEUED_MESSAGES: usize = 256;
/// Acknowledgements waiting to be sent; one that finds no room is left out and comes with the resend.
pub const QUEUED_ACKS: usize = 1024;

/// An acknowledgement on its way to its agent.
pub type Outgoing = (Topic, Ack);

/// Reads one message; `None` where its topic is none that the hub listens to.
pub fn read(topic: &str, payload: &[u8], received_at: i64) -> Option<Arrival> {
    let Topic { site, agent, channel } = topic.parse().ok()?;
    if !channel.is_from_agent() {
        return None;
    }
    let identity = Identity { site, agent };
    let content = match names::forged(payload, &identity) {
        Some(why) => {
            let records = if channel == Channel::Alert { parse(payload).unwrap_or_default() } else { vec![] };
            Content::Forged { channel, why, records, raw: payload.to_vec() }
        }
        None => read_content(channel, payload),
    };
    let Identity { site, agent } = identity;
    Some(Arrival { site, agent, content, received_at })
}

fn read_content(channel: Channel, payload: &[u8]) -> Content {
    let read = match channel {
        Channel::Alert => parse(payload).map(Content::Records).map_err(|e| e.to_string()),
        Channel::Status => json(payload).map(Content::Status),
        Channel::Health => json(payload).map(Content::Health),
        _ => json(payload).map(Content::Reply),
    };
    read.unwrap_or_else(|why| Content::Unreadable { channel, why, raw: payload.to_vec() })
}

fn json<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<Box<T>, String> {
    serde_json::from_slice(payload).map(Box::new).map_err(|e| e.to_string())
}
