//! What a running agent is told when cameras changed: to read its settings again, checked whole as always.

use std::time::Duration;

use crate::config::Config;
use crate::control::{self, Answer, AskError, Request};
use crate::wording::Text;

/// Loading models and pipelines anew takes its time on a small box.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the running agent; answers what came of it, or what is left to do.
pub(super) fn announce_change(config: &Config) -> Text {
    match control::ask(&config.agent.data, &Request::Reload, PATIENCE) {
        Ok(Answer::Refused { reason }) => Text::new(
            format!("正在运行的盒子端没有采用，原来的设置继续有效：{reason}"),
            format!("the running agent did not take it and works on as before: {reason}"),
        ),
        Ok(_) => Text::new("正在运行的盒子端已经采用", "the running agent has taken it"),
        Err(AskError::NotRunning) => {
            Text::new("盒子端没有运行，启动后生效", "the agent does not run; it takes effect at its start")
        }
        Err(error) => Text::new(
            format!("没能告知正在运行的盒子端（{error}）：请执行 systemctl reload signalbox-agent"),
            format!("the running agent could not be told ({error}): systemctl reload signalbox-agent"),
        ),
    }
}
