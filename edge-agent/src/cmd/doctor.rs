//! `edge-agent doctor`: prints what `doctor` found, in Chinese or English, or both as JSON.

use std::io::Write;

use super::settings::Settings;
use crate::doctor::{self, Check, State};
use crate::wording::{Language, Speech, columns};

/// Say what is well and what is not, and how to mend it.
///
/// Ends with 0 when all is well or there are only warnings, and with 2 when something is broken.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object, with every text in both languages.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    speech: Speech,
}

/// Something is broken.
const BROKEN: i32 = 2;

pub fn execute(args: Args) -> anyhow::Result<()> {
    // What is wrong with the settings is one of the findings.
    let _ = args.settings.try_take();
    let checks = doctor::all(args.settings.file());
    let worst = checks.iter().map(|c| c.state).max().unwrap_or(State::Ok);
    let text = if args.json {
        format!("{}\n", serde_json::json!({ "state": worst, "checks": checks }))
    } else {
        list(&checks, args.speech.language())
    };
    // Whoever reads it may stop reading, as `head` does.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if worst == State::Broken {
        // A check that never ended may still hold a thread: there is nothing to wait for.
        std::process::exit(BROKEN);
    }
    Ok(())
}

/// One line a check, its cure below; titles are as wide as the widest.
fn list(checks: &[Check], language: Language) -> String {
    let widest = checks.iter().map(|c| columns(c.title.of(language))).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let title = check.title.of(language);
        let state = word(check.state, language);
        let pad = |wanted: usize, found: usize| " ".repeat(wanted.saturating_sub(found) + 2);
        let indent = columns(word(State::Warning, language));
        text += state;
        text += &pad(indent, columns(state));
        text += title;
        text += &pad(widest, columns(title));
        text += check.reason.of(language);
        text.push('\n');
        if let Some(cure) = &check.cure {
            text += &format!("{}-> {}\n", " ".repeat(indent + 2), cure.of(language));
        }
    }
    let count = |state| checks.iter().filter(|c| c.state == state).count();
    let (warnings, broken) = (count(State::Warning), count(State::Broken));
    text += &match language {
        Language::Zh => format!("共 {} 项：{broken} 项故障，{warnings} 项注意\n", checks.len()),
        Language::En => format!("{} checks: {broken} broken, {warnings} with a warning\n", checks.len()),
    };
    text
}

fn word(state: State, language: Language) -> &'static str {
    match state {
        State::Ok => language.pick("正常", "ok"),
        State::Warning => language.pick("注意", "warning"),
        State::Broken => language.pick("故障", "broken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Text;

    #[test]
    fn reasons_stand_in_one_column_in_either_language() {
        let check = |title: Text, state, cure| Check {
            name: "x",
            title,
            state,
            reason: Text::new("好", "fine"),
            cure,
        };
        let checks = [
            check(Text::new("时钟", "Clock"), State::Ok, None),
            check(Text::new("消息服务登录", "Broker login"), State::Broken, Some(Text::new("修", "mend"))),
        ];
        let zh = list(&checks, Language::Zh);
        assert_eq!(
            zh,
            "正常  时钟          好\n故障  消息服务登录  好\n      -> 修\n共 2 项：1 项故障，0 项注意\n"
        );
        let en = list(&checks, Language::En);
        assert_eq!(
            en,
            "ok       Clock         fine\nbroken   Broker login  fine\n         -> mend\n2 checks: 1 broken, 0 with a warning\n"
        );
    }
}
