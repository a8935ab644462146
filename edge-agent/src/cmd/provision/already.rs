//! A box that is enrolled already: whether what the installer brought is what it is enrolled by, and whether the hub
//! still takes it.

use std::path::Path;

use super::invitation::{self, Brought};
use super::report::{Failure, Report, Stage};
use crate::doctor;
use crate::hub::Hub;
use crate::identity::{Folder, Home, Pass};
use crate::service::by_hand::Act;
use crate::wording::Text;

/// Refuses another token or hub than the box is enrolled by: they would not be used.
pub fn refuse_other(
    folder: &Folder,
    home: &Home,
    file: Option<&Path>,
    hub: Option<&str>,
    report: &Report,
) -> Result<(), Failure> {
    let Brought { hub, secret } = invitation::brought(file, hub, report)?;
    let other_token = secret.as_deref().is_some_and(|secret| folder.is_of_token(secret) == Some(false));
    let other_hub = hub.as_deref().is_some_and(|hub| hub != home.hub);
    if !other_token && !other_hub {
        return Ok(());
    }
    let stage = if other_token { Stage::Token } else { Stage::Reach };
    let (who, at) = (format!("{}/{}", home.site, home.agent), &home.hub);
    let (zh, en) = match secret {
        Some(_) => ("，没有使用这个令牌", ", and the token was not used"),
        None => ("", ""),
    };
    let stop = Act::Stop.here();
    Err(Failure::because(
        stage,
        Text::new("本盒早已登记，什么也没有改动", "this box is enrolled already, and nothing was changed"),
        Text::new(format!("它在中心 {at} 登记为 {who}{zh}"), format!("it is {who} at the hub {at}{en}")),
        Text::new(
            format!("不需要换就不必再做；要重新登记：{}，然后加 --again 再运行", stop.zh),
            format!(
                "nothing is to be done if that is right; to enrol it anew: {}, then run this with --again",
                stop.en
            ),
        ),
    ))
}

/// Refuses to call a box done that the hub has shut out. A hub that is away says nothing either way.
pub async fn refuse_shut_out(folder: &Folder) -> Result<(), Failure> {
    let pass = folder.newest().and_then(|newest| Pass::of(&newest, &folder.believed()?));
    let Ok(pass) = pass else { return Ok(()) };
    let Ok(hub) = Hub::new(&pass.home.hub, &pass.tls) else { return Ok(()) };
    let Err(error) = hub.trust().await else { return Ok(()) };
    if error.refusal().is_none_or(|code| !is_final(code)) {
        return Ok(());
    }
    let check = doctor::of_hub(&pass.home.hub, &error, pass.recognition.stranger());
    let what = Text::new("中心不再接受本盒的证书", "the hub does not take this box's certificate any more");
    let cure = check.cure.unwrap_or_else(|| Text::new("", ""));
    Err(Failure::because(Stage::Recognise, what, check.reason, cure))
}

fn is_final(code: protocol::enrol::RefusalCode) -> bool {
    use protocol::enrol::RefusalCode as Code;
    matches!(code, Code::Revoked | Code::Expired | Code::Held | Code::Superseded)
}
