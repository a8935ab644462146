//! The hub over HTTPS, with the box's certificate: recognised, and what it says of the certificate.

use super::{Check, Patient, Subject, clock, words};
use crate::hub::{Hub, HubError};
use crate::identity::{Folder, Generation, IdentityError, Pass, Stranger, now_seconds};
use crate::service::by_hand::Act;
use crate::wording::Text;
use protocol::enrol::RefusalCode;

pub(super) const SUBJECT: Subject = Subject("hub", "中心", "Hub");
const CERTIFICATE: Subject = Subject("certificate", "证书", "Certificate");
const DAY: i64 = 86_400;

/// `host:port` of what the box speaks to: the hub's door for agents, and its broker.
pub(super) fn addresses(patient: &Patient) -> Vec<String> {
    let home = Folder::look(&patient.config.agent.data).newest().map(|g| g.home).ok();
    let hub = &patient.config.hub;
    let http = home.as_ref().map(|h| h.hub.clone()).or_else(|| hub.url.clone());
    let mqtt = home.map(|h| h.mqtt).or_else(|| hub.mqtt.clone());
    let host = http.map(|http| {
        let host = http.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { host.to_owned() } else { format!("{host}:443") }
    });
    host.into_iter().chain(mqtt).collect()
}

pub(super) fn checks(patient: &Patient) -> Vec<Check> {
    let folder = Folder::look(&patient.config.agent.data);
    let newest = match folder.newest() {
        Ok(newest) => newest,
        Err(error) => return vec![without(&error)],
    };
    if let Err(error) = patient.config.agrees_with(&newest.home) {
        let reason = Text::new("配置文件与证书说的不是同一个盒子或中心", error.to_string());
        let cure = Text::new(
            "删去配置文件 [agent] 的 site、id 和 [hub]，以证书为准；或重新登记",
            "leave site and id out of [agent], and [hub] out, so that the certificate counts; or enrol again",
        );
        return vec![CERTIFICATE.broken(reason, cure)];
    }
    let believed = folder.believed();
    let pass = believed.and_then(|believed| Pass::of(&newest, &believed));
    let pass = match pass {
        Ok(pass) => pass,
        Err(error) => return vec![without(&error)],
    };
    match ask(&pass) {
        Ok(hub_time) => {
            let (certificate, time) = by_clock(&newest, hub_time, now_seconds());
            let address = &newest.home.hub;
            let recognised = SUBJECT.ok(
                format!("{address} 是发证的中心，承认本盒子的证书"),
                format!("{address} is the hub that made the certificate, and accepts it"),
            );
            [certificate, recognised].into_iter().chain(time).collect()
        }
        Err(error) => {
            let (certificate, time) = by_clock(&newest, error.hub_time(), now_seconds());
            let refused = refused(&newest.home.hub, &error, pass.recognition.stranger());
            [certificate, refused].into_iter().chain(time).collect()
        }
    }
}

/// The hub's time, if it said it.
fn ask(pass: &Pass) -> Result<Option<i64>, HubError> {
    let url = &pass.home.hub;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|e| HubError::Unreachable { url: url.clone(), what: e.to_string(), late: false })?;
    Ok(runtime.block_on(Hub::new(url, &pass.tls)?.trust())?.hub_time)
}

/// The certificate by the hub's time where the two clocks are far apart, and what the hub's time says of ours.
fn by_clock(generation: &Generation, hub_time: Option<i64>, own: i64) -> (Check, Option<Check>) {
    let Some(hub) = hub_time else { return (certificate(generation, own), None) };
    let time = Some(clock::against_hub(hub, own));
    if !clock::decides(hub, own) {
        return (certificate(generation, own), time);
    }
    let mut check = certificate(generation, hub);
    check.reason.zh += "；这是按中心的时间，先校正上面的时钟";
    check.reason.en += "; this is by the hub's time: set the clock above first";
    (check, time)
}

fn certificate(generation: &Generation, now: i64) -> Check {
    let home = &generation.home;
    let until = protocol::Timestamp::from_unix_ms(generation.not_after.saturating_mul(1000));
    let days = (generation.not_after - now).div_euclid(DAY);
    let who = format!("{}/{}", home.site, home.agent);
    let reason = Text::new(
        format!("{who}，有效至 {until}（还有 {days} 天）"),
        format!("{who}, valid until {until} ({days} days left)"),
    );
    let due = generation.not_before + (generation.not_after - generation.not_before) / 3 * 2;
    if now > generation.not_after {
        let cure = Text::new(
            "启动服务，它会自己续期（过期 90 天内）；仍不行再用新令牌登记：sudo edge-agent provision --again",
            "start the service: it renews by itself within 90 days of the end; only else enrol again, with a new token: sudo edge-agent provision --again",
        );
        return CERTIFICATE.broken(
            Text::new(format!("{who} 的证书已于 {until} 过期"), format!("{who}: it expired at {until}")),
            cure,
        );
    }
    if now > due {
        let cure = Text::new(
            "保持服务运行并连着中心，它会自己续期",
            "keep the service running and linked to the hub: it renews by itself",
        );
        let reason = Text::new(format!("{}，该续期了", reason.zh), format!("{}: renewal is due", reason.en));
        return CERTIFICATE.warning(reason, cure);
    }
    CERTIFICATE.ok(reason.zh, reason.en)
}

fn without(error: &IdentityError) -> Check {
    let (zh, cure) = of_identity(error);
    CERTIFICATE.broken(Text::new(zh, error.to_string()), cure)
}

/// Why there is no identity to work by, in Chinese, and what to do.
pub fn of_identity(error: &IdentityError) -> (String, Text) {
    match error {
        IdentityError::None { .. } => (
            "盒子还没有在中心登记，没有证书".to_owned(),
            Text::new(
                "在中心生成令牌（central-hub token create），然后在盒子上运行：sudo edge-agent provision",
                "make a token at the hub (central-hub token create), then run on the box: sudo edge-agent provision",
            ),
        ),
        IdentityError::File { path, source, .. } => {
            let cure = match source.kind() {
                std::io::ErrorKind::PermissionDenied => words::rights(path),
                _ => Text::new("检查该目录和磁盘空间", "check that folder and free space"),
            };
            (format!("不能读写 {}：{}", path.display(), words::io(source).zh), cure)
        }
        IdentityError::Busy { path } => {
            (format!("另一个盒子端正在使用 {}", path.display()), Act::Stop.here())
        }
        _ => ("证书或密钥已损坏".to_owned(), again()),
    }
}

/// Why the hub was not recognised, or does not recognise this box.
pub(super) fn refused(address: &str, error: &HubError, stranger: Option<Stranger>) -> Check {
    if let Some(stranger) = stranger {
        let (zh, cure) = unrecognised(stranger);
        return SUBJECT.broken(Text::new(format!("{address}：{zh}"), format!("{address}: {stranger}")), cure);
    }
    if let HubError::Unreachable { what, .. } = error {
        let reason = Text::new(
            format!("{address}：没有应答，无法核对证书"),
            format!("{address}: no answer, so the certificate could not be checked: {what}"),
        );
        // Nothing is wrong with this box's identity: it needs no new one.
        return SUBJECT.broken(
            reason,
            Text::new(
                "先解决上面“连到中心”一行；若那里正常，请值班员查看中心是否在运行（central-hub serve）。盒子不必重新登记",
                "mend the line `Way to the hub` above; if that is well, let an operator see whether the hub runs (central-hub serve). The box need not be enrolled again",
            ),
        );
    }
    let (zh, cure) = match error.refusal() {
        Some(RefusalCode::Revoked) => ("中心已吊销本盒子的证书", again()),
        Some(RefusalCode::Held) => (
            "中心发现两台盒子在用同一张证书，已暂停后来的一台",
            Text::new(
                "请中心值班员核实后运行 central-hub agent release 或 revoke",
                "let an operator look into it, then `central-hub agent release` or `revoke` there",
            ),
        ),
        Some(RefusalCode::Expired) => ("证书过期太久，中心不再接受续期", again()),
        Some(RefusalCode::Superseded) => ("中心认为这张证书已被更新的取代", again()),
        Some(RefusalCode::NoCertificate) => ("中心没有看到本盒子的证书", again()),
        Some(RefusalCode::Busy) => {
            ("中心正忙", Text::new("过一分钟再运行一次", "run this again in a minute"))
        }
        _ => (
            "应答的不是本版本的中心",
            Text::new(
                "核对中心的地址和端口（默认 8443），并查看中心和盒子的版本",
                "check the hub's address and port (8443 by default), and the versions of hub and box",
            ),
        ),
    };
    SUBJECT.broken(Text::new(format!("{address}：{zh}"), error.to_string()), cure)
}

/// A new identity for this box.
fn again() -> Text {
    let stop = Act::Stop.here();
    Text::new(
        format!(
            "在中心生成新的令牌（central-hub token create）；{}；再运行：sudo edge-agent provision --again",
            stop.zh
        ),
        format!(
            "make a new token at the hub (central-hub token create); {}; then run: sudo edge-agent provision --again",
            stop.en
        ),
    )
}

/// Somebody answers who cannot show what the hub has.
fn unrecognised(stranger: Stranger) -> (&'static str, Text) {
    match stranger {
        Stranger::OtherHub | Stranger::OtherAuthority | Stranger::NoHub => (
            "应答的不是给本盒子发证的中心",
            Text::new(
                "核对中心的地址；若中心重装过，请在中心生成新令牌后运行 sudo edge-agent provision --again；若没有，可能有人冒充中心，请联系管理员",
                "check the hub's address; if the hub was installed anew, make a new token there and run `sudo edge-agent provision --again`; if it was not, somebody may pose as the hub: tell the administrator",
            ),
        ),
        Stranger::OutOfDate => (
            "中心出示的证书比以前见过的更旧",
            Text::new(
                "请值班员查看中心：它可能是从旧备份恢复的，或时钟不对",
                "let an operator look at the hub: it may have been restored from an old backup, or its clock is wrong",
            ),
        ),
        Stranger::Unreadable => (
            "中心出示的证书无法读懂",
            Text::new("请值班员查看中心的日志", "let an operator look at the hub's log"),
        ),
    }
}
