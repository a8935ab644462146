//! What nearly every command takes: the settings file of this box.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use anyhow::Context;
use settings::owner;

use crate::config::{Config, ConfigError, DEFAULT_FILE};

/// Where the package's unit keeps GStreamer's list of plugins.
const CACHE: &str = "/var/cache/signalbox-agent";

#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The settings; camera files are in the folder `cameras` beside them.
    #[arg(long = "config", value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
}

impl Settings {
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder that camera files are beside.
    pub fn base(&self) -> PathBuf {
        self.file.parent().map(PathBuf::from).unwrap_or_default()
    }

    /// Reads them; from then on root's command works as the service's user. For the start of a command,
    /// before there is a second thread.
    pub fn take(&self) -> anyhow::Result<Config> {
        let config = Config::read(&self.file)?;
        join_service(&config.agent.data)?;
        Ok(config)
    }

    /// As [`Settings::take`], for those who say themselves what is wrong with the settings.
    pub fn try_take(&self) -> Result<Config, ConfigError> {
        let config = Config::read(&self.file)?;
        if let Err(error) = join_service(&config.agent.data) {
            eprintln!("edge-agent: {error:#}");
        }
        Ok(config)
    }
}

fn join_service(data: &Path) -> anyhow::Result<()> {
    owner::become_owner(data).with_context(|| format!("cannot work as the owner of {}", data.display()))?;
    if owner::is_for_root() {
        // SAFETY: commands call this first, while there is one thread. Root's own folders are closed now.
        unsafe {
            std::env::set_var("HOME", data);
            std::env::set_var("XDG_CACHE_HOME", CACHE);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor;

    #[test]
    fn whoever_has_no_settings_is_told_where_they_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { file: folder.path().join("edge-agent.toml") };
        let (_, cure) = doctor::explain(&settings.take().unwrap_err().context("no acceptance")).unwrap();
        let cure = cure.unwrap();
        assert!(cure.en.contains("--config") && cure.zh.contains("软件包会安装"), "{cure:?}");
    }
}
