//! `edge-agent bench`: how many cameras this box carries, measured with the code of `run` over a clip.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use protocol::Timestamp;

use crate::alerts::Event;
use crate::analysis::{Analysis, Mailbox, View, Watched};
use crate::clip::Clip;
use crate::decode::{self, Purpose};
use crate::figures::Figures;
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Store};
use crate::pipeline::Pipeline;
use crate::usage;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The clip that every camera plays, looped, at its own rate.
    #[arg(long, value_name = "CLIP")]
    clip: PathBuf,
    /// How many cameras.
    #[arg(long, value_name = "N", default_value_t = 4)]
    cameras: usize,
    /// For how long.
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
    /// The pipeline: detector, tracker, rules.
    #[arg(long, value_name = "FILE", default_value = "pipelines/default.toml")]
    pipeline: PathBuf,
    /// The hardware profile; without one, the built-in profile for a plain CPU.
    #[arg(long, value_name = "FILE")]
    hardware: Option<PathBuf>,
    /// The folder of model cards.
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// `off` analyses every frame. There is no gate yet, so that `on` does the same.
    #[arg(long, default_value = "on", value_parser = ["on", "off"])]
    gate: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(args.cameras > 0 && args.seconds > 0, "give at least one camera and one second");
    let figures = Arc::new(Figures::new(args.cameras));
    let hardware = match &args.hardware {
        Some(path) => Profile::load(path)?,
        None => Profile::builtin()?,
    };
    let pipeline = Pipeline::load(&args.pipeline)?;
    let store = Store::locate(args.models.clone(), None);
    let engine = Engine::start(EngineConfig::new(&store, hardware.inference.threads as usize))?;
    let detector = pipeline.open_detector(&engine, &store)?;
    let watch = |_| Watched { view: View::new(pipeline.clone()), detector: 0 };
    let mailbox = Mailbox::new(&vec![pipeline.detector().analyse_fps; args.cameras]);
    let (alerts, events) = mpsc::sync_channel::<Event>(8);
    let watched = (0..args.cameras).map(watch).collect();
    let analysis = Analysis::new(vec![detector], watched, figures.clone(), alerts);
    let (stop, findings) = (AtomicBool::new(false), AtomicU64::new(0));
    let (before, started) = (usage::now(), Instant::now());
    std::thread::scope(|scope| -> anyhow::Result<()> {
        scope.spawn(|| analysis.run(&mailbox));
        let findings = &findings;
        scope.spawn(move || events.iter().for_each(|_| _ = findings.fetch_add(1, Relaxed)));
        let cameras: Vec<_> = (0..args.cameras)
            .map(|camera| Player {
                clip: &args.clip,
                hardware: &hardware,
                camera,
                mailbox: &mailbox,
                figures: &figures,
            })
            .map(|player| scope.spawn(|| player.play(&stop)))
            .collect();
        while started.elapsed() < Duration::from_secs(args.seconds)
            && !cameras.iter().any(|c| c.is_finished())
        {
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Relaxed);
        let played = cameras.into_iter().map(|c| c.join().expect("a player does not panic"));
        let played: anyhow::Result<Vec<()>> = played.collect();
        mailbox.close();
        played.map(drop)
    })?;
    report(&args, &figures, &before, started.elapsed(), findings.load(Relaxed));
    Ok(())
}

/// One camera: plays the clip again and again, each frame when it is due.
struct Player<'a> {
    clip: &'a Path,
    hardware: &'a Profile,
    camera: usize,
    mailbox: &'a Mailbox,
    figures: &'a Figures,
}

impl Player<'_> {
    fn play(self, stop: &AtomicBool) -> anyhow::Result<()> {
        while !stop.load(Relaxed) {
            let mut source = Clip::open(self.clip, Timestamp::from_unix_ms(0))?;
            let mut decoder = decode::open(self.hardware, Purpose::Clip);
            let started = Instant::now();
            self.mailbox.discontinuity(self.camera);
            while let Some(packet) = source.next_packet()? {
                decoder.decode(&packet)?;
                while let Some(frame) = decoder.next_frame()? {
                    std::thread::sleep(frame.media_time.saturating_sub(started.elapsed()));
                    if stop.load(Relaxed) {
                        return Ok(());
                    }
                    self.figures.decoded(self.camera);
                    if self.mailbox.offer(self.camera, frame) {
                        self.figures.replaced(self.camera);
                    }
                }
            }
        }
        Ok(())
    }
}

fn report(args: &Args, figures: &Figures, before: &usage::Usage, elapsed: Duration, findings: u64) {
    let after = usage::now();
    let cpu = (after.own_cpu - before.own_cpu) + (after.children_cpu - before.children_cpu);
    let cameras: Vec<_> = (0..args.cameras)
        .map(|i| {
            let id = format!("camera-{}", i + 1).parse().expect("a plain id");
            figures.read(i).since(&Default::default(), elapsed, id)
        })
        .collect();
    let analysed: f64 = cameras.iter().map(|c| c.analysed_fps).sum();
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "cameras": cameras,
                "seconds": elapsed.as_secs_f64(),
                "analysed_fps": analysed,
                "cpu_cores": cpu.as_secs_f64() / elapsed.as_secs_f64(),
                "cpu_ms_per_analysed_frame": cpu.as_secs_f64() * 1e3 / (analysed * elapsed.as_secs_f64()).max(1.0),
                "peak_memory_bytes": after.peak_memory_bytes,
                "findings": findings,
            })
        );
        return;
    }
    println!("camera        decoded/s  analysed/s  replaced  latency ms");
    for c in &cameras {
        println!(
            "{:12}  {:9.1}  {:10.1}  {:8}  {:10.1}",
            c.camera, c.decoded_fps, c.analysed_fps, c.replaced_frames, c.latency_ms
        );
    }
    println!(
        "{:.2} cores, {} MiB at most, {findings} frames with findings",
        cpu.as_secs_f64() / elapsed.as_secs_f64(),
        after.peak_memory_bytes >> 20
    );
}
