//! What agent and decoding process say to each other: one JSON message a datagram, strictly in turn.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ring::{Layout, Picture};
use super::{Codec, Purpose};

/// Most bytes of one message; caps with headers inside are the longest.
const MESSAGE_BYTES: usize = 64 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// First of all: what to decode. The sandbox closes before the answer.
    Open {
        codec: Codec,
        caps: String,
        element: String,
        threads: u32,
        purpose: Purpose,
        layout: Layout,
        memory: u64,
        max_pixels: u32,
    },
    /// Decode the packet that lies in the shared memory.
    Decode { bytes: usize, pts_ns: Option<u64>, key: bool, caps: Option<String>, free: u64 },
    /// Draw waiting pictures into these slots.
    Collect { free: u64 },
    /// End of the stream.
    Drain { free: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub drawn: Vec<Drawn>,
    /// More pictures wait for free slots.
    pub more: bool,
    pub error: Option<Complaint>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Complaint {
    Unsupported(String),
    Damaged(String),
}

/// A picture and the slot it lies in.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Drawn {
    pub slot: u32,
    pub pts_ns: u64,
    pub picture: Picture,
    pub damaged: bool,
}

/// One end of the line.
pub(super) struct Line {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Line {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, buffer: vec![0; MESSAGE_BYTES] }
    }

    /// Two ends that keep message boundaries.
    pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        let mut fds = [0; 2];
        // SAFETY: `fds` has room for the two descriptors; they are owned only on success.
        let pair = unsafe {
            if libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr())
                != 0
            {
                return Err(io::Error::last_os_error());
            }
            (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
        };
        Ok(pair)
    }

    pub fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        // SAFETY: a live buffer and its length. MSG_NOSIGNAL: a dead peer is an error, not a signal.
        let sent = unsafe {
            libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for a message; `limit` `None`: as long as it takes.
    pub fn receive<T: DeserializeOwned>(&mut self, limit: Option<Duration>) -> io::Result<T> {
        let ms = limit.map_or(-1, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX));
        let mut poll = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, as said.
        match unsafe { libc::poll(&raw mut poll, 1, ms) } {
            0 => return Err(io::ErrorKind::TimedOut.into()),
            n if n < 0 => return Err(io::Error::last_os_error()),
            _ => {}
        }
        let (room, len) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: a live buffer and its length.
        let got = unsafe { libc::recv(self.fd.as_raw_fd(), room, len, 0) };
        match usize::try_from(got) {
            Err(_) => Err(io::Error::last_os_error()),
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => Ok(serde_json::from_slice(&self.buffer[..n])?),
        }
    }
}
