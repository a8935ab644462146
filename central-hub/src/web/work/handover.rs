//! The handover sheet: as JSON, and as a page to print, without scripts.

use std::fmt::Write;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hub_core::workflow::{Language, State as Stage, StepKind, state_name, step_name};
use protocol::{SiteId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::store::handover::{Sheet, SheetCount, SheetIncident};
use crate::store::steps::severity_name;
use crate::web::scope::{Scope, act};
use crate::web::{App, Refusal};
use crate::work::Rules;

/// A shift.
const SHIFT_MS: i64 = 8 * 3_600_000;
/// Longest time of a sheet.
const LONGEST_MS: i64 = 7 * 24 * 3_600_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Default: eight hours before `to`.
    from: Option<Timestamp>,
    /// Default: now.
    to: Option<Timestamp>,
    /// `json` (default) or `html`.
    format: Option<String>,
    /// Of the page: `zh` (default) or `en`.
    lang: Option<String>,
}

/// `GET /sites/{site}/handover?from&to`
pub async fn sheet(
    scope: Scope<act::ReadHandover>,
    State(app): State<App>,
    path: Result<Path<SiteId>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let Path(site) = path.map_err(|e| Refusal::bad_request(e.body_text()))?;
    scope.at(&site)?;
    let Query(wanted) = wanted.map_err(|e| Refusal::bad_request(e.body_text()))?;
    let to = wanted.to.map_or_else(now_ms, Timestamp::unix_ms);
    let from = wanted.from.map_or(to - SHIFT_MS, Timestamp::unix_ms);
    if !(1..=LONGEST_MS).contains(&(to - from)) {
        return Err(Refusal::bad_request("`to` must come after `from`, by at most seven days"));
    }
    let accepts_page = headers.get(header::ACCEPT).is_some_and(|a| a.as_bytes().starts_with(b"text/html"));
    let as_page = match wanted.format.as_deref() {
        Some("html") => true,
        Some("json") => false,
        None => accepts_page,
        Some(_) => return Err(Refusal::bad_request("`format` must be json or html")),
    };
    let language = match wanted.lang.as_deref() {
        Some("en") => Language::English,
        Some("zh") | None => Language::Chinese,
        Some(_) => return Err(Refusal::bad_request("`lang` must be zh or en")),
    };
    let sheet = app.store.handover(site.as_str(), from, to).await?;
    if !as_page {
        return Ok(Json(as_json(&site, (from, to), &sheet)).into_response());
    }
    let name = app.site_names.get(&site).map_or(site.as_str(), String::as_str);
    let page = Page { rules: &app.work.rules, site: site.as_str(), language };
    let html = page.write(name, (from, to), &sheet);
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
}

fn as_json(site: &SiteId, (from, to): (i64, i64), sheet: &Sheet) -> Value {
    let time = Timestamp::from_unix_ms;
    let incident = |i: &SheetIncident| {
        json!({
            "incident": i.incident, "kind": i.kind, "severity": severity_name(i.severity), "state": i.state,
            "opened_at": time(i.clock_from), "alerts": i.alerts, "due_at": i.due_at.map(time), "level": i.level,
            "unit": i.unit, "member": i.member, "words": i.words, "place": i.place,
        })
    };
    let counts = |counts: &[SheetCount]| -> Value {
        counts.iter().map(|c| (c.kind.clone(), json!(c.count))).collect::<serde_json::Map<_, _>>().into()
    };
    let notes = sheet.notes.iter().map(|n| {
        json!({ "incident": n.incident, "at": time(n.at), "by": n.actor, "step": n.kind, "note": n.note })
    });
    json!({
        "site": site, "from": time(from), "to": time(to),
        "open": sheet.open.iter().map(incident).collect::<Vec<_>>(),
        "settled": sheet.settled.iter().map(incident).collect::<Vec<_>>(),
        "opened": counts(&sheet.opened),
        "steps": counts(&sheet.steps),
        "notes": notes.collect::<Vec<_>>(),
    })
}

struct Page<'a> {
    rules: &'a Rules,
    site: &'a str,
    language: Language,
}

impl Page<'_> {
    fn write(&self, name: &str, (from, to): (i64, i64), sheet: &Sheet) -> String {
        let t = |zh: &'static str, en: &'static str| match self.language {
            Language::Chinese => zh,
            Language::English => en,
        };
        let mut page = String::new();
        let lang = t("zh-CN", "en");
        let title = t("交接班单", "Shift handover");
        let _ = write!(
            page,
            "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body>\
             <h1>{title}: {}</h1><p>{} - {}</p>",
            escaped(name),
            self.rules.clock(from),
            self.rules.clock(to)
        );
        let heads = [
            t("类型", "Kind"),
            t("级别", "Severity"),
            t("状态", "State"),
            t("开始", "Since"),
            t("告警数", "Alerts"),
            t("负责", "Given to"),
            t("期限", "Due"),
            t("说明", "Words"),
        ];
        for (title, rows) in
            [(t("待办", "Still to be done"), &sheet.open), (t("已了结", "Settled"), &sheet.settled)]
        {
            let rows: Vec<[String; 8]> = rows.iter().map(|i| self.row(i)).collect();
            table(&mut page, title, rows.len(), &heads, &rows);
        }
        let opened: Vec<[String; 2]> =
            sheet.opened.iter().map(|c| [self.kind(&c.kind), c.count.to_string()]).collect();
        let count = t("次数", "Number");
        table(&mut page, t("新开事件", "Opened"), opened.len(), &[t("类型", "Kind"), count], &opened);
        let steps: Vec<[String; 2]> =
            sheet.steps.iter().map(|c| [self.step(&c.kind), c.count.to_string()]).collect();
        table(&mut page, t("处置步骤", "Steps"), steps.len(), &[t("步骤", "Step"), count], &steps);
        let notes: Vec<[String; 4]> = sheet
            .notes
            .iter()
            .map(|n| [self.rules.clock(n.at), n.actor.clone(), self.step(&n.kind), n.note.clone()])
            .collect();
        let heads = [t("时间", "Time"), t("人员", "Who"), t("步骤", "Step"), t("说明", "Words")];
        table(&mut page, t("备注", "Notes"), notes.len(), &heads, &notes);
        let _ = write!(
            page,
            "<p>{} ______________ &nbsp; {} ______________</p></body></html>",
            t("交班人", "Handed over by"),
            t("接班人", "Taken over by")
        );
        page
    }

    fn row(&self, i: &SheetIncident) -> [String; 8] {
        let state = Stage::named(&i.state).map_or(i.state.as_str(), |s| state_name(s, self.language));
        let whom = i.unit.as_ref().or(i.member.as_ref()).cloned().unwrap_or_default();
        let words: Vec<&str> = i.place.iter().chain(&i.words).map(String::as_str).collect();
        let mut due = i.due_at.map_or(String::new(), |at| self.rules.clock(at));
        if i.level > 0 {
            due = format!("{due} ({})", self.level(i.level));
        }
        [
            self.kind(&i.kind),
            severity(i.severity, self.language).to_owned(),
            state.to_owned(),
            self.rules.clock(i.clock_from),
            i.alerts.to_string(),
            whom,
            due,
            words.join(": "),
        ]
    }

    fn level(&self, level: i64) -> String {
        match self.language {
            Language::Chinese => format!("已升级至第 {level} 级"),
            Language::English => format!("level {level} called in"),
        }
    }

    fn kind(&self, kind: &str) -> String {
        let known = self.rules.kinds(self.site).find(|k| k.kind == kind);
        match (known, self.language) {
            (Some(kind), Language::Chinese) => kind.zh.clone(),
            (Some(kind), Language::English) => kind.en.clone(),
            (None, _) => kind.to_owned(),
        }
    }

    fn step(&self, kind: &str) -> String {
        let of_hub = match (kind, self.language) {
            ("opened", Language::Chinese) => "人工上报",
            ("opened", Language::English) => "opened by hand",
            ("alert", Language::Chinese) => "再次告警",
            ("alert", Language::English) => "flared up again",
            ("absorbed", Language::Chinese) => "并入",
            ("absorbed", Language::English) => "joined",
            ("overdue", Language::Chinese) => "超时",
            ("overdue", Language::English) => "overdue",
            ("escalated", Language::Chinese) => "升级",
            ("escalated", Language::English) => "escalated",
            ("clock_set", Language::Chinese) => "时钟校正",
            ("clock_set", Language::English) => "clock set",
            _ => kind,
        };
        StepKind::named(kind).map_or(of_hub, |kind| step_name(kind, self.language)).to_owned()
    }
}

fn severity(severity: i64, language: Language) -> &'static str {
    let english = severity_name(severity);
    match (english, language) {
        (_, Language::English) => english,
        ("low", _) => "低",
        ("medium", _) => "中",
        ("high", _) => "高",
        (_, Language::Chinese) => "紧急",
    }
}

fn table<const N: usize>(
    page: &mut String,
    title: &str,
    count: usize,
    heads: &[&str; N],
    rows: &[[String; N]],
) {
    let _ = write!(page, "<h2>{title} ({count})</h2><table border=\"1\" cellpadding=\"4\"><tr>");
    for head in heads {
        let _ = write!(page, "<th>{head}</th>");
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{}</td>", escaped(cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
