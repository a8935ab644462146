//! Figures and advice as lines for people.

use std::path::Path;

use settings::owner;

use crate::onvif::{Device, Profile};
use crate::probe::Figures;
use crate::probe::advice::Advice;
use crate::wording::{Language, lasting};

pub(super) fn device(device: &Device, language: Language) -> String {
    let mut text = format!("{} {} {}\n", device.manufacturer, device.model, device.firmware);
    if let Some(ahead) = device.clock_ahead_s {
        let (zh, en) = if ahead < 0 { ("慢", "behind") } else { ("快", "ahead of") };
        let long = lasting(ahead.unsigned_abs());
        text += &match language {
            Language::Zh => format!("摄像机时钟：比盒子{zh} {}\n", long.zh),
            Language::En => format!("camera clock: {} {en} the box\n", long.en),
        };
    }
    for one in &device.profiles {
        text += &format!("  {}\n", profile(one));
    }
    for note in &device.notes {
        text += &format!("{}\n", note.of(language));
    }
    text
}

fn profile(profile: &Profile) -> String {
    let mut text = format!("{} \"{}\"", profile.token, profile.name);
    if let Some(encoding) = &profile.encoding {
        text += &format!(" {encoding}");
    }
    if let Some((width, height)) = profile.size {
        text += &format!(" {width}x{height}");
    }
    if let Some(fps) = profile.fps {
        text += &format!(" {fps} fps");
    }
    format!("{text} {}", profile.url)
}

pub(super) fn figures(stream: &str, f: &Figures, language: Language) -> String {
    let codec = match &f.profile {
        Some(profile) => format!("{} {profile}", f.codec),
        None => f.codec.clone(),
    };
    let declared = f.declared_fps.map(|d| d.to_string());
    let key = f.key_distance_s.map(|s| format!("{s} s"));
    // To a tenth; `+ 0.0` takes the sign off a zero. Beyond that in the unit that people say.
    let clock = f.clock_ahead_ms.map(|ms| match ms.unsigned_abs() / 1000 {
        0..120 => format!("{:+.1} s", (ms as f64 / 100.0).round() / 10.0 + 0.0),
        long => format!("{}{}", if ms < 0 { '-' } else { '+' }, lasting(long).of(language)),
    });
    let unknown =
        |value: Option<String>| value.unwrap_or_else(|| language.pick("未知", "unknown").to_owned());
    let (declared, key, clock) = (unknown(declared), unknown(key), unknown(clock));
    match language {
        Language::Zh => format!(
            "{stream}：{codec} {}x{}，每秒 {} 帧（声明 {declared}），关键帧间隔 {key}，{} kbit/s，{}B 帧，时钟差 {clock}（测量 {} 秒，{} 帧）\n",
            f.width,
            f.height,
            f.delivered_fps,
            f.bitrate_kbps,
            if f.has_b_frames { "有 " } else { "无 " },
            f.seconds,
            f.packets
        ),
        Language::En => format!(
            "{stream}: {codec} {}x{}, {} frames a second (declared {declared}), key frames every {key}, {} kbit/s, {} B-frames, clock {clock} (measured {} s, {} frames)\n",
            f.width,
            f.height,
            f.delivered_fps,
            f.bitrate_kbps,
            if f.has_b_frames { "with" } else { "no" },
            f.seconds,
            f.packets
        ),
    }
}

pub(super) fn advice(all: &[Advice], language: Language) -> String {
    all.iter().map(|one| format!("- {}\n", one.text.of(language))).collect()
}

/// Where the picture is and how to look at it from elsewhere.
pub(super) fn still(path: &Path, language: Language) -> String {
    let path = owner::as_caller(|| path.canonicalize()).unwrap_or_else(|_| path.to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let user = std::env::var("USER").unwrap_or_else(|_| "USER".to_owned());
    let path = path.display();
    let host = host.trim();
    match language {
        Language::Zh => format!(
            "画面（人脸和头部已遮盖，带 A1 到 M10 网格）：{path}\n  取回查看：scp {user}@{host}:{path} .\n"
        ),
        Language::En => format!(
            "picture (faces and heads covered, with the grid A1 to M10): {path}\n  to look at it: scp {user}@{host}:{path} .\n"
        ),
    }
}
