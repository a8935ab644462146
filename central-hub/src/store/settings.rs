//! `[store]`: which engine keeps the hub's data.

use std::path::PathBuf;

use serde::Deserialize;

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A PostgreSQL database, `postgres://user@host:port/database`, in place of SQLite in the data folder. Its
    /// password is not in here. Default: none.
    pub url: Option<String>,
    /// The file with the password, mode 600. Default: none.
    pub password_file: Option<PathBuf>,
    /// With several hubs on one database: the folder that all of them mount, for the authority's keys, and for stills
    /// and photos. Default: the data folder.
    pub shared_folder: Option<PathBuf>,
    /// Where stills and photos are kept instead: a disk of their own. It must be there; several hubs all mount it.
    /// Default: the shared folder.
    pub evidence_folder: Option<PathBuf>,
    /// Most connections to PostgreSQL, 2 to 100. Default 10.
    pub connections: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { url: None, password_file: None, shared_folder: None, evidence_folder: None, connections: 10 }
    }
}

/// What the types cannot say.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(
        "[store] url is no PostgreSQL address: write it like \"postgres://signalbox@db.example/signalbox\""
    )]
    Url,
    #[error("[store] url holds a password: put it into a file of mode 600 and name that in password_file")]
    PasswordInUrl,
    #[error("[store] password_file belongs to `url`")]
    PasswordAlone,
    #[error("[store] shared_folder belongs to `url`: SQLite is for one hub alone")]
    SharedAlone,
    #[error("[store] connections = {0} is out of range: 2 to 100")]
    Connections(u32),
}

impl Settings {
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(2..=100).contains(&self.connections) {
            return Err(SettingsError::Connections(self.connections));
        }
        let Some(url) = &self.url else {
            return match (&self.password_file, &self.shared_folder) {
                (Some(_), _) => Err(SettingsError::PasswordAlone),
                (_, Some(_)) => Err(SettingsError::SharedAlone),
                _ => Ok(()),
            };
        };
        let scheme = ["postgres://", "postgresql://"].iter().find_map(|s| url.strip_prefix(s));
        let (place, query) =
            scheme.map(|rest| rest.split_once('?').unwrap_or((rest, ""))).ok_or(SettingsError::Url)?;
        let authority = place.split('/').next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || query.split('&').any(|pair| pair.starts_with("password=")) {
            return Err(SettingsError::PasswordInUrl);
        }
        let options: Result<sqlx::postgres::PgConnectOptions, _> = url.parse();
        options.map(drop).map_err(|_| SettingsError::Url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> Result<(), String> {
        let settings = Settings { url: Some(url.into()), ..Settings::default() };
        settings.check().map_err(|e| e.to_string())
    }

    #[test]
    fn an_address_is_one_and_holds_no_password() {
        check("postgres://signalbox@db.example:5432/signalbox?sslmode=verify-full").unwrap();
        check("postgresql:///signalbox?host=/run/postgresql").unwrap();
        assert!(check("mysql://db.example/signalbox").unwrap_err().contains("postgres://"));
        for url in ["postgres://hub:word@db/x", "postgres://hub@db/x?password=word"] {
            let error = check(url).unwrap_err();
            assert!(error.contains("password_file") && !error.contains("word@"), "{error}");
        }
        let alone = Settings { password_file: Some("p".into()), ..Settings::default() };
        assert!(alone.check().is_err());
        assert!(Settings { connections: 1, ..Settings::default() }.check().is_err());
        Settings::default().check().unwrap();
    }
}
