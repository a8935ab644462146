//! What the agent counts about itself, read every 10 s for `health`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use protocol::{CameraHealth, CameraId};

/// Counters of one camera. They only ever go up.
#[derive(Debug, Default)]
struct Counters {
    decoded: AtomicU64,
    analysed: AtomicU64,
    replaced: AtomicU64,
    damaged: AtomicU64,
    restarts: AtomicU64,
    failed: AtomicU64,
    latency_us: AtomicU64,
}

/// Counters of all cameras, in the order of the configuration.
#[derive(Debug)]
pub struct Figures {
    cameras: Vec<Counters>,
    alerts_waited: AtomicU64,
}

/// One camera's counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    decoded: u64,
    analysed: u64,
    replaced: u64,
    damaged: u64,
    restarts: u64,
    latency_us: u64,
}

impl Figures {
    pub fn new(cameras: usize) -> Self {
        Self {
            cameras: (0..cameras).map(|_| Counters::default()).collect(),
            alerts_waited: AtomicU64::new(0),
        }
    }

    pub fn decoded(&self, camera: usize) {
        self.cameras[camera].decoded.fetch_add(1, Relaxed);
    }

    pub fn replaced(&self, camera: usize) {
        self.cameras[camera].replaced.fetch_add(1, Relaxed);
    }

    pub fn damaged(&self, camera: usize) {
        self.cameras[camera].damaged.fetch_add(1, Relaxed);
    }

    /// A decoder that died or hung and was replaced; what it held is lost.
    pub fn decoder_restarted(&self, camera: usize) {
        self.cameras[camera].restarts.fetch_add(1, Relaxed);
    }

    /// A frame whose analysis failed.
    pub fn failed(&self, camera: usize) {
        self.cameras[camera].failed.fetch_add(1, Relaxed);
    }

    /// A frame was analysed, this long after it came in.
    pub fn analysed(&self, camera: usize, latency: Duration) {
        self.cameras[camera].analysed.fetch_add(1, Relaxed);
        self.cameras[camera].latency_us.fetch_add(latency.as_micros() as u64, Relaxed);
    }

    /// Findings had to wait because earlier ones were still being written.
    pub fn alerts_waited(&self) {
        self.alerts_waited.fetch_add(1, Relaxed);
    }

    pub fn read(&self, camera: usize) -> Reading {
        let c = &self.cameras[camera];
        Reading {
            decoded: c.decoded.load(Relaxed),
            analysed: c.analysed.load(Relaxed),
            replaced: c.replaced.load(Relaxed),
            damaged: c.damaged.load(Relaxed),
            restarts: c.restarts.load(Relaxed),
            latency_us: c.latency_us.load(Relaxed),
        }
    }
}

impl Reading {
    /// What happened since an earlier reading, `elapsed` ago.
    pub fn since(&self, earlier: &Reading, elapsed: Duration, camera: CameraId) -> CameraHealth {
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let analysed = self.analysed - earlier.analysed;
        CameraHealth {
            camera,
            decoded_fps: (self.decoded - earlier.decoded) as f64 / seconds,
            analysed_fps: analysed as f64 / seconds,
            replaced_frames: self.replaced - earlier.replaced,
            damaged_frames: self.damaged - earlier.damaged,
            decoder_restarts: self.restarts - earlier.restarts,
            latency_ms: (self.latency_us - earlier.latency_us) as f64 / 1e3 / analysed.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_two_readings() {
        let figures = Figures::new(1);
        figures.decoded(0);
        let first = figures.read(0);
        for _ in 0..20 {
            figures.decoded(0);
        }
        figures.replaced(0);
        figures.decoder_restarted(0);
        figures.analysed(0, Duration::from_millis(30));
        figures.analysed(0, Duration::from_millis(50));
        let health = figures.read(0).since(&first, Duration::from_secs(2), "gate".parse().unwrap());
        assert_eq!(health.decoded_fps, 10.0);
        assert_eq!(health.analysed_fps, 1.0);
        assert_eq!((health.replaced_frames, health.damaged_frames, health.decoder_restarts), (1, 0, 1));
        assert_eq!(health.latency_ms, 40.0);
    }
}
