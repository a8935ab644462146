//! In which language an operator reads: Chinese or English, as --lang says, else LC_ALL, LC_MESSAGES or LANG; and
//! lines that are safe to print.

use std::fmt::Display;
use std::sync::OnceLock;

use hub_core::plain::{plain, plain_json};

/// Prints one line of which a part may come from boxes, cameras or browsers.
pub fn print_line(line: impl Display) {
    println!("{}", plain(&line.to_string()));
}

/// The same, where the line is JSON.
pub fn print_json(json: impl Display) {
    println!("{}", plain_json(&json.to_string()));
}

/// What `--lang` said; set once, before the command line is read as a whole.
static ASKED: OnceLock<Language> = OnceLock::new();

/// The operator's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    Zh,
    En,
}

impl Language {
    /// As the command line asks for it, so that what is wrong with the command line itself is said in it too.
    pub fn ask(words: impl Iterator<Item = String>) {
        if let Some(asked) = Self::asked(words) {
            let _ = ASKED.set(asked);
        }
    }

    fn asked(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let said = words.find_map(|word| word.strip_prefix("--lang").map(str::to_owned));
        let said = said?;
        let said = match said.strip_prefix('=') {
            Some(said) => said.to_owned(),
            None if said.is_empty() => words.next()?,
            None => return None,
        };
        <Self as clap::ValueEnum>::from_str(&said, true).ok()
    }

    /// What was asked for, else what the environment says.
    pub fn of_environment() -> Self {
        ASKED.get().copied().unwrap_or_else(Self::set)
    }

    fn set() -> Self {
        let set = |name: &&str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self::of(["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).as_deref())
    }

    /// Chinese, unless English is asked for: as `edge-agent doctor` does.
    fn of(set: Option<&str>) -> Self {
        match set {
            Some(lang) if lang.starts_with("en") => Self::En,
            _ => Self::Zh,
        }
    }

    /// One of two texts.
    pub fn say<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_may_ask_for_a_language() {
        let asked = |line: &str| Language::asked(line.split(' ').map(str::to_owned));
        assert_eq!(asked("central-hub agent list --lang en"), Some(Language::En));
        assert_eq!(asked("central-hub --lang=zh agent list"), Some(Language::Zh));
        for none in ["central-hub agent list", "central-hub --lang", "central-hub --lang=fr"] {
            assert_eq!(asked(none), None, "{none}");
        }
    }

    #[test]
    fn english_is_asked_for_by_its_name() {
        assert_eq!(Language::of(Some("en_GB.UTF-8")), Language::En);
        for chinese in [Some("zh_CN.UTF-8"), Some("C"), None] {
            assert_eq!(Language::of(chinese), Language::Zh);
        }
    }
}
