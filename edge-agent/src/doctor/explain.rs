//! What an error means that a command ended with: in Chinese, and the cure in both languages. Innermost kinds that
//! say more come first.

use std::io::ErrorKind;

use ::settings::SecretError;

use super::{hub, settings, words};
use crate::camera::CredentialsError;
use crate::config::{ConfigError, Disagreement};
use crate::control::DoorError;
use crate::desired::keeper::Stranded;
use crate::discover::DiscoverError;
use crate::identity::IdentityError;
use crate::model::ModelError;
use crate::pipeline::PipelineError;
use crate::probe::grid::GridError;
use crate::run::Unready;
use crate::service::by_hand::Act;
use crate::spool::SpoolError;
use crate::wording::Text;

/// What is wrong, in Chinese, and what to do where one thing is the cure.
pub type Explained = (String, Option<Text>);

pub fn explain(error: &anyhow::Error) -> Option<Explained> {
    error.chain().find_map(one).or_else(|| {
        let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>())?;
        let head = match io.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "系统不允许这样做",
            _ => "没有做成",
        };
        Some((format!("{head}：{}", ::settings::chinese::of_io(io)), None))
    })
}

fn one(cause: &(dyn std::error::Error + 'static)) -> Option<Explained> {
    if let Some(error) = cause.downcast_ref::<ConfigError>() {
        let (reason, cure) = settings::of_config(error);
        return Some((reason.zh, Some(cure)));
    }
    if let Some(error) = cause.downcast_ref::<PipelineError>() {
        let (reason, cure) = settings::of_pipeline(error);
        return Some((reason.zh, Some(cure)));
    }
    if let Some(error) = cause.downcast_ref::<IdentityError>() {
        let (zh, cure) = hub::of_identity(error);
        return Some((zh, Some(cure)));
    }
    if let Some(error) = cause.downcast_ref::<ModelError>() {
        return Some((words::model(error).zh, Some(words::reinstall())));
    }
    if let Some(Disagreement(text)) = cause.downcast_ref() {
        return Some((text.zh.clone(), None));
    }
    if let Some(error) = cause.downcast_ref::<GridError>() {
        return Some((error.zh(), None));
    }
    if let Some(error) = cause.downcast_ref::<SecretError>() {
        return Some(of_secret(error));
    }
    if let Some(CredentialsError::File(error)) = cause.downcast_ref() {
        return Some(of_secret(error));
    }
    if let Some(DiscoverError::Network(error)) = cause.downcast_ref() {
        return Some((error.zh(), None));
    }
    if cause.is::<CredentialsError>() {
        return Some(("摄像机保存的密码不能使用".to_owned(), None));
    }
    if let Some(DoorError::Taken { data }) = cause.downcast_ref() {
        return Some(two_agents(data));
    }
    if let Some(SpoolError::InUse { folder }) = cause.downcast_ref() {
        return Some(two_agents(folder));
    }
    if cause.is::<Unready>() {
        return Some((
            "盒子端没有启动：配置用到的模型、处理流程、硬件配置或密码不能使用".to_owned(),
            Some(ask_doctor()),
        ));
    }
    cause
        .is::<Stranded>()
        .then(|| ("没有一份配置能够启动，包括盒子自己的配置".to_owned(), Some(ask_doctor())))
}

fn of_secret(error: &SecretError) -> Explained {
    match error {
        SecretError::Read { path, source } => {
            (format!("不能读取密码文件 {}：{}", path.display(), ::settings::chinese::of_io(source)), None)
        }
        SecretError::Open { path, mode } => {
            let path = path.display();
            (format!("其他用户也能读取密码文件 {path}（权限 {mode:03o}）：请运行 chmod 600 {path}"), None)
        }
        SecretError::Empty { path } => {
            (format!("密码文件 {} 里没有密码：第一行是空的", path.display()), None)
        }
    }
}

fn two_agents(folder: &std::path::Path) -> Explained {
    let stop = Act::Stop.here();
    let cure = Text::new(
        format!("{}；或给每一个各自的 [agent] data", stop.zh),
        format!("{}; or give each its own [agent] data", stop.en),
    );
    (format!("另一个盒子端正在使用 {}", folder.display()), Some(cure))
}

fn ask_doctor() -> Text {
    Text::new(
        "运行 edge-agent doctor，它会逐项说明哪里不对、怎样改",
        "run `edge-agent doctor`: it says item by item what is wrong and how to mend it",
    )
}
