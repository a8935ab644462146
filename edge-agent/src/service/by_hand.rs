//! How a person at the box starts, stops or restarts the agent: as a service where systemd has it as one, else
//! with the command itself.

use std::path::Path;

use crate::wording::Text;

pub const UNIT: &str = "signalbox-agent.service";
const UNIT_FOLDERS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// There only while systemd runs the machine.
const SYSTEMD: &str = "/run/systemd/system";

/// What is to be done with the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Start,
    Stop,
    Restart,
    Reload,
}

impl Act {
    /// How it is done on this machine.
    pub fn here(self) -> Text {
        self.by(has_systemd() && has_unit())
    }

    fn by(self, service: bool) -> Text {
        let (zh, en) = match (self, service) {
            (Self::Start, true) => (
                "启动服务：systemctl start signalbox-agent",
                "start the service: systemctl start signalbox-agent",
            ),
            (Self::Stop, true) => (
                "停止服务：systemctl stop signalbox-agent",
                "stop the service: systemctl stop signalbox-agent",
            ),
            (Self::Restart, true) => (
                "重启服务：systemctl restart signalbox-agent",
                "restart the service: systemctl restart signalbox-agent",
            ),
            (Self::Reload, true) => {
                ("请执行 systemctl reload signalbox-agent", "run systemctl reload signalbox-agent")
            }
            (Self::Start, false) => ("启动盒子端：edge-agent run", "start the agent: edge-agent run"),
            (Self::Stop, false) => (
                "停止正在运行的 edge-agent run（Ctrl-C）",
                "stop the `edge-agent run` that is running (Ctrl-C)",
            ),
            (Self::Restart | Self::Reload, false) => (
                "停止正在运行的 edge-agent run（Ctrl-C），再重新运行它",
                "stop the `edge-agent run` that is running (Ctrl-C) and run it again",
            ),
        };
        Text::new(zh, en)
    }
}

/// How the clock is kept right on this machine.
pub fn keep_time() -> Text {
    match has_systemd() {
        true => {
            Text::new("启用网络校时：timedatectl set-ntp true", "keep it by NTP: timedatectl set-ntp true")
        }
        false => Text::new(
            "用 date -s 校正，并启用网络校时（例如 chrony）",
            "set it by date -s, and keep it by NTP (chrony, for example)",
        ),
    }
}

pub fn has_systemd() -> bool {
    Path::new(SYSTEMD).exists()
}

pub fn has_unit() -> bool {
    UNIT_FOLDERS.iter().any(|folder| Path::new(folder).join(UNIT).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_without_systemd_is_sent_to_it() {
        for act in [Act::Start, Act::Stop, Act::Restart, Act::Reload] {
            let (service, by_hand) = (act.by(true), act.by(false));
            assert!(service.zh.contains("systemctl") && service.en.contains("systemctl"), "{service:?}");
            for text in [&by_hand.zh, &by_hand.en] {
                assert!(text.contains("edge-agent run") && !text.contains("systemctl"), "{text}");
            }
        }
    }
}
