//! Whether the key lies open (0600) or encrypted by the box's TPM 2.0.
//!
//! `systemd-creds` does the work; it needs root and `/dev/tpmrm0`. What it protects: a disk that is taken
//! out of the box tells no key. What it doesn't: whoever is root on the running box can use the key.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const CHIP: &str = "/dev/tpmrm0";
const PROGRAM: &str = "/usr/bin/systemd-creds";
/// What the encrypted text is bound to.
const NAME: &str = "--name=signalbox-agent-key";

/// How a key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// A file that only its owner can read.
    Plain,
    /// Encrypted by this machine's TPM.
    Chip,
}

impl Sealing {
    /// The best that this machine and this user can do.
    pub fn best() -> Self {
        if is_root() && Path::new(CHIP).exists() && Path::new(PROGRAM).exists() {
            return Self::Chip;
        }
        Self::Plain
    }

    /// The name of the key's file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "key.pem",
            Self::Chip => "key.cred",
        }
    }

    pub fn close(self, pem: &str) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(pem.as_bytes().to_vec()),
            Self::Chip => through(&["encrypt", "--with-key=tpm2", NAME, "-", "-"], pem.as_bytes()),
        }
    }

    pub fn open(self, bytes: &[u8]) -> io::Result<String> {
        let plain = match self {
            Self::Plain => bytes.to_vec(),
            Self::Chip => through(&["decrypt", NAME, "-", "-"], bytes)?,
        };
        String::from_utf8(plain).map_err(|_| io::Error::other("the key is no text"))
    }
}

#[allow(unsafe_code)]
pub fn is_root() -> bool {
    // SAFETY: reads a number of this process and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn through(arguments: &[&str], input: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // A key is smaller than a pipe: this does not block.
    let fed = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let out = child.wait_with_output()?;
    fed?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        return Err(io::Error::other(format!("systemd-creds: {}", said.trim())));
    }
    Ok(out.stdout)
}
