//! In which language an operator reads: Chinese or English, as LC_ALL, LC_MESSAGES or LANG say; and lines that are
//! safe to print.

use std::fmt::Display;

use hub_core::plain::{plain, plain_json};

/// Prints one line of which a part may come from boxes, cameras or browsers.
pub fn print_line(line: impl Display) {
    println!("{}", plain(&line.to_string()));
}

/// The same, where the line is JSON.
pub fn print_json(json: impl Display) {
    println!("{}", plain_json(&json.to_string()));
}

/// The operator's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Zh,
    En,
}

impl Language {
    pub fn of_environment() -> Self {
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
    fn english_is_asked_for_by_its_name() {
        assert_eq!(Language::of(Some("en_GB.UTF-8")), Language::En);
        for chinese in [Some("zh_CN.UTF-8"), Some("C"), None] {
            assert_eq!(Language::of(chinese), Language::Zh);
        }
    }
}
