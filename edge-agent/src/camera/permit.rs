//! At most a few cameras of this process connect at a time: after a power cut all of them come back
//! at once.

use std::sync::atomic::{AtomicUsize, Ordering};

const HANDSHAKES: usize = 4;
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// The right to connect; given back when dropped.
pub(super) struct Permit(());

impl Permit {
    pub fn take() -> Option<Self> {
        let more = |n| (n < HANDSHAKES).then_some(n + 1);
        BUSY.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(()))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::AcqRel);
    }
}
