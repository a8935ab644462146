//! `[exchange]`: how the hub calls itself, and what time it is, where other departments' systems read.

use std::collections::BTreeMap;

use hub_core::cap;
use protocol::{SiteId, exchange};
use serde::Deserialize;

use crate::store::exchange::Names;

/// `[exchange]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What names this hub among all others in CAP messages: a domain name, say. Default: made from the database's
    /// own id.
    pub sender: Option<String>,
    /// Who people take it to be: `东街街道综治中心`. Default: none.
    pub sender_name: Option<String>,
    /// Local time's distance from UTC in messages, figures and files. Default `+08:00`.
    pub utc_offset: String,
    /// The wall's address as other departments reach it, `https://hub.example`: messages then hold a link. Default:
    /// none.
    pub wall: Option<String>,
    /// Sites that hold an exercise now: their messages say `Exercise`. Default: none.
    pub exercises: Vec<SiteId>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sender: None,
            sender_name: None,
            utc_offset: "+08:00".to_owned(),
            wall: None,
            exercises: Vec::new(),
        }
    }
}

/// What the types cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "[exchange] sender = \"{0}\": use 1 to 200 ASCII characters without spaces, commas, quotes, `<` and `&`"
    )]
    Sender(String),
    #[error("[exchange] utc_offset = \"{0}\": write it like \"+08:00\", at most 14 hours")]
    Offset(String),
    #[error("[exchange] wall = \"{0}\" is no https or http address")]
    Wall(String),
}

impl Settings {
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(sender) = self.sender.as_ref().filter(|s| !cap::is_sender(s)) {
            return Err(SettingsError::Sender(sender.clone()));
        }
        if self.offset_minutes().is_none() {
            return Err(SettingsError::Offset(self.utc_offset.clone()));
        }
        let is_wall = |wall: &&String| {
            url::Url::parse(wall).is_ok_and(|u| matches!(u.scheme(), "https" | "http") && u.has_host())
        };
        match self.wall.as_ref().filter(|wall| !is_wall(wall)) {
            Some(wall) => Err(SettingsError::Wall(wall.clone())),
            None => Ok(()),
        }
    }

    /// What everything is called outside.
    pub fn names(
        &self,
        sites: BTreeMap<SiteId, String>,
        kinds: BTreeMap<String, exchange::Names>,
        hub_epoch: &str,
    ) -> Names {
        Names {
            sites,
            kinds,
            exercises: self.exercises.iter().cloned().collect(),
            offset_minutes: self.offset_minutes().unwrap_or(0),
            sender: self.sender.clone().unwrap_or_else(|| format!("signalbox-{hub_epoch}")),
            sender_name: self.sender_name.clone(),
            wall: self.wall.as_ref().map(|wall| wall.trim_end_matches('/').to_owned()),
        }
    }

    fn offset_minutes(&self) -> Option<i16> {
        let (sign, rest) = match self.utc_offset.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let number = |text: &str| {
            text.parse::<i16>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours * 60 + minutes <= 14 * 60 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_strictly() {
        let offset =
            |text: &str| Settings { utc_offset: text.to_owned(), ..Settings::default() }.offset_minutes();
        assert_eq!((offset("+08:00"), offset("-03:30"), offset("+00:00")), (Some(480), Some(-210), Some(0)));
        for wrong in ["", "8", "+8:00", "08:00", "+15:00", "+14:30", "+08:60", "＋08:00", "+-8:00", "+08:0０"]
        {
            assert_eq!(offset(wrong), None, "{wrong}");
        }
    }
}
