//! What live video covers, from detections in a file, without any video: to measure and tune it.
//!
//!     cargo run -p edge-core --example live_masks -- DETECTIONS WIDTHxHEIGHT FPS EVERY
//!
//! DETECTIONS: MOTChallenge lines (frame from 1, id, left, top, width, height) of persons, from the confidence on
//! from which heads are covered. Every so many-th frame counts as analysed. Prints a line a frame, `frame,shown` or
//! `frame,dropped`, and after it one for each of its masks, `frame,left,top,width,height`.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_core::live::{Covering, Input, Verdict};
use edge_core::{FrameSize, Rect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [detections, size, fps, every] = arguments.as_slice() else {
        return Err("usage: live_masks DETECTIONS WIDTHxHEIGHT FPS EVERY".into());
    };
    let (width, height) = size.split_once('x').ok_or("size: write it as 768x576")?;
    let size = FrameSize { width: width.parse()?, height: height.parse()? };
    let (fps, every): (f64, u64) = (fps.parse()?, every.parse()?);
    let mut persons: BTreeMap<u64, Vec<Rect>> = BTreeMap::new();
    for line in std::fs::read_to_string(detections)?.lines() {
        let fields: Vec<f32> = line.split(',').take(6).map(str::parse).collect::<Result<_, _>>()?;
        let [frame, _, left, top, width, height] = fields[..] else { return Err(line.into()) };
        persons.entry(frame as u64).or_default().push(Rect::new(left, top, width, height));
    }
    let mut covering = Covering::new(false);
    for frame in 1..=persons.keys().last().copied().unwrap_or(0) {
        let at = Duration::from_secs_f64(frame as f64 / fps);
        covering.handle(Input::Frame { at });
        if (frame - 1) % every == 0 {
            let persons = persons.get(&frame).map_or(&[][..], Vec::as_slice);
            covering.handle(Input::Analysed { at, persons });
        }
        while let Some(verdict) = covering.poll() {
            let number = |at: Duration| (at.as_secs_f64() * fps).round() as u64;
            match verdict {
                Verdict::Drop { at } => println!("{},dropped", number(at)),
                Verdict::Show(cover) => {
                    println!("{},shown", number(cover.at()));
                    for mask in cover.masks(size, 1.0) {
                        let frame = number(cover.at());
                        println!("{frame},{},{},{},{}", mask.left, mask.top, mask.width, mask.height);
                    }
                }
            }
        }
    }
    Ok(())
}
