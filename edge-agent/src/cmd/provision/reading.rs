//! Where the token's text comes from: typed, from a file, or from standard input; pasted in several lines or in one.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::report::{Failure, Report, Stage};
use crate::wording::Text;

/// A QR code's text is far shorter.
const MOST_BYTES: u64 = 4096;
/// Rights of others at a file.
const OTHERS: u32 = 0o077;

/// The text, without white space. `is_short`: whether more of it must follow.
pub fn text(
    file: Option<&Path>,
    is_short: impl Fn(&str) -> bool,
    report: &Report,
) -> Result<String, Failure> {
    match file {
        Some(path) if path.as_os_str() == "-" => lines(std::io::stdin(), is_short, || ()).map_err(no_input),
        Some(path) => whole(path, report).map_err(|error| {
            let what = Text::new("令牌文件不能读取", "the file with the token cannot be read");
            let cure =
                Text::new("核对文件名、权限和编码", "check the file's name, its rights and its encoding");
            let path = path.display();
            let why = Text::new(
                format!("{path}：{}", settings::chinese::of_io(&error)),
                format!("{path}: {error}"),
            );
            Failure::because(Stage::Token, what, why, cure)
        }),
        None => {
            report.ask(&Text::new("请输入令牌（SB1-...）：", "Token (SB1-...):"));
            let more = || {
                report.ask(&Text::new(
                    "令牌还不完整，请接着输入（直接回车结束）：",
                    "It is not whole yet; the rest (an empty line ends):",
                ));
            };
            lines(std::io::stdin(), is_short, more).map_err(no_input)
        }
    }
}

fn no_input(error: std::io::Error) -> Failure {
    let what = Text::new("没有读到令牌", "no token was read");
    let cure = Text::new(
        "在终端上输入，或用 --token-file 指定文件（- 表示标准输入）",
        "type it at a terminal, or name a file by --token-file (- is standard input)",
    );
    let why = Text::new(settings::chinese::of_io(&error), error.to_string());
    Failure::because(Stage::Token, what, why, cure)
}

/// A file that others can read is told and taken: the token is good once, and about to be used.
fn whole(path: &Path, report: &Report) -> std::io::Result<String> {
    let file = std::fs::File::open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.mode() & OTHERS != 0 {
        let path = path.display();
        report.warning(&Text::new(
            format!("其他用户也能读取 {path}：请在用完后删除它；下次用权限 600 存放"),
            format!(
                "others can read {path}: delete it when this is done, and keep the next one with mode 600"
            ),
        ));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes);
    let text =
        text.map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no UTF-8 text"))?;
    Ok(bare(&text))
}

/// As many lines as the token is broken into; an empty one or the end of the input ends it.
fn lines(
    input: impl Read,
    is_short: impl Fn(&str) -> bool,
    mut ask_more: impl FnMut(),
) -> std::io::Result<String> {
    let mut input = BufReader::new(input.take(MOST_BYTES));
    let mut text = String::new();
    loop {
        let mut line = String::new();
        let read = input.read_line(&mut line)?;
        let line = bare(&line);
        text += &line;
        if read == 0 || (line.is_empty() && !text.is_empty()) || (!line.is_empty() && !is_short(&text)) {
            return Ok(text);
        }
        if !text.is_empty() {
            ask_more();
            std::io::stdout().flush()?;
        }
    }
}

/// Without white space and marks that nobody sees.
fn bare(text: &str) -> String {
    let unseen =
        |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200d}' | '\u{2060}');
    text.chars().filter(|c| !unseen(*c)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::wording::Language;

    #[test]
    fn a_token_in_pieces_is_put_together() {
        let is_short = |text: &str| text.len() < 6;
        for (typed, asked) in [
            ("abcdef\nnext", 0),
            ("abc\r\n def\r\nnext", 1),
            ("\n\u{feff}ab c\nde\tf", 1),
            ("ab\ncd\nef\n", 2),
        ] {
            let mut times = 0;
            let text = lines(typed.as_bytes(), is_short, || times += 1).unwrap();
            assert_eq!((text.as_str(), times), ("abcdef", asked), "{typed:?}");
        }
        for (typed, text) in [("abc\n\ndef", "abc"), ("abc", "abc"), ("", ""), ("\n", "")] {
            assert_eq!(lines(typed.as_bytes(), is_short, || ()).unwrap(), text, "{typed:?}");
        }
    }

    #[test]
    fn a_file_is_taken_whole_whoever_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let report = Report::new(Language::En);
        std::fs::write(&path, "\u{feff}\r\n SB1-AB\r\nCD \r\n\r\n").unwrap();
        for mode in [0o600, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(text(Some(&path), |_| false, &report).unwrap(), "SB1-ABCD");
        }
        std::fs::write(&path, b"\xff\xfeS\x00B\x001\x00").unwrap();
        let failure = text(Some(&path), |_| false, &report).unwrap_err();
        assert!(failure.why.zh.contains("UTF-8") && failure.why.en.contains("UTF-8"), "{failure:?}");
    }
}
