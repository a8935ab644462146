//! One row a device: answers with one endpoint id are one device, and open ports belong to an address.

use std::net::Ipv4Addr;

use super::answer::Answer;
use super::scan::Open;
use super::{Found, MOST_FOUND};

#[derive(Debug, Default)]
pub(super) struct Merged {
    found: Vec<Found>,
}

impl Merged {
    /// `false`: there are too many.
    pub fn answer(&mut self, source: Ipv4Addr, answer: Answer) -> bool {
        let same = |f: &&mut Found| match &answer.endpoint {
            Some(endpoint) => f.endpoint.as_ref() == Some(endpoint),
            None => f.endpoint.is_none() && f.address == source,
        };
        if let Some(known) = self.found.iter_mut().find(same) {
            if known.address != source && !known.other_addresses.contains(&source) {
                known.other_addresses.push(source);
            }
            if known.address == source {
                known.onvif = known.onvif.take().or(answer.onvif);
            }
            for note in answer.notes {
                if !known.notes.contains(&note) {
                    known.notes.push(note);
                }
            }
            return true;
        }
        let found = Found {
            endpoint: answer.endpoint,
            name: answer.name,
            model: answer.model,
            onvif: answer.onvif,
            notes: answer.notes,
            ..blank(source)
        };
        self.add(found)
    }

    /// `false`: there are too many.
    pub fn open(&mut self, open: Open) -> bool {
        let mut known = false;
        for found in self.found.iter_mut().filter(|f| f.address == open.address) {
            known = true;
            found.hold(&open.rtsp_ports);
            found.onvif = found.onvif.take().or(open.onvif.clone());
        }
        let reached = |f: &Found| f.other_addresses.contains(&open.address);
        known || self.found.iter().any(reached) || {
            let mut found = Found { onvif: open.onvif, ..blank(open.address) };
            found.hold(&open.rtsp_ports);
            self.add(found)
        }
    }

    /// By address.
    pub fn finish(mut self) -> Vec<Found> {
        self.found.sort_by(|a, b| (a.address, &a.endpoint).cmp(&(b.address, &b.endpoint)));
        self.found
    }

    fn add(&mut self, found: Found) -> bool {
        let room = self.found.len() < MOST_FOUND;
        if room {
            self.found.push(found);
        }
        room
    }
}

impl Found {
    fn hold(&mut self, ports: &[u16]) {
        let new = ports.iter().filter(|port| !self.rtsp_ports.contains(port)).copied();
        let new: Vec<u16> = new.collect();
        self.rtsp_ports.extend(new);
        self.rtsp_port = self.rtsp_ports.first().copied();
    }
}

fn blank(address: Ipv4Addr) -> Found {
    Found {
        address,
        other_addresses: Vec::new(),
        endpoint: None,
        name: String::new(),
        model: String::new(),
        onvif: None,
        rtsp_port: None,
        rtsp_ports: Vec::new(),
        notes: Vec::new(),
    }
}
