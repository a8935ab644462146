//! Whether the broker lets this box in: by the running agent's own link, else by one short connection.
//!
//! A second connection beside a running agent would look like a second box with the same key.

use super::{Check, Patient, Subject};
use crate::control::Link;
use crate::identity::{Folder, Pass};
use crate::uplink;
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("broker", "消息服务登录", "Broker login");

pub(super) fn check(patient: &Patient) -> Check {
    if let Some(report) = &patient.report {
        return of_link(&report.link);
    }
    let look = Folder::look(&patient.config.agent.data);
    if let Err(error) = look.newest() {
        return broken("没有可用的证书，无法登录", &error.to_string());
    }
    // An agent that is starting holds the folder before it can be asked: two at the broker would be held off
    // as clones. As long as this one is held, none starts.
    let folder = match Folder::hold(&patient.config.agent.data) {
        Ok(folder) => folder,
        Err(_) => {
            return SUBJECT.warning(
                Text::new(
                    "服务正在启动或当前用户无权查看，没有试登录",
                    "not tried: the service is starting, or this user may not look",
                ),
                Text::new("过半分钟用 sudo 再运行一次", "run this again in half a minute, with sudo"),
            );
        }
    };
    let pass = folder
        .newest()
        .and_then(|newest| Pass::of(&newest, &folder.believed()?))
        .map_err(|error| broken("没有可用的证书，无法登录", &error.to_string()));
    match pass {
        Ok(pass) => match try_once(&pass) {
            Ok(()) => SUBJECT.ok("可以登录", "the box is let in"),
            Err(error) => broken("登录失败", &error),
        },
        Err(check) => check,
    }
}

fn of_link(link: &Link) -> Check {
    match (link.connected, &link.reason) {
        (true, _) => SUBJECT.ok("服务已连着中心", "the service is linked to the hub"),
        (false, reason) => {
            broken("服务现在没有连着中心，正在重试", reason.as_deref().unwrap_or("not linked yet; trying"))
        }
    }
}

fn broken(zh: &str, en: &str) -> Check {
    SUBJECT.broken(
        Text::new(zh, en),
        Text::new(
            "先解决上面网络、中心和证书的问题；都正常时，请中心值班员用 central-hub agent list 查看本盒子",
            "mend network, hub and certificate above first; if these are well, look at this box with `central-hub agent list`",
        ),
    )
}

fn try_once(pass: &Pass) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(uplink::probe(pass)).map_err(|e| e.to_string())
}
