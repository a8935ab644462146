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

/// A part of mosquitto.conf, or all of it. `folder` is where the files are; `hubs`: a listener for hubs alone, which
/// connect more than once by one name where several share the load.
pub(super) fn conf(folder: &str, boxes: SocketAddr, hubs: Option<SocketAddr>) -> String {
    let once = "# Nobody takes another one's session over.\nuse_username_as_clientid true\n";
    let listeners =
        listener(folder, boxes, once) + &hubs.map_or(String::new(), |at| listener(folder, at, ""));
    format!(
        "# Written by central-hub broker-config. Include it: include_dir {folder}
per_listener_settings true
{listeners}max_packet_size {MAX_PACKET_BYTES}
max_keepalive 300
max_inflight_messages 128
# Retained messages are written down, so that a box's status and configuration outlive a restart.
persistence true
"
    )
}

fn listener(folder: &str, at: SocketAddr, more: &str) -> String {
    let (port, host) = (at.port(), at.ip());
    format!(
        "listener {port} {host}
cafile {folder}/authority.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/revoked.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/acl
{more}"
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
    #[test]
    fn only_boxes_are_held_to_one_connection() {
        let [boxes, hubs] = [8883, 8884].map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
        let text = conf("/rules", boxes, Some(hubs));
        let parts: Vec<&str> = text.split("listener ").skip(1).collect();
        let once = |part: &str| part.contains("use_username_as_clientid true");
        assert_eq!(parts.iter().map(|p| once(p)).collect::<Vec<_>>(), [true, false]);
        assert!(
            parts
                .iter()
                .all(|p| p.contains("require_certificate true\n") && p.contains("acl_file /rules/acl\n"))
        );
        assert_eq!(conf("/rules", boxes, None).matches("listener 8").count(), 1);
    }
}
