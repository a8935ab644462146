//! `edge-agent redact`: covers faces and heads in picture files, as the agent does in its stills.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::detect::{DetectorConfig, ObjectDetector};
use crate::model::{Engine, EngineConfig, Store};
use crate::redact::{Picture, RedactConfig, Redactor};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// JPEG or PNG files.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Where the covered pictures go, as NAME.jpg.
    #[arg(long)]
    out: PathBuf,
    /// Where the list of masks goes (JSON).
    #[arg(long)]
    masks: PathBuf,
    /// The folder of model cards.
    #[arg(long)]
    models: Option<PathBuf>,
    /// The card that finds persons.
    #[arg(long, default_value = "yolox-nano")]
    objects: String,
    /// The card that finds faces.
    #[arg(long, default_value = "centerface")]
    faces: String,
    /// JPEG quality, 1..100.
    #[arg(long, default_value_t = 85, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Cover persons whole instead of their heads.
    #[arg(long)]
    whole_person: bool,
    /// Threads inside one inference.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Serialize, Default)]
struct Document {
    images: Vec<Covered>,
}

#[derive(Serialize)]
struct Covered {
    file: String,
    out: String,
    width: u32,
    height: u32,
    masks: Vec<Area>,
}

#[derive(Serialize)]
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    source: &'static str,
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    let store = Store::locate(args.models.clone(), None);
    let engine = Engine::start(EngineConfig::new(&store, args.threads))?;
    let config = RedactConfig { whole_person: args.whole_person, ..RedactConfig::default() };
    let objects = store.card(&args.objects)?;
    let mut persons = DetectorConfig::of(&objects);
    persons.confidence = config.person_confidence;
    persons.classes = vec![protocol::ObjectClass::Human];
    let mut detector = ObjectDetector::load(&engine, &objects, persons)?;
    let mut redactor = Redactor::load(&engine, &store.card(&args.faces)?, &objects, config)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;

    let (mut document, mut unread) = (Document::default(), 0);
    for (index, path) in args.images.iter().enumerate() {
        let out = args.out.join(name(path, index, &args.images));
        match cover(path, &out, &mut detector, &mut redactor, args.quality) {
            Ok(covered) => document.images.push(covered),
            Err(error) => {
                eprintln!("edge-agent: {error:#}");
                unread += 1;
            }
        }
    }
    std::fs::write(&args.masks, serde_json::to_vec(&document)?)
        .with_context(|| format!("cannot write {}", args.masks.display()))?;
    anyhow::ensure!(unread == 0, "{unread} of {} pictures could not be covered", args.images.len());
    Ok(())
}

fn cover(
    path: &Path,
    out: &Path,
    detector: &mut ObjectDetector,
    redactor: &mut Redactor,
    quality: u8,
) -> anyhow::Result<Covered> {
    let failed = || format!("no covered picture of {}", path.display());
    let same =
        |a: &Path, b: &Path| a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same(path, out) {
        anyhow::bail!("{} would be overwritten: choose another folder for --out", path.display());
    }
    let read = super::detect::read(path)?;
    let (width, height) = read.dimensions();
    let picture = Picture::from_rgb(width as usize, height as usize, read.into_raw()).with_context(failed)?;
    let persons = picture.detect(detector).with_context(failed)?;
    let redacted = redactor.cover(picture, &persons).with_context(failed)?;
    let jpeg = redacted.to_jpeg(quality).with_context(failed)?;
    std::fs::write(out, jpeg.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    let area = |m: &edge_core::Mask| Area {
        left: m.left,
        top: m.top,
        width: m.width,
        height: m.height,
        source: m.source.as_str(),
    };
    Ok(Covered {
        file: path.display().to_string(),
        out: out.display().to_string(),
        width,
        height,
        masks: redacted.masks().iter().map(area).collect(),
    })
}

/// The picture's own name; with its number when an earlier picture has the same.
fn name(path: &Path, index: usize, all: &[PathBuf]) -> String {
    let stem = |p: &Path| p.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let own = stem(path);
    match all[..index].iter().any(|earlier| stem(earlier) == own) {
        true => format!("{own}-{}.jpg", index + 1),
        false => format!("{own}.jpg"),
    }
}
