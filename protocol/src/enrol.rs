//! How a box gets its certificate: the token an installer carries, and what travels over HTTPS.
//!
//! The flow and its reasons are in `docs/adr/0006-who-is-who.md`. Paths are below [`PREFIX`] on the
//! hub's agents' door; every refusal has a body of [`Refusal`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AgentId, SiteId, Timestamp};

pub const PREFIX: &str = "/agent/v1";
/// `POST`, no client certificate: [`Redeem`] -> [`Enrolment`].
pub const REDEEM: &str = "/agent/v1/enrol";
/// `POST`, by the present certificate, expired or not: [`Renew`] -> [`Enrolment`].
pub const RENEW: &str = "/agent/v1/renew";
/// `POST`, by the new certificate, no body: from then on it is the box's only one. Answers [`Trust`].
pub const CONFIRM: &str = "/agent/v1/confirm";
/// `GET`, by the present certificate: [`Trust`].
pub const TRUST: &str = "/agent/v1/trust";
/// `PUT STILLS/{epoch}/{seq}`, by the present certificate: a covered still.
pub const STILLS: &str = "/agent/v1/stills";
/// `GET ALERTS/{epoch}/{seq}`, by the present certificate: [`Receipt`] of an alert of this box. Its still
/// comes back by `GET STILLS/{epoch}/{seq}`.
pub const ALERTS: &str = "/agent/v1/alerts";
/// `POST LIVE/{camera}/{live}`, by the present certificate: an offer of live video (`application/sdp`, WHIP, RFC 9725),
/// under the name that the order `live_start` gave it; 201 with the answer. `DELETE` ends it.
pub const LIVE: &str = "/agent/v1/live";

/// What is written into a certificate: which site and agent it speaks for, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub site: SiteId,
    pub agent: AgentId,
}

impl Identity {
    /// The subject's common name, `SITE/AGENT`: what brokers that know only names use in their rules.
    pub fn common_name(&self) -> String {
        format!("{}/{}", self.site, self.agent)
    }

    /// The subject alternative name, a URI. It alone decides.
    pub fn uri(&self) -> String {
        format!("signalbox://{}/{}", self.site, self.agent)
    }

    /// Reads [`Self::uri`] back; nothing else passes.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let (site, agent) = uri.strip_prefix("signalbox://")?.split_once('/')?;
        Some(Self { site: site.parse().ok()?, agent: agent.parse().ok()? })
    }
}

/// box -> hub: a token for a certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Redeem {
    pub v: u32,
    /// The token's secret, 32 hexadecimal digits.
    pub secret: String,
    /// PKCS #10, PEM. Only its key is used: names come from the token.
    pub csr: String,
}

/// box -> hub: the next certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Renew {
    pub v: u32,
    /// PKCS #10, PEM, of a new key.
    pub csr: String,
}

/// hub -> box: who it is from now on, and where the hub listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrolment {
    pub v: u32,
    pub site: SiteId,
    pub agent: AgentId,
    /// The name that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// PEM, the box's own certificate.
    pub certificate: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// `host:port` of the broker; without a host, the one by which the hub was reached: `:8883`.
    pub mqtt: String,
    pub trust: Trust,
}

/// hub -> box: which authorities it shall believe from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    pub v: u32,
    /// PEM certificates of the hub's authorities: one, or two while one replaces the other.
    pub roots: Vec<String>,
    /// Shall the box renew its certificate now (its authority is being replaced)?
    #[serde(default)]
    pub renew: bool,
}

/// hub -> box: an alert is stored, and can be seen on the wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub v: u32,
    /// A test alarm.
    pub test: bool,
    /// By the hub's clock.
    pub received_at: Timestamp,
    /// `pending`, `sent` or `none`.
    pub still: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_reason: Option<String>,
}

/// Why the hub refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub error: RefusalBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalBody {
    pub code: RefusalCode,
    /// One plain English sentence.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No such token.
    TokenUnknown,
    /// Its time is over.
    TokenExpired,
    /// Another box has redeemed it.
    TokenUsed,
    /// The signing request cannot be read, or its key is of a kind that is not taken.
    BadRequest,
    /// A certificate is needed here, and none was shown.
    NoCertificate,
    /// Taken away by an operator.
    Revoked,
    /// Expired longer ago than the hub forgives.
    Expired,
    /// Two boxes use it; an operator must decide.
    Held,
    /// Its place has been taken by a newer one of the same box.
    Superseded,
    /// Too much at once.
    Busy,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// What an installer carries to the box: a secret, and by what the hub is recognised.
///
/// Written `SB1-` and eleven groups of five letters and digits (Crockford's base 32, without I, L, O,
/// U), the last two bytes a check sum, so that a typing error is noticed on the spot.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub secret: [u8; 16],
    /// The first half of the SHA-256 of the hub's authority, in DER.
    pub authority: [u8; 16],
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("a token begins with SB1- and has 55 letters and digits after it; this one has {0}")]
    Length(usize),
    #[error("`{0}` does not occur in a token")]
    Letter(char),
    #[error("the token has a typing error: compare it with the hub's screen, group by group")]
    CheckSum,
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MARK: &str = "SB1";

impl Token {
    /// Letters and digits after its mark.
    pub const LETTERS: usize = 55;

    /// The secret as it travels in [`Redeem`].
    pub fn secret_hex(&self) -> String {
        self.secret.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A token is a secret: its `Debug` shows none of it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The text for people. Whoever prints it hands the box over.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0u8; 34];
        bytes[..16].copy_from_slice(&self.secret);
        bytes[16..32].copy_from_slice(&self.authority);
        let sum = check_sum(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum.to_be_bytes());
        f.write_str(MARK)?;
        for at in 0..Self::LETTERS {
            if at % 5 == 0 {
                f.write_str("-")?;
            }
            // Five bits each; the last letter ends in three zero bits.
            let value = (0..5).fold(0, |value, i| {
                let bit = at * 5 + i;
                let byte = bytes.get(bit / 8).copied().unwrap_or(0);
                value << 1 | usize::from(byte >> (7 - bit % 8) & 1)
            });
            write!(f, "{}", char::from(ALPHABET[value]))?;
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = TokenError;

    /// Takes lower case, spaces, missing dashes, and O, I, L for the digits they look like.
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let plain = plain.to_uppercase();
        let Some(body) = plain.strip_prefix(MARK).filter(|body| body.chars().count() == Self::LETTERS) else {
            let body = plain.strip_prefix(MARK).unwrap_or(&plain);
            return Err(TokenError::Length(body.chars().count()));
        };
        let mut bytes = [0u8; 35];
        for (at, letter) in body.chars().enumerate() {
            let meant = match letter {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = ALPHABET
                .iter()
                .position(|known| char::from(*known) == meant)
                .ok_or(TokenError::Letter(letter))?;
            for i in 0..5 {
                let bit = at * 5 + i;
                bytes[bit / 8] |= ((value >> (4 - i) & 1) as u8) << (7 - bit % 8);
            }
        }
        let sum = u16::from_be_bytes([bytes[32], bytes[33]]);
        if sum != check_sum(&bytes[..32]) || bytes[34] != 0 {
            return Err(TokenError::CheckSum);
        }
        let half = |from: usize| std::array::from_fn(|i| bytes[from + i]);
        Ok(Self { secret: half(0), authority: half(16) })
    }
}

/// CRC-16/IBM-3740 (ITU-T V.41's polynomial, begun with ones): any single wrong letter is found.
fn check_sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(
            sum ^ u16::from(*byte) << 8,
            |sum, _| {
                if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            secret: std::array::from_fn(|i| i as u8 * 17),
            authority: std::array::from_fn(|i| 255 - i as u8),
        }
    }

    #[test]
    fn the_check_sum_is_the_catalogues() {
        assert_eq!(check_sum(b"123456789"), 0x29b1);
    }

    #[test]
    fn a_token_is_read_back_however_it_was_typed() {
        let text = token().to_string();
        assert!(text.starts_with("SB1-") && text.len() == 3 + 11 * 6, "{text}");
        let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        for text in [text.clone(), text.replace('-', ""), typed.replacen("sbl", "sb1", 1)] {
            assert_eq!(text.parse::<Token>().as_ref(), Ok(&token()), "{text}");
        }
    }

    #[test]
    fn every_wrong_letter_is_noticed() {
        let text = token().to_string();
        for at in 4..text.len() {
            let letter = text.as_bytes()[at];
            if letter == b'-' {
                continue;
            }
            for other in ALPHABET.iter().filter(|o| **o != letter) {
                let mut wrong = text.clone().into_bytes();
                wrong[at] = *other;
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(wrong.parse::<Token>(), Err(TokenError::CheckSum), "{wrong}");
            }
        }
        assert_eq!("SB1-ABC".parse::<Token>(), Err(TokenError::Length(3)));
        assert_eq!(text.replacen('-', "-U", 1)[..70 - 1].parse::<Token>(), Err(TokenError::Letter('U')));
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", token()), "Token(..)");
    }

    #[test]
    fn identity_is_read_from_its_own_form_only() {
        let identity = Identity { site: "market".parse().unwrap(), agent: "box-1".parse().unwrap() };
        assert_eq!(Identity::from_uri(&identity.uri()), Some(identity.clone()));
        assert_eq!(identity.common_name(), "market/box-1");
        for wrong in [
            "signalbox://market",
            "signalbox://market/box-1/x",
            "signalbox://market/../x",
            "SIGNALBOX://market/box-1",
            "signalbox://市场/box-1",
            "signalbox://market/box-1?",
            "https://market/box-1",
        ] {
            assert_eq!(Identity::from_uri(wrong), None, "{wrong}");
        }
    }
}
