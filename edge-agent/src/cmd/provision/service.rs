//! The last step: the agent as a service, where this machine has it as one.

use std::path::Path;
use std::process::{Command, Stdio};

use super::report::{Failure, Report, Stage};
use crate::config::DEFAULT_DATA;
use crate::identity::is_root;
use crate::service::by_hand::{UNIT, has_systemd, has_unit};
use crate::wording::Text;

/// `again`: a new identity needs a fresh start.
pub fn start(data: &Path, again: bool, report: &Report) -> Result<(), Failure> {
    if let Some((zh, en)) = why_not(data) {
        report.skipped(Stage::Service, &Text::new(zh, en));
        return Ok(());
    }
    let calls: &[&[&str]] =
        if again { &[&["enable", UNIT], &["restart", UNIT]] } else { &[&["enable", "--now", UNIT]] };
    for arguments in calls {
        systemctl(arguments)?;
    }
    report.ok(Stage::Service, &Text::new(UNIT, UNIT));
    Ok(())
}

fn why_not(data: &Path) -> Option<(&'static str, &'static str)> {
    if !has_systemd() {
        return Some((
            "本机不由 systemd 管理，请自行运行 edge-agent run",
            "no systemd here: start `edge-agent run` yourself",
        ));
    }
    if !has_unit() {
        return Some((
            "未安装服务，请自行运行 edge-agent run",
            "the service is not installed: start `edge-agent run` yourself",
        ));
    }
    if data != Path::new(DEFAULT_DATA) {
        return Some(("数据目录不是服务所用的目录", "this is not the data folder of the service"));
    }
    if !is_root() {
        return Some((
            "不是 root：请运行 systemctl enable --now signalbox-agent",
            "not root: run `systemctl enable --now signalbox-agent`",
        ));
    }
    None
}

fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let out = Command::new("systemctl").args(arguments).stdin(Stdio::null()).output();
    let why = match out {
        Ok(out) if out.status.success() => return Ok(()),
        Ok(out) => String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new(
        Stage::Service,
        Text::new("服务没有启动", "the service did not start"),
        format!("systemctl {}: {why}", arguments.join(" ")),
        Text::new("看日志：journalctl -u signalbox-agent", "look at its log: journalctl -u signalbox-agent"),
    ))
}
