//! What people read on the command line: one text in Chinese and English, and which of the two.
//!
//! Owns the choice of language and the width of text in a terminal. Log lines and error chains stay
//! English and are no matter of this file.

use serde::Serialize;

/// A language that every text exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    Zh,
    En,
}

impl Language {
    /// English where `LC_ALL`, `LC_MESSAGES` or `LANG` (in this order) ask for it, else Chinese: as the hub's
    /// commands do.
    fn of_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        match set {
            Some(lang) if lang.starts_with("en") => Self::En,
            _ => Self::Zh,
        }
    }

    /// As `--lang` among the words says, else the environment: what is wrong with the words is said in it too.
    pub fn of_command_line(mut words: impl Iterator<Item = String>) -> Self {
        let said = words.find_map(|word| word.strip_prefix("--lang").map(str::to_owned));
        let said = said.and_then(|rest| match rest.strip_prefix('=') {
            Some(said) => Some(said.to_owned()),
            None if rest.is_empty() => words.next(),
            None => None,
        });
        let asked = said.and_then(|said| <Self as clap::ValueEnum>::from_str(&said, true).ok());
        asked.unwrap_or_else(Self::of_environment)
    }

    /// The one of two that is in this language.
    pub fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

/// The choice of language on a command line.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Speech {
    /// The language: zh or en. By default English where LANG says so, else Chinese.
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

impl Speech {
    pub fn language(self) -> Language {
        self.lang.unwrap_or_else(Language::of_environment)
    }
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

    pub fn of(&self, language: Language) -> &str {
        language.pick(&self.zh, &self.en)
    }
}

/// So many seconds in the unit in which people say it.
pub fn lasting(seconds: u64) -> Text {
    let (length, zh, en) = match seconds {
        0..120 => return Text::new(format!("{seconds} 秒"), format!("{seconds} s")),
        120..7_200 => (60, "分钟", "minutes"),
        7_200..172_800 => (3_600, "小时", "hours"),
        _ => (86_400, "天", "days"),
    };
    let count = seconds.saturating_add(length / 2) / length;
    Text::new(format!("{count} {zh}"), format!("{count} {en}"))
}

/// Columns that a text takes: Chinese characters take two.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Rows under headings, each column as wide as its widest cell.
pub fn table(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| columns(c)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            line.extend(std::iter::repeat_n(' ', width - columns(cell) + 2));
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// What came from a device, fit for a terminal: no control characters, at most `limit` letters.
pub fn plain(text: &str, limit: usize) -> String {
    let hidden = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.trim().chars().filter(|c| !hidden(c)).take(limit).collect()
}

/// East Asian Wide and Fullwidth, as far as camera names need it (Unicode, UAX #11).
fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_language() {
        let rows = [vec!["地址".to_owned(), "名称".into()], vec!["192.0.2.10".into(), "x".into()]];
        assert_eq!(table(&rows), "地址        名称\n192.0.2.10  x\n");
    }

    #[test]
    fn the_command_line_may_ask_for_a_language() {
        let asked = |line: &str| Language::of_command_line(line.split(' ').map(str::to_owned));
        assert_eq!(asked("edge-agent run --lang en"), Language::En);
        assert_eq!(asked("edge-agent run --lang=zh --config x"), Language::Zh);
        assert_eq!(asked("edge-agent run --lang"), Language::of_environment());
    }

    #[test]
    fn a_time_is_said_in_its_own_unit() {
        for (seconds, zh, en) in [
            (119, "119 秒", "119 s"),
            (120, "2 分钟", "2 minutes"),
            (7_300, "2 小时", "2 hours"),
            (34_560_000, "400 天", "400 days"),
            (u64::MAX / 2, "106751991167301 天", "106751991167301 days"),
        ] {
            assert_eq!(lasting(seconds), Text::new(zh, en));
        }
    }

    #[test]
    fn what_a_device_says_cannot_move_the_cursor() {
        assert_eq!(plain(" a\x1b[2Jb\u{202e}c\n东门 ", 7), "a[2Jbc东");
    }
}
