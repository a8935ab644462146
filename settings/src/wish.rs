//! What a configuration that travels may not be, whoever reads it: too long, no TOML, or with a secret in it.
//!
//! The hub looks before it takes one, the agent before it reads one. What the sections may say is the
//! agent's. No error repeats a value: it may be the secret.

use toml::{Table, Value};

/// No travelling configuration is longer, bytes.
pub const MAX_WISH_BYTES: usize = 64 * 1024;

/// Why such a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    #[error("it has {0} bytes: at most {MAX_WISH_BYTES} are allowed; leave out what is as the box has it")]
    Long(usize),
    #[error("it is no text in UTF-8: save it as UTF-8")]
    Encoding,
    #[error("line {line}, column {column}: {message}")]
    Syntax { line: usize, column: usize, message: String },
    #[error(
        "`{place}` would carry a secret: secrets are entered at the box (edge-agent camera add), never sent"
    )]
    Secret { place: String },
    #[error(
        "`{place}` holds a user or password in its address: leave them out, set `user`, and enter the password at the box (edge-agent camera add)"
    )]
    Address { place: String },
}

/// The table that a travelling text is, if it may travel.
pub fn check_wish(bytes: &[u8]) -> Result<Table, WishError> {
    if bytes.len() > MAX_WISH_BYTES {
        return Err(WishError::Long(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| WishError::Encoding)?;
    let table: Table = toml::from_str(text).map_err(|e| {
        let (line, column) = super::line_and_column(text, e.span().map_or(0, |s| s.start));
        // Only the first line: what follows may quote the text.
        let message = e.message().lines().next().unwrap_or("no TOML").to_owned();
        WishError::Syntax { line, column, message }
    })?;
    search_table(&table, "")?;
    Ok(table)
}

fn search_table(table: &Table, place: &str) -> Result<(), WishError> {
    for (name, value) in table {
        let place = if place.is_empty() { shown(name) } else { format!("{place}.{}", shown(name)) };
        if names_a_secret(name) {
            return Err(WishError::Secret { place });
        }
        search(value, &place)?;
    }
    Ok(())
}

fn search(value: &Value, place: &str) -> Result<(), WishError> {
    match value {
        Value::String(text) if is_private_key(text) => Err(WishError::Secret { place: place.to_owned() }),
        Value::String(text) if has_credentials(text) => Err(WishError::Address { place: place.to_owned() }),
        Value::Table(table) => search_table(table, place),
        Value::Array(values) => {
            values.iter().enumerate().try_for_each(|(i, v)| search(v, &format!("{place}[{i}]")))
        }
        _ => Ok(()),
    }
}

fn names_a_secret(name: &str) -> bool {
    const WITHIN: [&str; 8] =
        ["password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "private"];
    let plain = name.to_lowercase().replace('-', "_");
    WITHIN.iter().any(|word| plain.contains(word))
        || plain == "pass"
        || plain.split('_').any(|word| word == "key" || word == "keys")
        || name.contains('密')
}

fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
}

/// `scheme://user:pass@host`, or the `user=..&password=..` that some recorders take in the path.
fn has_credentials(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let plain = rest.to_lowercase();
    let parameter = |name: &str| {
        plain.match_indices(name).any(|(at, _)| {
            let before = plain[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric())
        })
    };
    host.contains('@')
        || host.to_lowercase().contains("%40")
        || ["password=", "passwd=", "pwd=", "pass=", "psw=", "token=", "secret=", "auth="]
            .into_iter()
            .any(parameter)
}

/// A name as an error shows it: bounded, on one line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(text: &str) -> String {
        check_wish(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_carries_no_secret_may_travel() {
        for text in [
            "",
            "# nothing\n",
            "[[camera]]\nid = \"gate\"\nname = \"东门 passage\"\nurl = \"rtsp://192.0.2.1/s?subtype=1&bypass=0\"\nuser = \"u\"\n",
            "[[camera]]\nid = \"keyhole\"\nurl = \"rtsp://192.0.2.1/a@b\"\n",
        ] {
            check_wish(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_is_and_never_repeated() {
        for text in [
            "password = \"hunter2\"",
            "[[camera]]\nid = \"a\"\npassword_file = \"hunter2\"",
            "[[camera]]\nid = \"a\"\n[camera.deep]\nPass-Word = 1\nx = [{ api-key = \"hunter2\" }]",
            "[hub]\nkey_file = \"hunter2\"",
            "x = [[[{ user-token = \"hunter2\" }]]]",
            "\"密码\" = \"hunter2\"",
            "x = \"-----BEGIN EC PRIVATE KEY-----hunter2\"",
            "url = \"rtsp://guard:hunter2@192.0.2.1/\"",
            "url = \"rtsp://guard%40hunter2@192.0.2.1/\"",
            "url = \"rtsp://192.0.2.1/user=admin&password=hunter2&channel=1\"",
            "url = \"rtsp://192.0.2.1/?PWD=hunter2\"",
        ] {
            let error = refuse(text);
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("at the box"), "{error}");
        }
        assert!(refuse("[[camera]]\nid = \"a\"\npassword = \"x\"").starts_with("`camera[0].password` would"));
    }

    #[test]
    fn length_encoding_and_syntax_are_refused_with_the_place() {
        assert!(refuse(&"#".repeat(MAX_WISH_BYTES + 1)).contains("65537 bytes"));
        check_wish("#".repeat(MAX_WISH_BYTES).as_bytes()).unwrap();
        assert_eq!(check_wish(b"x = \"\xff\""), Err(WishError::Encoding));
        assert!(refuse("a = 1\nb = \n").starts_with("line 2, column "));
        assert!(refuse("a = 1\na = 2\n").starts_with("line 2, column 1: "));
        assert!(refuse(&format!("a = {}", "[".repeat(60_000))).starts_with("line 1"));
        assert!(refuse("a = \"\0\"").starts_with("line 1"));
    }
}
