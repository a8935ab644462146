//! In which language an operator reads: Chinese or English, as --lang says, else LC_ALL, LC_MESSAGES or LANG; and
//! lines that are safe to print. A reader that has gone, as `head` does, ends no command.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use hub_core::plain::{plain, plain_json};

/// Prints one line of which a part may come from boxes, cameras or browsers.
pub fn print_line(line: impl Display) {
    print_text(plain(&line.to_string()));
}

/// The same, where the line is JSON.
pub fn print_json(json: impl Display) {
    print_text(plain_json(&json.to_string()));
}

/// Lines of the program's own.
pub fn print_text(text: impl Display) {
    let Err(error) = writeln!(std::io::stdout(), "{text}") else { return };
    if error.kind() != ErrorKind::BrokenPipe && !CUT.swap(true, Ordering::Relaxed) {
        let language = Language::of_environment();
        note(format_args!(
            "central-hub: {}: {error}",
            language.say("输出写不下去", "cannot write the output")
        ));
    }
}

/// Whether output was lost that somebody still waits for.
pub fn was_cut() -> bool {
    CUT.load(Ordering::Relaxed)
}

static CUT: AtomicBool = AtomicBool::new(false);

/// A line on standard error.
pub fn note(line: impl Display) {
    // Nowhere is left to say it.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A second hub on one data folder.
pub fn two_hubs(data: &Path) -> String {
    let data = data.display();
    Language::of_environment().say(
        format!("另一个中心正在使用数据文件夹 {data}：请先停止它，或在 [hub] data 中换一个文件夹"),
        format!("another hub is running on {data}; stop it, or choose another folder by [hub] data"),
    )
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

    /// The state of a box or a camera.
    pub fn state(self, state: &str) -> &str {
        match (self, state) {
            (Self::Zh, "online") => "在线",
            (Self::Zh, "offline") => "离线",
            (Self::Zh, "connecting") => "正在连接",
            (Self::Zh, "live") => "正常",
            (Self::Zh, "stalled") => "无画面",
            (Self::Zh, "credentials") => "密码不对",
            (Self::Zh, "unsupported") => "不支持",
            (Self::Zh, "unknown") => "未知",
            _ => state,
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
