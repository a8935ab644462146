//! One viewer of a channel: from which packet on it is sent, and under which numbers.

use std::time::Instant;

use str0m::media::{Mid, Pt};
use str0m::rtp::{RtpPacket, RtpWrite};

use crate::peer::Peer;
use crate::splice::Splice;

#[derive(Debug)]
pub struct Viewer {
    pub splice: Splice,
    pt: Pt,
    shown: bool,
}

impl Viewer {
    /// `pt`: what the viewer's side calls H.264.
    pub fn taking(pt: Pt) -> Self {
        Self { splice: Splice::default(), pt, shown: false }
    }

    /// Sends a packet on, if the viewer has joined or joins with it; whether it is the first.
    pub fn pass(
        &mut self,
        peer: &mut Peer,
        mid: Mid,
        packet: &RtpPacket,
        begins: bool,
        now: Instant,
    ) -> bool {
        let (seq, time) = (*packet.seq_no, packet.header.timestamp);
        if !self.splice.is_joined() {
            if !begins {
                return false;
            }
            self.splice.join(seq, time, now);
        }
        let Some((seq, time)) = self.splice.pass(seq, time, now) else { return false };
        let pt = self.pt;
        let sent = peer.touch(now, |rtc| {
            if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
                let write = RtpWrite::new(pt, seq.into(), time, now, packet.payload.clone());
                stream.write_rtp(write.marker(packet.header.marker).nackable(true));
            }
            Ok(())
        });
        // It leaves when time passes.
        peer.tick(now);
        sent.is_ok() && !std::mem::replace(&mut self.shown, true)
    }
}
