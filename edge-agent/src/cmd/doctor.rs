//! `edge-agent doctor`: what is well, what is not, and how to mend it, in Chinese and English.

mod checks;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration to check.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_FILE)]
    config: PathBuf,
    /// Print one JSON object instead of a list.
    #[arg(long)]
    json: bool,
    /// The language of the list: zh or en. By default as LANG says, else Chinese.
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Zh,
    En,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Warning,
    Broken,
}

/// One text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

impl Text {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    fn of(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }
}

/// What one check found, why, and the cure.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub title: Text,
    pub state: State,
    pub reason: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<Text>,
}

/// Exit code 0 when nothing is broken.
pub fn execute(args: Args) -> anyhow::Result<()> {
    let checks = checks::all(&args.config);
    let worst = checks.iter().map(|c| c.state).max().unwrap_or(State::Ok);
    let text = if args.json {
        format!("{}\n", serde_json::json!({ "state": worst, "checks": checks }))
    } else {
        let language = args.lang.unwrap_or_else(language_of_environment);
        checks.iter().map(|check| lines(check, language)).collect()
    };
    // Whoever reads it may stop reading, as `head` does.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match checks.iter().filter(|c| c.state == State::Broken).count() {
        0 => Ok(()),
        broken => anyhow::bail!("{broken} of {} checks are broken", checks.len()),
    }
}

fn lines(check: &Check, language: Language) -> String {
    let state = match (check.state, language) {
        (State::Ok, Language::Zh) => "正常",
        (State::Warning, Language::Zh) => "注意",
        (State::Broken, Language::Zh) => "故障",
        (State::Ok, Language::En) => "ok     ",
        (State::Warning, Language::En) => "warning",
        (State::Broken, Language::En) => "broken ",
    };
    let mut text = format!("{state}  {}: {}\n", check.title.of(language), check.reason.of(language));
    if let Some(cure) = &check.cure {
        text += &format!("         -> {}\n", cure.of(language));
    }
    text
}

fn language_of_environment() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok());
    match set {
        Some(lang) if lang.starts_with("en") => Language::En,
        _ => Language::Zh,
    }
}
