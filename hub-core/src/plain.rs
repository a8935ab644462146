//! Texts from outside as one line of a terminal or a log: nothing in them moves the cursor, breaks the line or
//! turns the direction of reading.
//!
//! What is kept and sent on stays as it came; this is for showing it.

/// What stands in place of a character that is not shown.
const HIDDEN: char = '\u{fffd}';

/// Whether every character can be shown.
pub fn is_plain(text: &str) -> bool {
    !text.contains(is_hidden)
}

/// One line without hidden characters; a line's end or a tab is a space.
pub fn plain(text: &str) -> String {
    let shown = |c| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_hidden(c) => HIDDEN,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// JSON that says the same, with hidden characters in its texts written as JSON has them: `\u202e`. What
/// stands between its texts must be without them, as in JSON on one line.
pub fn plain_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            let mut halves = [0; 2];
            for half in c.encode_utf16(&mut halves) {
                out += &format!("\\u{half:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, ends of lines and paragraphs, characters without width, and those that turn the
/// direction (Unicode, UAX #9).
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "东门\u{1b}[2J\u{9b}3m\u{202e}a\nb 🎥";

    #[test]
    fn a_name_cannot_move_the_cursor_or_turn_the_line() {
        assert_eq!(plain(NAME), "东门\u{fffd}[2J\u{fffd}3m\u{fffd}a b 🎥");
        assert!(!is_plain(NAME) && !is_plain("a\tb") && is_plain("东门 1 🎥"));
        assert!(is_plain(&plain(NAME)));
    }

    #[test]
    fn json_says_the_same_without_showing_them() {
        assert_eq!(plain_json("{\"name\":\"a\u{202e}\u{9b}东\"}"), "{\"name\":\"a\\u202e\\u009b东\"}");
    }
}
