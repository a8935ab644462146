//! Packets become figures. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::decode::StreamFormat;

/// What counts of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    /// When it came in, from the first on.
    pub at: Duration,
    pub pts: Option<Duration>,
    pub bytes: usize,
    pub key: bool,
    pub bi_predicted: bool,
}

/// What a camera delivers. Rates are what came in, not what was promised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub codec: String,
    pub profile: Option<String>,
    pub width: u32,
    pub height: u32,
    /// As the stream's headers (or ONVIF) say.
    pub declared_fps: Option<f32>,
    pub delivered_fps: f32,
    pub has_b_frames: bool,
    /// Longest time between two key frames; `None`: at most one came.
    pub key_distance_s: Option<f32>,
    pub bitrate_kbps: u32,
    /// By how much its clock is ahead of ours, where its sender reports say.
    pub clock_ahead_ms: Option<i64>,
    pub packets: u64,
    /// Of the last packets, those that could not be decoded whole.
    pub damaged: u32,
    pub seconds: f32,
}

/// What came right after connecting is old (a burst since the last key frame) and says nothing of rates.
const BURST: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Tally {
    packets: u64,
    keys: u32,
    last_key: Option<Duration>,
    key_distance: Option<Duration>,
    highest: Option<Duration>,
    reordered: bool,
    bi_predicted: bool,
    /// After the burst: first and last arrival, pictures, bytes after the first.
    steady: Option<(Duration, Duration, u64, u64)>,
    end: Duration,
}

impl Tally {
    pub fn packets(&self) -> u64 {
        self.packets
    }

    pub fn keys(&self) -> u32 {
        self.keys
    }

    pub fn add(&mut self, fact: &Fact) {
        self.packets += 1;
        self.end = fact.at;
        self.bi_predicted |= fact.bi_predicted;
        if let Some(pts) = fact.pts {
            // Times go back within a second only where pictures are sent out of the order of display.
            let behind = self.highest.and_then(|h| h.checked_sub(pts)).unwrap_or_default();
            self.reordered |= !behind.is_zero() && behind < Duration::from_secs(1);
            self.highest = self.highest.max(Some(pts));
        }
        if fact.key {
            self.keys += 1;
            let time = fact.pts.unwrap_or(fact.at);
            let distance = self.last_key.and_then(|last| time.checked_sub(last));
            self.key_distance = self.key_distance.max(distance);
            self.last_key = Some(time);
        }
        if fact.at >= BURST {
            self.steady = match self.steady {
                None => Some((fact.at, fact.at, 0, 0)),
                Some((first, _, count, bytes)) => {
                    Some((first, fact.at, count + 1, bytes + fact.bytes as u64))
                }
            };
        }
    }

    pub fn figures(
        &self,
        stream: &StreamFormat,
        size: Option<(u32, u32)>,
        clock_ahead_ms: Option<i64>,
    ) -> Figures {
        let (width, height) = size.unwrap_or_default();
        let (fps, kbps) = match self.steady {
            Some((first, last, count, bytes)) if last > first => {
                let seconds = (last - first).as_secs_f64();
                (count as f64 / seconds, bytes as f64 * 8.0 / 1000.0 / seconds)
            }
            _ => (0.0, 0.0),
        };
        Figures {
            codec: stream.codec.to_string(),
            profile: field(&stream.caps, "profile"),
            width,
            height,
            declared_fps: field(&stream.caps, "framerate").and_then(|f| fraction(&f)),
            delivered_fps: tenth(fps as f32),
            has_b_frames: self.bi_predicted || self.reordered,
            key_distance_s: self.key_distance.map(|d| tenth(d.as_secs_f32())),
            bitrate_kbps: kbps as u32,
            clock_ahead_ms,
            packets: self.packets,
            damaged: 0,
            seconds: tenth(self.end.as_secs_f32()),
        }
    }
}

fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

/// A field of GStreamer caps, as `name=(type)value`.
fn field(caps: &str, name: &str) -> Option<String> {
    let value = caps.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    let value = value.rsplit(')').next()?.trim_end_matches(';').trim_matches('"');
    Some(crate::wording::plain(value, 40)).filter(|v| !v.is_empty())
}

/// More than 0 and believable.
fn fraction(text: &str) -> Option<f32> {
    let (over, under) = text.split_once('/')?;
    let fps = over.parse::<f32>().ok()? / under.parse::<f32>().ok()?;
    (fps > 0.0 && fps <= 240.0).then_some(tenth(fps))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Codec;

    fn stream() -> StreamFormat {
        let caps = "video/x-h264, stream-format=(string)byte-stream, width=(int)1920, framerate=(fraction)25/1, profile=(string)high";
        StreamFormat { codec: Codec::H264, caps: caps.into(), size: Some((1920, 1080)) }
    }

    /// 20 fps with a key frame every 2 s; the first second comes at once.
    fn facts(order: impl Fn(u64) -> u64) -> Vec<Fact> {
        (0..120_u64)
            .map(|n| Fact {
                at: Duration::from_millis(n.saturating_sub(20) * 50),
                pts: Some(Duration::from_millis(5000 + order(n) * 50)),
                bytes: if n % 40 == 0 { 20_000 } else { 2_000 },
                key: n % 40 == 0,
                bi_predicted: false,
            })
            .collect()
    }

    fn figures(facts: &[Fact]) -> Figures {
        let mut tally = Tally::default();
        facts.iter().for_each(|f| tally.add(f));
        tally.figures(&stream(), stream().size, Some(-1200))
    }

    #[test]
    fn rates_are_those_after_the_burst() {
        let figures = figures(&facts(|n| n));
        assert_eq!((figures.delivered_fps, figures.declared_fps), (20.0, Some(25.0)));
        assert_eq!((figures.key_distance_s, figures.has_b_frames), (Some(2.0), false));
        assert_eq!((figures.profile.as_deref(), figures.codec.as_str()), (Some("high"), "H.264"));
        assert!((380..420).contains(&figures.bitrate_kbps), "{}", figures.bitrate_kbps);
        assert_eq!(figures.clock_ahead_ms, Some(-1200));
    }

    #[test]
    fn pictures_out_of_order_or_b_slices_are_b_frames_and_a_jump_is_not() {
        // I P B P B: every second pair is swapped.
        assert!(figures(&facts(|n| if n % 2 == 0 { n + 1 } else { n - 1 })).has_b_frames);
        let mut marked = facts(|n| n);
        marked[7].bi_predicted = true;
        assert!(figures(&marked).has_b_frames);
        assert!(!figures(&facts(|n| if n < 60 { n + 1000 } else { n })).has_b_frames);
    }

    #[test]
    fn next_to_nothing_gives_no_rates_and_no_panic() {
        assert_eq!(figures(&[]).delivered_fps, 0.0);
        let one = figures(&facts(|n| n)[..1]);
        assert_eq!((one.delivered_fps, one.key_distance_s), (0.0, None));
    }
}
