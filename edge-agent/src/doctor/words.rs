//! Errors of other parts in Chinese. Names, paths and numbers stay; English prose does not.

use std::path::Path;

use crate::model::ModelError;
use crate::wording::Text;

/// An error of the operating system.
pub(super) fn io(error: &std::io::Error) -> Text {
    Text::new(settings::chinese::of_io(error), error.to_string())
}

/// What to do where this user may not read or write something: root's commands work as the service's user, so
/// whatever that user may not read has the wrong owner.
pub(super) fn rights(path: &Path) -> Text {
    if !settings::owner::is_for_root() {
        return Text::new("用 sudo 再运行一次", "run this again with sudo");
    }
    let path = path.display();
    Text::new(
        format!("把它交还给服务的用户：chown -R signalbox-agent: {path}"),
        format!("give it back to the service's user: chown -R signalbox-agent: {path}"),
    )
}

/// What to do where models are missing or damaged.
pub(super) fn reinstall() -> Text {
    Text::new(
        "重新安装软件包：apt-get install --reinstall signalbox-agent；源码环境：make setup",
        "install the package again: apt-get install --reinstall signalbox-agent; from source: make setup",
    )
}

/// Why a model cannot be used.
pub(super) fn model(error: &ModelError) -> Text {
    let zh = match error {
        ModelError::Read { path, .. } => format!("不能读取 {}", path.display()),
        ModelError::Card { path, .. } => format!("模型卡 {} 有误", path.display()),
        ModelError::Task { model, task } => {
            format!("模型 {model} 的任务 {task} 不被允许：本产品只发现事件，不识别人")
        }
        ModelError::Missing { model, path } => format!("缺少模型 {model}：{}", path.display()),
        ModelError::Size { model, found, expected } => {
            format!("模型 {model} 的文件有 {found} 字节，应为 {expected} 字节")
        }
        ModelError::Hash { model, .. } => format!("模型 {model} 的文件被改动过：校验值不符"),
        ModelError::Graph { model, .. } => format!("模型 {model} 的计算图不被允许"),
        ModelError::Load { model, .. } => format!("运行库不能装入模型 {model}"),
        ModelError::Shape { model, .. } => format!("模型 {model} 的输入输出与模型卡不符"),
        ModelError::Golden { model, .. } => format!("模型 {model} 对标准图的答案不对"),
        ModelError::Run { model, .. } => format!("模型 {model} 运行失败"),
        ModelError::RuntimeMissing { path } => format!("缺少 ONNX Runtime：{}", path.display()),
        ModelError::Runtime { path, .. } => format!("不能启动 ONNX Runtime：{}", path.display()),
        ModelError::Unknown { name, folder, .. } => format!("{} 里没有模型卡 {name}", folder.display()),
    };
    Text::new(zh, error.to_string())
}
