//! WS-Discovery: one question on each interface, and one to each address of the named networks (many
//! switches drop multicast). Answers are bounded in size, number and number of a sender.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::answer::{self, Answer, Kind};
use super::{DiscoverError, Search};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// No honest answer is larger.
const LARGEST_ANSWER: usize = 32 << 10;
/// Most answers of one search.
const MOST_ANSWERS: u32 = 4096;
/// Most answers of one sender: two questions, a few devices, sent twice by some.
const MOST_OF_ONE: u32 = 16;
/// Questions to single addresses go out no faster.
const PACE: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub(super) struct Heard {
    pub answers: Vec<(Ipv4Addr, Answer)>,
    pub ignored: u64,
    count: u32,
    by_source: HashMap<Ipv4Addr, u32>,
}

pub(super) fn ask(search: &Search) -> Result<Heard, DiscoverError> {
    let heard = Mutex::new(Heard::default());
    let until = Instant::now() + search.wait;
    let mut sockets = Vec::new();
    for address in &search.interfaces {
        let group = vec![GROUP];
        sockets.push((bind(*address)?, group));
    }
    if !search.networks.is_empty() {
        let hosts = search.networks.iter().flat_map(|n| n.hosts()).collect();
        sockets.push((bind(Ipv4Addr::UNSPECIFIED)?, hosts));
    }
    std::thread::scope(|scope| {
        for (socket, to) in &sockets {
            let heard = &heard;
            scope.spawn(move || {
                send(socket, to, search.ws_discovery_port);
                listen(socket, search, until, heard);
            });
        }
    });
    Ok(heard.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Bound to an interface's address, Linux sends multicast out of that interface; its TTL stays 1.
fn bind(address: Ipv4Addr) -> Result<UdpSocket, DiscoverError> {
    UdpSocket::bind((address, 0)).map_err(|source| DiscoverError::Send { address, source })
}

fn send(socket: &UdpSocket, to: &[Ipv4Addr], port: u16) {
    for kind in [Kind::Transmitter, Kind::Device] {
        let question = answer::question(&uuid(), kind);
        for address in to {
            // An address that can't be reached says nothing, and that is an answer.
            let _ = socket.send_to(question.as_bytes(), (*address, port));
            if to.len() > 1 {
                std::thread::sleep(PACE);
            }
        }
    }
}

fn listen(socket: &UdpSocket, search: &Search, until: Instant, heard: &Mutex<Heard>) {
    let mut buffer = vec![0; LARGEST_ANSWER + 1];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match socket.recv_from(&mut buffer) {
            Ok((len, SocketAddr::V4(from))) => {
                let mut heard = heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                heard.take(*from.ip(), &buffer[..len], search);
            }
            Ok(_) => {}
            // A closed port somewhere answers as well; only the end of the time ends it.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => {}
        }
    }
}

impl Heard {
    fn take(&mut self, source: Ipv4Addr, bytes: &[u8], search: &Search) {
        let asked = !search.interfaces.is_empty() || search.networks.iter().any(|n| n.contains(source));
        let of_one = self.by_source.len() < super::MOST_FOUND || self.by_source.contains_key(&source);
        if !asked || !of_one || self.count >= MOST_ANSWERS || bytes.len() > LARGEST_ANSWER {
            self.ignored += 1;
            return;
        }
        self.count += 1;
        let times = self.by_source.entry(source).or_default();
        *times += 1;
        if *times > MOST_OF_ONE {
            self.ignored += 1;
            return;
        }
        let answers = answer::read(source, bytes);
        self.ignored += u64::from(answers.is_empty());
        self.answers.extend(answers.into_iter().map(|one| (source, one)));
    }
}

/// RFC 9562, version 4; without randomness, one that only this process uses.
fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(bytes);
    let hex = format!("{n:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
