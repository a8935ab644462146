//! Child processes that log to a file, stop in an orderly way and never outlive their parent.
//!
//! Each child leads its own process group and is killed by the kernel when the *thread* that
//! started it ends, so keep a child on the thread that made it. Dropping one kills its group.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a state is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of log shown with an error.
const TAIL_LINES: usize = 30;

/// Why a child could not be started, stopped or waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot start {name}: {source}")]
    Start {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot open the log {}: {source}", path.display())]
    Log {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{name} ended ({status}) while waiting for {what}; the end of its log:\n{tail}")]
    Ended { name: String, what: String, status: ExitStatus, tail: String },
    #[error("{name} did not reach `{what}` within {} s; the end of its log:\n{tail}", bound.as_secs_f32())]
    TooLate { name: String, what: String, bound: Duration, tail: String },
    #[error("{name} failed ({status}):\n{tail}")]
    Failed { name: String, status: ExitStatus, tail: String },
    #[error("cannot watch {name}: {source}")]
    Watch {
        name: String,
        #[source]
        source: io::Error,
    },
}

/// A running program.
#[derive(Debug)]
pub struct Child {
    name: String,
    child: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts `command` with both outputs appended to `log` and no input.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, Error> {
        let fail_log = |source| Error::Log { path: log.to_owned(), source };
        let out = File::options().create(true).append(true).open(log).map_err(fail_log)?;
        let err = out.try_clone().map_err(fail_log)?;
        // An error that is reported needs no backtrace: it would push the reason out of the tail.
        command.env("RUST_LIB_BACKTRACE", "0");
        bind_to_parent(command.stdin(Stdio::null()).stdout(out).stderr(err));
        let child = command.spawn().map_err(|source| Error::Start { name: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.child.try_wait().map_err(|source| Error::Watch { name: self.name.clone(), source })
    }

    /// Waits until `look` finds something; fails when the child ends first or `bound` passes.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        bound: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let (name, what) = (self.name.clone(), what.to_owned());
            if let Some(status) = self.ended()? {
                return Err(Error::Ended { name, what, status, tail: self.tail() });
            }
            if Instant::now() >= deadline {
                return Err(Error::TooLate { name, what, bound, tail: self.tail() });
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for a whole line of its log that begins with `prefix`.
    pub fn wait_for_line(&mut self, prefix: &str, bound: Duration) -> Result<String, Error> {
        let log = self.log.clone();
        self.wait_for(&format!("a line `{prefix}...`"), bound, || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.split_inclusive('\n')
                .find(|line| line.starts_with(prefix) && line.ends_with('\n'))
                .map(|line| line.trim_end().to_owned())
        })
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        tail_of(&self.log)
    }

    /// SIGTERM; after `bound` SIGKILL for its whole group. Its exit status.
    pub fn stop(mut self, bound: Duration) -> Result<ExitStatus, Error> {
        self.signal(libc::SIGTERM);
        let deadline = Instant::now() + bound;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                tracing::warn!(name = %self.name, "did not stop in time: killed");
                return self.kill();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(mut self) -> Result<ExitStatus, Error> {
        self.kill_group();
        self.child.wait().map_err(|source| Error::Watch { name: self.name.clone(), source })
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: plain system call; the pid is ours until it is waited for.
        unsafe { libc::kill(self.pid() as libc::pid_t, signal) };
    }

    fn kill_group(&self) {
        // SAFETY: as above; the group was made at the child's start and carries its pid.
        unsafe { libc::kill(-(self.pid() as libc::pid_t), libc::SIGKILL) };
    }
}

impl Drop for Child {
    /// What a child left in its group goes with it.
    fn drop(&mut self) {
        self.kill_group();
        let _ = self.child.wait();
    }
}

/// Runs a short command to its end and returns what it wrote to standard output.
pub fn run(name: &str, command: &mut Command) -> Result<String, Error> {
    bind_to_parent(command.stdin(Stdio::null()));
    let output = command.output().map_err(|source| Error::Start { name: name.to_owned(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let tail = last_lines(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Failed { name: name.to_owned(), status: output.status, tail })
}

/// The last lines of a file, or why it can't be read.
pub fn tail_of(log: &Path) -> String {
    match std::fs::read(log) {
        Ok(bytes) => last_lines(&String::from_utf8_lossy(&bytes)),
        Err(error) => format!("(no log: {error})"),
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn bind_to_parent(command: &mut Command) {
    let parent = std::process::id() as libc::pid_t;
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.process_group(0).pre_exec(move || {
            // A parent that waits for its signals has them blocked; its children must not.
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the line above: then nobody would tell us.
            if libc::getppid() != parent {
                libc::_exit(1);
            }
            Ok(())
        })
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Child {
        Child::start("shell", Command::new("sh").args(["-c", script]), log).unwrap()
    }

    fn is_alive(pid: &str) -> bool {
        // A zombie is dead; only its parent has not looked yet.
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or("Z").starts_with('Z'))
    }

    #[test]
    fn a_child_that_stops_by_itself_is_not_killed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done", &log);
        child.wait_for_line("ready", Duration::from_secs(10)).unwrap();
        let status = child.stop(Duration::from_secs(10)).unwrap();
        assert_eq!(status.code(), Some(7));
        assert!(tail_of(&log).ends_with("bye"));
    }

    #[test]
    fn a_child_that_will_not_stop_is_killed_with_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = shell("trap '' TERM; sleep 600 & echo sleeper $!; wait; sleep 600", &log);
        let line = child.wait_for_line("sleeper", Duration::from_secs(10)).unwrap();
        let status = child.stop(Duration::from_millis(200)).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
        let sleeper = line.split(' ').nth(1).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_alive(sleeper) {
            assert!(Instant::now() < deadline, "{sleeper} is left running");
            std::thread::sleep(LOOK);
        }
    }

    #[test]
    fn a_child_dies_with_the_thread_that_started_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let child = std::thread::spawn(move || shell("sleep 600", &log)).join().unwrap();
        let mut child = child;
        let deadline = Instant::now() + Duration::from_secs(10);
        while child.ended().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the child outlived its parent");
            std::thread::sleep(LOOK);
        }
    }

    #[test]
    fn an_early_end_is_told_with_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell("echo no such camera >&2; exit 3", &dir.path().join("log"));
        let error = child.wait_for("light", Duration::from_secs(10), || None::<()>).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such camera"), "{error}");
    }

    #[test]
    fn a_state_that_does_not_come_is_told_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell("sleep 600", &dir.path().join("log"));
        let error = child.wait_for("light", Duration::from_millis(50), || None::<()>).unwrap_err();
        assert!(matches!(error, Error::TooLate { .. }), "{error}");
    }
}
