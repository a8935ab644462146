//! What a running agent is told when cameras changed.

use crate::config::Config;
use crate::wording::Text;

/// Tells the running agent, as far as it can be told; answers what is left to do.
pub(super) fn announce_change(_config: &Config) -> Text {
    Text::new(
        "重启盒子端后生效：systemctl restart signalbox-agent",
        "restart the agent for it to take effect: systemctl restart signalbox-agent",
    )
}
