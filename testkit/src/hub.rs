//! A small client of the hub's REST API, as a browser would use it.

use std::time::Duration;

use serde_json::{Value, json};

/// Pages of 200 that are read at most.
const MAX_PAGES: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing}: {source}")]
    Call {
        doing: String,
        #[source]
        source: Box<ureq::Error>,
    },
    #[error("the hub answered {doing} with something unexpected: {what}")]
    Answer { doing: String, what: String },
}

/// Signed in: the session cookie is kept.
#[derive(Debug)]
pub struct Hub {
    base: String,
    cookie: String,
    http: ureq::Agent,
}

/// The token of a login link, whatever the link looks like before it: `.../login#token=T`, `?token=T`.
pub fn token_of(link: &str) -> Option<&str> {
    let rest = link
        .split_once("token=")
        .map(|(_, rest)| rest)
        .or_else(|| link.rsplit_once(['#', '/']).map(|(_, t)| t))?;
    let token = rest.split(['&', '#', ' ']).next()?.trim();
    (!token.is_empty()).then_some(token)
}

impl Hub {
    /// Signs in with the one-time token of a login link.
    pub fn sign_in(base: &str, token: &str) -> Result<Self, Error> {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        let http: ureq::Agent = config.into();
        let doing = "sign in";
        let answer = http
            .post(format!("{base}/api/v1/session"))
            .header("origin", base)
            .send_json(json!({"token": token}))
            .map_err(|e| failed(doing, e))?;
        let cookies: Vec<&str> = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|v| v.to_str().ok()?.split(';').next())
            .collect();
        if cookies.is_empty() {
            return Err(Error::Answer { doing: doing.to_owned(), what: "no session cookie".to_owned() });
        }
        Ok(Self { base: base.to_owned(), cookie: cookies.join("; "), http })
    }

    /// The session, as a `Cookie` header.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Every alert the hub holds, newest first.
    pub fn alerts(&self) -> Result<Vec<Value>, Error> {
        let (mut all, mut before) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let after = before.map_or_else(String::new, |cursor| format!("&before={cursor}"));
            let mut page = self.get_json(&format!("/api/v1/alerts?limit=200{after}"))?;
            let Value::Array(alerts) = page["alerts"].take() else {
                let what = "no `alerts`".to_owned();
                return Err(Error::Answer { doing: "the list of alerts".to_owned(), what });
            };
            all.extend(alerts);
            before = match &page["next"] {
                Value::String(cursor) => Some(cursor.clone()),
                Value::Number(cursor) => Some(cursor.to_string()),
                _ => return Ok(all),
            };
        }
        Ok(all)
    }

    /// An alert's still: the bytes, when they are a JPEG.
    pub fn still(&self, alert: &Value) -> Result<Vec<u8>, Error> {
        let path = match (&alert["still"]["url"], &alert["id"]) {
            (Value::String(url), _) => url.clone(),
            (_, Value::String(id)) => format!("/api/v1/alerts/{id}/still"),
            _ => format!(
                "/api/v1/alerts/{}/{}/{}/still",
                word(&alert["agent"]),
                word(&alert["epoch"]),
                alert["seq"]
            ),
        };
        let doing = format!("download {path}");
        let answer = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).call();
        let bytes = answer
            .and_then(|mut answer| answer.body_mut().with_config().limit(4 << 20).read_to_vec())
            .map_err(|e| failed(&doing, e))?;
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9]) {
            return Ok(bytes);
        }
        Err(Error::Answer { doing, what: format!("{} bytes that are no JPEG", bytes.len()) })
    }

    /// Offers to watch a camera live (WHEP): the answer, and where it is ended. `path` is below `/api/v1`.
    pub fn watch(&self, path: &str, offer: String) -> Result<(String, String), Error> {
        let doing = format!("watch {path}");
        let request = self.http.post(format!("{}/api/v1{path}", self.base)).header("cookie", &self.cookie);
        let request = request.header("origin", &self.base).header("content-type", "application/sdp");
        let mut answer = request.send(offer).map_err(|e| failed(&doing, e))?;
        let place = answer.headers().get("location").and_then(|place| place.to_str().ok()).map(str::to_owned);
        let text = answer.body_mut().read_to_string().map_err(|e| failed(&doing, e))?;
        let place = place.ok_or(Error::Answer { doing, what: "no place where it is ended".to_owned() })?;
        Ok((text, place))
    }

    /// Ends what is watched.
    pub fn leave(&self, place: &str) -> Result<(), Error> {
        let request = self.http.delete(format!("{}{place}", self.base)).header("cookie", &self.cookie);
        request.header("origin", &self.base).call().map_err(|e| failed(&format!("end {place}"), e))?;
        Ok(())
    }

    /// Whatever the API says at a path, from `/api` on.
    pub fn get_json(&self, path: &str) -> Result<Value, Error> {
        let doing = format!("read {path}");
        let answer = self.http.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).call();
        answer.and_then(|mut answer| answer.body_mut().read_json()).map_err(|e| failed(&doing, e))
    }
}

/// A JSON text without its quotes.
pub fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn failed(doing: &str, source: ureq::Error) -> Error {
    Error::Call { doing: doing.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::token_of;

    #[test]
    fn a_token_is_found_in_any_usual_link() {
        for link in
            ["http://h/login#token=abc", "http://h/?token=abc&x=1", "http://h/login/abc", "http://h/#abc"]
        {
            assert_eq!(token_of(link), Some("abc"), "{link}");
        }
        assert_eq!(token_of("http://h/#"), None);
    }
}
