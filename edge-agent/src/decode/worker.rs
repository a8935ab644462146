//! The decoding process itself: reads requests, decodes, draws pictures into shared memory.
//!
//! Descriptor 0 is the line to the agent, descriptor 1 the shared memory. Ends with the line.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer as gst;
use protocol::{TimeSource, Timestamp};

use super::element::ElementDecoder;
use super::ring::Ring;
use super::sandbox::{self, SandboxError};
use super::wire::{Complaint, Drawn, Line, Reply, Request};
use super::{DecodeError, Decoder, Frame, Moment, Packet, StreamFormat};
use crate::hardware::Profile;

/// Why the process ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("the line to the agent broke")]
    Line(#[from] io::Error),
    #[error("the agent did not open with a stream")]
    Order,
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Profile(#[from] crate::hardware::ProfileError),
}

/// Serves one agent until it hangs up.
pub fn serve() -> Result<(), WorkerError> {
    sandbox::tie_to_parent()?;
    let mut line = Line::new(duplicate(&io::stdin())?);
    let memory = duplicate(&io::stdout())?;
    let Request::Open { codec, caps, element, threads, purpose, layout, memory: cap, max_pixels } =
        line.receive(None)?
    else {
        return Err(WorkerError::Order);
    };
    let ring = Ring::map(&memory, layout)?;
    let mut profile = Profile::builtin()?;
    profile.decoder.elements.insert(codec, element);
    profile.decoder.threads = threads;
    profile.decoder.max_pixels = max_pixels;
    profile.decoder.max_packet.0 = layout.packet_bytes as u64;
    let stream = Arc::new(StreamFormat { codec, caps, size: None });
    let mut decoder = ElementDecoder::new(&profile, purpose);
    let error = decoder.prepare(&stream).err().map(complaint);
    let refused = error.is_some();
    sandbox::close(cap)?;
    line.send(&Reply { drawn: vec![], more: false, error })?;
    if refused {
        return Ok(());
    }
    Worker { line, ring, decoder, stream, waiting: None }.run()
}

struct Worker {
    line: Line,
    ring: Ring,
    decoder: ElementDecoder,
    stream: Arc<StreamFormat>,
    /// A frame that found no free slot.
    waiting: Option<Frame>,
}

impl Worker {
    fn run(mut self) -> Result<(), WorkerError> {
        loop {
            let request = match self.line.receive(None) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            };
            let (outcome, free) = match request {
                Request::Open { .. } => return Err(WorkerError::Order),
                Request::Decode { bytes, pts_ns, key, caps, free } => {
                    (self.decode(bytes, pts_ns, key, caps), free)
                }
                Request::Collect { free } => (Ok(()), free),
                Request::Drain { free } => (self.decoder.drain(), free),
            };
            let mut reply = self.draw(free);
            reply.error = reply.error.or(outcome.err().map(complaint));
            self.line.send(&reply)?;
        }
    }

    fn decode(
        &mut self,
        bytes: usize,
        pts_ns: Option<u64>,
        key: bool,
        caps: Option<String>,
    ) -> Result<(), DecodeError> {
        if let Some(caps) = caps {
            self.stream = Arc::new(StreamFormat { codec: self.stream.codec, caps, size: None });
        }
        let packet = self.ring.packet();
        let data = packet.get(..bytes).unwrap_or(packet).to_vec();
        let mut data = gst::Buffer::from_slice(data);
        if let Some(data) = data.get_mut() {
            data.set_pts(pts_ns.map(gst::ClockTime::from_nseconds));
            if !key {
                data.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        let pts = pts_ns.map(Duration::from_nanos);
        self.decoder.decode(&Packet { data, pts, key, stream: self.stream.clone(), moment: no_moment() })
    }

    /// Draws finished frames into free slots.
    fn draw(&mut self, mut free: u64) -> Reply {
        let mut reply = Reply { drawn: vec![], more: false, error: None };
        loop {
            let frame = match self.waiting.take().map_or_else(|| self.decoder.next_frame(), |f| Ok(Some(f))) {
                Ok(Some(frame)) => frame,
                Ok(None) => return reply,
                Err(e) => {
                    reply.error = Some(complaint(e));
                    return reply;
                }
            };
            if free == 0 {
                self.waiting = Some(frame);
                reply.more = true;
                return reply;
            }
            let (slot, picture) = (free.trailing_zeros(), frame.picture());
            let Some(canvas) = self.ring.canvas(slot, &picture) else { continue };
            picture.pack(&frame.planes(), canvas);
            free &= free - 1;
            let pts_ns = u64::try_from(frame.media_time.as_nanos()).unwrap_or(u64::MAX);
            reply.drawn.push(Drawn { slot, pts_ns, picture, damaged: frame.damaged });
        }
    }
}

fn complaint(error: DecodeError) -> Complaint {
    match error.is_final() {
        true => Complaint::Unsupported(error.to_string()),
        false => Complaint::Damaged(error.to_string()),
    }
}

/// The agent knows the moments; here nobody asks.
fn no_moment() -> Moment {
    Moment {
        captured_at: Timestamp::from_unix_ms(0),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        seen_at: Instant::now(),
    }
}

fn duplicate(of: &impl AsFd) -> io::Result<OwnedFd> {
    of.as_fd().try_clone_to_owned()
}

/// What a worker is not allowed to do; tests try each after the walls are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Probe {
    /// Nothing forbidden: allocates and ends well.
    Harmless,
    Open,
    Create,
    Connect,
    Exec,
    Fork,
    Ptrace,
    Kill,
}

/// Loads a decoder, closes the walls, and tries it. Returns only if nothing stopped it.
pub fn probe(probe: Probe) -> Result<(), WorkerError> {
    use std::os::unix::process::CommandExt;
    let profile = Profile::builtin()?;
    let codec = super::Codec::H264;
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au".to_owned();
    ElementDecoder::new(&profile, super::Purpose::Live).prepare(&Arc::new(StreamFormat {
        codec,
        caps,
        size: None,
    }))?;
    sandbox::close(profile.decoder.memory.0)?;
    match probe {
        Probe::Harmless => drop(std::hint::black_box(vec![1_u8; 16 << 20])),
        Probe::Open => drop(std::fs::File::open("/etc/hostname")),
        // A name of its own: where the wall has a hole, nobody else's file is touched.
        Probe::Create => {
            let name = format!("signalbox-probe-{}", std::process::id());
            drop(std::fs::File::create_new(std::env::temp_dir().join(name)));
        }
        Probe::Connect => drop(std::net::TcpStream::connect(("127.0.0.1", 9))),
        Probe::Exec => drop(std::process::Command::new("/bin/true").exec()),
        Probe::Fork => drop(std::process::Command::new("/bin/true").spawn()),
        // SAFETY: asks to be traced by the parent; touches no memory.
        Probe::Ptrace => drop(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }),
        // SAFETY: signal 0 only asks whether the process is there.
        Probe::Kill => drop(unsafe { libc::kill(libc::getppid(), 0) }),
    }
    Ok(())
}
