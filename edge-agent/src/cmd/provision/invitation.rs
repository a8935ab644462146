//! What the installer brings: the token, typed in, in a file, or as the text of a QR code, and the hub.

use std::io::{BufRead, Read};
use std::path::Path;

use protocol::enrol::Token;

use super::report::{Failure, Report, Stage};
use crate::wording::Text;

/// A QR code's text is far shorter.
const MOST_BYTES: u64 = 4096;
const QR: &str = "signalbox:enrol?";

/// A hub, and the token that it made.
#[derive(Debug)]
pub struct Invitation {
    /// `https://host:port`
    pub hub: String,
    pub token: Token,
}

pub fn obtain(file: Option<&Path>, hub: Option<&str>, report: &Report) -> Result<Invitation, Failure> {
    let text = match file {
        Some(path) => std::fs::File::open(path)
            .and_then(read_line)
            .map_err(|error| refused(format!("{}: {error}", path.display())))?,
        None => {
            report.ask(&Text::new("请输入令牌（SB1-...）：", "Token (SB1-...):"));
            read_line(std::io::stdin()).map_err(|error| refused(error.to_string()))?
        }
    };
    understand(&text, hub).map_err(refused)
}

fn refused(why: String) -> Failure {
    Failure::new(
        Stage::Reach,
        Text::new("令牌或中心地址不对", "token or address of the hub cannot be used"),
        why,
        Text::new(
            "在中心运行 central-hub token create，把显示的令牌逐组核对后再试；地址写成 https://主机:端口",
            "run `central-hub token create` at the hub and compare group by group; write the address as https://HOST:PORT",
        ),
    )
}

fn read_line(from: impl Read) -> std::io::Result<String> {
    let mut line = String::new();
    std::io::BufReader::new(from.take(MOST_BYTES)).read_line(&mut line)?;
    Ok(line)
}

/// A bare token needs a hub beside it; the text of a QR code has its own.
fn understand(text: &str, hub: Option<&str>) -> Result<Invitation, String> {
    let text = text.trim().trim_start_matches('\u{feff}');
    let (token, own_hub) = match text.strip_prefix(QR) {
        None => (text.to_owned(), None),
        Some(query) => {
            let field = |name: &str| {
                let pair = query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
                pair.map(decoded)
            };
            (field("token").ok_or("the QR code has no token")?, field("hub"))
        }
    };
    let token = token.parse::<Token>().map_err(|error| error.to_string())?;
    let hub = hub.map(str::to_owned).or(own_hub).ok_or("which hub? name it by --hub https://HOST:PORT")?;
    Ok(Invitation { hub: checked(&hub)?, token })
}

/// `https://host:port` and nothing more.
fn checked(hub: &str) -> Result<String, String> {
    let refuse = || format!("`{hub}` is no hub: write it like https://hub.example:8443");
    let url = reqwest::Url::parse(hub.trim()).map_err(|_| refuse())?;
    let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), bare) else {
        return Err(refuse());
    };
    if url.scheme() != "https" {
        return Err(refuse());
    }
    Ok(format!("https://{host}:{port}"))
}

/// Percent signs undone (RFC 3986); what is no such sign stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match pair.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        Token { secret: [7; 16], authority: [9; 16] }.to_string()
    }

    #[test]
    fn token_and_qr_code_are_understood() {
        let token = token();
        for (text, hub) in [
            (format!(" {token}\n"), Some("https://hub.example:8443/")),
            (format!("signalbox:enrol?hub=https://hub.example:8443&token={token}"), None),
            (format!("signalbox:enrol?token={token}&hub=https%3A%2F%2Fhub.example%3A8443"), None),
            (format!("signalbox:enrol?hub=https://other:1&token={token}"), Some("https://hub.example:8443")),
        ] {
            let found = understand(&text, hub).unwrap();
            assert_eq!(found.hub, "https://hub.example:8443", "{text}");
            assert_eq!(found.token.to_string(), token);
        }
    }

    #[test]
    fn what_is_wrong_with_it_is_said() {
        let token = token();
        let last = if token.ends_with('0') { '8' } else { '0' };
        let wrong = format!("{}{last}", &token[..token.len() - 1]);
        for (text, hub, said) in [
            (token.as_str(), None, "name it by --hub"),
            (&wrong, Some("https://h:1"), "typing error"),
            ("", Some("https://h:1"), "begins with SB1-"),
            ("signalbox:enrol?hub=https://h:1", None, "has no token"),
            (&token, Some("http://h:1"), "write it like https"),
            (&token, Some("https://h:1/x"), "write it like https"),
            (&token, Some("hub.example:8443"), "write it like https"),
        ] {
            let error = understand(text, hub).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
