//! One covered picture with the grid and the rules on it, for the installer. Faces and heads are covered
//! first, by `redact`; only what is covered is drawn on and written.

use std::path::{Path, PathBuf};

use protocol::ObjectClass;
use settings::owner;

use super::grid::{ACROSS, DOWN, GridPoint};
use crate::config::Config;
use crate::decode::Frame;
use crate::detect::{DetectError, DetectorConfig, ObjectDetector};
use crate::model::{Engine, EngineConfig, ModelError, Store};
use crate::pipeline::{Line, Zone};
use crate::redact::{Picture, RedactConfig, RedactError, Redacted, Redactor};
use crate::tensor::TensorError;

/// The card that finds persons.
const PERSONS: &str = "yolox-nano";
const QUALITY: u8 = 88;
const LIGHT: [u8; 3] = [255, 255, 255];
const DARK: [u8; 3] = [0, 0, 0];
const LINE: [u8; 3] = [255, 64, 32];
const ZONE: [u8; 3] = [32, 200, 255];

/// Why there is no still.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    #[error("no still: the models that cover faces can't be loaded: {0}")]
    Model(#[from] ModelError),
    #[error("no still: the models that cover faces can't be loaded: {0}")]
    Detector(#[from] DetectError),
    #[error(transparent)]
    Redact(#[from] RedactError),
    #[error("no still: {0}")]
    Picture(#[from] TensorError),
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Covers the picture, draws the grid and the rules, writes a JPEG that its owner alone may read. Answers how many areas are covered.
pub fn write(
    config: &Config,
    frame: &Frame,
    lines: &[Line],
    zones: &[Zone],
    path: &Path,
) -> Result<usize, StillError> {
    let mut still = cover(config, frame)?;
    let covered = still.masks().len();
    draw_grid(&mut still);
    draw_rules(&mut still, lines, zones);
    let jpeg = still.to_jpeg(QUALITY)?;
    owner::as_caller(|| settings::write_private(path, jpeg.as_bytes()))
        .map_err(|source| StillError::Write { path: path.to_owned(), source })?;
    Ok(covered)
}

fn cover(config: &Config, frame: &Frame) -> Result<Redacted, StillError> {
    let store = Store::locate(config.models.folder.clone(), None);
    let engine = Engine::start(EngineConfig::new(&store, 1))?;
    let redact = RedactConfig { whole_person: config.stills.cover_persons, ..RedactConfig::default() };
    let card = store.card(PERSONS)?;
    let mut persons = DetectorConfig::of(&card);
    persons.confidence = redact.person_confidence;
    persons.classes = vec![ObjectClass::Human];
    let mut detector = ObjectDetector::load(&engine, &card, persons)?;
    let mut redactor = Redactor::load(&engine, &store.card(&config.models.faces)?, &card, redact)?;
    let picture = Picture::from_planes(&frame.planes())?;
    let found = picture.detect(&mut detector)?;
    Ok(redactor.cover(picture, &found)?)
}

/// Lines of one light and one dark pixel, and the name of every point beside it.
fn draw_grid(still: &mut Redacted) {
    let (width, height) = (i64::from(still.size().width), i64::from(still.size().height));
    let at = |n: u8, of: u8, size: i64| (i64::from(n) * (size - 1)) / i64::from(of);
    for column in 0..=ACROSS {
        let x = at(column, ACROSS, width);
        still.fill(x, 0, 1, height, DARK);
        still.fill(x + 1, 0, 1, height, LIGHT);
    }
    for row in 0..=DOWN {
        let y = at(row, DOWN, height);
        still.fill(0, y, width, 1, DARK);
        still.fill(0, y + 1, width, 1, LIGHT);
    }
    let scale = (width / 900).clamp(1, 4);
    for column in 0..=ACROSS {
        for row in 0..=DOWN {
            let name = GridPoint { column, row }.to_string();
            let (wide, tall) = ((name.len() as i64 * 6 + 1) * scale, 9 * scale);
            // Inside of the picture, also for the points of its edges.
            let x = (at(column, ACROSS, width) + 2).min(width - wide);
            let y = (at(row, DOWN, height) + 2).min(height - tall);
            still.fill(x, y, wide, tall, DARK);
            draw_name(still, &name, x + scale, y + scale, scale);
        }
    }
}

fn draw_name(still: &mut Redacted, name: &str, x: i64, y: i64, scale: i64) {
    for (n, letter) in name.chars().enumerate() {
        for (row, bits) in glyph(letter).iter().enumerate() {
            for column in 0..5 {
                if bits >> (4 - column) & 1 == 1 {
                    let left = x + (n as i64 * 6 + column) * scale;
                    still.fill(left, y + row as i64 * scale, scale, scale, LIGHT);
                }
            }
        }
    }
}

fn draw_rules(still: &mut Redacted, lines: &[Line], zones: &[Zone]) {
    for zone in zones {
        let corners = &zone.polygon;
        for (n, corner) in corners.iter().enumerate() {
            stroke(still, *corner, corners[(n + 1) % corners.len()], ZONE);
        }
    }
    for line in lines {
        stroke(still, line.a, line.b, LINE);
        let (width, height) = (f64::from(still.size().width), f64::from(still.size().height));
        // A blot where it begins: left and right are those of one who looks from there to the end.
        let blot = (width / 80.0).max(8.0) as i64;
        let (x, y) = (f64::from(line.a[0]) * width, f64::from(line.a[1]) * height);
        still.fill(x as i64 - blot / 2, y as i64 - blot / 2, blot, blot, LINE);
    }
}

fn stroke(still: &mut Redacted, from: [f32; 2], to: [f32; 2], colour: [u8; 3]) {
    let (width, height) = (f64::from(still.size().width), f64::from(still.size().height));
    let pixel = |p: [f32; 2]| (f64::from(p[0]) * (width - 1.0), f64::from(p[1]) * (height - 1.0));
    let ((x0, y0), (x1, y1)) = (pixel(from), pixel(to));
    let thick = (width / 320.0).clamp(3.0, 12.0) as i64;
    let steps = (x1 - x0).abs().max((y1 - y0).abs()).clamp(1.0, 20_000.0);
    for n in 0..=steps as u32 {
        let share = f64::from(n) / steps;
        let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        still.fill(x as i64 - thick / 2, y as i64 - thick / 2, thick, thick, colour);
    }
}

/// Five columns of seven rows.
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        'A' => [14, 17, 17, 31, 17, 17, 17],
        'B' => [30, 17, 17, 30, 17, 17, 30],
        'C' => [14, 17, 16, 16, 16, 17, 14],
        'D' => [28, 18, 17, 17, 17, 18, 28],
        'E' => [31, 16, 16, 30, 16, 16, 31],
        'F' => [31, 16, 16, 30, 16, 16, 16],
        'G' => [14, 17, 16, 23, 17, 17, 15],
        'H' => [17, 17, 17, 31, 17, 17, 17],
        'I' => [14, 4, 4, 4, 4, 4, 14],
        'J' => [7, 2, 2, 2, 2, 18, 12],
        'K' => [17, 18, 20, 24, 20, 18, 17],
        'L' => [16, 16, 16, 16, 16, 16, 31],
        'M' => [17, 27, 21, 21, 17, 17, 17],
        _ => [0; 7],
    }
}
