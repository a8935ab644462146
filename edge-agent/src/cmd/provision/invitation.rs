//! What the installer brings: the token, typed in, in a file, or as the text of a QR code, and the hub.

use std::path::Path;

use protocol::enrol::{Token, TokenError};

use super::reading;
use super::report::{Failure, Report, Stage};
use crate::wording::Text;

const QR: &str = "signalbox:enrol?";

/// A hub, and the token that it made.
#[derive(Debug)]
pub struct Invitation {
    /// `https://host:port`
    pub hub: String,
    pub token: Token,
}

/// `hub`: as it was named; `known`: that of the identity which is replaced, where none is named.
pub fn obtain(
    file: Option<&Path>,
    hub: Option<&str>,
    known: Option<&str>,
    report: &Report,
) -> Result<Invitation, Failure> {
    // Before anybody types a token for it.
    if let Some(hub) = hub {
        checked(hub).map_err(|wrong| wrong.failure())?;
    }
    let text = reading::text(file, is_short, report)?;
    let invitation = understand(&text, hub, known).map_err(|wrong| wrong.failure())?;
    report
        .ok(Stage::Token, &Text::new(format!("中心 {}", invitation.hub), format!("hub {}", invitation.hub)));
    Ok(invitation)
}

/// What was brought to a box that is enrolled already.
#[derive(Debug, Default)]
pub struct Brought {
    pub hub: Option<String>,
    pub secret: Option<String>,
}

/// Asks for nothing: who brings no token wants none to be used, and one that is gone was used up.
pub fn brought(file: Option<&Path>, hub: Option<&str>, report: &Report) -> Result<Brought, Failure> {
    let named = hub.map(checked).transpose().map_err(|wrong| wrong.failure())?;
    let text = file.filter(|f| f.as_os_str() == "-" || f.exists());
    let Some(text) = text.map(|_| reading::text(file, is_short, report)).transpose()? else {
        return Ok(Brought { hub: named, secret: None });
    };
    // Without a hub in it the token alone counts.
    let found = understand(&text, hub, Some(NOWHERE)).map_err(|wrong| wrong.failure())?;
    let hub = Some(found.hub).filter(|hub| hub != NOWHERE);
    Ok(Brought { hub, secret: Some(found.token.secret_hex()) })
}

/// Stands for a hub that nobody named.
const NOWHERE: &str = "https://nowhere.invalid:1";

/// What is wrong with what was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrong {
    Token(TokenError),
    NoToken,
    NoHub,
    Hub(String),
}

impl Wrong {
    fn failure(&self) -> Failure {
        let (zh, en) = match self {
            Self::Token(error) => {
                let zh = match error {
                    TokenError::Length(n) => format!("令牌是 SB1- 加 55 个字母和数字，这里有 {n} 个"),
                    TokenError::Letter(c) => format!("令牌里不会出现 `{c}`"),
                    TokenError::CheckSum => "有输入错误：校验不符".to_owned(),
                };
                (zh, error.to_string())
            }
            Self::NoToken => ("二维码里没有令牌".to_owned(), "the QR code has no token".to_owned()),
            Self::NoHub => ("没有说明是哪个中心".to_owned(), "it is not said which hub".to_owned()),
            Self::Hub(hub) => (format!("`{hub}` 不是中心的地址"), format!("`{hub}` is no address of a hub")),
        };
        let (what, cure) = match self {
            Self::Token(_) | Self::NoToken => (
                Text::new("令牌不对", "the token cannot be used"),
                Text::new(
                    "与中心屏幕上的令牌逐组核对；或在中心重新生成：central-hub token create",
                    "compare it with the hub's screen, group by group; or make a new one there: central-hub token create",
                ),
            ),
            Self::NoHub | Self::Hub(_) => (
                Text::new("中心的地址不对", "the hub's address cannot be used"),
                Text::new(
                    "写成 --hub https://主机:端口，例如 --hub https://192.0.2.5:8443",
                    "write it as --hub https://HOST:PORT, for example --hub https://192.0.2.5:8443",
                ),
            ),
        };
        Failure::because(Stage::Token, what, Text::new(zh, en), cure)
    }
}

/// Whether it can only be the beginning of a token or of a QR code's text.
fn is_short(text: &str) -> bool {
    let token = match text.strip_prefix(QR) {
        Some(query) => query.split('&').find_map(|p| p.strip_prefix("token=")),
        None if QR.starts_with(text) => None,
        None => Some(text),
    };
    token.is_none_or(
        |token| matches!(token.parse::<Token>(), Err(TokenError::Length(n)) if n < Token::LETTERS),
    )
}

/// A bare token needs a hub beside it, or a known one; the text of a QR code has its own.
fn understand(text: &str, hub: Option<&str>, known: Option<&str>) -> Result<Invitation, Wrong> {
    let (token, own_hub) = match text.strip_prefix(QR) {
        None => (text.to_owned(), None),
        Some(query) => {
            let field = |name: &str| {
                let pair = query.split('&').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
                pair.map(decoded)
            };
            (field("token").ok_or(Wrong::NoToken)?, field("hub"))
        }
    };
    let token = token.parse::<Token>().map_err(Wrong::Token)?;
    let hub = hub.map(str::to_owned).or(own_hub).or(known.map(str::to_owned)).ok_or(Wrong::NoHub)?;
    Ok(Invitation { hub: checked(&hub)?, token })
}

/// `https://host:port` and nothing more.
fn checked(hub: &str) -> Result<String, Wrong> {
    let refuse = || Wrong::Hub(crate::wording::plain(hub, 100));
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
            (token.clone(), Some("https://hub.example:8443/")),
            (format!("signalbox:enrol?hub=https://hub.example:8443&token={token}"), None),
            (format!("signalbox:enrol?token={token}&hub=https%3A%2F%2Fhub.example%3A8443"), None),
            (format!("signalbox:enrol?hub=https://other:1&token={token}"), Some("https://hub.example:8443")),
        ] {
            let found = understand(&text, hub, Some("https://before:1")).unwrap();
            assert_eq!(found.hub, "https://hub.example:8443", "{text}");
            assert_eq!(found.token.to_string(), token);
        }
        // The hub that the box has, where nothing else is said.
        let found = understand(&token, None, Some("https://before:8443")).unwrap();
        assert_eq!(found.hub, "https://before:8443");
    }

    #[test]
    fn what_was_broken_into_lines_is_waited_for() {
        let token = token();
        let code = format!("signalbox:enrol?hub=https://h:1&token={token}");
        for whole in [&token, &code] {
            assert!(!is_short(whole), "{whole}");
            for at in [3, 12, 40, whole.len() - 1] {
                assert!(is_short(&whole[..at]), "{}", &whole[..at]);
            }
        }
        // What cannot become one is said at once.
        assert!(!is_short(&format!("{token}{token}")));
    }

    #[test]
    fn what_is_wrong_with_it_is_said() {
        let token = token();
        let last = if token.ends_with('0') { '8' } else { '0' };
        let wrong = format!("{}{last}", &token[..token.len() - 1]);
        for (text, hub, said) in [
            (token.as_str(), None, "not said which hub"),
            (&wrong, Some("https://h:1"), "typing error"),
            ("", Some("https://h:1"), "begins with SB1-"),
            ("signalbox:enrol?hub=https://h:1", None, "has no token"),
            (&token, Some("http://h:1"), "`http://h:1` is no address"),
            (&token, Some("https://h:1/x"), "`https://h:1/x` is no address"),
            (&token, Some("hub.example:8443"), "`hub.example:8443` is no address"),
        ] {
            let failure = understand(text, hub, None).unwrap_err().failure();
            assert_eq!(failure.stage, Stage::Token);
            assert!(failure.why.en.contains(said), "{text}: {failure:?}");
            assert!(!failure.why.zh.is_ascii() && !failure.cure.zh.is_ascii(), "{failure:?}");
        }
    }
}
