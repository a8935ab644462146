//! An incident as a CAP 1.2 message (OASIS Common Alerting Protocol, `CAP-v1.2-os`).
//!
//! Owns the XML: order and words of its elements, what each state of an incident means in CAP, and that any
//! text whatsoever stays text. It leaves to the caller which messages were sent before (they are referred to),
//! and to `protocol::kinds` what a kind is called. Nothing in it names a person.

mod words;
mod xml;

#[cfg(test)]
mod tests;

use protocol::Timestamp;
use protocol::exchange::{Incident, Origin, Place, Point, State};
use protocol::kinds;

use words::{En, Language, Zh};
use xml::Xml;

/// CAP recommends that a headline fits into 160 characters.
const HEADLINE_CHARS: usize = 160;
/// Texts from outside are cut to this.
const TEXT_CHARS: usize = 2_000;

/// What a message needs to know besides the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Names this hub among all: a domain name or the like, without spaces, commas, `<` and `&`.
    pub sender: String,
    /// Who people take it to be, in both languages.
    pub sender_name: Option<String>,
    /// When this message was first made.
    pub sent: Timestamp,
    /// Messages about the same incident that were made before, oldest first.
    pub earlier: Vec<Reference>,
    /// Local time's distance from UTC, in minutes.
    pub offset_minutes: i16,
    /// A page that shows the incident.
    pub web: Option<String>,
}

/// A message that was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub identifier: String,
    pub sent: Timestamp,
}

/// A message's identifier: the same incident at the same version is the same message.
pub fn identifier(site: &str, incident: &str, version: u64) -> String {
    format!("{site}.{incident}.{version}")
}

/// Whether a text may name a sender.
pub fn is_sender(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'<' | b'>' | b'&' | b'"' | b'\''))
}

/// The message, as a whole XML document in UTF-8.
pub fn xml(incident: &Incident, message: &Message) -> String {
    let mut xml = Xml::begin("alert", "urn:oasis:names:tc:emergency:cap:1.2");
    xml.text("identifier", &identifier(incident.site.as_str(), &incident.incident, incident.version));
    xml.text("sender", &message.sender);
    xml.text("sent", &local(message.sent, message.offset_minutes));
    xml.text("status", status(incident));
    xml.text("msgType", message_type(incident, message));
    xml.text("source", "Signalbox");
    xml.text("scope", "Restricted");
    xml.text("restriction", "有关职能部门内部使用 For the departments concerned only");
    if !message.earlier.is_empty() {
        let triple = |r: &Reference| {
            format!("{},{},{}", message.sender, r.identifier, local(r.sent, message.offset_minutes))
        };
        xml.text("references", &message.earlier.iter().map(triple).collect::<Vec<_>>().join(" "));
    }
    let others = incident.absorbed.iter().chain(&incident.absorbed_by).map(String::as_str);
    xml.text(
        "incidents",
        &[incident.incident.as_str()].into_iter().chain(others).collect::<Vec<_>>().join(" "),
    );
    info::<Zh>(&mut xml, incident, message);
    info::<En>(&mut xml, incident, message);
    xml.end()
}

fn status(incident: &Incident) -> &'static str {
    match (incident.test, incident.exercise) {
        (true, _) => "Test",
        (false, true) => "Exercise",
        (false, false) => "Actual",
    }
}

/// Only what was announced can be updated or cancelled.
fn message_type(incident: &Incident, message: &Message) -> &'static str {
    match incident.state {
        _ if message.earlier.is_empty() => "Alert",
        State::FalseAlarm => "Cancel",
        _ if incident.absorbed_by.is_some() => "Cancel",
        _ => "Update",
    }
}

/// What an incident is, in one language. The order of the elements is the schema's.
fn info<L: Language>(xml: &mut Xml, incident: &Incident, message: &Message) {
    let terms = kinds::terms(&incident.kind);
    let over = incident.state.is_over() || incident.absorbed_by.is_some();
    xml.open("info");
    xml.text("language", L::CODE);
    xml.text("category", terms.cap.category);
    xml.text("event", &cut(L::name(&incident.kind_name), TEXT_CHARS));
    xml.text("responseType", response(incident));
    xml.text("urgency", if over { "Past" } else { terms.cap.urgency });
    xml.text("severity", kinds::severity(incident.severity.as_str()).1);
    xml.text("certainty", certainty(incident));
    event_codes(xml, incident);
    xml.text("effective", &local(message.sent, message.offset_minutes));
    xml.text("onset", &local(incident.opened_at, message.offset_minutes));
    if let Some(name) = &message.sender_name {
        xml.text("senderName", &cut(name, TEXT_CHARS));
    }
    xml.text("headline", &cut(&L::headline(incident), HEADLINE_CHARS));
    xml.text("description", &L::description(incident, |at| local(at, message.offset_minutes)));
    if let Some(web) = &message.web {
        xml.text("web", web);
    }
    for (name, value) in [
        ("state", incident.state.as_str().to_owned()),
        ("version", incident.version.to_string()),
        ("alerts", incident.alerts.to_string()),
        ("lastAlert", local(incident.last_at, message.offset_minutes)),
    ] {
        named(xml, "parameter", name, &value);
    }
    area::<L>(xml, incident);
    xml.close("info");
}

fn response(incident: &Incident) -> &'static str {
    match incident.state {
        State::New | State::Acknowledged => "Assess",
        State::Dispatched | State::OnScene => "Monitor",
        State::Resolved | State::Closed | State::FalseAlarm => "AllClear",
    }
}

/// What cameras say is likely; what somebody saw is observed.
fn certainty(incident: &Incident) -> &'static str {
    match incident.state {
        State::FalseAlarm => "Unlikely",
        State::OnScene | State::Resolved | State::Closed => "Observed",
        _ if incident.origin != Origin::Alerts => "Observed",
        _ => "Likely",
    }
}

fn event_codes(xml: &mut Xml, incident: &Incident) {
    let alarm = &incident.codes.gbt28181;
    let number = |n: u8| Some(n.to_string());
    for (name, value) in [
        ("ONVIF", incident.codes.onvif_topic.clone()),
        ("GBT28181-2016-AlarmPriority", number(alarm.alarm_priority)),
        ("GBT28181-2016-AlarmMethod", number(alarm.alarm_method)),
        ("GBT28181-2016-AlarmType", alarm.alarm_type.and_then(number)),
        ("GBT28181-2016-EventType", alarm.event_type.and_then(number)),
    ] {
        if let Some(value) = value {
            named(xml, "eventCode", name, &value);
        }
    }
}

fn named(xml: &mut Xml, element: &'static str, name: &str, value: &str) {
    xml.open(element);
    xml.text("valueName", name);
    xml.text("value", value);
    xml.close(element);
}

fn area<L: Language>(xml: &mut Xml, incident: &Incident) {
    let place = incident.place.clone().unwrap_or_default();
    xml.open("area");
    xml.text("areaDesc", &cut(&L::place(incident), TEXT_CHARS));
    let Place { polygon, circle, .. } = place;
    // A polygon has at least four points, and the last is the first.
    if polygon.len() >= 4 && polygon.first() == polygon.last() && polygon.iter().all(is_on_earth) {
        xml.text("polygon", &polygon.iter().map(pair).collect::<Vec<_>>().join(" "));
    }
    if let Some(circle) =
        circle.filter(|c| is_on_earth(&c.centre) && c.radius_m.is_finite() && c.radius_m >= 0.0)
    {
        xml.text("circle", &format!("{} {:.3}", pair(&circle.centre), circle.radius_m / 1_000.0));
    }
    xml.close("area");
}

fn is_on_earth(point: &Point) -> bool {
    (-90.0..=90.0).contains(&point.latitude) && (-180.0..=180.0).contains(&point.longitude)
}

fn pair(point: &Point) -> String {
    format!("{:.6},{:.6}", point.latitude, point.longitude)
}

/// CAP's time: no fractions, always a distance from UTC, and `-00:00` for UTC itself.
fn local(at: Timestamp, offset_minutes: i16) -> String {
    let shifted = at.plus_ms(i64::from(offset_minutes) * 60_000).to_string();
    let sign = if offset_minutes > 0 { '+' } else { '-' };
    let distance = offset_minutes.unsigned_abs();
    // 2026-11-23T08:00:00, the rest is fraction and Z.
    format!("{}{sign}{:02}:{:02}", &shifted[..19], distance / 60, distance % 60)
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
