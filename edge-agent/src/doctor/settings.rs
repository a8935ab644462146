//! The settings: read, with the cameras' rules and pipelines as `run` takes them, and whether they watch anything.

use std::path::Path;

use super::{Check, Subject};
use crate::camera::{CameraConfig, UrlError};
use crate::config::cameras::CameraFileError;
use crate::config::{Config, ConfigError, DEFAULT_FILE};
use crate::desired;
use crate::pipeline::{PACKAGED, PipelineError, Pipelines};
use crate::wording::Text;

const SUBJECT: Subject = Subject("config", "配置", "Configuration");

pub(super) fn read(path: &Path, config: &Config) -> Check {
    let cameras = config.cameras.len();
    let reason = Text::new(
        format!("{}：{cameras} 台摄像机", path.display()),
        format!("{}: {cameras} camera{}", path.display(), if cameras == 1 { "" } else { "s" }),
    );
    if let Err(error) = Pipelines::load(config) {
        return unruly(&error);
    }
    if cameras > 0 {
        return SUBJECT.ok(reason.zh, reason.en);
    }
    SUBJECT.warning(
        reason,
        Text::new("添加摄像机：edge-agent camera add 网址", "add a camera: edge-agent camera add URL"),
    )
}

const RULES: Subject = Subject("rules", "规则", "Rules");

/// The cameras without any line or zone, what the hub wishes included.
pub(super) fn silent(config: &Config) -> Vec<Check> {
    let kept = desired::in_force(config);
    let config = kept.as_ref().map_or(config, |kept| &kept.config);
    let Ok(pipelines) = Pipelines::load(config) else { return Vec::new() };
    let all = std::iter::zip(&config.cameras, &pipelines.cameras);
    all.filter(|(_, (_, pipeline))| !pipeline.has_rules()).map(|(camera, _)| without_rules(camera)).collect()
}

fn without_rules(camera: &CameraConfig) -> Check {
    let id = &camera.id;
    let reason = Text::new(
        format!("摄像机 {id} 没有线也没有区域，不会发出任何报警"),
        format!("camera {id} has no line and no zone: it will raise no alarm"),
    );
    let cure = match &camera.file {
        Some(_) => Text::new(
            format!("加一条线：sudo edge-agent camera rules {id} --line \"门口:C4-F7\""),
            format!("give it a line: sudo edge-agent camera rules {id} --line \"gate:C4-F7\""),
        ),
        None => Text::new(
            "在它的 [[camera]] 段下加 [[camera.line]] 或 [[camera.zone]]",
            "add a [[camera.line]] or [[camera.zone]] below its [[camera]] section",
        ),
    };
    RULES.warning(reason, cure)
}

/// The file can be read; a pipeline or a camera's rule is wrong.
fn unruly(error: &PipelineError) -> Check {
    let (reason, cure) = of_pipeline(error);
    SUBJECT.broken(reason, cure)
}

/// What is wrong with a pipeline or a camera's rule, and what to do.
pub(super) fn of_pipeline(error: &PipelineError) -> (Text, Text) {
    let zh = match error {
        PipelineError::Camera { camera, error } => format!("摄像机 {camera} 的规则：{}", place(error)),
        other => place(other),
    };
    let cure = match error {
        PipelineError::Settings(settings::Error::Read { path, source }) => cannot_read(path, source),
        PipelineError::Absent { .. } => Text::new(
            format!(
                "改正 edge-agent.toml 的 [agent] pipeline，或摄像机文件里的 pipeline；软件包自带的在 {PACKAGED}"
            ),
            format!(
                "mend `pipeline` in [agent] of edge-agent.toml, or in the camera's file; the package's are in {PACKAGED}"
            ),
        ),
        _ => mend(),
    };
    (Text::new(zh, settings::in_one_line(error)), cure)
}

fn place(error: &PipelineError) -> String {
    match error {
        PipelineError::Settings(error) => file(error),
        PipelineError::Absent { path } => format!("处理流程文件 {} 不存在", path.display()),
        PipelineError::Wrong { path, place, .. } => format!("{} 的 {place} 有误", path.display()),
        PipelineError::Camera { error, .. } => place(error),
    }
}

pub(super) fn refused(error: &ConfigError) -> Check {
    let (reason, cure) = of_config(error);
    SUBJECT.broken(reason, cure)
}

/// Why the settings were refused, and what to do.
pub(super) fn of_config(error: &ConfigError) -> (Text, Text) {
    let (zh, cure) = match error {
        ConfigError::File(settings::Error::Read { path, source })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            (unreadable(path, source), missing())
        }
        ConfigError::File(settings::Error::Read { path, source })
        | ConfigError::Camera(CameraFileError::File { path, source, .. }) => {
            (unreadable(path, source), cannot_read(path, source))
        }
        ConfigError::File(error) | ConfigError::Camera(CameraFileError::Settings(error)) => {
            (file(error), mend())
        }
        ConfigError::Invalid { path, problem } => (format!("{}：{}", path.display(), problem.zh), mend()),
        ConfigError::Camera(CameraFileError::Name { path, id }) => {
            (format!("{} 里的编号是 {id}：把文件改名为 {id}.toml，或改编号", path.display()), mend())
        }
        ConfigError::Camera(CameraFileError::Long { path }) => {
            (format!("{} 太长，不是摄像机文件", path.display()), mend())
        }
        ConfigError::Camera(CameraFileError::Many { path }) => {
            (format!("{} 里的摄像机文件太多：删除不用的", path.display()), mend())
        }
    };
    (Text::new(zh, settings::in_one_line(error)), cure)
}

fn file(error: &settings::Error) -> String {
    let told = settings::chinese::of_error(error);
    UrlError::ALL.iter().fold(told, |told, wrong| told.replace(&wrong.to_string(), wrong.zh()))
}

fn unreadable(path: &Path, source: &std::io::Error) -> String {
    format!("不能读取 {}：{}", path.display(), super::words::io(source).zh)
}

fn cannot_read(path: &Path, source: &std::io::Error) -> Text {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => super::words::rights(path),
        std::io::ErrorKind::InvalidInput => {
            let path = path.display();
            Text::new(
                format!("核对它是什么：ls -l {path}；不是您放的文件就移走"),
                format!("look what it is: ls -l {path}; take it away if it is no file of yours"),
            )
        }
        std::io::ErrorKind::InvalidData => {
            Text::new("用编辑器打开它，另存为 UTF-8 编码", "open it in an editor and save it as UTF-8")
        }
        _ => mend(),
    }
}

fn mend() -> Text {
    Text::new("改正所指的地方，再运行一次", "mend the place it names, then run this again")
}

/// There are no settings: where they come from.
fn missing() -> Text {
    Text::new(
        format!("核对 --config 的路径；软件包会安装 {DEFAULT_FILE}"),
        format!("check the path given with --config; the package installs {DEFAULT_FILE}"),
    )
}
