//! Somebody who watches a camera live, without a browser: offers, connects, keeps what comes.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use live::{Receiver, Seen, Watched};
use testkit::hub::Hub;

/// A connection to the hub.
pub struct Viewer {
    receiver: Receiver,
    socket: UdpSocket,
    /// Where it is ended.
    pub place: String,
    pub begun: Instant,
    pub over: bool,
}

impl Viewer {
    /// `camera`: `AGENT/CAMERA`.
    pub fn watch(hub: &Hub, camera: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let begun = Instant::now();
        let (mut receiver, offer) =
            Receiver::offer(socket.local_addr().expect("its address"), begun).expect("an offer");
        let (answer, place) = hub.watch(&format!("/cameras/{camera}/live"), offer).expect("an answer");
        receiver.answered(&answer, Instant::now()).expect("an answer that fits");
        Self { receiver, socket, place, begun, over: false }
    }

    /// What comes until `enough` of it did, or until `bound`.
    pub fn until(&mut self, bound: Duration, mut enough: impl FnMut(&[Seen]) -> bool) -> Vec<Seen> {
        let (mut seen, deadline) = (Vec::new(), Instant::now() + bound);
        let mut buffer = vec![0; 2048];
        while !enough(&seen) && !self.over && Instant::now() < deadline {
            while let Some(watched) = self.receiver.poll() {
                match watched {
                    Watched::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
                    Watched::Picture(picture) => seen.push(picture),
                    Watched::Over => self.over = true,
                    Watched::Connected => {}
                }
            }
            let wait = self.receiver.deadline().saturating_duration_since(Instant::now());
            let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(50));
            self.socket.set_read_timeout(Some(wait)).expect("a socket that waits");
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.receiver.receive(from, &buffer[..length], Instant::now()),
                Err(_) => self.receiver.tick(Instant::now()),
            }
        }
        seen
    }
}
