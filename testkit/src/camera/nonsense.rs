//! A listener that accepts RTSP clients and answers every one with rubbish.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Counters, Rubbish};

/// What "endless" and "huge" come to.
const MUCH: usize = 200 << 20;
/// No write and no read takes longer: a client that does not read can't hold the thread.
const BOUND: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Nonsense {
    port: u16,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Nonsense {
    pub fn start(port: u16, kind: Rubbish, counters: Arc<Counters>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("nonsense".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                counters.connections.fetch_add(1, Ordering::Relaxed);
                // A client that leaves early is what these answers are for.
                let _ = stream.and_then(|stream| answer(stream, kind, &stop));
            }
        })?;
        Ok(Self { port, over, thread: Some(thread) })
    }
}

impl Drop for Nonsense {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, kind: Rubbish, stop: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(BOUND))?;
    stream.set_write_timeout(Some(BOUND))?;
    let mut request = [0; 4096];
    let _ = stream.read(&mut request)?;
    let (head, much): (&[u8], Option<&[u8]>) = match kind {
        Rubbish::Http => (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html>Hello\n", None),
        Rubbish::HugeHeader => (b"RTSP/1.0 200 OK\r\nX-Much: ", Some(&[b'a'; 4096])),
        Rubbish::EndlessBody => {
            (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 1073741824\r\n\r\n", Some(&[b'v'; 4096]))
        }
        Rubbish::LyingFrame => (b"$\x00\xff\xff\x80$\x01\x00\x00$\x07\xff\xf0", None),
        Rubbish::BadSdp => (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 30\r\n\r\n\
              v=9\r\nm=video -1 RTP/AVP 999\r\n\0",
            None,
        ),
    };
    stream.write_all(head)?;
    let mut sent = 0;
    while let Some(chunk) = much.filter(|_| sent < MUCH && !stop.load(Ordering::Relaxed)) {
        stream.write_all(chunk)?;
        sent += chunk.len();
    }
    stream.shutdown(Shutdown::Both)
}
