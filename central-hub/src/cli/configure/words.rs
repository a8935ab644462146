//! What the two commands say, in the operator's language.

use std::path::Path;

use protocol::{AgentId, ConfigWhy, ConfigWhyCode};

use crate::cli::words::Language;
use crate::store::configs::ConfigView;

/// Columns that a title takes.
const TITLE: usize = 14;

pub(super) struct Words {
    chinese: bool,
}

impl Words {
    pub fn of(language: Language) -> Self {
        Self { chinese: language == Language::Zh }
    }

    fn pick(&self, chinese: &'static str, english: &'static str) -> &'static str {
        if self.chinese { chinese } else { english }
    }

    /// A title and the space after it; a Chinese letter takes two columns.
    pub fn title(&self, what: &str) -> String {
        let text = match what {
            "agent" => self.pick("盒子", "Agent"),
            "name" => self.pick("名称", "Name"),
            "state" => self.pick("状态", "State"),
            "seen" => self.pick("最近在线", "Last seen"),
            "token" => self.pick("入网令牌", "Token"),
            "version" => self.pick("版本", "Version"),
            "config" => self.pick("配置", "Configuration"),
            "access" => self.pick("准入", "Access"),
            "reason" => self.pick("原因", "Reason"),
            _ => self.pick("摄像机", "Camera"),
        };
        let width: usize = text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        format!("{text}{}", " ".repeat(TITLE.saturating_sub(width).max(1)))
    }

    pub fn never(&self) -> &'static str {
        self.pick("从未", "never")
    }

    pub fn not_enrolled(&self) -> &'static str {
        self.pick("未入网", "not enrolled")
    }

    pub fn nothing_wished(&self) -> &'static str {
        self.pick(
            "按盒子自己的设置运行，中心没有下发配置",
            "by the box's own settings; the hub has sent none",
        )
    }

    pub fn no_agent(&self, agent: &AgentId) -> String {
        if self.chinese {
            format!("没有盒子 {agent}：请用 `central-hub agent list` 查看")
        } else {
            format!("there is no agent {agent}: see `central-hub agent list`")
        }
    }

    pub fn cannot_read(&self, file: &Path) -> String {
        format!("{} {}", self.pick("无法读取", "cannot read"), file.display())
    }

    pub fn wished(&self, agent: &AgentId, generation: u64) -> String {
        if self.chinese {
            format!(
                "盒子 {agent} 的第 {generation} 版配置已保存。盒子连上后会整体检查、试运行，不正常就自动退回。\n\
                 查看结果：central-hub agent show --agent {agent}"
            )
        } else {
            format!(
                "configuration {generation} of agent {agent} is saved. The box checks it whole and tries it, and goes back by itself if it does not work.\n\
                 See what becomes of it: central-hub agent show --agent {agent}"
            )
        }
    }

    /// Why a wish was not taken. `english`: the box's own words, for readers of English and for reasons that
    /// have no others.
    pub fn why(&self, why: Option<&ConfigWhy>, english: &str) -> String {
        let Some(why) = why.filter(|_| self.chinese) else { return english.to_owned() };
        let detail = why.detail.as_deref().unwrap_or("");
        let seconds = why.seconds.unwrap_or(0);
        let text = match why.code {
            ConfigWhyCode::Locked => "盒子自己的设置写明 locked = true，不接受远程修改".to_owned(),
            ConfigWhyCode::Unreadable => format!("配置写法有误：{english}"),
            ConfigWhyCode::LocalOnly => format!("[{detail}] 只能在盒子上设置"),
            ConfigWhyCode::Secret => {
                format!("{detail} 会带出密码；密码只能在盒子上输入（edge-agent camera）")
            }
            ConfigWhyCode::NoPipeline => format!("盒子上没有处理流程 {detail}"),
            ConfigWhyCode::NoPassword => {
                format!("盒子上没有用户 {detail} 的密码：请先在盒子上输入（edge-agent camera）")
            }
            ConfigWhyCode::OtherHost => {
                "网址指向另一台主机，而密码是为原来的主机输入的：请在盒子上设置地址".to_owned()
            }
            ConfigWhyCode::CheckHangs => format!("检查超过 {seconds} 秒仍未完成：某个模型或处理流程读不出来"),
            ConfigWhyCode::BrokenOff => "试运行期间盒子停止运行或断电，已恢复原来的配置".to_owned(),
            ConfigWhyCode::CamerasLost => format!("{seconds} 秒内没有恢复稳定的摄像机：{detail}"),
            ConfigWhyCode::HubLost => format!("{seconds} 秒内没有恢复与中心的稳定连接"),
            ConfigWhyCode::Other => return english.to_owned(),
        };
        match &why.camera {
            Some(camera) => format!("摄像机 {camera}：{text}"),
            None => text,
        }
    }

    pub fn config(&self, config: &ConfigView) -> String {
        let generation = config.generation;
        let what = match (self.chinese, config.state) {
            (true, "applied") => "已生效",
            (true, "trying") => "正在试运行",
            (true, "refused") => "被盒子拒绝",
            (true, "rolled_back") => "试运行不正常，已自动退回",
            (true, _) => "盒子还没有处理",
            (false, "applied") => "in force",
            (false, "trying") => "on trial",
            (false, "refused") => "refused by the box",
            (false, "rolled_back") => "tried and rolled back",
            (false, _) => "not looked at by the box yet",
        };
        let applied = self.in_force(config);
        if self.chinese {
            format!("第 {generation} 版：{what}{applied}")
        } else {
            format!("{generation}: {what}{applied}")
        }
    }

    /// What the box works by, where that is not the newest one for good.
    fn in_force(&self, config: &ConfigView) -> String {
        let before = match (self.chinese, config.applied) {
            (true, Some(applied)) => format!("第 {applied} 版"),
            (true, None) => "盒子自己的设置".to_owned(),
            (false, Some(applied)) => applied.to_string(),
            (false, None) => "the box's own settings".to_owned(),
        };
        match (self.chinese, config.trying, config.applied) {
            (true, Some(trying), _) => format!("；第 {trying} 版正在试运行，不正常则退回{before}"),
            (false, Some(trying), _) => {
                format!("; {trying} is on trial and goes back to {before} if it fails")
            }
            (true, None, _) if config.state == "trying" => format!("；不正常则退回{before}"),
            (false, None, _) if config.state == "trying" => format!("; goes back to {before} if it fails"),
            (_, None, Some(applied)) if applied == config.generation => String::new(),
            (true, None, _) => format!("；生效的是{before}"),
            (false, None, Some(_)) => format!("; {before} is in force"),
            (false, None, None) => format!("; {before} are in force"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_which_one_is_in_force() {
        let view = |state, applied| ConfigView {
            generation: 4,
            state,
            reason: None,
            why: None,
            applied,
            trying: None,
            local: None,
        };
        let (zh, en) = (Words { chinese: true }, Words { chinese: false });
        assert_eq!(zh.config(&view("refused", Some(3))), "第 4 版：被盒子拒绝；生效的是第 3 版");
        assert_eq!(
            en.config(&view("rolled_back", None)),
            "4: tried and rolled back; the box's own settings are in force"
        );
        assert_eq!(en.config(&view("applied", Some(4))), "4: in force");
        let refused = ConfigView { trying: Some(3), ..view("refused", Some(1)) };
        assert_eq!(
            en.config(&refused),
            "4: refused by the box; 3 is on trial and goes back to 1 if it fails"
        );
        assert_eq!(zh.config(&refused), "第 4 版：被盒子拒绝；第 3 版正在试运行，不正常则退回第 1 版");
        assert_eq!(zh.config(&view("trying", None)), "第 4 版：正在试运行；不正常则退回盒子自己的设置");
        assert_eq!(zh.title("agent"), "盒子          ");
        let why: ConfigWhy =
            serde_json::from_str(r#"{"code": "no_pipeline", "camera": "gate", "detail": "night"}"#).unwrap();
        assert_eq!(zh.why(Some(&why), "no such"), "摄像机 gate：盒子上没有处理流程 night");
        assert_eq!(
            (en.why(Some(&why), "no such"), zh.why(None, "no such")),
            ("no such".into(), "no such".into())
        );
        let newer: ConfigWhy = serde_json::from_str(r#"{"code": "too_blue"}"#).unwrap();
        assert_eq!(zh.why(Some(&newer), "too blue"), "too blue");
    }
}
