//! What each kind of incident is called by others: one table, published as `docs/ref/kinds.md`.
//!
//! Owns the mapping to ONVIF topics, to the alarm codes of GB/T 28181 and to the words of CAP 1.2, and the
//! names that people read. Whoever speaks to another system takes its words from here and from nowhere else.
//!
//! The alarm codes are those of **GB/T 28181-2016**, the notification `Alarm` (appendix A.2.5): `AlarmMethod`
//! 1 telephone, 2 device, 3 short message, 4 GPS, 5 video, 6 device fault, 7 other; with method 5 `AlarmType`
//! 1 raised by hand on video, 2 motion, 3 object left, 4 object removed, 5 tripwire, 6 intrusion, 7 wrong
//! way, 8 loitering, 9 flow, 10 density, 11 picture abnormal, 12 fast motion. The 2022 edition kept these
//! numbers and added 13, picture covered. Its tables define no type for method 7, so none is given there.
//!
//! The standard's own text is not free to read, so every code that the table uses was compared with two public
//! transcriptions at least: methods, types and priorities with the interface descriptions of [Qiniu] and [Volcengine]
//! and with [this article][article], `EventType` with the article and with [gb-cms]. They agree in every code.
//!
//! [Qiniu]: https://developer.qiniu.com/qvs/7775/gb-alarm-events-list
//! [Volcengine]: https://www.volcengine.com/docs/6521/129581
//! [article]: https://blog.csdn.net/xuejianhui/article/details/99513079
//! [gb-cms]: https://github.com/lkmio/gb-cms/blob/11cfb29c242417fbbbd5b816b092146f2e5ac886/stack/alarm.go

use std::fmt::Write;

use crate::Kind;

/// The edition whose codes the table holds.
pub const GBT28181_EDITION: &str = "GB/T 28181-2016";

/// A kind's names and codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub zh: &'static str,
    pub en: &'static str,
    /// The topic of ONVIF's event service, where it has one.
    pub onvif: Option<&'static str>,
    pub alarm: Alarm,
    pub cap: CapTerms,
}

/// `AlarmMethod` and `AlarmType` of GB/T 28181.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    pub method: u8,
    /// `None` where the standard defines no type for the method.
    pub alarm_type: Option<u8>,
    /// With an intrusion, `AlarmTypeParam/EventType`: 1 somebody enters the area, 2 somebody leaves it.
    pub event_type: Option<u8>,
}

/// CAP's `category`, and its `urgency` while the incident is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapTerms {
    pub category: &'static str,
    pub urgency: &'static str,
}

/// What a rule of a camera found.
pub const fn of_alert(kind: Kind) -> &'static Terms {
    match kind {
        Kind::LineCrossed => &Terms {
            zh: "越线",
            en: "Line crossed",
            onvif: Some("tns1:RuleEngine/LineDetector/Crossed"),
            alarm: Alarm { method: 5, alarm_type: Some(5), event_type: None },
            cap: CapTerms { category: "Security", urgency: "Immediate" },
        },
        Kind::ZoneEntered => &Terms {
            zh: "进入区域",
            en: "Zone entered",
            onvif: Some("tns1:RuleEngine/FieldDetector/ObjectsInside"),
            alarm: Alarm { method: 5, alarm_type: Some(6), event_type: Some(1) },
            cap: CapTerms { category: "Security", urgency: "Immediate" },
        },
        Kind::Loitering => &Terms {
            zh: "徘徊逗留",
            en: "Loitering",
            onvif: Some("tns1:RuleEngine/LoiteringDetector/ObjectIsLoitering"),
            alarm: Alarm { method: 5, alarm_type: Some(8), event_type: None },
            cap: CapTerms { category: "Security", urgency: "Expected" },
        },
    }
}

/// What people open by hand, of whatever kind their site calls it.
pub const BY_HAND: Terms = Terms {
    zh: "人工上报",
    en: "Reported by hand",
    onvif: None,
    alarm: Alarm { method: 7, alarm_type: None, event_type: None },
    cap: CapTerms { category: "Other", urgency: "Expected" },
};

/// The terms of an incident's kind, whose word is an alert's or one of a site's own list.
pub fn terms(kind: &str) -> &'static Terms {
    Kind::ALL.into_iter().find(|k| k.as_str() == kind).map_or(&BY_HAND, of_alert)
}

/// An incident's severity as GB/T 28181's `AlarmPriority` and as CAP's `severity`. The standards order their
/// levels (1 is the first) and leave to each system what belongs to them; this is our choice.
pub fn severity(word: &str) -> (u8, &'static str) {
    match word {
        "critical" => (1, "Extreme"),
        "high" => (2, "Severe"),
        "medium" => (3, "Moderate"),
        _ => (4, "Minor"),
    }
}

/// The table as the documentation shows it.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    let rows = Kind::ALL.map(|kind| (format!("`{}`", kind.as_str()), of_alert(kind)));
    for (kind, t) in rows.into_iter().chain([("any other".to_owned(), &BY_HAND)]) {
        let onvif = t.onvif.map_or("none".to_owned(), |topic| format!("`{topic}`"));
        let alarm_type = t.alarm.alarm_type.map_or("none".to_owned(), |n| n.to_string());
        let event = t.alarm.event_type.map_or(String::new(), |n| format!(", EventType {n}"));
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {onvif} | {} | {alarm_type}{event} | {} | {} |",
            t.zh, t.en, t.alarm.method, t.cap.category, t.cap.urgency
        );
    }
    text.push_str(SEVERITIES);
    for word in ["critical", "high", "medium", "low"] {
        let (priority, cap) = severity(word);
        let _ = writeln!(text, "| `{word}` | {priority} | {cap} |");
    }
    text
}

const HEAD: &str = "# Kinds 事件类型对照

What each kind of incident is called by other systems. Written by `cargo run -p protocol --example schema` from
`protocol/src/kinds.rs`; a test keeps it current.
各类事件在其他系统中的名称和代码，由程序生成，测试保证其与代码一致。

- ONVIF: topics of the Analytics Service Specification's rules.
- GB/T 28181: the codes of the 2016 edition, appendix A.2.5, notification `Alarm` (报警通知); the 2022 edition kept these numbers. Method 5
  is video (视频报警), method 7 other (其他报警), for which the standard defines no type.
  Only the codes are mapped here: Signalbox speaks no GB/T 28181 signalling itself.
- CAP: OASIS Common Alerting Protocol 1.2. The urgency is that of an incident that is being worked on; of one that is over it is `Past`.

The codes of GB/T 28181 were compared with two public transcriptions of the standard at least, which agree 代码均与至少两份公开资料核对一致:

| field | code | the standard's word 标准用语 | compared with |
|---|---|---|---|
| AlarmMethod | 5 | 视频报警 | [Qiniu], [Volcengine], [article] |
| AlarmMethod | 7 | 其他报警 | [Qiniu], [Volcengine], [article] |
| AlarmType (method 5) | 5 | 绊线检测报警 | [Qiniu], [Volcengine] |
| AlarmType (method 5) | 6 | 入侵检测报警 | [Qiniu], [Volcengine], [article] |
| AlarmType (method 5) | 8 | 徘徊检测报警 | [Qiniu], [Volcengine] |
| EventType (type 6) | 1 | 进入区域 | [article], [gb-cms] |
| AlarmPriority | 1 to 4 | 一级警情 to 四级警情 | [Volcengine], [article] |

[Qiniu]: https://developer.qiniu.com/qvs/7775/gb-alarm-events-list
[Volcengine]: https://www.volcengine.com/docs/6521/129581
[article]: https://blog.csdn.net/xuejianhui/article/details/99513079
[gb-cms]: https://github.com/lkmio/gb-cms/blob/11cfb29c242417fbbbd5b816b092146f2e5ac886/stack/alarm.go

| kind | 中文 | English | ONVIF topic | AlarmMethod | AlarmType | CAP category | CAP urgency |
|---|---|---|---|---|---|---|---|
";

const SEVERITIES: &str = "
The standards order their levels and leave to each system what belongs to them; this is our choice.

| severity | AlarmPriority | CAP severity |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn onvif_topics_end_in_the_kind_itself() {
        for kind in Kind::ALL {
            let topic = of_alert(kind).onvif.unwrap();
            assert_eq!(topic.strip_prefix("tns1:RuleEngine/"), Some(kind.as_str()));
            assert_eq!(terms(kind.as_str()), of_alert(kind));
        }
        assert_eq!(*terms("street_light"), BY_HAND);
    }

    #[test]
    fn codes_are_within_the_standards_tables() {
        let all = Kind::ALL.map(of_alert).into_iter().chain([&BY_HAND]);
        for t in all {
            assert!((1..=7).contains(&t.alarm.method));
            assert!(t.alarm.alarm_type.is_none_or(|n| t.alarm.method == 5 && (1..=12).contains(&n)));
            assert!(t.alarm.event_type.is_none() || t.alarm.alarm_type == Some(6));
            assert!(["Immediate", "Expected", "Future", "Past", "Unknown"].contains(&t.cap.urgency));
            assert!(CATEGORIES.contains(&t.cap.category));
        }
    }

    const CATEGORIES: [&str; 12] = [
        "Geo",
        "Met",
        "Safety",
        "Security",
        "Rescue",
        "Fire",
        "Health",
        "Env",
        "Transport",
        "Infra",
        "CBRNE",
        "Other",
    ];
}
