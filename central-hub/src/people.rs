//! `[people]`: how long people stay logged in.

use serde::Deserialize;
use settings::Span;

use crate::store::sessions::Limits;

/// `[people]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A session in which nothing was asked for so long ends; an open wall asks all the time. In whole minutes,
    /// 5 minutes to 7 days. Default `1h`.
    pub idle: Span,
    /// A session ends after so long in any case: a shift and a bit. 5 minutes to 7 days. Default `12h`.
    pub longest: Span,
}

impl Default for Settings {
    fn default() -> Self {
        let hours = |n: u64| Span(std::time::Duration::from_secs(n * 3600));
        Self { idle: hours(1), longest: hours(12) }
    }
}

/// What the types cannot say.
#[derive(Debug, thiserror::Error)]
#[error("[people] {0} is out of range: whole minutes, 5m to 7d")]
pub struct SettingsError(&'static str);

impl Settings {
    pub fn check(&self) -> Result<(), SettingsError> {
        for (name, span) in [("idle", self.idle), ("longest", self.longest)] {
            let seconds = span.0.as_secs();
            if span.0.subsec_nanos() != 0
                || !seconds.is_multiple_of(60)
                || !(300..=604_800).contains(&seconds)
            {
                return Err(SettingsError(name));
            }
        }
        Ok(())
    }

    pub fn limits(&self) -> Limits {
        let minutes = |span: Span| i64::try_from(span.0.as_secs() / 60).unwrap_or(i64::MAX);
        Limits { idle: minutes(self.idle), longest: minutes(self.longest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_minutes_within_bounds() {
        let check = |idle: &str| Settings { idle: idle.parse().unwrap(), ..Settings::default() }.check();
        assert!(check("5m").is_ok() && check("7d").is_ok());
        for wrong in ["4m", "8d", "301s", "300001ms"] {
            assert!(check(wrong).unwrap_err().to_string().contains("idle"), "{wrong}");
        }
        assert_eq!(Settings::default().limits(), Limits { idle: 60, longest: 720 });
    }
}
