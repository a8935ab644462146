//! Loading a configuration's parts within a limit: a model on a dying disk, or a pipeline that is no file, may
//! keep whoever reads it for ever. The box then goes on with what it has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use edge_core::trial::Reason;
use protocol::ConfigWhyCode;

/// A check that takes longer has failed. A small box loads its models in a few seconds.
pub(super) const LONGEST: Duration = Duration::from_secs(120);
/// Checks that hang hold memory: so many may be left behind.
const MOST_LEFT: usize = 2;

/// Checks that were given up and have not come to their end.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// What `load` gives, if it gives it in time; a thread that hangs is left behind.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    load: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Reason> {
    if LEFT.load(Ordering::Acquire) >= MOST_LEFT {
        return Err("earlier checks still hang: look at the disk, and restart the agent".into());
    }
    let (give, wait) = mpsc::sync_channel(0);
    let work = move || {
        // Nobody there: it was given up, and has now come to its end.
        if give.send(load()).is_err() {
            LEFT.fetch_sub(1, Ordering::AcqRel);
        }
    };
    std::thread::Builder::new()
        .name("check".into())
        .spawn(work)
        .map_err(|error| format!("cannot start a thread to check it: {error}"))?;
    match wait.recv_timeout(limit) {
        Ok(outcome) => Ok(outcome?),
        Err(RecvTimeoutError::Disconnected) => Err("checking it ended without an answer".into()),
        Err(RecvTimeoutError::Timeout) => {
            LEFT.fetch_add(1, Ordering::AcqRel);
            let seconds = limit.as_secs();
            let text = format!(
                "checking it took longer than {seconds} s, so it is not taken: a model or pipeline cannot be read"
            );
            Err(Reason::new(ConfigWhyCode::CheckHangs, text).seconds(seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    /// Opening a named pipe waits for somebody who writes: a file that hangs.
    #[test]
    fn a_check_that_hangs_is_given_up_and_so_many_only_are_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let pipes: Vec<_> = (0..MOST_LEFT).map(|n| folder.path().join(format!("{n}.toml"))).collect();
        for path in &pipes {
            let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(status.success());
            let path = path.clone();
            let outcome = within(Duration::from_millis(50), move || {
                Pipeline::load(&path).map(drop).map_err(|e| e.to_string())
            });
            assert!(outcome.as_ref().is_err_and(|e| e.text.contains("took longer")), "{outcome:?}");
        }
        let outcome = within(LONGEST, || Ok(()));
        assert!(outcome.as_ref().is_err_and(|e| e.text.contains("still hang")), "{outcome:?}");
        // They come to their end, and checks are made again.
        for path in &pipes {
            std::fs::write(path, "rubbish").unwrap();
        }
        let begun = std::time::Instant::now();
        while LEFT.load(Ordering::Acquire) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "they do not end");
            std::thread::yield_now();
        }
        assert_eq!(within(LONGEST, || Ok(7)), Ok(7));
        assert_eq!(within::<()>(LONGEST, || Err("no".into())), Err("no".into()));
    }
}
