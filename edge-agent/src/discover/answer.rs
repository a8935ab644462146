//! The question of WS-Discovery, and what an answer says. Pure; whoever answers may lie.

use std::net::Ipv4Addr;

use oxvif::soap::XmlNode;

use super::LONGEST_NAME;
use crate::onvif::{address, xml};
use crate::wording::{Text, plain};

/// Most devices in one answer: a recorder answers for its channels.
const MOST_MATCHES: usize = 64;
/// Most addresses of one device.
const MOST_XADDRS: usize = 8;
/// Most scopes of one device.
const MOST_SCOPES: usize = 64;

/// How every scope begins that says something about a device.
const SCOPE: &str = "onvif://www.onvif.org/";

/// What one device said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub endpoint: Option<String>,
    pub name: String,
    pub model: String,
    pub onvif: Option<String>,
    pub notes: Vec<Text>,
}

/// Asks for devices of one type; cameras announce one of two.
pub(super) fn question(id: &str, kind: Kind) -> String {
    let (namespace, kind) = match kind {
        Kind::Transmitter => ("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter"),
        Kind::Device => ("http://www.onvif.org/ver10/device/wsdl", "Device"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" xmlns:n=\"{namespace}\">\
         <s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>\
         <a:MessageID>urn:uuid:{id}</a:MessageID>\
         <a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>\
         <s:Body><d:Probe><d:Types>n:{kind}</d:Types></d:Probe></s:Body></s:Envelope>"
    )
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Transmitter,
    Device,
}

/// The devices in an answer that came from `source`; none when it is no answer.
pub(super) fn read(source: Ipv4Addr, bytes: &[u8]) -> Vec<Answer> {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| xml::is_tame(text)) else {
        return Vec::new();
    };
    let Ok(root) = XmlNode::parse(text) else { return Vec::new() };
    let Some(body) = root.child("Body") else { return Vec::new() };
    // Some leave the list out and put the device right into the body.
    let matches = body.child("ProbeMatches").unwrap_or(body);
    matches.children_named("ProbeMatch").take(MOST_MATCHES).map(|one| device(source, one)).collect()
}

fn device(source: Ipv4Addr, node: &XmlNode) -> Answer {
    let text = |path: &[&str]| node.path(path).map(|n| n.text()).unwrap_or_default();
    let endpoint = plain(text(&["EndpointReference", "Address"]), LONGEST_NAME).to_ascii_lowercase();
    let endpoint = endpoint.trim_start_matches("urn:").to_owned();
    // Names with spaces are not escaped by all: a scope ends where the next begins.
    let scopes: Vec<&str> = text(&["Scopes"]).split(SCOPE).skip(1).take(MOST_SCOPES).collect();
    let (mut onvif, mut foreign) = (None, false);
    for xaddr in text(&["XAddrs"]).split_whitespace().take(MOST_XADDRS) {
        match address::host_of(xaddr) {
            Some(host) if host == source.to_string() && xaddr.starts_with("http://") => {
                onvif = onvif.or_else(|| Some(plain(xaddr, 200)));
            }
            // Its own IPv6 address or HTTPS is no lie, only of no use here.
            Some(host) if (host.starts_with('[') && host.ends_with(']')) || host == source.to_string() => {}
            _ => foreign = true,
        }
    }
    let notes = if foreign { vec![lie()] } else { Vec::new() };
    Answer {
        endpoint: Some(endpoint).filter(|e| !e.is_empty()),
        name: scope(&scopes, "name"),
        model: scope(&scopes, "hardware"),
        onvif,
        notes,
    }
}

fn lie() -> Text {
    Text::new(
        "它的应答指向别的主机，这些地址已忽略",
        "its answer points to another host; those addresses are ignored",
    )
}

/// The value of `onvif://www.onvif.org/KEY/VALUE`, with its %-escapes undone.
fn scope(scopes: &[&str], key: &str) -> String {
    let value = scopes.iter().find_map(|s| s.strip_prefix(key)?.strip_prefix('/')).unwrap_or_default();
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(&address::unescape(&value), LONGEST_NAME)
}
