//! Tables as CSV files (RFC 4180) that spreadsheet programs open as they are: UTF-8 with a byte order mark,
//! lines ended by CR LF, and no cell that a spreadsheet would take for a formula.

use std::fmt::Write;

use crate::plain::is_hidden;

/// Without it, spreadsheet programs in Chinese read the file in another encoding.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// May come from outside: is kept from being a formula.
    Text(&'a str),
    Owned(String),
    Count(i64),
    Share(f64),
    Empty,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

/// Appends a row.
pub fn row(out: &mut String, cells: &[Cell<'_>]) {
    for (n, cell) in cells.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        match cell {
            Cell::Text(text) => text_cell(out, text),
            Cell::Owned(text) => text_cell(out, text),
            // Writing into a String cannot fail.
            Cell::Count(count) => drop(write!(out, "{count}")),
            Cell::Share(share) if share.is_finite() => drop(write!(out, "{share:.4}")),
            Cell::Share(_) | Cell::Empty => {}
        }
    }
    out.push_str("\r\n");
}

/// Quoted always: a cell's text is never taken for a separator, and spaces stay.
fn text_cell(out: &mut String, text: &str) {
    out.push('"');
    if is_formula(text) {
        // Spreadsheet programs show what follows as text. The sign is part of the cell for other readers.
        out.push('\'');
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            // Would end the cell early in some readers, or hide what follows.
            '\0' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a spreadsheet program could calculate it: leading blanks are skipped by some, and full-width signs
/// are taken for plain ones by those that people in East Asia use.
fn is_formula(text: &str) -> bool {
    if text.starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let first = text.chars().find(|c| !c.is_whitespace() && !is_hidden(*c));
    first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠' | '−'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        let mut out = String::new();
        row(&mut out, &[Cell::Text(text)]);
        out
    }

    #[test]
    fn cells_are_quoted_and_rows_end_as_the_standard_says() {
        let mut out = String::new();
        row(
            &mut out,
            &[
                Cell::Text("北门, \"旧\""),
                Cell::Count(-3),
                Cell::Empty,
                Cell::Share(0.25),
                Cell::Owned("x".into()),
            ],
        );
        assert_eq!(out, "\"北门, \"\"旧\"\"\",-3,,0.2500,\"x\"\r\n");
        assert_eq!(one("two\r\nlines"), "\"two\r\nlines\"\r\n");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "|calc",
            "%0A=1",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{3000}=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "−1",
            "=cmd|' /C calc'!A0",
            "\u{0}=1",
            "\u{202e}=1",
        ] {
            assert!(one(text).starts_with("\"'"), "{text:?}");
        }
        for text in ["北门", "a=b", "1-2", "", "'x", "(=1)"] {
            assert!(!one(text).starts_with("\"'") || text.starts_with('\''), "{text:?}");
        }
    }
}
