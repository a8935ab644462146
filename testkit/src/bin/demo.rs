//! `demo`: see `testkit::demo`. Ctrl-C and SIGTERM end it in order.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use testkit::demo;

fn main() -> ExitCode {
    // Blocked before any thread starts, so that only `stopped` takes them; children start unblocked.
    let signals = block_stop_signals();
    let stopped = move |bound: Duration| take_signal(&signals, bound);
    match demo::run(demo::Options::parse(), &stopped) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn block_stop_signals() -> libc::sigset_t {
    // SAFETY: the set is initialised by sigemptyset before use; no other thread runs yet.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    }
}

fn take_signal(signals: &libc::sigset_t, bound: Duration) -> bool {
    let bound = libc::timespec {
        tv_sec: bound.as_secs() as libc::time_t,
        tv_nsec: bound.subsec_nanos() as libc::c_long,
    };
    // SAFETY: both pointers live through the call; no details of the signal are asked for.
    unsafe { libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const bound) > 0 }
}
