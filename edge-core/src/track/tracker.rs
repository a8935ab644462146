//! The tracker itself: predict, pair in stages, begin and end tracks.

use std::time::Duration;

use super::motion::Motion;
use super::{Track, TrackerConfig, TrackerCounts, assign};
use crate::{Detection, Rect};

/// Boxes that reach further than this, in pixels, come from no picture.
const FURTHEST: f32 = 100_000.0;
/// Steps longer than this are taken as this long, in seconds: by then every track is over anyway.
const LONGEST_STEP: f32 = 60.0;

/// Follows the objects of one camera. Feed it each analysed frame in order.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    live: Vec<Live>,
    last_id: u64,
    now: Option<Duration>,
    counts: TrackerCounts,
}

#[derive(Debug, Clone)]
struct Live {
    /// 0 until it is confirmed.
    id: u64,
    class: protocol::ObjectClass,
    confidence: f32,
    motion: Motion,
    /// Where it is expected in the current frame.
    predicted: Rect,
    born: Duration,
    seen_at: Duration,
    /// In the latest frame.
    seen: bool,
}

impl Live {
    fn is_confirmed(&self) -> bool {
        self.id > 0
    }
}

impl Tracker {
    pub fn new(config: TrackerConfig) -> Self {
        Self { config, live: Vec::new(), last_id: 0, now: None, counts: TrackerCounts::default() }
    }

    /// One analysed frame at `now` (media time; a time that does not advance counts as no time gone by).
    /// Answers the confirmed tracks, by id.
    pub fn step(&mut self, now: Duration, detections: &[Detection]) -> Vec<Track> {
        let now = self.now.map_or(now, |last| last.max(now));
        self.predict(now);
        let well_formed: Vec<&Detection> = detections.iter().filter(|d| is_well_formed(d)).collect();
        self.counts.malformed += (detections.len() - well_formed.len()) as u64;
        let (low, high) = (self.config.low, self.config.high);
        let mut strong: Vec<&Detection> =
            well_formed.iter().copied().filter(|d| d.confidence >= high).collect();
        let mut weak: Vec<&Detection> =
            well_formed.iter().copied().filter(|d| (low..high).contains(&d.confidence)).collect();

        let config = self.config.clone();
        self.pair(now, &mut strong, config.first_overlap, |t| t.is_confirmed());
        self.pair(now, &mut weak, config.second_overlap, |t| t.is_confirmed());
        self.pair(now, &mut strong, config.tentative_overlap, |t| !t.is_confirmed());
        self.end(now);
        self.begin(now, &strong);
        self.confirm(now);
        self.report(now)
    }

    /// Everything that was followed is gone: the stream jumped. Ids go on counting.
    pub fn reset(&mut self) {
        self.live.clear();
        self.now = None;
    }

    pub fn counts(&self) -> TrackerCounts {
        self.counts
    }

    fn predict(&mut self, now: Duration) {
        let last = self.now.replace(now).unwrap_or(now);
        let dt = (now - last).as_secs_f32().min(LONGEST_STEP);
        for track in &mut self.live {
            track.motion.predict(dt, track.seen);
            track.seen = false;
            track.predicted = track.motion.bbox();
        }
    }

    /// One stage: pairs the tracks that `takes_part` and are still unseen with `detections`, and takes
    /// those that found their track out of the list.
    fn pair(
        &mut self,
        now: Duration,
        detections: &mut Vec<&Detection>,
        least: f32,
        takes_part: impl Fn(&Live) -> bool,
    ) {
        let config = &self.config;
        let mut tracks: Vec<&mut Live> = self.live.iter_mut().filter(|t| !t.seen && takes_part(t)).collect();
        let found = assign::pairs(tracks.len(), detections.len(), least, |t, d| {
            similarity(config, now, tracks[t], detections[d])
        });
        let mut taken = vec![false; detections.len()];
        for (t, d) in found {
            taken[d] = true;
            let (track, detection) = (&mut *tracks[t], detections[d]);
            track.motion.update(&detection.bbox, detection.confidence);
            track.confidence = detection.confidence;
            track.seen_at = now;
            track.seen = true;
        }
        let mut taken = taken.into_iter();
        detections.retain(|_| taken.next() == Some(false));
    }

    /// Unconfirmed tracks end as soon as they are missed, others when they were lost for too long.
    fn end(&mut self, now: Duration) {
        let keep = self.config.keep_lost;
        self.live.retain(|t| t.seen || (t.is_confirmed() && now - t.seen_at <= keep));
    }

    fn begin(&mut self, now: Duration, strong: &[&Detection]) {
        for detection in strong.iter().filter(|d| d.confidence >= self.config.birth) {
            if self.live.len() >= self.config.max_tracks {
                self.counts.over_limit += 1;
                continue;
            }
            self.live.push(Live {
                id: 0,
                class: detection.class,
                confidence: detection.confidence,
                motion: Motion::new(&detection.bbox),
                predicted: detection.bbox,
                born: now,
                seen_at: now,
                seen: true,
            });
        }
    }

    fn confirm(&mut self, now: Duration) {
        let after = self.config.confirm_after;
        for track in self.live.iter_mut().filter(|t| !t.is_confirmed() && now - t.born >= after) {
            self.last_id += 1;
            track.id = self.last_id;
        }
    }

    fn report(&self, now: Duration) -> Vec<Track> {
        let mut tracks: Vec<Track> = self
            .live
            .iter()
            .filter(|t| t.is_confirmed() && (t.seen || now - t.seen_at <= self.config.coast))
            .map(|t| Track {
                id: t.id,
                class: t.class,
                confidence: t.confidence,
                bbox: t.motion.bbox(),
                seen: t.seen,
            })
            .collect();
        tracks.sort_unstable_by_key(|t| t.id);
        tracks
    }
}

/// 0..1: overlap of the grown boxes, a little more for a confident detection; 0 across classes.
fn similarity(config: &TrackerConfig, now: Duration, track: &Live, detection: &Detection) -> f32 {
    if track.class != detection.class {
        return 0.0;
    }
    let unseen = (now - track.seen_at).as_secs_f32();
    let grow = (config.grow + config.grow_per_second * unseen).min(1.0);
    track.predicted.grown(grow).iou(&detection.bbox.grown(grow))
}

fn is_well_formed(detection: &Detection) -> bool {
    let b = &detection.bbox;
    [b.left, b.top, b.right(), b.bottom()].iter().all(|v| v.abs() <= FURTHEST)
        && b.width > 0.0
        && b.height > 0.0
        && (0.0..=1.0).contains(&detection.confidence)
}
