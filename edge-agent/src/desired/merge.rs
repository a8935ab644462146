//! The box's own settings and a wish, put together. Pure: whether pipelines, models and passwords are there
//! is the caller's to check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CameraWish, Desired, DesiredError};
use crate::camera::{CameraConfig, RtspUrl, reach};
use crate::config::Config;
use crate::onvif::address;
use crate::pipeline::PACKAGED;
use crate::secrets::Secrets;

/// Least and most that a spool may be told from afar to hold.
const SPOOL: (u64, u64) = (64 << 20, 1 << 40);
/// Most pipelines that are looked at in one folder.
const MOST_PIPELINES: usize = 256;

/// The pipelines of the box, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf(pub BTreeMap<String, PathBuf>);

/// What is to be in force.
#[derive(Debug, Clone)]
pub struct Merged {
    pub config: Config,
    /// What was wished and left alone, for people.
    pub note: Option<String>,
}

impl Shelf {
    /// Looks into the folders that the box's own settings take pipelines from, and the package's.
    pub fn of(local: &Config) -> Self {
        let own = local.cameras.iter().filter_map(|c| c.pipeline.as_deref());
        let named = local.agent.pipeline.as_deref().into_iter().chain(own);
        let folders = named.filter_map(Path::parent).chain([Path::new(PACKAGED)]);
        let mut found = BTreeMap::new();
        for folder in folders {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.flatten().map(|e| e.path()).take(MOST_PIPELINES) {
                let is_toml = path.extension().is_some_and(|e| e == "toml");
                if let Some(name) = path.file_stem().and_then(|n| n.to_str())
                    && is_toml
                {
                    found.entry(name.to_owned()).or_insert(path);
                }
            }
        }
        Self(found)
    }

    fn find(&self, name: &str) -> Result<PathBuf, String> {
        self.0.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).take(20).collect();
            format!("the box has no pipeline `{name}`; it has: {}", known.join(", "))
        })
    }
}

/// What `desired` makes of the box's own settings.
pub fn merge(local: &Config, desired: &Desired, shelf: &Shelf) -> Result<Merged, DesiredError> {
    if local.locked {
        return Err(DesiredError::Locked);
    }
    let mut config = local.clone();
    let mut notes = Vec::new();
    stills(&mut config, desired).map_err(DesiredError::Wrong)?;
    if let Some(cap) = desired.spool.cap {
        if !(SPOOL.0..=SPOOL.1).contains(&cap.0) {
            return Err(DesiredError::Wrong(format!("[spool] cap = \"{cap}\": use 64MiB to 1024GiB")));
        }
        config.spool.cap = cap;
    }
    for wish in &desired.cameras {
        camera(&mut config, local, wish, shelf, &mut notes)?;
    }
    config.check().map_err(|problem| DesiredError::Wrong(problem.en))?;
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Merged { config, note })
}

fn stills(config: &mut Config, desired: &Desired) -> Result<(), String> {
    if let Some(quality) = desired.stills.quality {
        config.stills.quality = quality;
    }
    match desired.stills.cover_persons {
        Some(true) => config.stills.cover_persons = true,
        Some(false) if config.stills.cover_persons => {
            return Err("[stills] cover_persons = false: the box covers whole persons, and that can be \
                        loosened at the box alone"
                .into());
        }
        _ => {}
    }
    Ok(())
}

fn camera(
    config: &mut Config,
    local: &Config,
    wish: &CameraWish,
    shelf: &Shelf,
    notes: &mut Vec<String>,
) -> Result<(), DesiredError> {
    let wrong = |why: String| DesiredError::Wrong(format!("camera `{}`: {why}", wish.id));
    if let Some(url) = &wish.url {
        own_place(local, url).map_err(wrong)?;
    }
    let at = config.cameras.iter().position(|c| c.id == wish.id);
    if let Some(at) = at
        && config.cameras[at].locked
    {
        notes.push(format!("camera `{}` is locked at the box and was left as it is", wish.id));
        return Ok(());
    }
    match at {
        Some(at) if wish.remove => {
            config.cameras.remove(at);
        }
        None if wish.remove => notes.push(format!("there was no camera `{}` to remove", wish.id)),
        Some(at) => {
            let known = &mut config.cameras[at];
            if let Some(url) = &wish.url
                && !known.user.is_empty()
                && !wish.user.as_deref().is_some_and(str::is_empty)
                && host(url) != host(&known.url)
            {
                return Err(DesiredError::OtherHost { camera: wish.id.clone() });
            }
            if let Some(url) = &wish.url {
                known.url = url.clone();
            }
            change(known, wish, shelf)?;
        }
        None => {
            let url = wish.url.clone();
            let url =
                url.ok_or_else(|| wrong("the box has no such camera, and a new one needs a `url`".into()))?;
            let mut new = blank(local, wish, url);
            change(&mut new, wish, shelf)?;
            config.cameras.push(new);
        }
    }
    Ok(())
}

/// From afar nobody has the box connect to itself or to what only its own wire knows, unless one of its own
/// cameras is there.
fn own_place(local: &Config, url: &RtspUrl) -> Result<(), String> {
    let known = local.cameras.iter().any(|c| host(&c.url) == host(url));
    match reach::literal(&host(url)).filter(|address| reach::is_special(*address) && !known) {
        None => Ok(()),
        Some(address) => Err(format!(
            "its url names the host {address}, which is no camera's: such an address is set at the box alone"
        )),
    }
}

fn change(camera: &mut CameraConfig, wish: &CameraWish, shelf: &Shelf) -> Result<(), DesiredError> {
    if let Some(name) = &wish.name {
        camera.name = name.clone();
    }
    if let Some(user) = &wish.user {
        camera.user = user.clone();
    }
    if let Some(pipeline) = &wish.pipeline {
        let found = shelf.find(pipeline.as_str()).map_err(|text| DesiredError::NoPipeline {
            camera: wish.id.clone(),
            name: pipeline.to_string(),
            text,
        })?;
        camera.pipeline = Some(found);
    }
    if let Some(transport) = wish.transport {
        camera.transport = transport;
    }
    if wish.analyse_fps.is_some() {
        camera.analyse_fps = wish.analyse_fps;
    }
    camera.rules_wished = wish.lines.is_some() || wish.zones.is_some();
    if let Some(lines) = &wish.lines {
        camera.lines = lines.clone();
    }
    if let Some(zones) = &wish.zones {
        camera.zones = zones.clone();
    }
    Ok(())
}

/// A camera of which nothing is known but where it is. A password can only be one sealed for its id.
fn blank(local: &Config, wish: &CameraWish, url: RtspUrl) -> CameraConfig {
    CameraConfig {
        id: wish.id.clone(),
        name: String::new(),
        url,
        user: String::new(),
        password_file: None,
        pipeline: None,
        transport: Default::default(),
        analyse_fps: None,
        live: Default::default(),
        locked: false,
        lines: Vec::new(),
        zones: Vec::new(),
        file: None,
        rules_wished: false,
        secrets: Some(Secrets::open(&local.agent.data)),
        networks: local.agent.camera_networks.clone(),
    }
}

/// An address's host, without port; names in lower case.
fn host(url: &RtspUrl) -> String {
    address::host_of(url.as_str()).unwrap_or_default()
}
