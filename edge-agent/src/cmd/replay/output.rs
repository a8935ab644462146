//! What a replay writes: tracks, events, figures, an annotated clip.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_core::{Finding, Phase, Track};
use protocol::{Direction, Kind, ObjectClass, Timestamp};
use serde::Serialize;

use crate::usage::{self, Usage};

/// A file that is only written where it was asked for.
struct Output(Option<BufWriter<File>>);

impl Output {
    fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        let open =
            |path: &Path| File::create(path).with_context(|| format!("cannot write {}", path.display()));
        Ok(Self(path.map(open).transpose()?.map(BufWriter::new)))
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
        match &mut self.0 {
            Some(file) => writeln!(file, "{line}").context("cannot write the output"),
            None => Ok(()),
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        match self.0 {
            Some(mut file) => file.flush().context("cannot write the output"),
            None => Ok(()),
        }
    }
}

/// MOTChallenge lines: `frame,id,left,top,width,height,confidence,class,-1,-1`; 1-based frames, pixels.
pub struct Tracks(Output);

impl Tracks {
    pub fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        Output::create(path).map(Self)
    }

    pub fn write(&mut self, frame: u64, tracks: &[Track]) -> anyhow::Result<()> {
        for track in tracks {
            let b = &track.bbox;
            let class = ObjectClass::ALL.iter().position(|c| *c == track.class).unwrap_or(0) + 1;
            self.0.line(format_args!(
                "{frame},{},{:.2},{:.2},{:.2},{:.2},{:.3},{class},-1,-1",
                track.id, b.left, b.top, b.width, b.height, track.confidence
            ))?;
        }
        Ok(())
    }

    pub fn finish(self) -> anyhow::Result<()> {
        self.0.finish()
    }
}

/// One JSON object a line.
pub struct Events(Output);

#[derive(Serialize)]
struct Event<'a> {
    frame: u64,
    media_time_ms: u64,
    at: Timestamp,
    phase: &'static str,
    kind: Kind,
    rule: &'a str,
    direction: Option<Direction>,
    track: u64,
    object_class: ObjectClass,
    severity: protocol::Severity,
}

impl Events {
    pub fn create(path: Option<&Path>) -> anyhow::Result<Self> {
        Output::create(path).map(Self)
    }

    pub fn write(&mut self, finding: &Finding, start_at: Timestamp) -> anyhow::Result<()> {
        let media_time_ms = finding.at.as_millis() as u64;
        let event = Event {
            frame: finding.frame,
            media_time_ms,
            at: start_at.plus_ms(media_time_ms as i64),
            phase: match finding.phase {
                Phase::Raised => "raised",
                Phase::Ended => "ended",
            },
            kind: finding.kind,
            rule: finding.rule.as_str(),
            direction: finding.direction,
            track: finding.track,
            object_class: finding.class,
            severity: finding.severity,
        };
        self.0.line(format_args!("{}", serde_json::to_string(&event)?))
    }

    pub fn finish(self) -> anyhow::Result<()> {
        self.0.finish()
    }
}

/// Where the time of a replay goes.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// Reading the clip and waiting for the decoder. A decoder child's own time is `decode_child`.
    Decode,
    /// Conversion to the model's input, inference, boxes out.
    Detect,
    /// Tracking and rules.
    Track,
    /// Covering and encoding stills.
    Still,
}

/// Figures of a replay: counts, CPU seconds by stage, peak memory.
pub struct Stats {
    packets: u64,
    analysed: u64,
    stills: Option<(u64, u64)>,
    stages: [Duration; 4],
    before: Usage,
    started: Instant,
}

impl Stats {
    pub fn new(stills: bool) -> Self {
        Self {
            packets: 0,
            analysed: 0,
            stills: stills.then_some((0, 0)),
            stages: [Duration::ZERO; 4],
            before: usage::now(),
            started: Instant::now(),
        }
    }

    pub fn packet(&mut self) {
        self.packets += 1;
    }

    pub fn analysed(&mut self) {
        self.analysed += 1;
    }

    pub fn frames(&self) -> u64 {
        self.analysed
    }

    pub fn counts_stills(&self) -> bool {
        self.stills.is_some()
    }

    pub fn still(&mut self, bytes: usize) {
        if let Some((count, sum)) = &mut self.stills {
            *count += 1;
            *sum += bytes as u64;
        }
    }

    /// Runs `work` and counts this thread's CPU time for the stage.
    pub fn time<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let before = usage::thread_cpu();
        let result = work();
        self.stages[stage as usize] += usage::thread_cpu().saturating_sub(before);
        result
    }

    /// Writes the figures. Decoder children must have ended, or their time is missing.
    /// `incomplete`: why not all of the clip is in them.
    pub fn finish(self, path: Option<&Path>, incomplete: Option<&str>) -> anyhow::Result<()> {
        let Some(path) = path else { return Ok(()) };
        let after = usage::now();
        let seconds = |stage: Stage| self.stages[stage as usize].as_secs_f64();
        let own = (after.own_cpu - self.before.own_cpu).as_secs_f64();
        let children = (after.children_cpu - self.before.children_cpu).as_secs_f64();
        let (stills, still_bytes) = self.stills.unwrap_or_default();
        let figures = serde_json::json!({
            "complete": incomplete.is_none(),
            "reason": incomplete,
            "frames_read": self.packets,
            "frames_decoded": self.analysed,
            "frames_analysed": self.analysed,
            "stills": stills,
            "still_bytes": still_bytes,
            "wall_seconds": self.started.elapsed().as_secs_f64(),
            "cpu_seconds": {
                "total": own + children,
                "decode": seconds(Stage::Decode),
                "decode_child": children,
                "detect": seconds(Stage::Detect),
                "track": seconds(Stage::Track),
                "still": seconds(Stage::Still),
            },
            "peak_memory_bytes": after.peak_memory_bytes,
        });
        std::fs::write(path, serde_json::to_string_pretty(&figures)? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
