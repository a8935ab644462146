//! Which topics are whose.
//!
//! A box speaks on its own alert, status, health and reply, and listens to its own ack, config and
//! command; nothing else. Whose box it is, its certificate says and nothing beside it.

use protocol::Topic;
use protocol::enrol::Identity;

/// Wildcards are no topics of ours, so they are refused with the rest.
pub(super) fn may_publish(identity: &Identity, topic: &str) -> bool {
    own(identity, topic).is_some_and(|t| t.channel.is_from_agent())
}

/// Shared subscriptions too: the broker has taken their `$share/GROUP/` off, so `shared` says it.
pub(super) fn may_subscribe(identity: &Identity, filter: &str, shared: bool) -> bool {
    !shared && own(identity, filter).is_some_and(|t| !t.channel.is_from_agent())
}

fn own(identity: &Identity, topic: &str) -> Option<Topic> {
    let topic: Topic = topic.parse().ok()?;
    (topic.agent == identity.agent && topic.site == identity.site).then_some(topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_speaks_and_listens_on_its_own_topics_only() {
        let gate = Identity { agent: "gate".parse().unwrap(), site: "market".parse().unwrap() };
        for channel in ["alert", "status", "health", "reply"] {
            assert!(may_publish(&gate, &format!("signalbox/v1/market/gate/{channel}")));
            assert!(!may_subscribe(&gate, &format!("signalbox/v1/market/gate/{channel}"), false));
        }
        for channel in ["ack", "config", "command"] {
            assert!(may_subscribe(&gate, &format!("signalbox/v1/market/gate/{channel}"), false));
            assert!(!may_subscribe(&gate, &format!("signalbox/v1/market/gate/{channel}"), true));
            assert!(!may_publish(&gate, &format!("signalbox/v1/market/gate/{channel}")));
        }
        for foreign in [
            "signalbox/v1/market/yard/alert",
            "signalbox/v1/school/gate/alert",
            "signalbox/v1/market/Gate/alert",
            "signalbox/v1/market/gate/alert/more",
            "signalbox/v1/market/../market/gate/alert",
            "signalbox/v1/market//alert",
            "/signalbox/v1/market/gate/alert",
            "signalbox/v1/market/gate",
            "signalbox/v2/market/gate/alert",
            "$SYS/brokers",
            "",
        ] {
            assert!(!may_publish(&gate, foreign), "{foreign}");
        }
        for wide in [
            "#",
            "signalbox/#",
            "signalbox/v1/market/gate/+",
            "signalbox/v1/+/+/ack",
            "signalbox/v1/market/yard/ack",
            "$share/x/signalbox/v1/market/gate/ack",
        ] {
            assert!(!may_subscribe(&gate, wide, false), "{wide}");
        }
    }
}
