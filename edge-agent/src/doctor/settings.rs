//! The settings file: read, and whether it watches anything.

use std::path::Path;

use super::{Check, Subject};
use crate::config::{Config, ConfigError};
use crate::wording::Text;

const SUBJECT: Subject = Subject("config", "配置", "Configuration");

pub(super) fn read(path: &Path, config: &Config) -> Check {
    let cameras = config.cameras.len();
    let reason = Text::new(
        format!("{}：{cameras} 台摄像机", path.display()),
        format!("{}: {cameras} camera{}", path.display(), if cameras == 1 { "" } else { "s" }),
    );
    if cameras > 0 {
        return SUBJECT.ok(reason.zh, reason.en);
    }
    SUBJECT.warning(
        reason,
        Text::new("添加摄像机：edge-agent camera add 网址", "add a camera: edge-agent camera add URL"),
    )
}

pub(super) fn refused(path: &Path, error: &ConfigError) -> Check {
    let mend = Text::new(
        "改正所指的地方；英文详情：edge-agent doctor --lang en",
        "mend the place it names, then run this again",
    );
    let (zh, cure) = match error {
        ConfigError::File(settings::Error::Read { path, source }) => (
            format!("不能读取 {}：{}", path.display(), super::words::io(source).zh),
            match source.kind() {
                std::io::ErrorKind::PermissionDenied => super::words::rights(path),
                _ => Text::new(
                    "核对 --config 的路径；软件包会安装 /etc/signalbox-agent/edge-agent.toml",
                    "check the path given with --config; the package installs /etc/signalbox-agent/edge-agent.toml",
                ),
            },
        ),
        ConfigError::File(settings::Error::Invalid { path, line, column, .. }) => {
            (format!("{} 第 {line} 行第 {column} 列有误", path.display()), mend)
        }
        _ => (format!("{} 或其 cameras 目录里有自相矛盾的设置", path.display()), mend),
    };
    SUBJECT.broken(Text::new(zh, error.to_string()), cure)
}
