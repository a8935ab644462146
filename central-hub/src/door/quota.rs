//! How often something may happen in a minute, by address: refusals that cost work, rows of the audit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);
/// Most addresses that are remembered; more of them share one count.
const ADDRESSES: usize = 4096;
const EVERYBODY_ELSE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// A bound, and who has used how much of it.
#[derive(Debug)]
pub struct Quota {
    a_minute: u32,
    used: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Quota {
    pub fn new(a_minute: u32) -> Self {
        Self { a_minute, used: Mutex::default() }
    }

    /// Whether there is something left for this address.
    pub fn is_left(&self, address: IpAddr) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if used.contains_key(&address) { address } else { EVERYBODY_ELSE };
        used.get(&key).is_none_or(|(since, n)| *n < self.a_minute || since.elapsed() >= WINDOW)
    }

    /// Uses one; whether there was one left.
    pub fn take(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= ADDRESSES && !used.contains_key(&address) {
            used.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        }
        let full = used.len() >= ADDRESSES && !used.contains_key(&address);
        let key = if full { EVERYBODY_ELSE } else { address };
        let (since, n) = used.entry(key).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *n) = (now, 0);
        }
        let left = *n < self.a_minute;
        *n = n.saturating_add(1);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_uses_up_its_own_alone() {
        let quota = Quota::new(2);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(quota.is_left(a) && quota.take(a) && quota.take(a));
        assert!(!quota.is_left(a) && !quota.take(a));
        assert!(quota.is_left(b) && quota.take(b));
    }

    #[test]
    fn many_addresses_take_no_more_memory_than_is_set() {
        let quota = Quota::new(1);
        for n in 0..2 * ADDRESSES as u32 {
            quota.take(IpAddr::from(n.to_be_bytes()));
        }
        assert!(quota.used.lock().unwrap().len() <= ADDRESSES + 1);
        assert!(!quota.is_left(IpAddr::from([250, 0, 0, 1])), "the rest share one count");
    }
}
