//! `camera rules`, `camera password`, `camera remove`: changes to what is kept of a camera.

use std::path::{Path, PathBuf};

use protocol::CameraId;
use serde_json::json;

use super::{Common, announce, find, password, print};
use crate::camera::CameraConfig;
use crate::config::{Config, cameras};
use crate::pipeline::{Line, PACKAGED, Pipeline, PipelineError, Zone};
use crate::probe::grid;
use crate::secrets::Secrets;
use crate::wording::{Language, Text};

#[derive(Debug, clap::Args)]
pub(super) struct RulesArgs {
    /// The camera.
    id: CameraId,
    /// A line between two points of the grid: "NAME:C4-F7" or "NAME:C4-F7:left" (left, right, any).
    #[arg(long, value_name = "RULE")]
    line: Vec<String>,
    /// A zone around points of the grid: "NAME:B2,D2,D6,B6", or with ":15s" for those who stay so long.
    #[arg(long, value_name = "RULE")]
    zone: Vec<String>,
    /// Take its rules away and give it none.
    #[arg(long, conflicts_with_all = ["line", "zone"])]
    none: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// The camera.
    id: CameraId,
    /// A file whose first line is the password (mode 600), or - for standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The camera.
    id: CameraId,
    #[command(flatten)]
    common: Common,
}

pub(super) fn rules(args: RulesArgs) -> anyhow::Result<()> {
    let language = args.common.language();
    anyhow::ensure!(
        args.none || !args.line.is_empty() || !args.zone.is_empty(),
        "{}",
        language.pick(
            "请给出 --line 或 --zone，或用 --none 清除",
            "give --line or --zone, or --none to take them away"
        )
    );
    let config = args.common.read()?;
    let camera = own_file(&config, &args.id, language)?;
    announce::refuse_on_trial(&config, language)?;
    let (lines, zones) = read_rules(&args.line, &args.zone)?;
    let camera = CameraConfig { lines, zones, ..camera.clone() };
    let path = cameras::path_of(&args.common.base(), &camera.id);
    check_rules(&config, &camera, &path, language)?;
    cameras::write(&args.common.base(), &camera)?;
    done(
        &args.common,
        &config,
        &camera.id,
        Some(&camera),
        match language {
            Language::Zh => format!("{} 的规则已写入 {}", camera.id, path.display()),
            Language::En => format!("the rules of {} are in {}", camera.id, path.display()),
        },
    );
    Ok(())
}

pub(super) fn password(args: PasswordArgs) -> anyhow::Result<()> {
    let language = args.common.language();
    let config = args.common.read()?;
    let camera = find(&config, &args.id, language)?;
    announce::refuse_on_trial(&config, language)?;
    let user = &camera.user;
    anyhow::ensure!(
        !user.is_empty(),
        match language {
            Language::Zh => format!("摄像机 {} 没有用户名：请先在它的文件里写 `user`", camera.id),
            Language::En => format!("camera {} has no user: set `user` in its file first", camera.id),
        }
    );
    if let Some(path) = &camera.password_file {
        let (id, path) = (&camera.id, path.display());
        anyhow::bail!(match language {
            Language::Zh => format!("摄像机 {id} 的密码取自 {path}：请在那里改，或删去 `password_file`"),
            Language::En => format!(
                "camera {id} reads its password from {path}: change it there, or remove `password_file`"
            ),
        });
    }
    let secret = password::get(args.password_file.as_deref(), user, language)?;
    Secrets::open(&config.agent.data).seal(&camera.id, &secret)?;
    done(
        &args.common,
        &config,
        &camera.id,
        None,
        match language {
            Language::Zh => format!("{} 的密码已加密保存", camera.id),
            Language::En => format!("the password of {} is sealed", camera.id),
        },
    );
    Ok(())
}

pub(super) fn remove(args: RemoveArgs) -> anyhow::Result<()> {
    let language = args.common.language();
    let config = args.common.read()?;
    let camera = own_file(&config, &args.id, language)?;
    announce::refuse_on_trial(&config, language)?;
    cameras::remove(&args.common.base(), &camera.id)?;
    Secrets::open(&config.agent.data).remove(&camera.id)?;
    done(
        &args.common,
        &config,
        &camera.id,
        None,
        match language {
            Language::Zh => format!("已删除摄像机 {} 及其密码", camera.id),
            Language::En => format!("camera {} and its password are removed", camera.id),
        },
    );
    Ok(())
}

fn done(common: &Common, config: &Config, id: &CameraId, ruled: Option<&CameraConfig>, text: String) {
    let next = announce::announce_change(config, ruled);
    match common.json {
        true => print(&format!("{}\n", json!({ "camera": id, "next": next }))),
        false => print(&format!("{text}\n{}\n", next.of(common.language()))),
    }
}

/// A camera that has a file of its own; sections of the main file are left to their editor.
fn own_file<'a>(config: &'a Config, id: &CameraId, language: Language) -> anyhow::Result<&'a CameraConfig> {
    let camera = find(config, id, language)?;
    if camera.file.is_none() {
        anyhow::bail!(
            "{}",
            match language {
                Language::Zh => format!("{id} 是主配置文件中的 [[camera]] 段：请直接修改该文件"),
                Language::En => format!("{id} is a [[camera]] section of the main file: change it there"),
            }
        );
    }
    Ok(camera)
}

/// Rules as they were typed.
pub(super) fn read_rules(
    lines: &[String],
    zones: &[String],
) -> Result<(Vec<Line>, Vec<Zone>), grid::GridError> {
    let lines =
        lines.iter().enumerate().map(|(n, text)| grid::line(text, n + 1)).collect::<Result<_, _>>()?;
    let zones =
        zones.iter().enumerate().map(|(n, text)| grid::zone(text, n + 1)).collect::<Result<_, _>>()?;
    Ok((lines, zones))
}

/// Whether there is any rule at all; an error where the camera's do not go with those of its pipeline.
pub(super) fn check_rules(
    config: &Config,
    camera: &CameraConfig,
    file: &Path,
    language: Language,
) -> anyhow::Result<bool> {
    let path = camera.pipeline.as_deref().or(config.agent.pipeline.as_deref());
    let path = path.ok_or_else(|| anyhow::anyhow!("{}", no_pipeline(config).of(language)))?;
    let pipeline = Pipeline::load(path).map_err(|error| match error {
        PipelineError::Absent { path } => anyhow::anyhow!("{}", absent(config, camera, &path).of(language)),
        other => other.into(),
    })?;
    Ok(pipeline.with_rules(&camera.lines, &camera.zones, file)?.has_rules())
}

/// Neither the settings nor the camera name one.
fn no_pipeline(config: &Config) -> Text {
    let file = config.file.display();
    Text::new(
        format!(
            "没有处理流程：{file} 的 [agent] 段没有写 pipeline。请在那里写 pipeline = \"{PACKAGED}/default.toml\"，或加 --pipeline 文件"
        ),
        format!(
            "there is no pipeline: [agent] in {file} names none; write pipeline = \"{PACKAGED}/default.toml\" there, or give --pipeline FILE"
        ),
    )
}

/// One is named that is not there.
fn absent(config: &Config, camera: &CameraConfig, path: &Path) -> Text {
    let (path, file) = (path.display(), config.file.display());
    let (zh, en) = match camera.pipeline {
        Some(_) => ("摄像机的 pipeline".to_owned(), "the camera's `pipeline`".to_owned()),
        None => (format!("{file} 的 [agent] pipeline"), format!("`pipeline` in [agent] of {file}")),
    };
    Text::new(
        format!("处理流程文件 {path} 不存在：请改正{zh}；软件包自带的在 {PACKAGED}"),
        format!("there is no pipeline file {path}: mend {en}; the package's are in {PACKAGED}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_that_is_missing_is_named_with_the_file_that_should_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge-agent.toml");
        let said = |agent: &str, own: &str, language| {
            let camera = "[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.1/s\"\n";
            std::fs::write(&file, format!("[agent]\n{agent}\n{camera}{own}")).unwrap();
            let config = Config::read(&file).unwrap();
            let mut camera = config.cameras[0].clone();
            camera.pipeline = camera.pipeline.filter(|_| !agent.is_empty());
            let config = Config { cameras: Vec::new(), ..config };
            check_rules(&config, &camera, &file, language).unwrap_err().to_string()
        };
        for language in [Language::Zh, Language::En] {
            let none = said("", "pipeline = \"x.toml\"", language);
            assert!(none.contains(file.to_str().unwrap()) && none.contains("default.toml"), "{none}");
            let gone = said("pipeline = \"gone.toml\"", "", language);
            for word in [file.to_str().unwrap(), "/gone.toml", PACKAGED] {
                assert!(gone.contains(word), "{gone}");
            }
            let own = said("pipeline = \"gone.toml\"", "pipeline = \"own.toml\"", language);
            assert!(own.contains("/own.toml") && !own.contains("[agent]"), "{own}");
        }
    }
}
