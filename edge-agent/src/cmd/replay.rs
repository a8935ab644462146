//! `edge-agent replay`: the code of `run` over a clip, as fast as it can, the same bytes every time.

mod annotation;
mod output;

use std::path::PathBuf;

use anyhow::Context;
use edge_core::{Detection, Phase, Step};
use protocol::Timestamp;

use crate::analysis::View;
use crate::clip::{Clip, ClipError};
use crate::decode::{self, Decoder, Frame, Purpose};
use crate::detect::ObjectDetector;
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Store};
use crate::pipeline::Pipeline;
use crate::redact::{Picture, RedactConfig, Redactor};
use annotation::Annotation;
use output::{Events, Stage, Stats, Tracks};

/// The card of the model that finds faces to cover.
const FACES: &str = "centerface";

/// The clip was read up to where it is cut off or damaged; what was written is of that part.
#[derive(Debug, thiserror::Error)]
#[error("{} is not complete: {why}; what was written is of {analysed} pictures", clip.display())]
pub struct Incomplete {
    clip: PathBuf,
    why: String,
    analysed: u64,
}

impl Incomplete {
    /// What the program ends with.
    pub const EXIT_CODE: u8 = 3;
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 when the whole clip was read; 3 when it is cut off or damaged (what was \
read is written, and --stats says \"complete\": false and why); 1 for any other failure."
)]
pub struct Args {
    /// The clip: AVI, MP4, Matroska or raw H.264.
    clip: PathBuf,
    /// The pipeline: detector, tracker, rules.
    #[arg(long, value_name = "FILE")]
    pipeline: PathBuf,
    /// Write MOTChallenge lines: frame,id,left,top,width,height,confidence,class,-1,-1.
    #[arg(long, value_name = "FILE")]
    tracks: Option<PathBuf>,
    /// Write one JSON object an event and line.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Write figures as JSON.
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
    /// Write the clip (Motion JPEG in AVI) with tracks and rules drawn in, every head covered.
    #[arg(long, value_name = "FILE")]
    annotate: Option<PathBuf>,
    /// `off` analyses every frame. There is no gate yet, so that `on` does the same.
    #[arg(long, value_enum, default_value = "on")]
    gate: Switch,
    /// `off` makes no stills.
    #[arg(long, value_enum, default_value = "on")]
    stills: Switch,
    /// The time of the first frame.
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    start_at: Timestamp,
    /// The folder of model cards.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// The hardware profile; without one, the built-in profile for a plain CPU.
    #[arg(long, value_name = "FILE")]
    hardware: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    let mut replay = Replay::open(&args)?;
    replay.run()?;
    replay.finish(&args)
}

/// Everything a replay works with. The order of its parts is the order of the flow.
struct Replay {
    clip: Clip,
    decoder: Box<dyn Decoder>,
    detector: ObjectDetector,
    view: View,
    redactor: Option<Redactor>,
    start_at: Timestamp,
    tracks: Tracks,
    events: Events,
    annotation: Option<Annotation>,
    stats: Stats,
    /// Why not all of the clip is in the results; the first reason.
    incomplete: Option<String>,
}

impl Replay {
    fn open(args: &Args) -> anyhow::Result<Self> {
        let pipeline = Pipeline::load(&args.pipeline)?;
        let hardware = match &args.hardware {
            Some(path) => Profile::load(path)?,
            None => Profile::builtin()?,
        };
        let store = Store::locate(args.models.clone(), None);
        let engine = Engine::start(EngineConfig::new(&store, 1))?;
        let detector = pipeline.open_detector(&engine, &store)?;
        let redactor = match (args.stills, &args.annotate) {
            (Switch::Off, None) => None,
            _ => {
                let (faces, persons) = (store.card(FACES)?, store.card(&pipeline.detector().card)?);
                Some(Redactor::load(&engine, &faces, &persons, RedactConfig::default())?)
            }
        };
        let clip = Clip::open(&args.clip, args.start_at)?;
        let decoder = decode::open(&hardware, Purpose::Clip);
        let incomplete = clip.missing().map(str::to_owned);
        Ok(Self {
            incomplete,
            clip,
            decoder,
            detector,
            view: View::new(pipeline),
            redactor,
            start_at: args.start_at,
            tracks: Tracks::create(args.tracks.as_deref())?,
            events: Events::create(args.events.as_deref())?,
            annotation: args.annotate.as_deref().map(Annotation::create).transpose()?,
            stats: Stats::new(args.stills == Switch::On),
        })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        loop {
            let packet = match self.clip.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(ClipError::Damaged { what, .. }) => {
                    self.incomplete.get_or_insert(what);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            self.stats.packet();
            let decoded = self.stats.time(Stage::Decode, || self.decoder.decode(&packet));
            self.pass_over(decoded)?;
            self.drain()?;
        }
        let drained = self.decoder.drain();
        self.pass_over(drained)?;
        self.drain()
    }

    /// A picture that can't be decoded makes the result incomplete, no more.
    fn pass_over(&mut self, decoded: Result<(), decode::DecodeError>) -> Result<(), decode::DecodeError> {
        match decoded {
            Err(error) if !error.is_final() => {
                self.incomplete.get_or_insert_with(|| error.to_string());
                Ok(())
            }
            decoded => decoded,
        }
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(frame) = self.stats.time(Stage::Decode, || self.decoder.next_frame())? {
            self.analyse(&frame).with_context(|| format!("frame {}", frame.number))?;
        }
        Ok(())
    }
}

impl Replay {
    fn analyse(&mut self, frame: &Frame) -> anyhow::Result<()> {
        let planes = frame.planes();
        let detections = self.stats.time(Stage::Detect, || self.detector.detect(&planes))?;
        let step = self.stats.time(Stage::Track, || self.view.step(frame, &detections));
        self.stats.analysed();
        self.tracks.write(frame.number, &step.tracks)?;
        for finding in &step.findings {
            self.events.write(finding, self.start_at)?;
        }
        self.make_still(frame, &detections, &step)?;
        if let (Some(annotation), Some(redactor)) = (&mut self.annotation, &mut self.redactor) {
            let covered = redactor.cover(Picture::from_planes(&planes)?, &detections)?;
            annotation.write(covered, frame, &step)?;
        }
        Ok(())
    }

    /// As in `run`: one covered still for a frame in which a rule found something.
    fn make_still(&mut self, frame: &Frame, detections: &[Detection], step: &Step) -> anyhow::Result<()> {
        if !self.stats.counts_stills() || !step.findings.iter().any(|f| f.phase == Phase::Raised) {
            return Ok(());
        }
        let Some(redactor) = &mut self.redactor else { return Ok(()) };
        let jpeg = self.stats.time(Stage::Still, || {
            let picture = Picture::from_planes(&frame.planes())?;
            redactor.cover(picture, detections)?.to_jpeg(80)
        })?;
        self.stats.still(jpeg.into_bytes().len());
        Ok(())
    }

    fn finish(self, args: &Args) -> anyhow::Result<()> {
        drop(self.decoder); // waits for a decoder child, whose CPU time counts only then
        self.tracks.finish()?;
        self.events.finish()?;
        if let Some(annotation) = self.annotation {
            annotation.finish()?;
        }
        let analysed = self.stats.frames();
        self.stats.finish(args.stats.as_deref(), self.incomplete.as_deref())?;
        match self.incomplete {
            None => Ok(()),
            Some(why) => Err(Incomplete { clip: args.clip.clone(), why, analysed }.into()),
        }
    }
}
