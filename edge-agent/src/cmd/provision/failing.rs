//! Why a step failed: what stands in the way, in both languages, and what to do about it.

use std::path::Path;
use std::time::Duration;

use protocol::enrol::RefusalCode;

use super::report::{Failure, Stage};
use crate::doctor;
use crate::hub::HubError;
use crate::identity::{IdentityError, Stranger};
use crate::wording::Text;

/// What an unnamed port comes to: that of `https`.
const UNNAMED_PORT: &str = ":443";

pub fn no_folder(data: &Path, error: &IdentityError) -> Failure {
    let what = Text::new("数据目录不可写", "the data folder cannot be written");
    if let Some(file) = data.ancestors().find(|path| path.is_file()) {
        let file = file.display();
        let why = Text::new(format!("{file} 是文件，不是目录"), format!("{file} is a file"));
        let cure = Text::new(
            "在配置文件 [agent] data 里（或用 --data）指定一个目录",
            "name a folder in [agent] data, or by --data",
        );
        return Failure::because(Stage::Data, what, why, cure);
    }
    let cure = Text::new(
        "以 root 运行，或用 --data 指定可写的目录",
        "run it as root, or name a folder that can be written by --data",
    );
    Failure::because(Stage::Data, what, reason(error), cure)
}

pub fn disk(stage: Stage, error: &IdentityError) -> Failure {
    let what = Text::new("身份文件读写失败", "the identity cannot be read or written");
    let cure = Text::new(
        "检查磁盘空间和目录权限，然后再运行一次",
        "check free space and the folder's owner, then run this again",
    );
    Failure::because(stage, what, reason(error), cure)
}

pub fn reason(error: &IdentityError) -> Text {
    Text::new(doctor::of_identity(error).0, error.to_string())
}

pub fn no_name(address: &str, error: &std::io::Error) -> Failure {
    Failure::because(
        Stage::Reach,
        Text::new("找不到中心的主机名", "the hub's name is not known"),
        Text::new(format!("{address}：DNS 没有给出它的地址"), format!("{address}: {error}")),
        Text::new(
            "检查名称和 DNS，或直接使用 IP 地址",
            "check the name and the DNS server, or use the IP address",
        ),
    )
}

pub fn not_reached(address: &str, why: Text) -> Failure {
    let mut cure = Text::new(
        "检查网线、网络设置、防火墙，以及中心是否在运行并监听该地址",
        "check the cable, the network settings, the firewall, and that the hub runs and listens there",
    );
    if address.ends_with(UNNAMED_PORT) {
        cure.zh += "；盒子用的端口默认是 8443，不是 443：写成 --hub https://主机:8443";
        cure.en += "; the agents' door is port 8443 by default, not 443: write --hub https://HOST:8443";
    }
    Failure::because(Stage::Reach, Text::new("连不上中心", "the hub is not reached"), why, cure)
}

/// No hub was recognised at an address that takes connections.
pub fn unrecognised(error: &HubError, stranger: Option<Stranger>, waited: Duration) -> Failure {
    if let Some(stranger) = stranger {
        return strange(stranger);
    }
    late(Stage::Recognise, error, waited).unwrap_or_else(|| {
        Failure::because(
            Stage::Recognise,
            Text::new("对方不像中心", "what answers is not the agents' door of a hub"),
            told(error),
            Text::new(
                "检查端口：盒子用的端口默认是 8443",
                "check the port: the agents' door is 8443 by default",
            ),
        )
    })
}

fn strange(stranger: Stranger) -> Failure {
    let (what, cure) = match stranger {
        Stranger::OtherHub | Stranger::OtherAuthority => (
            Text::new("这不是签发令牌的中心", "this is not the hub that made the token"),
            Text::new(
                "核对中心地址；若地址无误，请在这个中心重新生成令牌；若仍失败，可能有人冒充中心，请联系管理员",
                "check the hub's address; if it is right, make a new token at this very hub; if it fails again, somebody may pose as the hub: tell the administrator",
            ),
        ),
        Stranger::NoHub | Stranger::OutOfDate | Stranger::Unreadable => (
            Text::new("中心的证书不能接受", "the hub's certificate is not acceptable"),
            Text::new("检查中心的日志和证书", "look at the hub's log and its certificate"),
        ),
    };
    let zh = match stranger {
        Stranger::OtherHub => "对方出示的证书里，没有一张与令牌的指纹相符",
        Stranger::OtherAuthority => "对方的证书不是由本盒信任的机构签发的",
        Stranger::NoHub => "对方的证书不是中心的证书",
        Stranger::OutOfDate => "对方的证书已过期，而且比它以前出示过的更旧",
        Stranger::Unreadable => "对方的证书无法读懂",
    };
    Failure::because(Stage::Recognise, what, Text::new(zh, stranger.to_string()), cure)
}

/// The hub took the connection and kept silent.
fn late(stage: Stage, error: &HubError, waited: Duration) -> Option<Failure> {
    let HubError::Unreachable { url, late: true, .. } = error else { return None };
    let long = waited.as_secs();
    Some(Failure::because(
        stage,
        Text::new("中心没有应答", "the hub does not answer"),
        Text::new(
            format!("{url}：接受了连接，但 {long} 秒内没有应答"),
            format!("{url}: it takes the connection, and does not answer in {long} s"),
        ),
        Text::new(
            "查看中心是否在运行、是否过载，稍后再运行一次：会从这里继续",
            "see whether the hub runs or is overloaded, then run this again: it goes on from here",
        ),
    ))
}

/// `own`: this very box was let in by the token.
pub fn refused(error: &HubError, own: bool, waited: Duration) -> Failure {
    if let Some(failure) = late(Stage::Certificate, error, waited) {
        return failure;
    }
    let (what, cure) = match error.refusal() {
        Some(RefusalCode::TokenUnknown) => (
            ("中心没有这个令牌", "the hub knows no such token"),
            ("在中心重新生成令牌", "make a new token at the hub"),
        ),
        Some(RefusalCode::TokenExpired) => (
            ("令牌已过期", "the token's time is over"),
            ("在中心重新生成令牌，15 分钟内使用", "make a new token at the hub and use it within 15 minutes"),
        ),
        Some(RefusalCode::TokenUsed) if own => (
            ("本盒自己已经用过这个令牌", "this box has redeemed this token itself"),
            (
                "令牌只能用一次：在中心重新生成令牌（central-hub token create）",
                "a token is good once: make a new one at the hub (central-hub token create)",
            ),
        ),
        Some(RefusalCode::TokenUsed) => (
            ("令牌已被另一台盒子使用", "another box has used this token"),
            (
                "若不是您本人操作，请立即在中心吊销该盒子（central-hub agent revoke），再生成新令牌",
                "if that was not you, revoke that box at the hub at once (central-hub agent revoke); then make a new token",
            ),
        ),
        Some(RefusalCode::Busy) => {
            (("中心正忙", "the hub is busy"), ("一分钟后再试", "try again in a minute"))
        }
        _ => (
            ("没有收到证书", "no certificate was received"),
            (
                "检查中心的日志后再试；再试会沿用同一密钥",
                "look at the hub's log and try again; the same key is used then",
            ),
        ),
    };
    Failure::because(Stage::Certificate, Text::new(what.0, what.1), told(error), Text::new(cure.0, cure.1))
}

fn told(error: &HubError) -> Text {
    let zh = match error {
        HubError::Unreachable { url, what, .. } => format!("{url}：连接后没有得到中心的应答（{what}）"),
        HubError::Refused { url, code, .. } => match code {
            RefusalCode::TokenUnknown => format!("{url}：中心拒绝：没有这个令牌"),
            RefusalCode::TokenExpired => format!("{url}：中心拒绝：令牌的有效期已过"),
            RefusalCode::TokenUsed => format!("{url}：中心拒绝：令牌已经用过"),
            RefusalCode::Busy => format!("{url}：中心拒绝：请求太多"),
            other => format!("{url}：中心拒绝（{other:?}）"),
        },
        HubError::Unexpected { url, what } => format!("{url}：应答的不是本版本的中心（{what}）"),
        HubError::Missing { url } => format!("{url}：中心没有这一项"),
        HubError::Client(error) => format!("不能建立 HTTPS 连接（{error}）"),
    };
    Text::new(zh, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITED: Duration = Duration::from_secs(15);

    fn refusal(code: RefusalCode) -> HubError {
        HubError::Refused { url: "https://h:1".into(), code, message: "no".into(), hub_time: None }
    }

    fn is_in_both(failure: &Failure) -> bool {
        let texts = [&failure.what, &failure.why, &failure.cure];
        texts.iter().all(|text| !text.zh.is_ascii() && text.en.is_ascii())
    }

    #[test]
    fn a_box_that_used_the_token_itself_is_not_to_be_revoked() {
        let own = refused(&refusal(RefusalCode::TokenUsed), true, WAITED);
        assert!(own.what.en.contains("itself") && !own.cure.en.contains("revoke"), "{own:?}");
        assert!(!own.cure.zh.contains("吊销"), "{own:?}");
        let other = refused(&refusal(RefusalCode::TokenUsed), false, WAITED);
        assert!(other.what.en.contains("another box") && other.cure.en.contains("revoke"), "{other:?}");
        for code in [RefusalCode::TokenExpired, RefusalCode::TokenUsed, RefusalCode::Busy] {
            assert!(is_in_both(&refused(&refusal(code), false, WAITED)));
        }
    }

    #[test]
    fn a_hub_that_keeps_silent_is_not_taken_for_something_else() {
        let gone = |late| HubError::Unreachable { url: "https://h:1".into(), what: "ended".into(), late };
        for failure in [unrecognised(&gone(true), None, WAITED), refused(&gone(true), false, WAITED)] {
            assert!(failure.why.en.contains("in 15 s") && !failure.cure.en.contains("port"), "{failure:?}");
            assert!(is_in_both(&failure), "{failure:?}");
        }
        let other = unrecognised(&gone(false), None, WAITED);
        assert!(other.cure.en.contains("8443") && is_in_both(&other), "{other:?}");
        let foreign = unrecognised(&gone(false), Some(Stranger::OtherHub), WAITED);
        assert!(foreign.why.zh.contains("指纹") && is_in_both(&foreign), "{foreign:?}");
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, "").unwrap();
        let named = format!("{} is a file", file.display());
        for path in [file.clone(), file.join("data")] {
            let source = std::fs::create_dir_all(&path).unwrap_err();
            let error = IdentityError::File { doing: "making", path: path.clone(), source };
            let failure = no_folder(&path, &error);
            assert!(failure.why.en == named && failure.cure.en.contains("[agent] data"), "{failure:?}");
            assert!(is_in_both(&failure), "{failure:?}");
        }
    }

    #[test]
    fn a_port_that_was_not_named_is_told() {
        for (address, told) in [("h:443", true), ("h:8443", false)] {
            let failure = not_reached(address, Text::new("拒绝", "refused"));
            assert_eq!(failure.cure.en.contains("8443"), told, "{failure:?}");
            assert_eq!(failure.cure.zh.contains("8443"), told, "{failure:?}");
        }
    }
}
