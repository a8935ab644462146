//! One-time codes by time (RFC 6238): what an authenticator app shows, computed here.
//!
//! SHA-1, six digits, 30 seconds: what every app knows. Pure but for making secrets. Who has used which code
//! already is the store's.

use ring::hmac;

use crate::credential::CredentialError;

/// RFC 4226 asks for 128 bits at least and recommends 160.
const SECRET_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
const DIGITS: u32 = 6;
/// Codes of the step before and after count too: phones' clocks differ.
const DRIFT: i64 = 1;

/// A new secret.
pub fn new_secret() -> Result<Vec<u8>, CredentialError> {
    let mut bytes = vec![0u8; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(CredentialError::Random)?;
    Ok(bytes)
}

/// The step of a code, where it is one of those that count at `now_ms` and of a step after `used`: no code is
/// good twice, nor one older than the last.
pub fn step_of(secret: &[u8], code: &str, now_ms: i64, used: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = now_ms.div_euclid(1000 * STEP_SECONDS);
    let mut found = None;
    // All of them are looked at, so that the duration does not say which it was.
    for step in now - DRIFT..=now + DRIFT {
        let same = crate::credential::same_bytes(code_at(secret, step).as_bytes(), code.as_bytes());
        if same && step > used {
            found = Some(step);
        }
    }
    found
}

/// The code of a step.
pub fn code_at(secret: &[u8], step: i64) -> String {
    let number = digits(secret, step, DIGITS);
    format!("{number:0width$}", width = DIGITS as usize)
}

/// The step at a time.
pub fn step_at(now_ms: i64) -> i64 {
    now_ms.div_euclid(1000 * STEP_SECONDS)
}

/// What an app reads from a picture: the Key URI format.
pub fn uri(secret: &[u8], account: &str) -> String {
    format!("otpauth://totp/Signalbox:{}?secret={}&issuer=Signalbox", percent(account), base32(secret))
}

/// RFC 4648 without padding, for typing in.
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in bytes {
        (bits, count) = (bits << 8 | u32::from(*byte), count + 8);
        while count >= 5 {
            count -= 5;
            text.push(char::from(LETTERS[(bits >> count & 31) as usize]));
        }
    }
    if count > 0 {
        text.push(char::from(LETTERS[(bits << (5 - count) & 31) as usize]));
    }
    text
}

/// RFC 4226, section 5.3.
fn digits(secret: &[u8], step: i64, digits: u32) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let word = tag[at..at + 4].iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    (word & 0x7fff_ffff) % 10u32.pow(digits)
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B.
    const RFC: &[u8] = b"12345678901234567890";

    #[test]
    fn the_codes_are_the_standards() {
        let expected = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (seconds, code) in expected {
            assert_eq!(digits(RFC, step_at(seconds * 1000), 8), code, "at {seconds}");
            assert_eq!(code_at(RFC, step_at(seconds * 1000)), format!("{:06}", code % 1_000_000));
        }
    }

    #[test]
    fn a_code_counts_once_and_for_a_step_to_either_side() {
        let now = 1_111_111_111_000;
        let step = step_at(now);
        for near in [step - 1, step, step + 1] {
            assert_eq!(step_of(RFC, &code_at(RFC, near), now, 0), Some(near));
        }
        for far in [step - 2, step + 2] {
            assert_eq!(step_of(RFC, &code_at(RFC, far), now, 0), None);
        }
        assert_eq!(step_of(RFC, &code_at(RFC, step), now, step), None, "used already");
        assert_eq!(step_of(RFC, &code_at(RFC, step - 1), now, step), None, "older than the last");
        assert_eq!(step_of(RFC, &code_at(RFC, step + 1), now, step), Some(step + 1));
        assert_eq!(step_of(RFC, "050 471", now, 0), Some(step), "as apps show it");
        for wrong in ["", "050472", "50471", "0504710", "０５０４７１"] {
            assert_eq!(step_of(RFC, wrong, now, 0), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_gets_the_secret_as_it_reads_it() {
        // RFC 4648, section 10.
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let uri = uri(RFC, "王 li");
        assert_eq!(
            uri,
            "otpauth://totp/Signalbox:%E7%8E%8B%20li?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Signalbox"
        );
        assert_eq!(new_secret().unwrap().len(), 20);
        assert_ne!(new_secret().unwrap(), new_secret().unwrap());
    }
}
