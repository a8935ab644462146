//! Signatures of messages, as the Standard Webhooks specification has them: HMAC-SHA256 over id, time, body.
//!
//! A receiver checks the signature, refuses old times and repeated ids, and so knows that the hub wrote the
//! message, that nobody altered it, and that it is no replay.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

use crate::credential::{self, CredentialError};

/// Shorter secrets are refused, as the specification asks.
const LEAST_BYTES: usize = 24;
const MOST_BYTES: usize = 64;
const PREFIX: &str = "whsec_";

/// A receiver's secret.
pub struct Key(hmac::Key);

impl Key {
    /// `whsec_` and base64 of 24 to 64 bytes; the prefix may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = BASE64.decode(text.strip_prefix(PREFIX).unwrap_or(text)).ok()?;
        (LEAST_BYTES..=MOST_BYTES)
            .contains(&bytes.len())
            .then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of the header `webhook-signature`.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign()))
    }
}

/// A new secret, as both ends keep it.
pub fn new_secret() -> Result<String, CredentialError> {
    // 256 bits as the credentials' own text; its bytes are the secret.
    let token = credential::random_token()?;
    Ok(format!("{PREFIX}{}", BASE64.encode(token.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_own_example_is_signed_as_it_says() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn weak_secrets_are_refused_and_new_ones_are_not() {
        for weak in ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all!", "whsec_MfKQ"] {
            assert!(Key::parse(weak).is_none(), "{weak}");
        }
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert!(Key::parse(&one).is_some() && one != other);
    }
}
