//! What figures mean: which stream to use, how many frames to analyse, what to mend at the camera. Pure.

use protocol::CameraId;
use serde::Serialize;

use super::Figures;
use crate::wording::{Text, lasting};

/// Frames a second that are enough to follow people who walk: they stay on top of themselves from one
/// frame to the next.
pub const ENOUGH_FPS: f32 = 10.0;
/// Fewer lose people who run.
const FEW_FPS: f32 = 5.0;
/// Above full HD a decoder works for pixels that no detector sees.
const MOST_PIXELS: u64 = 1920 * 1088;
/// Below this persons at some distance are too small.
const FEWEST_PIXELS: u64 = 640 * 352;
/// A late start after each break, and stills that wait.
const LONG_KEY_DISTANCE_S: f32 = 4.0;
/// Beyond this the agent does not believe a camera's clock.
const CLOCK_OFF_MS: i64 = 10_000;

/// One thing to know, with its reason in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// A word that programs can rely on.
    pub about: &'static str,
    pub text: Text,
}

fn say(about: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Advice {
    Advice { about, text: Text::new(zh, en) }
}

/// A camera without any rule is watched in vain.
pub fn without_rules(camera: &CameraId) -> Advice {
    say(
        "rules",
        format!(
            "没有线也没有区域，它不会发出任何报警；添加：edge-agent camera rules {camera} --line \"门口:C4-F7\""
        ),
        format!(
            "no line and no zone: it will raise no alarm; add one: edge-agent camera rules {camera} --line \"gate:C4-F7\""
        ),
    )
}

/// Why another, smaller stream of the camera would be better; empty when this one is fine.
pub fn against(figures: &Figures) -> Vec<Advice> {
    let mut reasons = Vec::new();
    let (w, h) = (figures.width, figures.height);
    if u64::from(w) * u64::from(h) > MOST_PIXELS {
        reasons.push(say(
            "size",
            format!("{w}x{h} 超过 1080p：多出的像素只增加解码负担，检测用不上"),
            format!("{w}x{h} is above 1080p: decoding costs more and detection sees no more"),
        ));
    }
    if figures.codec == "H.265" {
        reasons.push(say(
            "codec",
            "H.265：浏览器不能直接播放，解码也更费力",
            "H.265: browsers can't play it live, and it costs more to decode",
        ));
    }
    if figures.has_b_frames {
        reasons.push(say(
            "b_frames",
            "含 B 帧：画面会晚到，实时浏览会中断；请在摄像机上关闭 B 帧",
            "it has B-frames: pictures come late and live view breaks; switch them off at the camera",
        ));
    }
    reasons
}

/// Whether a smaller stream is still large enough.
pub fn is_large_enough(figures: &Figures) -> bool {
    u64::from(figures.width) * u64::from(figures.height) >= FEWEST_PIXELS
}

/// How many frames a second to analyse; `None`: all that come.
pub fn analyse_fps(figures: &Figures) -> (Option<f32>, Advice) {
    let fps = figures.delivered_fps;
    if fps > ENOUGH_FPS + 2.0 {
        let text = say(
            "analyse_fps",
            format!("每秒分析 {ENOUGH_FPS} 帧（送来 {fps} 帧）：足以跟踪行人，更多只增加负担"),
            format!(
                "analyse_fps = {ENOUGH_FPS} of {fps} delivered: enough to follow people; more only costs"
            ),
        );
        return (Some(ENOUGH_FPS), text);
    }
    let text = match fps < FEW_FPS {
        true => say(
            "few_fps",
            format!("每秒只有 {fps} 帧：奔跑的人可能漏掉；请在摄像机上设为 10 帧以上"),
            format!("only {fps} frames a second: people who run may be missed; set 10 or more at the camera"),
        ),
        false => say(
            "analyse_fps",
            format!("分析全部帧（每秒 {fps} 帧）"),
            format!("all frames are analysed ({fps} a second)"),
        ),
    };
    (None, text)
}

/// What to mend at the camera.
pub fn remarks(figures: &Figures) -> Vec<Advice> {
    let mut all = Vec::new();
    let fps = figures.delivered_fps;
    if let Some(declared) = figures.declared_fps.filter(|d| fps < d * 0.8) {
        all.push(say(
            "fps_lost",
            format!("声明每秒 {declared} 帧，实际只有 {fps} 帧：网络或摄像机过载，或夜间自动降帧"),
            format!("{declared} frames a second are declared and {fps} come: the network or the camera is overloaded, or it slows down in the dark"),
        ));
    }
    if figures.damaged > 0 {
        let damaged = figures.damaged;
        all.push(say(
            "damaged",
            format!("有 {damaged} 帧损坏：网络丢包或摄像机过载；检查网线和交换机"),
            format!("{damaged} pictures were damaged: packets are lost or the camera is overloaded; check cable and switch"),
        ));
    }
    if let Some(distance) = figures.key_distance_s.filter(|d| *d > LONG_KEY_DISTANCE_S) {
        all.push(say(
            "key_distance",
            format!("关键帧间隔 {distance} 秒：断线后恢复慢；请在摄像机上设为 1 到 2 秒"),
            format!(
                "{distance} s between key frames: slow to come back after a break; set 1 to 2 s at the camera"
            ),
        ));
    }
    if figures.key_distance_s.is_none() && figures.seconds > LONG_KEY_DISTANCE_S {
        let seconds = figures.seconds;
        all.push(say(
            "key_distance",
            format!("{seconds} 秒内没有第二个关键帧：断线后恢复慢；请在摄像机上设为 1 到 2 秒"),
            format!("no second key frame within {seconds} s: slow to come back after a break; set 1 to 2 s at the camera"),
        ));
    }
    if let Some(ahead) = figures.clock_ahead_ms.filter(|ms| ms.abs() > CLOCK_OFF_MS) {
        let off = lasting(ahead.unsigned_abs() / 1000);
        all.push(say(
            "clock",
            format!("摄像机时钟相差 {}：告警改用盒子的时间；请给摄像机设置 NTP", off.zh),
            format!(
                "the camera's clock is {} off: alerts take the box's time; set NTP at the camera",
                off.en
            ),
        ));
    }
    if !is_large_enough(figures) {
        let (w, h) = (figures.width, figures.height);
        all.push(say(
            "small",
            format!("{w}x{h} 太小：远处的人检测不到"),
            format!("{w}x{h} is small: people at a distance will not be found"),
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Figures {
        Figures {
            codec: "H.264".into(),
            profile: None,
            width: 1920,
            height: 1080,
            declared_fps: Some(25.0),
            delivered_fps: 25.0,
            has_b_frames: false,
            key_distance_s: Some(2.0),
            bitrate_kbps: 4000,
            clock_ahead_ms: Some(300),
            packets: 100,
            damaged: 0,
            seconds: 5.0,
        }
    }

    fn about(advice: Vec<Advice>) -> Vec<&'static str> {
        advice.into_iter().map(|a| a.about).collect()
    }

    #[test]
    fn each_reason_against_a_stream_stands_alone() {
        assert!(against(&good()).is_empty() && remarks(&good()).is_empty());
        assert_eq!(about(against(&Figures { width: 2560, height: 1440, ..good() })), ["size"]);
        assert_eq!(about(against(&Figures { codec: "H.265".into(), ..good() })), ["codec"]);
        assert_eq!(about(against(&Figures { has_b_frames: true, ..good() })), ["b_frames"]);
    }

    #[test]
    fn frames_to_analyse_follow_what_is_delivered() {
        assert_eq!(analyse_fps(&good()).0, Some(10.0));
        for (fps, said) in [(12.0, "analyse_fps"), (4.0, "few_fps")] {
            let (asked, why) = analyse_fps(&Figures { delivered_fps: fps, ..good() });
            assert_eq!((asked, why.about), (None, said));
        }
    }

    #[test]
    fn what_to_mend_is_named_one_by_one() {
        for (figures, said) in [
            (Figures { delivered_fps: 15.0, ..good() }, "fps_lost"),
            (Figures { key_distance_s: Some(10.0), ..good() }, "key_distance"),
            (Figures { key_distance_s: None, ..good() }, "key_distance"),
            (Figures { clock_ahead_ms: Some(-90_000), ..good() }, "clock"),
            (Figures { damaged: 3, ..good() }, "damaged"),
            (Figures { width: 352, height: 288, ..good() }, "small"),
        ] {
            assert_eq!(about(remarks(&figures)), [said]);
        }
    }
}
