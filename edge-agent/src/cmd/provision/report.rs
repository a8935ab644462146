//! What is printed: numbered steps, each with its end; a failure says what, why, and what to do.

use std::io::Write;

use crate::wording::{Language, Text};

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Data,
    Token,
    Key,
    Reach,
    Recognise,
    Certificate,
    Write,
    Broker,
    Service,
}

impl Stage {
    const ALL: usize = 9;

    fn title(self) -> (usize, Text) {
        let (zh, en) = match self {
            Self::Data => ("数据目录可写", "data folder is writable"),
            Self::Token => ("令牌", "token"),
            Self::Key => ("密钥", "key"),
            Self::Reach => ("连到中心", "hub reached"),
            Self::Recognise => ("认出中心", "hub recognised"),
            Self::Certificate => ("收到证书", "certificate received"),
            Self::Write => ("写入磁盘", "written to disk"),
            Self::Broker => ("用证书连到消息服务", "broker reached with the certificate"),
            Self::Service => ("启动服务", "service started"),
        };
        (self as usize + 1, Text::new(zh, en))
    }
}

/// Why the course stopped.
#[derive(Debug, Clone)]
pub struct Failure {
    pub stage: Stage,
    pub what: Box<Text>,
    /// What programs said is English in both.
    pub why: Box<Text>,
    pub cure: Box<Text>,
}

impl Failure {
    pub fn new(stage: Stage, what: Text, why: impl Into<String>, cure: Text) -> Self {
        let why = why.into();
        Self::because(stage, what, Text::new(why.clone(), why), cure)
    }

    /// With a reason in both languages.
    pub fn because(stage: Stage, what: Text, why: Text, cure: Text) -> Self {
        Self { stage, what: Box::new(what), why: Box::new(why), cure: Box::new(cure) }
    }
}

pub struct Report {
    language: Language,
    stopped_at: Option<usize>,
}

impl Report {
    pub fn new(language: Language) -> Self {
        Self { language, stopped_at: None }
    }

    pub fn ok(&self, stage: Stage, detail: &Text) {
        self.line(stage, self.language.pick("完成", "ok"), detail.of(self.language));
    }

    pub fn skipped(&self, stage: Stage, why: &Text) {
        self.line(stage, self.language.pick("跳过", "skipped"), why.of(self.language));
    }

    pub fn warning(&self, text: &Text) {
        self.print(&format!("      {}: {}", self.language.pick("注意", "warning"), text.of(self.language)));
    }

    pub fn say(&self, text: &Text) {
        self.print(text.of(self.language));
    }

    pub fn failed(&mut self, failure: &Failure) {
        self.line(failure.stage, self.language.pick("失败", "failed"), failure.what.of(self.language));
        let (why, cure) = (self.language.pick("原因", "why"), self.language.pick("办法", "do"));
        self.print(&format!("      {why}: {}", failure.why.of(self.language)));
        self.print(&format!("      {cure}: {}", failure.cure.of(self.language)));
        self.stopped_at = Some(failure.stage.title().0);
    }

    pub fn stopped(&self) -> String {
        let at = self.stopped_at.unwrap_or(0);
        match self.language {
            Language::Zh => format!("第 {at} 步失败；改好后再运行一次，会从这里继续"),
            Language::En => {
                format!("stopped at step {at}; run it again when that is mended, it goes on from there")
            }
        }
    }

    /// A question to whoever sits there; what is typed is read by the caller.
    pub fn ask(&self, text: &Text) {
        let mut out = std::io::stdout();
        let _ = write!(out, "{} ", text.of(self.language)).and_then(|()| out.flush());
    }

    fn line(&self, stage: Stage, end: &str, detail: &str) {
        let (number, title) = stage.title();
        let title = title.of(self.language);
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        self.print(&format!("{number}/{}  {title}: {end}{detail}", Stage::ALL));
    }

    fn print(&self, line: &str) {
        // Whoever reads it may stop reading, as `head` does.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
