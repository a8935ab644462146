//! What this process and its children have used so far: CPU time and memory, from the kernel.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// CPU time and peak memory of this process and of its ended children.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub own_cpu: Duration,
    /// Of children that have ended and were waited for.
    pub children_cpu: Duration,
    /// The most this process has had in memory.
    pub peak_memory_bytes: u64,
}

pub fn now() -> Usage {
    let own = rusage(libc::RUSAGE_SELF);
    let children = rusage(libc::RUSAGE_CHILDREN);
    Usage {
        own_cpu: time(own.ru_utime) + time(own.ru_stime),
        children_cpu: time(children.ru_utime) + time(children.ru_stime),
        peak_memory_bytes: own.ru_maxrss.max(0) as u64 * 1024,
    }
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of a child that was not waited for yet; zero when there is none of this id.
pub fn child_cpu(process: u32) -> Duration {
    let mut id = 0;
    // SAFETY: the kernel writes one clock id.
    let answer = unsafe { libc::clock_getcpuclockid(process.cast_signed(), &raw mut id) };
    if answer == 0 { clock(id) } else { Duration::ZERO }
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut spec = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel writes one timespec; a zeroed one is valid where it does not.
    let spec = unsafe {
        libc::clock_gettime(id, spec.as_mut_ptr());
        spec.assume_init()
    };
    Duration::new(spec.tv_sec.max(0) as u64, spec.tv_nsec as u32)
}

/// Memory of this process now, from `/proc/self/statm`; 0 where there is none.
pub fn memory_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    // SAFETY: sysconf takes no pointers.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64
}

fn rusage(who: libc::c_int) -> libc::rusage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes one rusage; a zeroed one is valid where it does not.
    unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    }
}

fn time(t: libc::timeval) -> Duration {
    Duration::new(t.tv_sec.max(0) as u64, (t.tv_usec * 1000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_in_thread_and_process_time() {
        let (thread, process) = (thread_cpu(), now().own_cpu);
        let mut sum = 0u64;
        while thread_cpu() - thread < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(now().own_cpu > process);
        assert!(memory_bytes() > 0 && now().peak_memory_bytes > 0);
    }
}
