//! Measuring a stream: what a camera really delivers, before anybody relies on it.
//!
//! Owns one short session with a camera. `tally` turns packets into figures, `advice` says what they
//! mean, `bitstream` reads what a coded picture tells of itself; these three are pure. `still` covers a
//! picture and draws `grid` on it. The session itself is `camera`'s.

pub mod advice;
mod bitstream;
pub mod grid;
pub mod still;
mod tally;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use protocol::CameraState;

use crate::camera::source::{Source, StartError};
use crate::camera::{CameraConfig, Credentials};
use crate::decode::{self, Frame, Packet, Purpose};
use crate::hardware::Profile;
use crate::wording::Text;
pub use tally::Figures;
use tally::{Fact, Tally};

/// From connecting to the first picture.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time without a picture before the measurement ends.
const STALL: Duration = Duration::from_secs(6);
/// Most packets and bytes kept to decode one still from: a few seconds of 4K.
const KEPT: usize = 600;
const KEPT_BYTES: usize = 48 << 20;

/// What a session gave.
pub struct Measured {
    pub figures: Figures,
    /// The newest picture that could be decoded whole.
    pub frame: Option<Frame>,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(
        "the camera refuses user or password; nothing more is tried, because cameras lock accounts after a few wrong ones"
    )]
    Refused,
    #[error("{0}")]
    Camera(String),
    #[error("connected, but no picture came within {} s: check the stream's settings at the camera", CONNECT.as_secs())]
    NoPicture,
    #[error(transparent)]
    Start(#[from] StartError),
}

impl ProbeError {
    /// What it means, in both languages.
    pub fn text(&self) -> Text {
        let zh = match self {
            Self::Refused => "摄像机拒绝了用户名或密码；为避免账号被锁定，不再尝试".to_owned(),
            Self::Camera(reason) => match reason.as_str() {
                r if r.contains("reached") => "连不上摄像机：检查电源、网线和地址".to_owned(),
                r if r.contains("no stream of that path") => {
                    "摄像机没有这个路径的视频流：检查网址".to_owned()
                }
                r if r.contains("in the open") => {
                    "摄像机只接受明文密码（RTSP Basic），因此没有发送：请在摄像机上启用 Digest".to_owned()
                }
                r if r.contains("another address") => {
                    "摄像机指向另一个地址，不会跟随；如果那是对的，请把它设为摄像机的网址".to_owned()
                }
                r if r.contains("encoding") => "摄像机的视频流不能使用：把编码改为 H.264".to_owned(),
                _ => "与摄像机的连接中断".to_owned(),
            },
            Self::NoPicture => format!("已连接，但 {} 秒内没有图像：检查摄像机的码流设置", CONNECT.as_secs()),
            Self::Start(StartError::Missing(missing)) => format!("缺少 GStreamer 元件：{missing}"),
            Self::Start(StartError::Reach(reach)) => reach.zh(),
            Self::Start(StartError::Bare) => {
                "本程序不能防止摄像机密码以明文发送，因此不启动：它不是按本项目的方式编译的，请重新安装软件包"
                    .to_owned()
            }
        };
        Text::new(zh, self.to_string())
    }
}

/// Connects once and measures for `time`, longer where key frames are rare. One try, one password.
pub fn measure(
    camera: &CameraConfig,
    credentials: Option<&Credentials>,
    hardware: &Profile,
    time: Duration,
) -> Result<Measured, ProbeError> {
    let source = Source::start(camera, credentials, Duration::from_secs(3))?;
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut kept = Kept::default();
    let mut first: Option<Instant> = None;
    let mut last = begun;
    let mut ahead = None;
    loop {
        if let Some(packet) = source.packet(Duration::from_millis(100)) {
            let seen = packet.moment.seen_at;
            let at = seen.saturating_duration_since(*first.get_or_insert(seen));
            ahead = source.clock_ahead_ms(&packet).or(ahead);
            tally.add(&fact(&packet, at));
            kept.add(packet);
            last = Instant::now();
        } else if let Some(ended) = source.ended() {
            if tally.packets() < 2 {
                return Err(match ended.state {
                    CameraState::Credentials => ProbeError::Refused,
                    _ => ProbeError::Camera(ended.reason),
                });
            }
            break;
        }
        let enough = first.is_some_and(|first| {
            let elapsed = first.elapsed();
            let limit = [time * 4, time * 2, time][tally.keys().min(2) as usize];
            elapsed >= limit
        });
        if enough || (first.is_some() && last.elapsed() > STALL) {
            break;
        }
        if first.is_none() && begun.elapsed() > CONNECT {
            return Err(ProbeError::NoPicture);
        }
    }
    let stream = kept.packets.back().map(|p| p.stream.clone()).ok_or(ProbeError::NoPicture)?;
    drop(source);
    let (frame, damaged) = kept.decode(hardware);
    let size = stream.size.or(frame.as_ref().map(|f| (f.width, f.height)));
    let figures = Figures { damaged, ..tally.figures(&stream, size, ahead) };
    Ok(Measured { figures, frame })
}

fn fact(packet: &Packet, at: Duration) -> Fact {
    let bi_predicted = match packet.data.map_readable() {
        Ok(map) => bitstream::is_bi_predicted(packet.stream.codec, &map),
        Err(_) => false,
    };
    Fact { at, pts: packet.pts, bytes: packet.size(), key: packet.key, bi_predicted }
}

/// The packets since the last key frame but one, to decode a still from.
#[derive(Default)]
struct Kept {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl Kept {
    fn add(&mut self, packet: Packet) {
        if packet.key && self.packets.iter().skip(1).any(|p| p.key) {
            let second = self.packets.iter().skip(1).position(|p| p.key).map_or(0, |n| n + 1);
            self.packets.drain(..second);
            self.bytes = self.packets.iter().map(Packet::size).sum();
        }
        if self.packets.len() < KEPT && self.bytes + packet.size() <= KEPT_BYTES {
            self.bytes += packet.size();
            self.packets.push_back(packet);
        }
    }

    /// The newest whole picture, and how many were damaged.
    fn decode(self, hardware: &Profile) -> (Option<Frame>, u32) {
        let mut decoder = decode::open(hardware, Purpose::Clip);
        let (mut newest, mut damaged) = (None, 0);
        for packet in &self.packets {
            match decoder.decode(packet) {
                Err(error) if error.is_final() => return (newest, damaged),
                Err(_) => damaged += 1,
                Ok(()) => {}
            }
            take(decoder.as_mut(), &mut newest, &mut damaged);
        }
        let _ = decoder.drain();
        take(decoder.as_mut(), &mut newest, &mut damaged);
        (newest, damaged)
    }
}

fn take(decoder: &mut dyn decode::Decoder, newest: &mut Option<Frame>, damaged: &mut u32) {
    while let Ok(Some(frame)) = decoder.next_frame() {
        match frame.damaged {
            true => *damaged += 1,
            false => *newest = Some(frame),
        }
    }
}

#[cfg(test)]
mod tests;
