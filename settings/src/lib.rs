//! Settings as both programs read them: TOML files, quantities with units, secrets from files.
//!
//! Owns the errors people see when a file is wrong: what, in which file, on which line, and what
//! to do; and as whom a command works that root starts. What the sections mean stays with their owners.

pub mod chinese;
mod file;
pub mod owner;
mod quantity;
mod secret;
mod wish;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use file::{open_file, read_text, write_private};
pub use quantity::{QuantityError, Size, Span};
pub use secret::{Secret, SecretError};
pub use wish::{MAX_WISH_BYTES, WishError, check_wish};

/// Why a settings file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid { path: PathBuf, line: usize, column: usize, message: String },
}

/// An error and its causes in one line; a cause that was said already is not said again.
pub fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    causes.map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        known if known.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

/// Reads and checks a TOML file. `T` should deny unknown fields: they are then refused by name, with
/// the nearest right one.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = read_text(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// As [`load`], from a text that came from `path`.
pub fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Error> {
    toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        let (line, column) = line_and_column(text, at);
        let message = with_suggestion(e.message());
        Error::Invalid { path: path.to_owned(), line, column, message }
    })
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// serde says "unknown field `prot`, expected one of `port`, `host`"; people want "did you mean".
fn with_suggestion(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `").or(message.strip_prefix("unknown variant `"))
    else {
        return message.to_owned();
    };
    let mut names = rest.split('`');
    let wrong = names.next().unwrap_or("");
    let nearest = names
        .skip(1)
        .step_by(2)
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len().max(wrong.len())) / 2);
    match nearest {
        Some((_, name)) => format!("{message}; did you mean `{name}`?"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Listen {
        host: String,
        port: u16,
    }

    fn refuse(text: &str) -> String {
        parse::<Listen>(text, Path::new("hub.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_field_names_file_line_and_the_nearest_right_name() {
        let error = refuse("host = \"a\"\nprot = 1\n");
        assert!(error.starts_with("hub.toml:2:1: unknown field `prot`"), "{error}");
        assert!(error.ends_with("did you mean `port`?"), "{error}");
    }

    #[test]
    fn a_field_far_from_all_names_gets_no_guess() {
        assert!(!refuse("host = \"a\"\nzzzzzzzzzz = 1\n").contains("did you mean"));
    }

    #[test]
    fn a_wrong_value_names_its_line() {
        let error = refuse("host = \"a\"\nport = 99999\n");
        assert!(error.starts_with("hub.toml:2:8: "), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = in_one_line(&load::<Listen>(Path::new("/nowhere/hub.toml")).unwrap_err());
        assert!(error.contains("/nowhere/hub.toml"), "{error}");
        assert_eq!(error.matches("No such file").count(), 1, "{error}");
    }
}
