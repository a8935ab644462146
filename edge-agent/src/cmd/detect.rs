//! `edge-agent detect`: objects or faces in picture files, for a look and for measurements.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::detect::{DetectorConfig, FaceDetector, ObjectDetector, Scored};
use crate::model::{Card, Decoder, Engine, EngineConfig, Store};
use crate::picture::{Chroma, Matrix, Planes};
use crate::tensor::RgbView;

/// The long side in which faces are looked for, pixels.
const FACE_SIDE: usize = 640;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// JPEG or PNG files.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// A card's name, or the path of its file.
    #[arg(long, default_value = "yolox-nano")]
    model: String,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
    /// The lowest score that counts, 0..1; as the model's card says when not given.
    #[arg(long, value_parser = share)]
    confidence: Option<f32>,
    /// Of two boxes of a label that overlap more, the better stays; as the card says when not given.
    #[arg(long, value_parser = share)]
    nms_iou: Option<f32>,
    /// What the detector gets: the pixels, or planes as a decoder leaves them.
    #[arg(long, value_enum, default_value = "rgb")]
    via: Via,
    /// The folder of model cards.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Threads inside one inference.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn share(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    (0.0..=1.0).contains(&number).then_some(number).ok_or_else(|| format!("{number} is not within 0 to 1"))
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Via {
    Rgb,
    I420,
}

#[derive(Serialize)]
struct Document {
    model: String,
    images: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    file: String,
    width: u32,
    height: u32,
    detections: Vec<Boxed>,
}

#[derive(Serialize)]
struct Boxed {
    class: Option<protocol::ObjectClass>,
    label: String,
    confidence: f32,
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

enum Detector {
    Objects(ObjectDetector),
    Faces(FaceDetector),
}

pub fn execute(args: Args) -> anyhow::Result<()> {
    let store = Store::locate(args.models.clone(), None);
    let card = store.card(&args.model)?;
    let engine = Engine::start(EngineConfig::new(&store, args.threads))?;
    let mut detector = load(&engine, &card, &args)?;
    let mut document = Document { model: card.name.clone(), images: Vec::new() };
    let mut unread = 0;
    for path in &args.images {
        match look(&mut detector, path, args.via) {
            Ok((width, height, found)) => {
                let detections = found.iter().map(|one| named(one, &card)).collect();
                document.images.push(Found { file: path.display().to_string(), width, height, detections });
            }
            Err(error) => {
                eprintln!("edge-agent: {error:#}");
                unread += 1;
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string(&document)?);
    } else {
        print(&document);
    }
    anyhow::ensure!(unread == 0, "{unread} of {} pictures could not be used", args.images.len());
    Ok(())
}

fn load(engine: &Engine, card: &Card, args: &Args) -> anyhow::Result<Detector> {
    let confidence = args.confidence.unwrap_or(card.confidence);
    let nms_iou = args.nms_iou.unwrap_or(card.nms_iou);
    Ok(match card.decoder {
        Decoder::Yolox => {
            let config = DetectorConfig { confidence, nms_iou, classes: Vec::new() };
            Detector::Objects(ObjectDetector::load(engine, card, config)?)
        }
        Decoder::Centerface => Detector::Faces(FaceDetector::load(engine, card, confidence)?),
    })
}

fn look(detector: &mut Detector, path: &Path, via: Via) -> anyhow::Result<(u32, u32, Vec<Scored>)> {
    let picture = read(path)?;
    let (width, height) = picture.dimensions();
    let view = RgbView {
        width: width as usize,
        height: height as usize,
        stride: 3 * width as usize,
        pixels: picture.as_raw(),
    };
    let found = match (detector, via) {
        (Detector::Faces(faces), _) => faces.detect(&view, FACE_SIDE)?,
        (Detector::Objects(objects), Via::Rgb) => objects.labelled_rgb(&view)?,
        (Detector::Objects(objects), Via::I420) => {
            let (y, u, v) = to_i420(&view);
            let chroma = Chroma::Planar { u: &u, v: &v, stride: view.width.div_ceil(2) };
            let (width, height) = (view.width, view.height);
            let (matrix, full_range) = (Matrix::Bt601, false);
            objects.labelled(&Planes { width, height, y: &y, y_stride: width, chroma, matrix, full_range })?
        }
    };
    Ok((width, height, found))
}

/// Reads a picture file; the error names it.
pub(super) fn read(path: &Path) -> anyhow::Result<image::RgbImage> {
    let open = || image::ImageReader::open(path)?.with_guessed_format();
    let reader = open().with_context(|| format!("cannot open {}", path.display()))?;
    let picture =
        reader.decode().with_context(|| format!("cannot read {} as JPEG or PNG", path.display()))?;
    Ok(picture.into_rgb8())
}

/// BT.601, limited range; a chroma sample is the mean of its (up to four) pixels.
fn to_i420(view: &RgbView) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (half_width, half_height) = (view.width.div_ceil(2), view.height.div_ceil(2));
    let mut luma = Vec::with_capacity(view.width * view.height);
    let mut sums = vec![[0.0f32; 3]; half_width * half_height];
    for (y, row) in view.pixels.chunks_exact(view.stride).enumerate() {
        for (x, pixel) in row.as_chunks::<3>().0.iter().enumerate() {
            let [r, g, b] = pixel.map(f32::from);
            let value = 0.299 * r + 0.587 * g + 0.114 * b;
            luma.push((16.0 + value * 219.0 / 255.0).round() as u8);
            let sum = &mut sums[y / 2 * half_width + x / 2];
            *sum = [sum[0] + (b - value) / 1.772, sum[1] + (r - value) / 1.402, sum[2] + 1.0];
        }
    }
    let chroma = |index: usize| {
        sums.iter().map(|sum| (128.0 + sum[index] / sum[2] * 224.0 / 255.0).round() as u8).collect()
    };
    (luma, chroma(0), chroma(1))
}

fn named(found: &Scored, card: &Card) -> Boxed {
    let bbox = found.bbox;
    Boxed {
        class: (card.decoder == Decoder::Yolox).then(|| card.classes.get(found.label).copied()).flatten(),
        label: card.labels.get(found.label).cloned().unwrap_or_default(),
        confidence: found.confidence,
        left: bbox.left,
        top: bbox.top,
        width: bbox.width,
        height: bbox.height,
    }
}

fn print(document: &Document) {
    for image in &document.images {
        println!("{} ({}x{})", image.file, image.width, image.height);
        for d in &image.detections {
            let place = format!("{:.0},{:.0} {:.0}x{:.0}", d.left, d.top, d.width, d.height);
            println!("  {:<16} {:.2}  {place}", d.label, d.confidence);
        }
    }
}
