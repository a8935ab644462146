//! Live video as a pure machine: a box sends H.264, the hub forwards it to any number of viewers.
//!
//! Owns sessions of WebRTC and who gets whose packets; nobody else names the library underneath (ADR 17).
//! Leaves to its callers: sockets, clocks, who may watch what, and the HTTP by which offers travel (WHIP, WHEP).
//! Every machine here is driven alike: tell it one thing, take its outputs, come back at its deadline.

mod key_frame;
mod peer;
mod receiver;
mod relay;
mod sender;
mod splice;

pub use receiver::{Receiver, Seen, Watched};
pub use relay::{Channel, End, Forwarded, Relay, Session};
pub use sender::{Sender, Told};

/// Ticks of RTP's clock in a second of video (RFC 6184, 8.2.1).
const CLOCK: u64 = 90_000;

/// Why a session cannot be.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("the other side's session description cannot be read: {0}")]
    Unreadable(String),
    #[error("the other side's session description cannot be agreed to: {0}")]
    Refused(String),
    #[error("no H.264 in common: the other side must take constrained baseline, packetization mode 1")]
    NoCodec,
    #[error("`{0}` is no address that video can travel from")]
    Address(std::net::SocketAddr),
    #[error("{0} live connections are open, which is the most: close some")]
    Full(usize),
    #[error("the session has ended")]
    Ended,
}
