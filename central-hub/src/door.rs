//! The one TLS door: every connection from the network ends here first.
//!
//! Limits come before authentication ([`crowd`]), then TLS ([`tls`], [`verify`]), then the certificate
//! against the list; what is behind is plain and on loopback ([`mqtt`]) or in this process ([`http`]).

pub mod accept;
pub mod crowd;
pub mod files;
pub mod http;
pub mod mqtt;
pub mod peers;
pub mod quota;
pub mod tls;
pub mod verify;
pub mod watch;
