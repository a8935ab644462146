//! The walls round a decoding process: no network, no files, no new programs, bounded memory.
//!
//! Closed after the decoder is loaded and its tables are built, before the first byte from a camera.
//! What is not on the list kills the process (SIGSYS): a hijacked decoder gets no second try.

use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule as Rule,
};

/// Nobody: owns no file and no other process that matters.
const NOBODY: u32 = 65534;

/// What may come in through `mmap` and `mprotect`: anything but code.
const PROT: usize = 2;
/// What `fork` and `clone` differ in: the flags.
const FLAGS: usize = 0;

/// Why the walls could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("cannot {what}")]
    Call {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot install the system call filter: {0}")]
    Filter(String),
}

/// Dies with its parent, leaves no core dump, can't be traced. To be called first.
pub fn tie_to_parent() -> Result<(), SandboxError> {
    prctl("die with the agent", libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)?;
    prctl("forbid tracing", libc::PR_SET_DUMPABLE, 0)
}

/// Closes the walls, on all threads, for good.
///
/// `memory`: most bytes of address space from now on.
pub fn close(memory: u64) -> Result<(), SandboxError> {
    limit("limit core dumps", libc::RLIMIT_CORE, 0)?;
    limit("limit memory", libc::RLIMIT_AS, memory)?;
    drop_root()?;
    // Changing the user clears both.
    tie_to_parent()?;
    prctl("forbid new privileges", libc::PR_SET_NO_NEW_PRIVS, 1)?;
    let fail = |e: &dyn std::fmt::Display| SandboxError::Filter(e.to_string());
    for filter in filters().map_err(|e| fail(&e))? {
        seccompiler::apply_filter_all_threads(&filter).map_err(|e| fail(&e))?;
    }
    Ok(())
}

/// First the polite refusal of `clone3`, whose flags no filter can see (the C library then uses
/// `clone`), then the list.
fn filters() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let enosys = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let polite = SeccompFilter::new([(libc::SYS_clone3, vec![])].into(), SeccompAction::Allow, enosys, arch)?;
    let mut rules: std::collections::BTreeMap<i64, Vec<Rule>> =
        ALLOWED.iter().map(|call| (*call, vec![])).collect();
    let no_code = || -> Result<Rule, seccompiler::BackendError> {
        let exec = libc::PROT_EXEC.unsigned_abs().into();
        Rule::new(vec![Condition::new(PROT as u8, Len::Dword, Op::MaskedEq(exec), 0)?])
    };
    rules.insert(libc::SYS_mmap, vec![no_code()?]);
    rules.insert(libc::SYS_mprotect, vec![no_code()?]);
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let threads = Condition::new(FLAGS as u8, Len::Dword, Op::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![Rule::new(vec![threads])?]);
    // GStreamer's buffer pools wake each other through a nameless pair; it leads nowhere outside.
    let pair = Condition::new(0, Len::Dword, Op::Eq, libc::AF_UNIX.unsigned_abs().into())?;
    rules.insert(libc::SYS_socketpair, vec![Rule::new(vec![pair])?]);
    let command = |c: i32| Rule::new(vec![Condition::new(1, Len::Dword, Op::Eq, c.unsigned_abs().into())?]);
    let commands = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    let commands: Result<Vec<Rule>, _> = commands.into_iter().map(command).collect();
    rules.insert(libc::SYS_fcntl, commands?);
    let named = Condition::new(0, Len::Dword, Op::Eq, libc::PR_SET_NAME.unsigned_abs().into())?;
    rules.insert(libc::SYS_prctl, vec![Rule::new(vec![named])?]);
    let list = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
    Ok([polite.try_into()?, list.try_into()?])
}

/// What decoding needs: memory, locks, clocks, and the line to the agent (open already).
const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

fn drop_root() -> Result<(), SandboxError> {
    // SAFETY: plain integers. The group first: after the user it is too late.
    unsafe {
        if libc::geteuid() != 0 {
            return Ok(());
        }
        check("leave all groups", libc::setgroups(0, std::ptr::null()))?;
        check("leave the root group", libc::setresgid(NOBODY, NOBODY, NOBODY))?;
        check("give up root", libc::setresuid(NOBODY, NOBODY, NOBODY))
    }
}

fn prctl(what: &'static str, option: i32, value: u64) -> Result<(), SandboxError> {
    // SAFETY: these options take one integer.
    check(what, unsafe { libc::prctl(option, value, 0, 0, 0) })
}

fn limit(what: &'static str, resource: libc::__rlimit_resource_t, value: u64) -> Result<(), SandboxError> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: a live structure, read only.
    check(what, unsafe { libc::setrlimit(resource, &raw const limit) })
}

fn check(what: &'static str, result: i32) -> Result<(), SandboxError> {
    if result == 0 { Ok(()) } else { Err(SandboxError::Call { what, source: io::Error::last_os_error() }) }
}
