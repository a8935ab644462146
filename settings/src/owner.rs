//! As whom a command works: what root starts goes on as the owner of the data folder.
//!
//! A service reads only what its own user may read, so a file that root left in its folders would stop it; and
//! what cameras and networks send is better read by a user who may do little. What the caller names on the
//! command line (a password file, a picture to write) is opened through [`as_caller`], with root's rights.
//! A service that is started by root's own user stays as it is.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

/// User and group that this process works as, where root has started it.
static OWNER: OnceLock<(libc::uid_t, libc::gid_t)> = OnceLock::new();

/// Room for one line of the list of users.
const LINE: usize = 4096;

/// Goes on as the owner of `folder` if root asks. Nothing changes for anybody else, for a folder that is not
/// there yet, and for one of root's own. Call it before anything of the service is opened or made.
pub fn become_owner(folder: &Path) -> io::Result<()> {
    // SAFETY: reads a number of this process and cannot fail.
    if OWNER.get().is_some() || unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    let owner = match std::fs::metadata(folder) {
        Ok(found) => (found.uid(), found.gid()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if owner.0 == 0 {
        return Ok(());
    }
    join_groups(owner.0, owner.1)?;
    let _ = OWNER.set(owner);
    take(owner)
}

/// Whether root has started this process, which works as somebody else.
pub fn is_for_root() -> bool {
    OWNER.get().is_some()
}

/// Does something with the rights of whoever called the command. Keep it to opening, reading and writing the
/// files that the command line names: the whole process has these rights meanwhile.
pub fn as_caller<T>(work: impl FnOnce() -> T) -> T {
    let Some(owner) = OWNER.get() else { return work() };
    /// The way back, also where `work` panics.
    struct Back(libc::uid_t, libc::gid_t);
    impl Drop for Back {
        fn drop(&mut self) {
            if take((self.0, self.1)).is_err() {
                // Going on with root's rights would be worse than an end.
                std::process::abort();
            }
        }
    }
    // SAFETY: plain system calls; root is kept as the saved user for this. Where they fail, `work` runs with
    // the owner's rights and says itself what it may not do.
    unsafe {
        libc::seteuid(0);
        libc::setegid(0);
    }
    let _back = Back(owner.0, owner.1);
    work()
}

/// The real and the effective user; root stays the saved one, which no program inherits that is started.
fn take((user, group): (libc::uid_t, libc::gid_t)) -> io::Result<()> {
    // SAFETY: plain system calls, the C library applies them to all threads.
    let done = unsafe { libc::setresgid(group, group, 0) == 0 && libc::setresuid(user, user, 0) == 0 };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The groups that the user list gives, video hardware for instance; the folder's alone for a user without name.
fn join_groups(user: libc::uid_t, group: libc::gid_t) -> io::Result<()> {
    let (mut entry, mut found) = (MaybeUninit::<libc::passwd>::zeroed(), std::ptr::null_mut());
    let mut line = [0 as libc::c_char; LINE];
    // SAFETY: all three are alive and of the size that is named; the name points into `line`.
    let done = unsafe {
        let code = libc::getpwuid_r(user, entry.as_mut_ptr(), line.as_mut_ptr(), LINE, &raw mut found);
        if code == 0 && !found.is_null() {
            libc::initgroups(CStr::from_ptr((*found).pw_name).as_ptr(), group)
        } else {
            libc::setgroups(1, &raw const group)
        }
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
