//! What a message says to people, in Chinese and in English.

use protocol::Timestamp;
use protocol::exchange::{Incident, Names, Origin};

pub trait Language {
    /// RFC 3066, as CAP asks for.
    const CODE: &'static str;
    fn name(names: &Names) -> &str;
    /// Where it is, in words.
    fn place(incident: &Incident) -> String;
    fn headline(incident: &Incident) -> String;
    fn description(incident: &Incident, time: impl Fn(Timestamp) -> String) -> String;
}

pub struct Zh;
pub struct En;

impl Language for Zh {
    const CODE: &'static str = "zh-CN";

    fn name(names: &Names) -> &str {
        &names.zh
    }

    fn place(incident: &Incident) -> String {
        format!("{}{}", site(incident), spot(incident, "，").unwrap_or_default())
    }

    fn headline(incident: &Incident) -> String {
        let (state, _) = incident.state.names();
        let severity = incident.severity.zh();
        format!("{}：{}（等级：{severity}，{state}）", Self::place(incident), incident.kind_name.zh)
    }

    fn description(incident: &Incident, time: impl Fn(Timestamp) -> String) -> String {
        let (state, _) = incident.state.names();
        let how = match incident.origin {
            Origin::Alerts => {
                format!(
                    "共 {} 条告警，涉及 {} 台摄像机，最近一条于 {}。",
                    incident.alerts,
                    incident.cameras.len(),
                    time(incident.last_at)
                )
            }
            Origin::Operator => "由值班人员上报。".to_owned(),
            Origin::Grid => "由网格员上报。".to_owned(),
        };
        let gone =
            incident.absorbed_by.as_ref().map(|other| format!("已并入事件 {other}。")).unwrap_or_default();
        let drill = if incident.test || incident.exercise { "测试或演练，无需处置。" } else { "" };
        let (kind, at) = (&incident.kind_name.zh, time(incident.opened_at));
        format!("{drill}{at} 发生“{kind}”。{how}当前状态：{state}。{gone}")
    }
}

impl Language for En {
    const CODE: &'static str = "en";

    fn name(names: &Names) -> &str {
        &names.en
    }

    fn place(incident: &Incident) -> String {
        format!("{}{}", site(incident), spot(incident, ", ").unwrap_or_default())
    }

    fn headline(incident: &Incident) -> String {
        let (_, state) = incident.state.names();
        let severity = incident.severity.as_str();
        format!("{}: {} ({severity} severity, {state})", Self::place(incident), incident.kind_name.en)
    }

    fn description(incident: &Incident, time: impl Fn(Timestamp) -> String) -> String {
        let (_, state) = incident.state.names();
        let how = match incident.origin {
            Origin::Alerts => {
                format!(
                    "{} alerts by {} cameras, the last at {}.",
                    incident.alerts,
                    incident.cameras.len(),
                    time(incident.last_at)
                )
            }
            Origin::Operator => "Reported by an operator.".to_owned(),
            Origin::Grid => "Reported by a grid member.".to_owned(),
        };
        let gone = incident
            .absorbed_by
            .as_ref()
            .map(|other| format!(" It became part of incident {other}."))
            .unwrap_or_default();
        let drill = if incident.test || incident.exercise {
            "A test or an exercise: nobody needs to act. "
        } else {
            ""
        };
        let (kind, at) = (&incident.kind_name.en, time(incident.opened_at));
        format!("{drill}\"{kind}\", since {at}. {how} State: {state}.{gone}")
    }
}

fn site(incident: &Incident) -> &str {
    incident.site_name.as_deref().unwrap_or(incident.site.as_str())
}

/// The place's own name, or the first camera's.
fn spot(incident: &Incident, before: &str) -> Option<String> {
    let place = incident.place.as_ref().and_then(|p| p.name.as_ref());
    let camera = || incident.cameras.first().map(|c| c.name.clone().unwrap_or_else(|| c.camera.to_string()));
    Some(format!("{before}{}", place.cloned().or_else(camera)?))
}
