//! `signalbox/v1/{site}/{agent}/{channel}`: built and read in one place.

use std::fmt;
use std::str::FromStr;

use crate::{AgentId, SiteId};

pub const PREFIX: &str = "signalbox/v1";

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// agent -> hub, QoS 1: [`crate::AlertMessage`]
    Alert,
    /// agent -> hub, QoS 1, retained: [`crate::Status`]
    Status,
    /// agent -> hub, QoS 0: [`crate::Health`]
    Health,
    /// hub -> agent, QoS 1: [`crate::Ack`]
    Ack,
    /// hub -> agent, QoS 1, retained
    Config,
    /// hub -> agent, QoS 1
    Command,
    /// agent -> hub, QoS 1
    Reply,
}

impl Channel {
    pub const ALL: [Channel; 7] = [
        Channel::Alert,
        Channel::Status,
        Channel::Health,
        Channel::Ack,
        Channel::Config,
        Channel::Command,
        Channel::Reply,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Alert => "alert",
            Channel::Status => "status",
            Channel::Health => "health",
            Channel::Ack => "ack",
            Channel::Config => "config",
            Channel::Command => "command",
            Channel::Reply => "reply",
        }
    }

    /// Whether the agent speaks on it (else the hub does).
    pub fn is_from_agent(self) -> bool {
        matches!(self, Channel::Alert | Channel::Status | Channel::Health | Channel::Reply)
    }

    /// The filter by which a hub hears this channel of every agent.
    pub fn filter(self) -> String {
        format!("{PREFIX}/+/+/{}", self.as_str())
    }
}

/// A topic of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    pub site: SiteId,
    pub agent: AgentId,
    pub channel: Channel,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{}/{}/{}", self.site, self.agent, self.channel.as_str())
    }
}

/// A topic that is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no Signalbox topic: expected {PREFIX}/SITE/AGENT/CHANNEL")]
pub struct TopicError(pub String);

impl FromStr for Topic {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        let refuse = || TopicError(text.chars().take(200).collect());
        let rest = text.strip_prefix(PREFIX).and_then(|r| r.strip_prefix('/')).ok_or_else(refuse)?;
        let mut parts = rest.split('/');
        let (Some(site), Some(agent), Some(channel), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse());
        };
        let channel = Channel::ALL.into_iter().find(|c| c.as_str() == channel).ok_or_else(refuse)?;
        Ok(Self {
            site: site.parse().map_err(|_| refuse())?,
            agent: agent.parse().map_err(|_| refuse())?,
            channel,
        })
    }
}
