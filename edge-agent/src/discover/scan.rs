//! Which addresses of the named networks speak RTSP or ONVIF: one connection a port, a bounded number
//! at a time and a second.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Search;
use crate::onvif;

/// Connections at a time.
const AT_ONCE: usize = 32;
/// Time between two connections that begin.
const PACE: Duration = Duration::from_millis(5);
const CONNECT: Duration = Duration::from_millis(1000);
const ANSWER: Duration = Duration::from_secs(2);
/// The beginning of an answer is enough to know the protocol.
const LONGEST_ANSWER: usize = 512;

/// What an address speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub address: Ipv4Addr,
    pub rtsp_ports: Vec<u16>,
    pub onvif: Option<String>,
}

/// Addresses that speak one of the two: every port of RTSP, and the first of ONVIF.
pub(super) fn run(search: &Search) -> Vec<Open> {
    let hosts: Vec<Ipv4Addr> = search.networks.iter().flat_map(|n| n.hosts()).collect();
    let next = Mutex::new(hosts.into_iter());
    let pace = Pace(Mutex::new(Instant::now()));
    let open = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(next.lock().map_or(0, |n| n.len())) {
            scope.spawn(|| {
                while let Some(address) = next.lock().ok().and_then(|mut hosts| hosts.next()) {
                    let found = look(address, search, &pace);
                    if let (Some(found), Ok(mut open)) = (found, open.lock()) {
                        open.push(found);
                    }
                }
            });
        }
    });
    let mut open = open.into_inner().unwrap_or_default();
    open.sort_by_key(|o: &Open| o.address);
    open
}

fn look(address: Ipv4Addr, search: &Search, pace: &Pace) -> Option<Open> {
    let open = |port: &u16| {
        pace.wait();
        speaks_rtsp((address, *port).into())
    };
    let rtsp_ports: Vec<u16> = search.rtsp_ports.iter().copied().filter(open).collect();
    let onvif = search.onvif_ports.iter().find_map(|port| {
        pace.wait();
        // Only what listens is asked in full.
        TcpStream::connect_timeout(&SocketAddr::from((address, *port)), CONNECT).ok()?;
        let url = onvif::device_url(address, *port);
        onvif::speaks(&url, ANSWER).then_some(url)
    });
    (!rtsp_ports.is_empty() || onvif.is_some()).then_some(Open { address, rtsp_ports, onvif })
}

/// Whether RTSP answers there; nothing but a question for its options is sent.
pub fn speaks_rtsp(at: SocketAddr) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&at, CONNECT)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let question = format!("OPTIONS rtsp://{at}/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: signalbox\r\n\r\n");
        stream.write_all(question.as_bytes())?;
        let mut answer = [0; LONGEST_ANSWER];
        let mut len = 0;
        while len < 9 {
            match stream.read(&mut answer[len..])? {
                0 => break,
                more => len += more,
            }
        }
        Ok(answer[..len].to_vec())
    };
    ask().is_ok_and(|answer| answer.starts_with(b"RTSP/1.0 "))
}

/// When the next connection may begin.
struct Pace(Mutex<Instant>);

impl Pace {
    fn wait(&self) {
        let turn = {
            let Ok(mut next) = self.0.lock() else { return };
            let turn = (*next).max(Instant::now());
            *next = turn + PACE;
            turn
        };
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
    }
}
