//! The decoder: its elements are installed, and it decodes a picture that is built in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{TimeSource, Timestamp};

use super::{Check, Patient, Subject, words};
use crate::decode::{self, Codec, DecodeError, Moment, Packet, Purpose, StreamFormat};
use crate::hardware::{Profile, ProfileError};
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("decoder", "解码器", "Decoder");
/// One white picture of 320 x 240, H.264.
const WHITE: &[u8] = include_bytes!("white.h264");
/// White is 235 in limited range; no decoder is off by more.
const BRIGHT: std::ops::RangeInclusive<u32> = 228..=242;

pub(super) fn check(patient: &Patient) -> Check {
    let profile = match &patient.config.agent.hardware {
        Some(path) => Profile::load(path),
        None => Profile::builtin(),
    };
    let profile = match profile {
        Ok(profile) => profile,
        Err(error) => return refused(&error),
    };
    if let Err(missing) = profile.check_elements() {
        return refused(&missing.into());
    }
    let name = &profile.name;
    match decode_white(&profile) {
        Ok(took) => {
            let ms = took.as_millis();
            let reason = Text::new(
                format!("{name}：试解一幅画面用了 {ms} 毫秒"),
                format!("{name}: a test picture was decoded in {ms} ms"),
            );
            match profile.tested {
                true => SUBJECT.ok(reason.zh, reason.en),
                false => SUBJECT.warning(
                    reason,
                    Text::new(
                        "此硬件配置还没有在真机上验证过：多观察几天",
                        "nobody has tried this hardware profile on such a box: keep an eye on it",
                    ),
                ),
            }
        }
        Err(error) => SUBJECT.broken(
            Text::new(format!("{name}：试解一幅画面失败"), format!("{name}: {error}")),
            Text::new(
                "重装 GStreamer 软件包；或在 [agent] hardware 中换用 generic-cpu",
                "install the GStreamer packages again, or name generic-cpu under [agent] hardware",
            ),
        ),
    }
}

/// How long it took, the start of a decoding process included.
fn decode_white(profile: &Profile) -> Result<Duration, DecodeError> {
    let begun = Instant::now();
    gstreamer::init().map_err(|e| DecodeError::Unsupported { what: e.to_string() })?;
    let caps = "video/x-h264,stream-format=byte-stream,alignment=au".to_owned();
    let packet = Packet {
        data: gstreamer::Buffer::from_slice(WHITE),
        pts: Some(Duration::ZERO),
        key: true,
        stream: Arc::new(StreamFormat { codec: Codec::H264, caps, size: Some((320, 240)) }),
        moment: Moment {
            captured_at: Timestamp::from_unix_ms(0),
            time_source: TimeSource::Agent,
            uncertainty_ms: None,
            seen_at: begun,
        },
    };
    let mut decoder = decode::open(profile, Purpose::Clip);
    decoder.decode(&packet)?;
    decoder.drain()?;
    let wrong = |what: String| DecodeError::Damaged { what };
    let frame = decoder.next_frame()?.ok_or_else(|| wrong("no picture came out".into()))?;
    let planes = frame.planes();
    let middle = planes.y.get(planes.y_stride * (planes.height / 2) + planes.width / 2).copied();
    let bright = u32::from(middle.unwrap_or(0));
    if (frame.width, frame.height) != (320, 240) || !BRIGHT.contains(&bright) {
        return Err(wrong(format!(
            "{} x {}, brightness {bright}, instead of white",
            frame.width, frame.height
        )));
    }
    Ok(begun.elapsed())
}

fn refused(error: &ProfileError) -> Check {
    let (zh, cure) = match error {
        ProfileError::Missing(missing) => (
            format!("缺少 GStreamer 元件 {}", missing.element),
            Text::new(
                "安装软件包：apt-get install --no-install-recommends gstreamer1.0-libav gstreamer1.0-plugins-good gstreamer1.0-plugins-bad",
                "install the package that it names",
            ),
        ),
        ProfileError::Settings(settings::Error::Read { path, source }) => (
            format!("不能读取硬件配置 {}：{}", path.display(), words::io(source).zh),
            Text::new("改正 [agent] hardware 的路径", "mend the path at [agent] hardware"),
        ),
        ProfileError::Settings(settings::Error::Invalid { path, line, .. }) => (
            format!("硬件配置 {} 第 {line} 行有误", path.display()),
            Text::new("改正这一行", "mend that line"),
        ),
        ProfileError::Value { name, .. } => (
            format!("硬件配置 {name} 里有超出范围的值"),
            Text::new("改正它；英文详情：edge-agent doctor --lang en", "mend the value that it names"),
        ),
    };
    SUBJECT.broken(Text::new(zh, error.to_string()), cure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Isolation;

    #[test]
    fn the_built_in_picture_is_white_and_a_decoder_shows_it() {
        let mut profile = Profile::builtin().unwrap();
        profile.decoder.isolation = Isolation::None; // a process needs the program
        decode_white(&profile).unwrap();
    }

    #[test]
    fn a_decoder_that_is_not_installed_is_named_with_its_package() {
        let mut profile = Profile::builtin().unwrap();
        profile.decoder.elements.insert(Codec::H264, "avdec_nothing".into());
        let check = refused(&profile.check_elements().unwrap_err().into());
        assert!(check.reason.zh.contains("avdec_nothing"), "{check:?}");
    }
}
