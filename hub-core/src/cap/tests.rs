//! Messages are checked against the rules of the OASIS schema, read by a parser that is not ours.

use protocol::exchange::{Camera, Circle, Codes, EXCHANGE_VERSION, Names, Severity};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;

const INFO: &[(&str, usize, usize)] = &[
    ("language", 0, 1),
    ("category", 1, usize::MAX),
    ("event", 1, 1),
    ("responseType", 0, usize::MAX),
    ("urgency", 1, 1),
    ("severity", 1, 1),
    ("certainty", 1, 1),
    ("audience", 0, 1),
    ("eventCode", 0, usize::MAX),
    ("effective", 0, 1),
    ("onset", 0, 1),
    ("expires", 0, 1),
    ("senderName", 0, 1),
    ("headline", 0, 1),
    ("description", 0, 1),
    ("instruction", 0, 1),
    ("web", 0, 1),
    ("contact", 0, 1),
    ("parameter", 0, usize::MAX),
    ("resource", 0, usize::MAX),
    ("area", 0, usize::MAX),
];
const ALERT: &[(&str, usize, usize)] = &[
    ("identifier", 1, 1),
    ("sender", 1, 1),
    ("sent", 1, 1),
    ("status", 1, 1),
    ("msgType", 1, 1),
    ("source", 0, 1),
    ("scope", 1, 1),
    ("restriction", 0, 1),
    ("addresses", 0, 1),
    ("code", 0, usize::MAX),
    ("note", 0, 1),
    ("references", 0, 1),
    ("incidents", 0, 1),
    ("info", 0, usize::MAX),
];
const AREA: &[(&str, usize, usize)] = &[
    ("areaDesc", 1, 1),
    ("polygon", 0, usize::MAX),
    ("circle", 0, usize::MAX),
    ("geocode", 0, usize::MAX),
    ("altitude", 0, 1),
    ("ceiling", 0, 1),
];
const PAIR: &[(&str, usize, usize)] = &[("valueName", 1, 1), ("value", 1, 1)];

/// An element as it was read: name, children, text.
#[derive(Debug, Default)]
struct Element {
    name: String,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn read(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut stack = vec![Element::default()];
        loop {
            match reader.read_event().unwrap_or_else(|e| panic!("not well-formed: {e}\n{xml}")) {
                Event::Start(tag) => {
                    let name = tag.name().as_ref().to_owned();
                    stack.push(Element { name, ..Element::default() });
                }
                Event::End(_) => {
                    let done = stack.pop().unwrap();
                    stack.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => stack.last_mut().unwrap().text.push_str(text.as_ref()),
                Event::GeneralRef(name) => {
                    let c = match name.as_ref() {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => name.resolve_char_ref().unwrap().unwrap(),
                    };
                    stack.last_mut().unwrap().text.push(c);
                }
                Event::Eof => break,
                Event::Decl(_) => {}
                other => panic!("no such thing belongs into a message: {other:?}"),
            }
        }
        assert_eq!(stack.len(), 1);
        stack.pop().unwrap().children.pop().unwrap()
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    fn one(&self, name: &'static str) -> &str {
        &self.all(name).next().unwrap_or_else(|| panic!("no {name}")).text
    }

    /// The schema's sequences: which children, in which order, how many of each.
    fn check_sequence(&self, rule: &[(&'static str, usize, usize)]) {
        let place = |c: &Element| rule.iter().position(|(name, ..)| *name == c.name);
        let places: Vec<_> = self
            .children
            .iter()
            .map(|c| place(c).unwrap_or_else(|| panic!("{} in {}", c.name, self.name)))
            .collect();
        assert!(places.is_sorted(), "order in {}: {places:?}", self.name);
        for (name, least, most) in rule {
            let count = self.all(name).count();
            assert!((*least..=*most).contains(&count), "{count} {name} in {}", self.name);
        }
    }
}

fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
    ["dddd-dd-ddTdd:dd:dd+dd:dd", "dddd-dd-ddTdd:dd:dd-dd:dd"].contains(&shape.as_str())
}

fn one_of(text: &str, words: &str) {
    assert!(words.split(' ').any(|w| w == text), "{text} is none of {words}");
}

/// Everything that the schema and the specification's text ask of a message.
fn check(xml: &str) -> Element {
    let alert = Element::read(xml);
    assert_eq!(alert.name, "alert");
    assert!(xml.contains("<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\">"));
    alert.check_sequence(ALERT);
    for name in ["identifier", "sender"] {
        assert!(!alert.one(name).contains([' ', ',', '<', '&']), "{}", alert.one(name));
    }
    assert!(is_time(alert.one("sent")), "{}", alert.one("sent"));
    one_of(alert.one("status"), "Actual Exercise System Test Draft");
    one_of(alert.one("msgType"), "Alert Update Cancel Ack Error");
    one_of(alert.one("scope"), "Public Restricted Private");
    assert_eq!(alert.one("scope") == "Restricted", alert.all("restriction").count() == 1);
    let needs_references = alert.one("msgType") != "Alert";
    assert_eq!(alert.all("references").count() == 1, needs_references);
    for reference in alert.all("references").flat_map(|r| r.text.split(' ')) {
        let parts: Vec<_> = reference.split(',').collect();
        assert!(parts.len() == 3 && is_time(parts[2]), "{reference}");
    }
    let languages: Vec<_> = alert.all("info").map(|i| i.one("language")).collect();
    assert_eq!(languages, ["zh-CN", "en"]);
    for info in alert.all("info") {
        check_info(info);
    }
    alert
}

fn check_info(info: &Element) {
    info.check_sequence(INFO);
    one_of(
        info.one("category"),
        "Geo Met Safety Security Rescue Fire Health Env Transport Infra CBRNE Other",
    );
    one_of(info.one("responseType"), "Shelter Evacuate Prepare Execute Avoid Monitor Assess AllClear None");
    one_of(info.one("urgency"), "Immediate Expected Future Past Unknown");
    one_of(info.one("severity"), "Extreme Severe Moderate Minor Unknown");
    one_of(info.one("certainty"), "Observed Likely Possible Unlikely Unknown");
    assert!(is_time(info.one("effective")) && is_time(info.one("onset")));
    assert!(info.one("headline").chars().count() <= HEADLINE_CHARS);
    info.all("eventCode").chain(info.all("parameter")).for_each(|p| p.check_sequence(PAIR));
    for area in info.all("area") {
        area.check_sequence(AREA);
        assert!(!area.one("areaDesc").is_empty());
        for polygon in area.all("polygon") {
            let points: Vec<_> = polygon.text.split(' ').collect();
            assert!(points.len() >= 4 && points.first() == points.last());
            points.iter().for_each(|p| assert!(is_point(p), "{p}"));
        }
        for circle in area.all("circle") {
            let (centre, radius) = circle.text.split_once(' ').unwrap();
            assert!(is_point(centre) && radius.parse::<f64>().unwrap() >= 0.0);
        }
    }
}

fn is_point(text: &str) -> bool {
    let Some((latitude, longitude)) = text.split_once(',') else { return false };
    let within = |text: &str, most: f64| text.parse::<f64>().is_ok_and(|n| n.abs() <= most);
    within(latitude, 90.0) && within(longitude, 180.0)
}

fn incident() -> Incident {
    Incident {
        v: EXCHANGE_VERSION,
        site: "market".parse().unwrap(),
        site_name: Some("东街市场".into()),
        incident: "01936f0a-7c00-7000-8000-000000000001".into(),
        version: 3,
        kind: "LineDetector/Crossed".into(),
        kind_name: Names { zh: "越线".into(), en: "Line crossed".into() },
        severity: Severity::High,
        state: State::New,
        origin: Origin::Alerts,
        test: false,
        exercise: false,
        opened_at: Timestamp::from_unix_ms(1_763_884_800_250),
        last_at: Timestamp::from_unix_ms(1_763_884_830_000),
        changed_at: None,
        alerts: 4,
        cameras: vec![Camera {
            agent: "gate".parse().unwrap(),
            camera: "c1".parse().unwrap(),
            name: Some("北门".into()),
        }],
        place: Some(Place {
            name: None,
            circle: Some(Circle { centre: Point { latitude: 30.25, longitude: 120.1 }, radius_m: 40.0 }),
            polygon: Vec::new(),
        }),
        absorbed: Vec::new(),
        absorbed_by: None,
        codes: Codes::of("LineDetector/Crossed", Severity::High),
    }
}

fn message() -> Message {
    Message {
        sender: "hub.example".into(),
        sender_name: Some("东街街道综治中心".into()),
        sent: Timestamp::from_unix_ms(1_763_884_835_999),
        earlier: Vec::new(),
        offset_minutes: 480,
        web: Some("https://hub.example/incidents/market/01936f0a-7c00-7000-8000-000000000001".into()),
    }
}

fn earlier() -> Vec<Reference> {
    let at = |n: i64| Timestamp::from_unix_ms(1_763_884_800_000 + n * 1_000);
    (1..=2)
        .map(|n| Reference { identifier: identifier("market", "01936f0a", n), sent: at(n.cast_signed()) })
        .collect()
}

#[test]
fn every_state_in_every_setting_is_a_right_message() {
    for state in State::ALL {
        for origin in [Origin::Alerts, Origin::Operator, Origin::Grid] {
            for (test, exercise) in [(false, false), (true, false), (false, true), (true, true)] {
                for earlier in [Vec::new(), earlier()] {
                    for offset_minutes in [480, 0, -210, 345] {
                        let incident = Incident { state, origin, test, exercise, ..incident() };
                        check(&xml(
                            &incident,
                            &Message { earlier: earlier.clone(), offset_minutes, ..message() },
                        ));
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_message_says_is_what_the_incident_is() {
    let alert = check(&xml(&incident(), &message()));
    assert_eq!(alert.one("identifier"), "market.01936f0a-7c00-7000-8000-000000000001.3");
    assert_eq!(alert.one("sent"), "2025-11-23T16:00:35+08:00");
    assert_eq!((alert.one("status"), alert.one("msgType")), ("Actual", "Alert"));
    let infos: Vec<_> = alert.all("info").collect();
    assert_eq!(infos[0].one("headline"), "东街市场，北门：越线（等级：高，未处理）");
    assert_eq!(infos[1].one("headline"), "东街市场, 北门: Line crossed (high severity, new)");
    assert_eq!(infos[0].one("onset"), "2025-11-23T16:00:00+08:00");
    assert_eq!(infos[0].one("urgency"), "Immediate");
    assert_eq!(infos[0].one("certainty"), "Likely");
    assert_eq!(infos[0].all("area").next().unwrap().one("circle"), "30.250000,120.100000 0.040");
    let codes: Vec<_> = infos[0].all("eventCode").map(|c| (c.one("valueName"), c.one("value"))).collect();
    assert!(codes.contains(&("GBT28181-2016-AlarmType", "5")), "{codes:?}");
    assert!(codes.contains(&("GBT28181-2016-AlarmPriority", "2")), "{codes:?}");
}

#[test]
fn later_messages_refer_to_earlier_ones_and_a_false_alarm_cancels_them() {
    let later = Message { earlier: earlier(), ..message() };
    let update = check(&xml(&Incident { state: State::Resolved, ..incident() }, &later));
    assert_eq!(update.one("msgType"), "Update");
    let expected = "hub.example,market.01936f0a.1,2025-11-23T16:00:01+08:00 hub.example,market.01936f0a.2,2025-11-23T16:00:02+08:00";
    assert_eq!(update.one("references"), expected);
    assert_eq!(update.all("info").next().unwrap().one("urgency"), "Past");
    let cancel = check(&xml(&Incident { state: State::FalseAlarm, ..incident() }, &later));
    assert_eq!(cancel.one("msgType"), "Cancel");
    // What was never announced is nothing that could be cancelled.
    let first = check(&xml(&Incident { state: State::FalseAlarm, ..incident() }, &message()));
    assert_eq!(first.one("msgType"), "Alert");
    let absorbed =
        Incident { absorbed_by: Some("01936f0a-0000-7000-8000-000000000000".into()), ..incident() };
    assert_eq!(check(&xml(&absorbed, &later)).one("msgType"), "Cancel");
}

/// Texts made to break out of an element, and what no XML may hold: 500 and more, from a printed seed.
fn injections() -> Vec<String> {
    const PARTS: [&str; 24] = [
        "]]>",
        "<![CDATA[",
        "<!--",
        "-->",
        "</event>",
        "<event>",
        "&",
        "&amp;",
        "&#0;",
        "&#x1;",
        "<!DOCTYPE a [<!ENTITY x \"y\">]>",
        "&x;",
        "<?xml version=\"1.0\"?>",
        "\u{0}",
        "\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}",
        "\r\n",
        "\u{fffe}\u{ffff}",
        "\u{85}\u{2028}",
        "\u{feff}",
        "\u{202e}",
        "'\"",
        "\u{1f600}",
        "北门",
        "' OR 1=1 --",
    ];
    let mut seed = 20_261_125_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut texts: Vec<String> = PARTS.iter().map(|p| (*p).to_owned()).collect();
    texts.extend((0..=0x9f).filter_map(char::from_u32).map(|c| format!("a{c}b")));
    texts
        .extend((0..340).map(|_| (0..1 + random(5)).map(|_| PARTS[random(PARTS.len())]).collect::<String>()));
    texts
}

#[test]
fn any_text_stays_text() {
    let texts = injections();
    assert!(texts.len() >= 500, "{}", texts.len());
    for text in texts {
        let hostile = Incident {
            site_name: Some(text.clone()),
            kind_name: Names { zh: text.clone(), en: text.clone() },
            cameras: vec![Camera { name: Some(text.clone()), ..incident().cameras[0].clone() }],
            place: Some(Place { name: Some(text.clone()), ..Place::default() }),
            ..incident()
        };
        let alert = check(&xml(&hostile, &Message { sender_name: Some(text.clone()), ..message() }));
        let shown: String = text
            .chars()
            .map(|c| match c {
                '\t' | '\n' | '\r' => c,
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                _ => c,
            })
            .collect();
        assert_eq!(alert.all("info").next().unwrap().one("event"), shown, "{text:?}");
    }
}

#[test]
fn nonsense_in_places_is_left_out() {
    let point = |latitude, longitude| Point { latitude, longitude };
    let wild = Place {
        name: None,
        circle: Some(Circle { centre: point(f64::NAN, 0.0), radius_m: f64::INFINITY }),
        polygon: vec![point(1.0, 2.0), point(91.0, 2.0), point(3.0, 4.0), point(1.0, 2.0)],
    };
    let alert = check(&xml(&Incident { place: Some(wild), ..incident() }, &message()));
    let area = alert.all("info").next().unwrap().all("area").next().unwrap();
    assert_eq!(area.children.len(), 1);
    let square = vec![point(1.0, 2.0), point(1.0, 3.0), point(2.0, 3.0), point(1.0, 2.0)];
    let place = Place { polygon: square, ..Place::default() };
    let alert = check(&xml(&Incident { place: Some(place), ..incident() }, &message()));
    let area = alert.all("info").next().unwrap().all("area").next().unwrap();
    assert_eq!(area.one("polygon").split(' ').count(), 4);
}

#[test]
fn a_sender_is_a_name_without_what_cap_forbids() {
    assert!(is_sender("hub.example") && is_sender("zz@town.example"));
    for wrong in ["", "a b", "a,b", "a<b", "a&b", "中心", "a\nb"] {
        assert!(!is_sender(wrong), "{wrong}");
    }
}
