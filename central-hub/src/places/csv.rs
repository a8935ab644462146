//! CSV as spreadsheets write it (RFC 4180): quotes, commas and line breaks within them, a byte order mark.

/// The number of its first line, and its fields.
type Row = (usize, Vec<String>);

/// Rows with the numbers of their first lines; empty lines are left out. On an error: its line, and why.
pub fn read(text: &str) -> Result<Vec<Row>, (usize, &'static str)> {
    let mut letters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun) = (1, 1);
    let (mut quoted, mut was_quoted) = (false, false);
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            _ if quoted => field.push(letter),
            '"' if field.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            '"' => return Err((line, "a quote in the midst of a field")),
            ',' => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
                keep(&mut rows, begun, std::mem::take(&mut row));
                begun = line;
            }
            _ if was_quoted => return Err((line, "text behind a quoted field")),
            _ => field.push(letter),
        }
    }
    if quoted {
        return Err((begun, "a quote that is never closed"));
    }
    row.push(field);
    keep(&mut rows, begun, row);
    Ok(rows)
}

fn keep(rows: &mut Vec<(usize, Vec<String>)>, line: usize, row: Vec<String>) {
    if row.iter().any(|f| !f.trim().is_empty()) {
        rows.push((line, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_hold_anything() {
        let rows = read("a,\"b\"\"c\",\"d\ne\"\r\n\r\nf,,\n").unwrap();
        assert_eq!(rows[0], (1, vec!["a".into(), "b\"c".into(), "d\ne".into()]));
        assert_eq!(rows[1], (4, vec!["f".into(), String::new(), String::new()]));
        for text in ["a\"b", "\"a", "\"a\"b"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
