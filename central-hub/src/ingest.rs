//! From the broker to the database, and the acknowledgement back.
//!
//! One link (an MQTT 5 client of whichever broker) reads messages into a bounded queue; one writer
//! commits them in groups and only then acknowledges. The broker's PUBACK is never held for a
//! commit: what is not committed is simply not acknowledged, and its agent sends it again.

pub mod link;
pub mod writer;

use protocol::alert::parse;
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
    let unreadable = |why: String| Content::Unreadable { channel, why, raw: payload.to_vec() };
    let content = match channel {
        Channel::Alert => parse(payload).map_or_else(|e| unreadable(e.to_string()), Content::Records),
        Channel::Status => serde_json::from_slice(payload)
            .map_or_else(|e| unreadable(e.to_string()), |s| Content::Status(Box::new(s))),
        Channel::Health => serde_json::from_slice(payload)
            .map_or_else(|e| unreadable(e.to_string()), |h| Content::Health(Box::new(h))),
        Channel::Ack | Channel::Config | Channel::Command | Channel::Reply => return None,
    };
    Some(Arrival { site, agent, content, received_at })
}
