//! HTTP Digest (RFC 7616, and RFC 2617 for the cameras of its time): the answer to a challenge. Pure but
//! for the client's own nonce.

use gstreamer::glib::{self, ChecksumType};

use crate::camera::Credentials;

/// No honest challenge is longer.
const LONGEST: usize = 4096;

/// What a camera wants to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    hash: ChecksumType,
    session: bool,
    /// With `qop=auth`, which the camera offers.
    auth: bool,
}

impl Challenge {
    /// The best of several; `None` when there is no Digest that we know.
    pub fn strongest(headers: &[String]) -> Option<Self> {
        let mut all: Vec<Self> = headers.iter().filter_map(|h| Self::read(h)).collect();
        all.sort_by_key(|c| c.hash == ChecksumType::Sha256);
        all.pop()
    }

    fn read(header: &str) -> Option<Self> {
        let rest = header.trim_start();
        let is_digest = rest.len() <= LONGEST && rest.get(..7)?.eq_ignore_ascii_case("digest ");
        let fields = is_digest.then(|| fields(&rest[7..]))?;
        let get =
            |name: &str| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        let algorithm = get("algorithm");
        let upper = algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase();
        let hash = match upper.trim_end_matches("-SESS") {
            "MD5" => ChecksumType::Md5,
            "SHA-256" => ChecksumType::Sha256,
            _ => return None,
        };
        let qop = get("qop");
        let auth =
            qop.as_deref().is_some_and(|q| q.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")));
        // A camera that insists on auth-int can't be answered.
        (auth || qop.is_none()).then_some(())?;
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm,
            hash,
            session: upper.ends_with("-SESS"),
            auth,
        })
    }

    /// The `Authorization` header.
    pub fn answer(&self, credentials: &Credentials, method: &str, path: &str, cnonce: &str) -> String {
        const COUNT: &str = "00000001";
        let (user, password) = (&credentials.user, credentials.password.expose());
        let Self { realm, nonce, .. } = self;
        let mut secret = self.sum(&format!("{user}:{realm}:{password}"));
        if self.session {
            secret = self.sum(&format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = self.sum(&format!("{method}:{path}"));
        let response = match self.auth {
            true => self.sum(&format!("{secret}:{nonce}:{COUNT}:{cnonce}:auth:{request}")),
            false => self.sum(&format!("{secret}:{nonce}:{request}")),
        };
        let mut header = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\"",
            quoted(user),
            quoted(realm),
            quoted(nonce),
            quoted(path)
        );
        if let Some(algorithm) = &self.algorithm {
            header += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            header += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        if self.auth {
            header += &format!(", qop=auth, nc={COUNT}, cnonce=\"{cnonce}\"");
        } else if self.session {
            header += &format!(", cnonce=\"{cnonce}\"");
        }
        header
    }

    fn sum(&self, text: &str) -> String {
        glib::compute_checksum_for_data(self.hash, text.as_bytes()).map(String::from).unwrap_or_default()
    }
}

/// A client nonce.
pub(super) fn nonce() -> String {
    let random = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    format!("{random:016x}")
}

/// `name=value` pairs, quoted or not, between commas.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut letters = text.chars().peekable();
    while letters.peek().is_some() {
        let name: String = std::iter::from_fn(|| letters.next_if(|c| !matches!(c, '=' | ','))).collect();
        let mut value = String::new();
        if letters.next_if_eq(&'=').is_some() {
            while letters.next_if(|c| c.is_whitespace()).is_some() {}
            if letters.next_if_eq(&'"').is_some() {
                while let Some(c) = letters.next().filter(|c| *c != '"') {
                    value.push(if c == '\\' { letters.next().unwrap_or(c) } else { c });
                }
            } else {
                value = std::iter::from_fn(|| letters.next_if(|c| *c != ',')).collect();
            }
        }
        fields.push((name.trim().to_owned(), value.trim().to_owned()));
        while letters.next_if(|c| *c != ',').is_some() {}
        letters.next();
    }
    fields
}

fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use settings::Secret;

    use super::*;

    fn mufasa() -> Credentials {
        Credentials { user: "Mufasa".into(), password: Secret::new("Circle of Life") }
    }

    /// RFC 7616, 3.9.1.
    #[test]
    fn the_examples_of_the_standard_are_answered_as_it_says() {
        let header = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (headers, expected) in [
            (vec![header("MD5")], "8ca523f5e9506fed4657c9700eebdbec"),
            (
                vec![header("MD5"), header("SHA-256"), "Basic realm=\"x\"".to_owned()],
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let challenge = Challenge::strongest(&headers).unwrap();
            let answer = challenge.answer(&mufasa(), "GET", "/dir/index.html", cnonce);
            assert!(answer.contains(&format!("response=\"{expected}\"")), "{answer}");
            assert!(!answer.contains("Circle"), "{answer}");
        }
    }

    #[test]
    fn what_is_no_digest_or_unknown_is_not_answered() {
        for header in [
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
            "Digest",
            "",
            "digest ===,,,\"",
        ] {
            assert_eq!(Challenge::strongest(&[header.to_owned()]), None, "{header}");
        }
        let long = format!("Digest realm=\"{}\", nonce=\"y\"", "x".repeat(LONGEST));
        assert_eq!(Challenge::strongest(&[long]), None);
    }

    #[test]
    fn quotes_in_names_stay_inside_of_their_quotes() {
        let challenge = Challenge::strongest(&["Digest realm=\"a\\\"b\", nonce=n".to_owned()]).unwrap();
        assert_eq!((challenge.realm.as_str(), challenge.nonce.as_str()), ("a\"b", "n"));
        let credentials = Credentials { user: "x\", y=\"\r\nEvil: 1".into(), password: Secret::new("p") };
        let answer = challenge.answer(&credentials, "POST", "/", "c");
        assert!(answer.contains("username=\"x\\\", y=\\\"Evil: 1\", realm=\"a\\\"b\""), "{answer}");
    }
}
