//! Who is behind which connection that the door handed on.
//!
//! The broker is reached over loopback, by the door alone: it tells connections apart by the address
//! and port that the door uses, and looks up here whose certificate was shown. A connection that is not
//! in this table has no rights at the broker.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::enrol::Identity;
use tokio_util::sync::CancellationToken;

/// A box that showed a certificate which was on the list when it came in.
#[derive(Debug, Clone)]
pub struct Peer {
    pub identity: Identity,
    /// The certificate's serial number, as `certificates.serial`.
    pub serial: String,
    /// Where it really comes from.
    pub from: SocketAddr,
    /// Closes its socket at the door.
    pub cut: CancellationToken,
}

/// The table. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Peers(Arc<Mutex<HashMap<SocketAddr, Peer>>>);

/// Keeps an entry for as long as the connection lives.
#[derive(Debug)]
pub struct Entry {
    peers: Peers,
    inner: SocketAddr,
}

impl Peers {
    /// Notes who is behind `inner`, the door's own end of the loopback connection. Do it before a byte is sent there.
    pub fn enter(&self, inner: SocketAddr, peer: Peer) -> Entry {
        self.lock().insert(inner, peer);
        Entry { peers: self.clone(), inner }
    }

    /// Who is behind a connection that the broker sees coming from `inner`.
    pub fn behind(&self, inner: SocketAddr) -> Option<Peer> {
        self.lock().get(&inner).cloned()
    }

    /// Everybody who is connected now.
    pub fn all(&self) -> Vec<Peer> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Peer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.peers.lock().remove(&self.inner);
    }
}
