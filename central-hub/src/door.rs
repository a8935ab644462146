//! The one TLS door: every connection from the network ends here first.

pub mod peers;
pub mod watch;
