//! What a running agent is told when cameras changed: to read its settings again, checked whole as always. And
//! what the hub's configuration has to do with it.

use std::time::Duration;

use crate::camera::CameraConfig;
use crate::config::Config;
use crate::control::{self, AskError, Request};
use crate::desired;
use crate::service::by_hand::Act;
use crate::wording::{Language, Text};

/// Loading models and pipelines anew takes its time on a small box.
const PATIENCE: Duration = Duration::from_secs(60);
/// A running agent answers at once.
const ANSWER: Duration = Duration::from_secs(3);

/// While the hub's configuration is on trial the running agent reads nothing: so nothing is written.
pub(super) fn refuse_on_trial(config: &Config, language: Language) -> anyhow::Result<()> {
    let Some(generation) = desired::on_trial(config) else { return Ok(()) };
    // A mark that a stopped agent left stands in nobody's way.
    if control::ask(&config.agent.data, &Request::Status, ANSWER).is_err() {
        return Ok(());
    }
    let longest = config.desired.trial;
    anyhow::bail!(
        "{}",
        match language {
            Language::Zh => format!(
                "中心的配置 {generation} 正在试用，什么也没有写入：试用结束后（最多 {longest}）再运行一次"
            ),
            Language::En => format!(
                "configuration {generation} of the hub is on trial and nothing was written: run this again when the trial is over, in {longest} at most"
            ),
        }
    )
}

/// Tells the running agent; answers what came of it, or what is left to do. `ruled`: a camera whose rules were
/// written.
pub(super) fn announce_change(config: &Config, ruled: Option<&CameraConfig>) -> Text {
    let text = match control::ask(&config.agent.data, &Request::Reload, PATIENCE) {
        Err(AskError::Refused(reason)) => {
            return Text::new(
                format!("正在运行的盒子端没有采用，原来的设置继续有效：{reason}"),
                format!("the running agent did not take it and works on as before: {reason}"),
            );
        }
        Ok(_) => Text::new("正在运行的盒子端已经采用", "the running agent has taken it"),
        Err(AskError::NotRunning) => {
            Text::new("盒子端没有运行，启动后生效", "the agent does not run; it takes effect at its start")
        }
        Err(error) => {
            let reload = Act::Reload.here();
            Text::new(
                format!("没能告知正在运行的盒子端（{error}）：{}", reload.zh),
                format!("the running agent could not be told ({error}): {}", reload.en),
            )
        }
    };
    ruled.and_then(|camera| overruled(config, camera)).unwrap_or(text)
}

/// What of a camera's own rules the hub's configuration replaces, so that they have no effect.
fn overruled(config: &Config, camera: &CameraConfig) -> Option<Text> {
    let kept = desired::in_force(config)?;
    let wish = kept.desired.cameras.iter().find(|wish| wish.id == camera.id).filter(|_| !camera.locked)?;
    let (id, generation) = (&camera.id, kept.generation);
    let (zh, en) = match (wish.lines.is_some(), wish.zones.is_some()) {
        _ if wish.remove => {
            return Some(Text::new(
                format!("已写入，但没有作用：中心的配置 {generation} 去掉了摄像机 {id}"),
                format!(
                    "written, without effect: configuration {generation} of the hub takes camera {id} out"
                ),
            ));
        }
        (false, false) => return None,
        (true, false) => ("线", "lines"),
        (false, true) => ("区域", "zones"),
        (true, true) => ("线和区域", "lines and zones"),
    };
    Some(Text::new(
        format!(
            "已写入，但摄像机 {id} 的{zh}以中心的配置 {generation} 为准，文件里的{zh}没有作用：请在中心修改（central-hub agent configure）"
        ),
        format!(
            "written, but the {en} of camera {id} are those of the hub's configuration {generation}, and the file's {en} have no effect: change them at the hub (central-hub agent configure)"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_the_hubs_configuration_replaces_are_said_to_have_no_effect() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge-agent.toml");
        let camera = "[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.1/s\"\n";
        let text = format!("[agent]\ndata = \"data\"\npipeline = \"p.toml\"\n{camera}");
        std::fs::write(&path, text).unwrap();
        let config = Config::read(&path).unwrap();
        let gate = &config.cameras[0];
        assert_eq!(overruled(&config, gate), None);
        let wish = "[[camera]]\nid = \"gate\"\nline = []\n";
        let kept = desired::folder::Folder::open(&config.agent.data);
        kept.begin(7, wish).unwrap();
        assert_eq!((desired::on_trial(&config), overruled(&config, gate)), (Some(7), None));
        kept.confirm(7, wish).unwrap();
        let text = overruled(&config, gate).unwrap();
        assert!(
            text.zh.contains("线以中心的配置 7 为准") && text.en.contains("the file's lines"),
            "{text:?}"
        );
        let locked = CameraConfig { locked: true, ..gate.clone() };
        assert_eq!((desired::on_trial(&config), overruled(&config, &locked)), (None, None));
        // It is what doctor looks at, too.
        assert!(desired::in_force(&config).unwrap().config.cameras[0].rules_wished);
    }
}
