//! The bound on open files: a hub needs more than the 1,024 that a service gets by default.

/// Below this many the hub says so.
const ENOUGH: u64 = 8192;

/// Raises the bound as far as the system lets it; what it is now.
pub fn raise_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit that lives throughout the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 1024;
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: `raised` is a valid rlimit that lives throughout the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            limit = raised;
        }
    }
    if limit.rlim_cur < ENOUGH {
        tracing::warn!(
            files = limit.rlim_cur,
            "few open files are allowed, so few boxes can connect at a time; raise LimitNOFILE to {ENOUGH}"
        );
    }
    limit.rlim_cur
}
