//! The same rules in mosquitto's words (2.0 and later). Pure: texts from names.

use std::net::SocketAddr;

use protocol::enrol::Identity;
use protocol::{Channel, Topic};

use super::{HUB_NAME, HUB_TOPICS};
use crate::ingest::link::MAX_PACKET_BYTES;

/// One block for each box, with its exact topics: mosquitto's `%u` does not take names with `/`.
pub(super) fn acl<'a>(boxes: impl Iterator<Item = &'a Identity>) -> String {
    let mut text =
        format!("# Written by central-hub broker-config.\nuser {HUB_NAME}\ntopic readwrite {HUB_TOPICS}\n");
    for identity in boxes {
        text += &format!("\nuser {}\n", identity.common_name());
        for channel in Channel::ALL {
            let Identity { site, agent } = identity.clone();
            let may = if channel.is_from_agent() { "write" } else { "read" };
            text += &format!("topic {may} {}\n", Topic { site, agent, channel });
        }
    }
    text
}

/// A part of mosquitto.conf, or all of it. `folder` is where the files are.
pub(super) fn conf(folder: &str, listen: SocketAddr) -> String {
    let (port, host) = (listen.port(), listen.ip());
    format!(
        "# Written by central-hub broker-config. Include it: include_dir {folder}
per_listener_settings true
listener {port} {host}
cafile {folder}/authority.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/revoked.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
# Nobody takes another one's session over.
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl
max_packet_size {MAX_PACKET_BYTES}
max_keepalive 300
max_inflight_messages 128
# Retained messages are written down, so that a box's status and configuration outlive a restart.
persistence true
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_box_has_its_own_topics_and_no_pattern() {
        let identity =
            |site: &str, agent: &str| Identity { site: site.parse().unwrap(), agent: agent.parse().unwrap() };
        let text = acl([identity("market", "gate"), identity("school", "yard")].iter());
        let gate = text.split("\n\n").find(|block| block.starts_with("user market/gate\n")).unwrap();
        assert_eq!(
            gate.lines().filter(|l| l.starts_with("topic write signalbox/v1/market/gate/")).count(),
            4
        );
        assert_eq!(gate.lines().filter(|l| l.starts_with("topic read signalbox/v1/market/gate/")).count(), 3);
        assert_eq!(gate.lines().count(), 8);
        assert!(text.contains("\nuser signalbox-hub\ntopic readwrite signalbox/#\n"));
        assert!(!text.contains("pattern") && !text.contains('+') && text.matches('#').count() == 2);
    }
}
