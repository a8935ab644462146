//! A password from a file, from standard input, or typed without being shown.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::Context;
use settings::{Secret, owner};

use crate::wording::Language;

/// No password is longer.
const LONGEST: u64 = 1024;

/// From `file` (`-` is standard input), else asked at the terminal.
pub(super) fn get(file: Option<&Path>, user: &str, language: Language) -> anyhow::Result<Secret> {
    match file {
        Some(path) if path.as_os_str() == "-" => first_line(std::io::stdin().lock()),
        Some(path) => Ok(owner::as_caller(|| Secret::read(path))?),
        None => ask(user, language),
    }
}

fn first_line(input: impl Read) -> anyhow::Result<Secret> {
    let mut line = String::new();
    BufReader::new(input.take(LONGEST)).read_line(&mut line).context("cannot read the password")?;
    let line = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!line.is_empty(), "the password is empty");
    Ok(Secret::new(line))
}

fn ask(user: &str, language: Language) -> anyhow::Result<Secret> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let Ok(mut terminal) = terminal else {
        anyhow::bail!("{}", language.pick(
            "没有终端可以输入密码：请加 --password-file 文件（- 表示标准输入）",
            "there is no terminal to ask for the password: give --password-file FILE (- is standard input)",
        ));
    };
    let prompt = match language {
        Language::Zh => format!("摄像机用户 {user} 的密码（不显示）："),
        Language::En => format!("Password of the camera's user {user} (not shown): "),
    };
    terminal.write_all(prompt.as_bytes()).context("cannot ask for the password")?;
    let quiet = Quiet::begin(&terminal).context("cannot hide the password")?;
    let secret = first_line(&terminal);
    drop(quiet);
    let _ = terminal.write_all(b"\n");
    secret
}

/// A terminal that shows nothing of what is typed, until dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: libc::termios,
}

#[allow(unsafe_code)]
impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> std::io::Result<Self> {
        use std::os::fd::AsRawFd;
        let mut now = std::mem::MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: the file is open for as long as `terminal` is borrowed; the call fills one termios, and
        // a zeroed one is valid.
        let before = unsafe {
            if libc::tcgetattr(terminal.as_raw_fd(), now.as_mut_ptr()) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            now.assume_init()
        };
        let mut quiet = before;
        quiet.c_lflag &= !libc::ECHO;
        // SAFETY: as above; the call only reads the termios.
        if unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSAFLUSH, &raw const quiet) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Self { terminal, before })
    }
}

#[allow(unsafe_code)]
impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        use std::os::fd::AsRawFd;
        // SAFETY: the file is still open, and what is restored is what was read from it.
        let _ =
            unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSAFLUSH, &raw const self.before) };
    }
}
