//! The report as one HTML file, both languages side by side; it prints well and loads nothing.

use super::{Acceptance, CameraResult};
use crate::doctor::State;
use crate::wording::{Text, plain};

/// Longest name that is shown.
const NAME: usize = 80;

const STYLE: &str = "body{font:15px/1.45 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;color:#1a1a1a;margin:2rem auto;max-width:60rem;padding:0 1rem}\
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #1a1a1a}\
table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #c8c8c8;padding:.35rem .5rem;text-align:left;vertical-align:top}\
th{font-weight:600;white-space:nowrap}.verdict{display:inline-block;padding:.15rem .6rem;border:2px solid;font-weight:700}\
.ok{color:#0a5c2b}.warning{color:#7a4b00}.broken{color:#a3121f}.en{color:#555}\
section{break-inside:avoid}img{max-width:100%;height:auto;border:1px solid #888;margin:.5rem 0}\
.sign{display:flex;gap:3rem;margin-top:3rem}.sign div{flex:1;border-top:1px solid #1a1a1a;padding-top:.3rem}\
@page{size:A4;margin:15mm}@media print{body{margin:0;max-width:none}}";

/// The whole file.
pub fn html(acceptance: &Acceptance) -> String {
    let a = acceptance;
    let mut page = format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Signalbox 验收报告 {agent}</title>\
         <style>{STYLE}</style></head><body><h1>验收报告 <span class=\"en\">Acceptance report</span></h1>\
         <p>{}</p>",
        verdict(a.passed),
        agent = escaped(&a.agent),
    );
    page += "<table>";
    let rows = [
        ("站点", "Site", a.site.clone()),
        ("盒子", "Box", format!("{} {}", a.agent, a.name.as_deref().unwrap_or_default())),
        ("版本", "Version", a.version.clone()),
        ("中心", "Hub", a.hub.clone()),
        ("证书有效至", "Certificate until", a.certificate_until.to_string()),
        ("时间", "Time", a.at.to_string()),
    ];
    for (zh, en, value) in rows {
        page += &row(zh, en, &escaped(&plain(&value, 4 * NAME)));
    }
    page += "</table><h2>检查 <span class=\"en\">Checks</span></h2><table>";
    for check in &a.checks {
        let cure = check.cure.as_ref().map_or_else(String::new, |cure| format!("<br>→ {}", both(cure)));
        let title =
            format!("{}<br><span class=\"en\">{}</span>", escaped(&check.title.zh), escaped(&check.title.en));
        page += &format!(
            "<tr><td>{}</td><th>{title}</th><td>{}{cure}</td></tr>",
            state(check.state),
            both(&check.reason)
        );
    }
    page += "</table><h2>摄像机 <span class=\"en\">Cameras</span></h2>";
    page.extend(a.cameras.iter().map(camera));
    page += "<div class=\"sign\"><div>安装人 <span class=\"en\">Installer</span></div>\
             <div>验收人 <span class=\"en\">Accepted by</span></div><div>日期 <span class=\"en\">Date</span></div></div>\
             </body></html>\n";
    page
}

fn camera(c: &CameraResult) -> String {
    let name = c.name.as_deref().unwrap_or(c.camera.as_str());
    let mut text = format!(
        "<section><h3>{} <span class=\"en\">{}</span> {}</h3>",
        escaped(&plain(name, NAME)),
        escaped(c.camera.as_str()),
        verdict(c.passed)
    );
    if let Some(reason) = &c.reason {
        text += &format!("<p class=\"broken\">{}</p>", both(reason));
    }
    text += "<table>";
    if let (Some(width), Some(height)) = (c.width, c.height) {
        text += &row("画面", "Picture", &format!("{width} × {height}"));
    }
    if let (Some(decoded), Some(analysed)) = (c.decoded_fps, c.analysed_fps) {
        text += &row("收到 / 分析", "Received / analysed", &format!("{decoded:.1} / {analysed:.1} fps"));
    }
    if let Some(latency) = c.latency_ms {
        text += &row("分析延迟", "Analysis latency", &format!("{latency:.0} ms"));
    }
    if let Some(alarm) = &c.alarm {
        let ms = |leg: Option<u64>| leg.map_or_else(|| "—".to_owned(), |ms| format!("{ms} ms"));
        text += &row("测试报警编号", "Test alarm", &escaped(&format!("{}/{}", alarm.epoch, alarm.seq)));
        text += &row("盒子已存下", "Stored on the box", &ms(Some(alarm.stored_ms)));
        text += &row("中心已确认", "Acknowledged by the hub", &ms(alarm.settled_ms));
        text += &row("中心可见", "In the hub's store", &ms(alarm.shown_ms));
        text += &row("图片已到中心", "Still at the hub", &ms(alarm.still_ms));
    }
    text += "</table>";
    if let Some(still) = &c.still {
        text += &format!(
            "<img alt=\"已遮盖人脸的画面 / still with faces covered\" src=\"data:image/jpeg;base64,{}\">",
            crate::outbox::base64(still)
        );
    }
    text + "</section>"
}

fn row(zh: &str, en: &str, value: &str) -> String {
    format!("<tr><th>{zh} <span class=\"en\">{en}</span></th><td>{value}</td></tr>")
}

fn verdict(passed: bool) -> String {
    match passed {
        true => "<span class=\"verdict ok\">合格 PASS</span>".to_owned(),
        false => "<span class=\"verdict broken\">不合格 FAIL</span>".to_owned(),
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Ok => "<span class=\"ok\">正常<br>ok</span>",
        State::Warning => "<span class=\"warning\">注意<br>warning</span>",
        State::Broken => "<span class=\"broken\">故障<br>broken</span>",
    }
}

fn both(text: &Text) -> String {
    format!("{}<br><span class=\"en\">{}</span>", escaped(&text.zh), escaped(&text.en))
}

/// Names and reasons come from outside.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            other => safe.push(other),
        }
    }
    safe
}
