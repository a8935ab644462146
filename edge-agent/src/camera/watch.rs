//! A camera's thread: try, deliver while it lasts, say what is wrong, wait, try again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::CameraState;

use super::backoff::{Backoff, Pauses};
use super::permit::Permit;
use super::source::{Ended, Source};
use super::timeline::{Break, Timeline};
use super::{CameraConfig, CameraOutput, Credentials, Patience, Stop};
use crate::decode::{DecodeError, Decoder, Frame, Packet};

/// How soon the thread notices the wish to end.
const TICK: Duration = Duration::from_millis(50);
/// How often the hub hears that this camera's decoder was lost.
const ANNOUNCE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Watch {
    config: CameraConfig,
    credentials: Option<Credentials>,
    decoder: Box<dyn Decoder>,
    patience: Patience,
    stop: Arc<Stop>,
    sink: Box<dyn FnMut(CameraOutput) + Send>,
    state: Option<(CameraState, String)>,
    timeline: Timeline,
    last_frame: Option<(Instant, (u32, u32))>,
    number: u64,
    announced: Option<Instant>,
}

impl Watch {
    pub fn new(
        config: CameraConfig,
        credentials: Option<Credentials>,
        decoder: Box<dyn Decoder>,
        patience: Patience,
        stop: Arc<Stop>,
        sink: Box<dyn FnMut(CameraOutput) + Send>,
    ) -> Self {
        let timeline = Timeline::default();
        let (state, last_frame, number, announced) = (None, None, 0, None);
        Self {
            config,
            credentials,
            decoder,
            patience,
            stop,
            sink,
            state,
            timeline,
            last_frame,
            number,
            announced,
        }
    }

    pub fn run(mut self) {
        let mut backoff = Backoff::new(self.patience.retry);
        let mut pauses = Pauses::new(self.patience.credentials);
        self.report(CameraState::Connecting, "connecting");
        while let Some(ended) = self.session(&mut backoff, &mut pauses) {
            let mut pause = backoff.next(random());
            if ended.state == CameraState::Credentials {
                pause = pauses.refused().unwrap_or(pause);
            }
            self.report(ended.state, &ended.reason);
            if self.stop.wait(pause) {
                return;
            }
        }
    }

    /// One session, from permission to its end; `None`: the agent ends.
    fn session(&mut self, backoff: &mut Backoff, pauses: &mut Pauses) -> Option<Ended> {
        let mut permit = loop {
            match Permit::take() {
                Some(permit) => break Some(permit),
                None if self.stop.wait(TICK) => return None,
                None => {}
            }
        };
        let offline = |reason: String| Ended { state: CameraState::Offline, reason };
        let source = match Source::start(&self.config, self.credentials.as_ref(), self.patience.teardown) {
            Ok(source) => source,
            Err(e) => return Some(Ended { state: e.state(), reason: e.to_string() }),
        };
        let begun = Instant::now();
        let mut last: Option<Instant> = None;
        let mut gap = Duration::ZERO;
        loop {
            if self.stop.wanted() {
                return None;
            }
            if let Some(packet) = source.packet(TICK) {
                if last.is_none() {
                    permit = None;
                    self.begin();
                }
                if let Some(before) = last.replace(Instant::now()) {
                    // The usual gap follows slowly: one late picture is not usual.
                    gap = (gap * 7 + before.elapsed()) / 8;
                }
                if source.overrun() {
                    (self.sink)(CameraOutput::Discontinuity { why: Break::Overrun });
                }
                if let Err(ended) = self.decode(&packet) {
                    return Some(ended);
                }
                if self.last_frame.is_some_and(|(at, _)| at >= begun) && self.state_is_not_live() {
                    self.report(CameraState::Live, "pictures come");
                    backoff.reset();
                    pauses.reset();
                }
                continue;
            }
            if let Some(ended) = source.ended() {
                return Some(ended);
            }
            match last {
                None if begun.elapsed() > self.patience.connect => {
                    let reason =
                        format!("no picture within {} s of connecting", self.patience.connect.as_secs());
                    return Some(offline(reason));
                }
                Some(at) if at.elapsed() > self.patience.stall.max(gap * 2) => {
                    let reason = format!("connected, but no picture for {} s", at.elapsed().as_secs());
                    return Some(Ended { state: CameraState::Stalled, reason });
                }
                _ => drop(permit.take_if(|_| begun.elapsed() > self.patience.connect)),
            }
        }
    }

    /// First packet of a session.
    fn begin(&mut self) {
        let _ = self.decoder.flush();
        if let Some((at, _)) = self.last_frame {
            self.timeline.rebase(at.elapsed());
            (self.sink)(CameraOutput::Discontinuity { why: Break::Reconnected });
        }
    }

    fn decode(&mut self, packet: &Packet) -> Result<(), Ended> {
        let mut outcome = self.decoder.decode(packet);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.deliver(frame),
                Ok(None) => break,
                Err(e) => {
                    outcome = outcome.and(Err(e));
                    break;
                }
            }
        }
        match outcome {
            Err(e) if e.is_final() => Err(Ended { state: CameraState::Unsupported, reason: e.to_string() }),
            Err(e @ DecodeError::Lost { .. }) => {
                self.decoder_lost(e.to_string(), Instant::now());
                Ok(())
            }
            Err(e) => {
                (self.sink)(CameraOutput::Damaged { reason: e.to_string() });
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn decoder_lost(&mut self, reason: String, now: Instant) {
        tracing::warn!(camera = %self.config.id, reason, "decoder lost; a new one goes on at the next key frame");
        let announce = self.announced.is_none_or(|at| now.duration_since(at) >= ANNOUNCE_EVERY);
        if announce {
            self.announced = Some(now);
        }
        (self.sink)(CameraOutput::DecoderLost { reason, announce });
    }

    fn deliver(&mut self, mut frame: Frame) {
        let size = (frame.width, frame.height);
        if let Some((_, from)) = self.last_frame
            && from != size
        {
            (self.sink)(CameraOutput::Discontinuity { why: Break::Resized { from, to: size } });
        }
        let (time, jumped) = self.timeline.place(frame.media_time);
        if jumped {
            (self.sink)(CameraOutput::Discontinuity { why: Break::Time });
        }
        self.number += 1;
        frame.number = self.number;
        frame.media_time = time;
        self.last_frame = Some((Instant::now(), size));
        (self.sink)(CameraOutput::Frame(frame));
    }

    fn state_is_not_live(&self) -> bool {
        self.state.as_ref().is_none_or(|(state, _)| *state != CameraState::Live)
    }

    fn report(&mut self, state: CameraState, reason: &str) {
        if self.state.as_ref().is_some_and(|(s, r)| *s == state && r == reason) {
            return;
        }
        tracing::info!(camera = %self.config.id, ?state, reason, "camera state");
        self.state = Some((state, reason.to_owned()));
        (self.sink)(CameraOutput::State { state, reason: reason.to_owned() });
    }
}

/// Uniform in 0..1; without randomness, the middle.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::decode::{self, Purpose};
    use crate::hardware::Profile;

    #[test]
    fn every_lost_decoder_is_told_and_the_hub_hears_of_one_a_minute() {
        let config: CameraConfig = toml::from_str("id = \"gate\"\nurl = \"rtsp://127.0.0.1/live\"").unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = heard.clone();
        let sink = Box::new(move |output| {
            if let CameraOutput::DecoderLost { reason, announce } = output {
                told.lock().unwrap().push((reason, announce));
            }
        });
        let decoder = decode::open(&Profile::builtin().unwrap(), Purpose::Live);
        let mut watch =
            Watch::new(config, None, decoder, Patience::default(), Arc::new(Stop::default()), sink);
        let begun = Instant::now();
        for after in [0, 10, 59, 61, 62] {
            watch.decoder_lost(format!("at {after}"), begun + Duration::from_secs(after));
        }
        let announced: Vec<bool> = heard.lock().unwrap().iter().map(|(_, announce)| *announce).collect();
        assert_eq!(announced, [true, false, false, true, false]);
        assert_eq!(heard.lock().unwrap()[2].0, "at 59");
    }
}
