//! Decoding in a sandboxed child: the agent's side. Starts, feeds, watches and replaces it.

use std::collections::VecDeque;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::ledger::Ledger;
use super::ring::{Layout, Ring};
use super::wire::{Complaint, Line, Reply, Request};
use super::{DecodeCounts, DecodeError, Decoder, Frame, Packet, Purpose, StreamFormat};
use crate::hardware::Profile;
use crate::usage;

/// Loading plugins takes this long on the slowest box.
const START_WITHIN: Duration = Duration::from_secs(10);
/// A clip is not live: give a busy machine time, so that no frame is lost to its load.
const CLIP_ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// One that waits for the CPU may take so many times its limit.
const PATIENCE: u32 = 10;
/// Times that a worker is looked at within its limit.
const LOOKS: u32 = 8;
/// What a worker sees of the environment: enough to find plugins.
const ENVIRONMENT: [&str; 6] =
    ["PATH", "HOME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "GST_PLUGIN_PATH", "GST_REGISTRY"];

/// See the module. Keep it on the thread that decodes: the child dies with the thread that started it.
pub struct ProcessDecoder {
    profile: Profile,
    purpose: Purpose,
    program: PathBuf,
    ledger: Ledger,
    worker: Option<Worker>,
    ready: VecDeque<Frame>,
}

impl ProcessDecoder {
    pub fn new(profile: &Profile, purpose: Purpose) -> Self {
        // Not its name: that may be a newer version's by now.
        Self::with_program(profile, purpose, PathBuf::from("/proc/self/exe"))
    }

    /// As [`ProcessDecoder::new`], with another `edge-agent`, for programs that are none.
    pub fn with_program(profile: &Profile, purpose: Purpose, program: PathBuf) -> Self {
        let (ledger, ready) = (Ledger::new(), VecDeque::new());
        Self { profile: profile.clone(), purpose, program, ledger, worker: None, ready }
    }

    /// The child's process id, while there is one.
    pub fn worker_id(&self) -> Option<u32> {
        self.worker.as_ref().map(|w| w.child.id())
    }

    fn answer_within(&self) -> Duration {
        match self.purpose {
            Purpose::Live => self.profile.decoder.answer_within.0,
            Purpose::Clip => CLIP_ANSWER_WITHIN,
        }
    }

    /// Sends a request and books what it brought. A worker that breaks the rules is gone after this.
    fn ask(&mut self, request: &Request) -> Result<(), DecodeError> {
        let limit = self.answer_within();
        let Some(worker) = &mut self.worker else { return Ok(()) };
        let reply = match worker.ask(request, limit) {
            Ok(reply) => reply,
            Err(e) => return Err(self.lose(&e)),
        };
        worker.more = reply.more;
        let ring = worker.ring.clone();
        for drawn in reply.drawn {
            let Some(lease) = ring.lease(drawn.slot, &drawn.picture) else {
                return Err(self.lose(&std::io::Error::other("it named a picture that can't be")));
            };
            let entry = self.ledger.frame(Some(Duration::from_nanos(drawn.pts_ns)));
            self.ready.push_back(Frame::shared(lease, drawn.picture, drawn.damaged, entry));
        }
        match reply.error {
            None => Ok(()),
            Some(Complaint::Unsupported(what)) => {
                self.worker = None;
                Err(DecodeError::Unsupported { what })
            }
            Some(Complaint::Damaged(what)) => {
                self.ledger.counts.damaged += 1;
                Err(DecodeError::Damaged { what })
            }
        }
    }

    fn lose(&mut self, error: &std::io::Error) -> DecodeError {
        self.ledger.restart();
        self.ledger.counts.restarts += 1;
        let end = self.worker.take().map_or(String::new(), |w| w.end());
        DecodeError::Lost { what: format!("{error}; {end}") }
    }

    fn start(&mut self, stream: &Arc<StreamFormat>) -> Result<(), DecodeError> {
        let d = &self.profile.decoder;
        let codec = stream.codec;
        let element = d.elements.get(&codec).cloned();
        let element =
            element.ok_or_else(|| DecodeError::NoDecoder { codec, profile: self.profile.name.clone() })?;
        crate::hardware::require(&element)?;
        // One and a half bytes a pixel, and room for odd sides.
        let slot_bytes = (d.max_pixels as usize * 3 / 2 + (64 << 10)).next_multiple_of(4096);
        let packet_bytes = usize::try_from(d.max_packet.0).unwrap_or(8 << 20).next_multiple_of(4096);
        let layout = Layout { packet_bytes, slot_bytes, slots: d.slots };
        let open = Request::Open {
            codec,
            caps: stream.caps.clone(),
            element,
            threads: d.threads,
            purpose: self.purpose,
            layout,
            memory: d.memory.0,
            max_pixels: d.max_pixels,
        };
        self.worker = Some(Worker::start(&self.program, layout, stream.clone())?);
        let limit = START_WITHIN;
        let Some(worker) = &mut self.worker else { return Ok(()) };
        match worker.ask(&open, limit) {
            Ok(Reply { error: None, .. }) => Ok(()),
            Ok(Reply { error: Some(Complaint::Unsupported(what) | Complaint::Damaged(what)), .. }) => {
                self.worker = None;
                Err(DecodeError::Unsupported { what })
            }
            Err(e) => Err(self.lose(&e)),
        }
    }
}

impl Decoder for ProcessDecoder {
    fn decode(&mut self, packet: &Packet) -> Result<(), DecodeError> {
        if !self.ledger.admit(packet, self.profile.decoder.max_packet)? {
            return Ok(());
        }
        if self.worker.as_ref().is_some_and(|w| w.stream.codec != packet.stream.codec) {
            self.worker = None;
        }
        if self.worker.is_none() {
            self.start(&packet.stream)?;
        }
        let Some(worker) = &mut self.worker else { return Ok(()) };
        let same = Arc::ptr_eq(&worker.stream, &packet.stream) || worker.stream == packet.stream;
        worker.stream = packet.stream.clone();
        let bytes = packet.size();
        let _ = packet.data.copy_to_slice(0, &mut worker.ring.packet()[..bytes]);
        let pts_ns = packet.pts.and_then(|t| u64::try_from(t.as_nanos()).ok());
        let caps = (!same).then(|| packet.stream.caps.clone());
        let free = worker.ring.free();
        self.ask(&Request::Decode { bytes, pts_ns, key: packet.key, caps, free })
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        if self.ready.is_empty()
            && let Some(worker) = &self.worker
            && worker.more
        {
            let free = worker.ring.free();
            if free == 0 {
                return Err(DecodeError::NoRoom { slots: self.profile.decoder.slots });
            }
            self.ask(&Request::Collect { free })?;
        }
        Ok(self.ready.pop_front())
    }

    fn drain(&mut self) -> Result<(), DecodeError> {
        let Some(worker) = &self.worker else { return Ok(()) };
        let free = worker.ring.free();
        self.ask(&Request::Drain { free })
    }

    fn flush(&mut self) -> Result<(), DecodeError> {
        self.ledger.restart();
        self.ready.clear();
        self.worker = None;
        Ok(())
    }

    fn counts(&self) -> DecodeCounts {
        self.ledger.counts
    }
}

struct Worker {
    child: Child,
    line: Line,
    ring: Arc<Ring>,
    stream: Arc<StreamFormat>,
    more: bool,
}

impl Worker {
    fn start(program: &PathBuf, layout: Layout, stream: Arc<StreamFormat>) -> Result<Self, DecodeError> {
        let fail = |what| move |source| DecodeError::Start { what, source };
        let (ours, theirs) = Line::pair().map_err(fail("no socket pair"))?;
        let (ring, memory) = Ring::create(layout).map_err(fail("no shared memory"))?;
        let mut command = Command::new(program);
        command.arg0("edge-agent").arg("decode-worker").env_clear().current_dir("/");
        command.envs(ENVIRONMENT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        // The agent has looked at the plugins already.
        command.env("GST_REGISTRY_UPDATE", "no");
        command.stdin(Stdio::from(theirs)).stdout(Stdio::from(memory)).stderr(Stdio::null());
        let child = command.spawn().map_err(fail("the program does not start"))?;
        Ok(Self { child, line: Line::new(ours), ring, stream, more: false })
    }

    /// `limit` is of CPU time: on a busy box a decoder may wait long for its turn, and is none the worse for
    /// it. One that does nothing at all for as long is hung.
    fn ask(&mut self, request: &Request, limit: Duration) -> std::io::Result<Reply> {
        let asked = usage::child_cpu(self.child.id());
        let (mut seen, mut idle) = (asked, 0);
        self.line.send(request)?;
        for _ in 0..PATIENCE * LOOKS {
            match self.line.receive(Some(limit / LOOKS)) {
                Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {}
                answer => return answer,
            }
            let used = usage::child_cpu(self.child.id());
            idle = if used == seen { idle + 1 } else { 0 };
            if idle == LOOKS || used.saturating_sub(asked) >= limit {
                break;
            }
            seen = used;
        }
        Err(std::io::ErrorKind::TimedOut.into())
    }

    /// Ends it and says how it ended.
    fn end(mut self) -> String {
        self.stop().map_or_else(
            |e| e.to_string(),
            |status| match status.signal() {
                Some(libc::SIGSYS) => "it tried something forbidden".to_owned(),
                Some(signal) => format!("ended by signal {signal}"),
                None => status.to_string(),
            },
        )
    }

    fn stop(&mut self) -> std::io::Result<std::process::ExitStatus> {
        // One that is dead already keeps its own cause of death.
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
