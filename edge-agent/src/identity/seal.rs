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
            Self::Chip => close_by(CHIP, pem),
        }
    }

    pub fn open(self, bytes: &[u8]) -> io::Result<String> {
        let plain = match self {
            Self::Plain => bytes.to_vec(),
            Self::Chip => open_by(CHIP, bytes)?,
        };
        String::from_utf8(plain).map_err(|_| io::Error::other("the key is no text"))
    }
}

#[allow(unsafe_code)]
pub fn is_root() -> bool {
    // SAFETY: reads a number of this process and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// `device`: as systemd names TPMs.
fn close_by(device: &str, pem: &str) -> io::Result<Vec<u8>> {
    let device = format!("--tpm2-device={device}");
    through(&["encrypt", "--with-key=tpm2", &device, NAME, "-", "-"], pem.as_bytes())
}

fn open_by(device: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    through(&["decrypt", &format!("--tpm2-device={device}"), NAME, "-", "-"], bytes)
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::process::Child;
    use std::time::{Duration, Instant};

    use super::*;

    /// A TPM in software (Debian: swtpm); it has two ports in a row.
    struct Tpm {
        child: Child,
        port: u16,
        _state: tempfile::TempDir,
    }

    impl Tpm {
        fn start() -> Self {
            let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            let port = loop {
                let port = listen(0).unwrap().local_addr().unwrap().port();
                if port < u16::MAX && listen(port + 1).is_ok() {
                    break port;
                }
            };
            let folder = tempfile::tempdir().unwrap();
            let child = Command::new("swtpm")
                .args(["socket", "--tpm2", "--flags", "startup-clear", "--server"])
                .arg(format!("type=tcp,port={port},disconnect"))
                .args(["--ctrl", &format!("type=tcp,port={}", port + 1), "--tpmstate"])
                .arg(format!("dir={}", folder.path().display()))
                .stdout(Stdio::null())
                .spawn()
                .expect("run `make setup` for swtpm");
            let begun = Instant::now();
            // Asked of the kernel: a connection would be somebody's, and it listens on the two one after the other.
            let listens =
                |sockets: &str, port: u16| sockets.contains(&format!(":{port:04X} 00000000:0000 0A"));
            while !std::fs::read_to_string("/proc/net/tcp")
                .is_ok_and(|sockets| listens(&sockets, port) && listens(&sockets, port + 1))
            {
                assert!(begun.elapsed() < Duration::from_secs(20), "swtpm does not listen");
            }
            Self { child, port, _state: folder }
        }

        fn name(&self) -> String {
            format!("swtpm:host=127.0.0.1,port={}", self.port)
        }
    }

    impl Drop for Tpm {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn a_key_that_one_tpm_closed_opens_by_that_tpm_alone() {
        let (own, other) = (Tpm::start(), Tpm::start());
        let pem = super::super::key::Key::make().unwrap().to_pem();
        let closed = close_by(&own.name(), &pem).unwrap();
        let body = pem.lines().nth(1).unwrap().as_bytes();
        assert!(!closed.windows(body.len()).any(|w| w == body), "the key lies open");
        assert_eq!(open_by(&own.name(), &closed).unwrap(), pem.as_bytes());
        assert!(open_by(&other.name(), &closed).is_err(), "another TPM opened it");
        let mut altered = closed;
        let middle = altered.len() / 2;
        altered[middle] ^= 4;
        assert!(open_by(&own.name(), &altered).is_err(), "it opened although it was altered");
    }
}
