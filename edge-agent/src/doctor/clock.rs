//! The box's own clock: set at all, and kept right.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use super::{Check, Subject};
use crate::identity::{build_day, now_seconds};
use crate::service::by_hand::keep_time;
use crate::wording::{Text, lasting};

const SUBJECT: Subject = Subject("clock", "时钟", "Clock");
/// Beyond it, times on alerts mislead people.
const FAR_SECONDS: i64 = 60;
/// Beyond it, what a certificate says of its days cannot be judged.
const DAY_SECONDS: i64 = 86_400;

pub(super) fn own() -> Check {
    judge(now_seconds(), build_day(), is_synchronised())
}

fn judge(now: i64, built: i64, synchronised: Option<bool>) -> Check {
    let shown = protocol::Timestamp::from_unix_ms(now.saturating_mul(1000));
    let cure = cure();
    if now < built {
        let reason = Text::new(
            format!("时钟显示 {shown}，早于本程序的编译日期，肯定不对"),
            format!("it shows {shown}, which is before this program was built and cannot be right"),
        );
        return SUBJECT.broken(reason, cure);
    }
    match synchronised {
        Some(true) => SUBJECT.ok(format!("已校时：{shown}"), format!("synchronised: {shown}")),
        Some(false) => SUBJECT.warning(
            Text::new(
                format!("没有校时，会慢慢走偏：{shown}"),
                format!("not synchronised, it will drift: {shown}"),
            ),
            cure,
        ),
        None => SUBJECT.warning(
            Text::new(
                format!("无法得知是否校时：{shown}"),
                format!("whether it is synchronised cannot be told: {shown}"),
            ),
            cure,
        ),
    }
}

fn cure() -> Text {
    let keep = keep_time();
    Text::new(
        format!("{}；没有外网时，把中心或路由器设为 NTP 服务器", keep.zh),
        format!("{}; without internet, name the hub or the router as NTP server", keep.en),
    )
}

pub(super) const AGAINST_HUB: Subject = Subject("clock_hub", "与中心的时差", "Clock against the hub");

/// `hub`: seconds since 1970, as the hub said just now.
pub(super) fn against_hub(hub: i64, own: i64) -> Check {
    let off = own.saturating_sub(hub);
    let (zh, en) = if off >= 0 { ("快", "ahead of") } else { ("慢", "behind") };
    let long = lasting(off.unsigned_abs());
    let reason = Text::new(format!("比中心{zh} {}", long.zh), format!("{} {en} the hub", long.en));
    if off.abs() <= FAR_SECONDS {
        return AGAINST_HUB.ok(reason.zh, reason.en);
    }
    let cure = Text::new(
        "核对中心和盒子的时间，哪个不对就校正哪个",
        "compare both clocks with a right one, and set the wrong one",
    );
    match decides(hub, own) {
        true => AGAINST_HUB.broken(reason, cure),
        false => AGAINST_HUB.warning(reason, cure),
    }
}

/// Whether the two are so far apart that certificates look expired or not yet valid.
pub(super) fn decides(hub: i64, own: i64) -> bool {
    own.saturating_sub(hub).saturating_abs() > DAY_SECONDS
}

/// Whether somebody disciplines the kernel's clock; `None` where the kernel does not say.
fn is_synchronised() -> Option<bool> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: with `modes` 0 the kernel only writes one timex, and a zeroed one is valid.
    let (answer, state) = unsafe { (libc::adjtimex(state.as_mut_ptr()), state.assume_init()) };
    (answer >= 0).then_some(answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_before_the_build_is_broken_and_an_unkept_one_a_warning() {
        assert_eq!(judge(99, 100, Some(true)).state, State::Broken);
        assert_eq!(judge(100, 100, Some(true)).state, State::Ok);
        assert_eq!(judge(100, 100, Some(false)).state, State::Warning);
        assert_eq!(judge(100, 100, None).state, State::Warning);
    }

    #[test]
    fn a_minute_between_box_and_hub_is_told_with_its_direction() {
        assert_eq!(against_hub(1_000, 1_060).state, State::Ok);
        let behind = against_hub(1_000, 900);
        assert_eq!(behind.state, State::Warning);
        assert_eq!(against_hub(1_000, 1_000 + 400 * DAY_SECONDS).state, State::Broken);
        assert_eq!(
            (behind.reason.zh.as_str(), behind.reason.en.as_str()),
            ("比中心慢 100 秒", "100 s behind the hub")
        );
    }
}
