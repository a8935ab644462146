//! Decoding inside this process, by a GStreamer element, on the caller's thread.
//!
//! The element stands between two pads of ours: pushing a packet into one runs the decoder, and its
//! pictures arrive at the other. No pipeline, queue or thread, and no `videoconvert`.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::ledger::Ledger;
use super::{Codec, DecodeCounts, DecodeError, Decoder, Frame, Packet, Purpose, StreamFormat};
use crate::hardware::{self, Profile};

/// Pictures that may wait for [`Decoder::next_frame`]; more are given up, oldest first.
const WAITING: usize = 64;

/// See the module.
pub struct ElementDecoder {
    profile: Profile,
    purpose: Purpose,
    ledger: Ledger,
    stage: Option<Stage>,
}

impl ElementDecoder {
    pub fn new(profile: &Profile, purpose: Purpose) -> Self {
        Self { profile: profile.clone(), purpose, ledger: Ledger::new(), stage: None }
    }

    /// Makes the element for this stream, as the first packet would.
    pub fn prepare(&mut self, stream: &Arc<StreamFormat>) -> Result<(), DecodeError> {
        if self.stage.as_ref().is_some_and(|s| s.codec != stream.codec) {
            self.stage = None;
        }
        let stage = match &mut self.stage {
            Some(stage) => stage,
            none => none.insert(Stage::new(&self.profile, self.purpose, stream.codec)?),
        };
        stage.announce(stream)
    }
}

impl Decoder for ElementDecoder {
    fn decode(&mut self, packet: &Packet) -> Result<(), DecodeError> {
        if !self.ledger.admit(packet, self.profile.decoder.max_packet)? {
            return Ok(());
        }
        self.prepare(&packet.stream)?;
        let Some(stage) = &self.stage else { return Ok(()) };
        let flow = stage.input.push(packet.data.clone());
        stage.outcome(flow).inspect_err(|_| self.ledger.counts.damaged += 1)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        let Some((buffer, video)) = self.stage.as_ref().and_then(Stage::take) else { return Ok(None) };
        let pixels = u64::from(video.width()) * u64::from(video.height());
        if pixels > u64::from(self.profile.decoder.max_pixels) {
            let what = format!("{}x{} is over the profile's max_pixels", video.width(), video.height());
            return Err(DecodeError::Unsupported { what });
        }
        let entry = self.ledger.frame(buffer.pts().map(Into::into));
        Frame::mapped(buffer, &video, entry).map(Some)
    }

    fn drain(&mut self) -> Result<(), DecodeError> {
        let Some(stage) = &mut self.stage else { return Ok(()) };
        stage.ended = true;
        stage.input.push_event(gst::event::Eos::new());
        stage.outcome(Ok(gst::FlowSuccess::Ok))
    }

    fn flush(&mut self) -> Result<(), DecodeError> {
        self.ledger.restart();
        self.stage = None;
        Ok(())
    }

    fn counts(&self) -> DecodeCounts {
        self.ledger.counts
    }
}

type Output = Arc<Mutex<(Option<gst_video::VideoInfo>, VecDeque<(gst::Buffer, gst_video::VideoInfo)>)>>;

struct Stage {
    codec: Codec,
    element: gst::Element,
    input: gst::Pad,
    /// Kept alive here: a link owns nothing.
    outlet: gst::Pad,
    output: Output,
    bus: gst::Bus,
    announced: Option<Arc<StreamFormat>>,
    ended: bool,
}

impl Stage {
    fn new(profile: &Profile, purpose: Purpose, codec: Codec) -> Result<Self, DecodeError> {
        let name = profile
            .decoder
            .elements
            .get(&codec)
            .ok_or_else(|| DecodeError::NoDecoder { codec, profile: profile.name.clone() })?;
        let element = hardware::make(name)?;
        tune(&element, profile.decoder.threads, purpose);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let refuse = || DecodeError::Unsupported { what: format!("element {name} is no video decoder") };
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        let output = Output::default();
        let outlet = outlet(&output).ok_or_else(refuse)?;
        let ends = element.static_pad("sink").zip(element.static_pad("src")).ok_or_else(refuse)?;
        input.link(&ends.0).map_err(|_| refuse())?;
        ends.1.link(&outlet).map_err(|_| refuse())?;
        outlet.set_active(true).map_err(|_| refuse())?;
        input.set_active(true).map_err(|_| refuse())?;
        let stage = Self { codec, element, input, outlet, output, bus, announced: None, ended: false };
        stage.element.set_state(gst::State::Playing).map_err(|_| {
            let why = stage.complaint().unwrap_or_else(|| "no reason given".to_owned());
            DecodeError::Unsupported { what: format!("element {name} does not start: {why}") }
        })?;
        stage.input.push_event(gst::event::StreamStart::new("signalbox"));
        Ok(stage)
    }

    /// Tells the element what comes, when that has changed.
    fn announce(&mut self, stream: &Arc<StreamFormat>) -> Result<(), DecodeError> {
        if self.ended {
            self.input.push_event(gst::event::FlushStart::new());
            self.input.push_event(gst::event::FlushStop::new(true));
            self.ended = false;
            self.announced = None;
        }
        let known = self.announced.as_ref();
        if known.is_some_and(|a| Arc::ptr_eq(a, stream) || a.caps == stream.caps) {
            return Ok(());
        }
        let refuse = |what: String| DecodeError::Unsupported { what };
        let caps = gst::Caps::from_str(&stream.caps).map_err(|e| refuse(e.to_string()))?;
        if !self.input.push_event(gst::event::Caps::new(&caps)) {
            return Err(refuse(format!("the decoder refuses this {} stream", stream.codec)));
        }
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.input.push_event(gst::event::Segment::new(&segment));
        self.announced = Some(stream.clone());
        Ok(())
    }

    fn take(&self) -> Option<(gst::Buffer, gst_video::VideoInfo)> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).1.pop_front()
    }

    fn outcome(&self, flow: Result<gst::FlowSuccess, gst::FlowError>) -> Result<(), DecodeError> {
        let complaint = self.complaint();
        match (flow, complaint) {
            (Ok(_), None) => Ok(()),
            (Err(gst::FlowError::NotNegotiated), _) => {
                Err(DecodeError::Unsupported { what: "its pictures are not 8 bit 4:2:0".to_owned() })
            }
            (Ok(_), Some(what)) => Err(DecodeError::Damaged { what }),
            (Err(flow), what) => Err(DecodeError::Damaged { what: what.unwrap_or_else(|| flow.to_string()) }),
        }
    }

    /// The last thing the element complained about since it was asked.
    fn complaint(&self) -> Option<String> {
        let mut last = None;
        while let Some(m) = self.bus.pop_filtered(&[gst::MessageType::Warning, gst::MessageType::Error]) {
            last = match m.view() {
                gst::MessageView::Warning(w) => Some(w.error().to_string()),
                gst::MessageView::Error(e) => Some(e.error().to_string()),
                _ => last,
            };
        }
        last
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.element.set_state(gst::State::Null);
        let _ = self.input.set_active(false);
        let _ = self.outlet.set_active(false);
    }
}

/// Sets what only some elements have.
fn tune(element: &gst::Element, threads: u32, purpose: Purpose) {
    let threads = if purpose == Purpose::Clip { 1 } else { threads };
    if element.find_property("max-threads").is_some() {
        element.set_property("max-threads", i32::try_from(threads).unwrap_or(1));
    }
    if element.find_property("qos").is_some() {
        element.set_property("qos", false);
    }
    // Strictly, a stream that does not announce its reordering delays every picture by up to 16.
    if purpose == Purpose::Live && element.find_property("std-compliance").is_some() {
        element.set_property_from_str("std-compliance", "normal");
    }
}

/// The pad behind the decoder: takes 8 bit 4:2:0 in main memory, and planes at any stride (so that
/// the decoder may draw straight into its buffers).
fn outlet(output: &Output) -> Option<gst::Pad> {
    let formats = gst::List::new(["I420", "NV12"]);
    let caps = gst::Caps::builder("video/x-raw").field("format", formats).build();
    let template =
        gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps).ok()?;
    let (told, given) = (output.clone(), output.clone());
    let pad = gst::Pad::builder_from_template(&template)
        .event_function(move |_, _, event| {
            if let gst::EventView::Caps(c) = event.view() {
                let video = gst_video::VideoInfo::from_caps(c.caps()).ok();
                told.lock().unwrap_or_else(PoisonError::into_inner).0 = video;
            }
            true
        })
        .chain_function(move |_, _, buffer| {
            let mut output = given.lock().unwrap_or_else(PoisonError::into_inner);
            let video = output.0.clone().ok_or(gst::FlowError::NotNegotiated)?;
            if output.1.len() == WAITING {
                output.1.pop_front();
            }
            output.1.push_back((buffer, video));
            Ok(gst::FlowSuccess::Ok)
        })
        .query_function(|pad, parent, query| {
            if let gst::QueryViewMut::Allocation(q) = query.view_mut() {
                q.add_allocation_meta::<gst_video::VideoMeta>(None);
                return true;
            }
            gst::Pad::query_default(pad, parent, query)
        })
        .build();
    Some(pad)
}
