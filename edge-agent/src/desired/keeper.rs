//! The course of a wish: from the hub's message over check and trial to the verdict, and back if need be.
//!
//! Carries out what `edge_core::trial` decides. Owns the texts, the folder and the box's own settings; loading
//! models, starting cameras and telling the hub are the station's. Calls block while models load.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_core::trial::{Input, Output, Reason, Seen, Trial};
use protocol::{ConfigReport, ConfigState, ConfigWhyCode, DesiredConfig};

use super::folder::Folder;
use super::{Desired, DesiredError, Merged, Shelf, merge};
use crate::config::Config;

/// What a keeper rules over: the running agent, or a test's stand-in for it.
pub trait Station {
    /// Everything that a configuration needs, loaded.
    type Ready;

    /// Loads pipelines, models and passwords; says what is missing.
    fn check(&self, config: &Config) -> Result<Self::Ready, Reason>;

    /// Ends what runs and starts this.
    fn switch(&mut self, config: &Config, ready: Self::Ready) -> Result<(), String>;

    /// This is in force for good: what cannot be taken back, such as a smaller spool, may happen now.
    fn settle(&mut self, config: &Config);

    /// Tells the hub.
    fn report(&mut self, report: Option<ConfigReport>);
}

/// Nothing can run any more: the reason.
#[derive(Debug, thiserror::Error)]
#[error("no configuration can be started any more, not even the box's own: {0}")]
pub struct Stranded(String);

#[cfg(test)]
impl Stranded {
    pub fn test(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// What a start found: which configuration to run, loaded.
pub struct Start<R> {
    pub config: Config,
    pub ready: R,
    local: Config,
    folder: Folder,
    trial: Trial,
    texts: BTreeMap<u64, String>,
}

impl<R> Start<R> {
    /// The box's own settings and the last good wish, or the former alone where they do not go together.
    pub fn read(
        local: Config,
        folder: Folder,
        check: impl Fn(&Config) -> Result<R, Reason>,
    ) -> Result<Self, Reason> {
        let found = folder.read();
        for problem in &found.problems {
            tracing::error!(%problem, "kept configuration cannot be read");
        }
        let mut trial = Trial::resume(local.desired.trial(), found.kept);
        let mut texts = BTreeMap::new();
        if let (Some(generation), Some(text)) = (trial.applied(), found.applied) {
            let whole = text.map_err(|e| Reason::from(e.to_string())).and_then(|text| {
                let merged = merged(&local, generation, &text)?;
                let ready = check(&merged.config)?;
                texts.insert(generation, text);
                Ok((merged.config, ready))
            });
            match whole {
                Ok((config, ready)) => return Ok(Self { config, ready, local, folder, trial, texts }),
                Err(reason) => {
                    tracing::error!(generation, %reason, "kept configuration is not used");
                    trial.handle(Duration::ZERO, Input::Left { reason });
                }
            }
        }
        let ready = check(&local)?;
        Ok(Self { config: local.clone(), ready, local, folder, trial, texts })
    }
}

/// See the file's head.
pub struct Keeper<S: Station> {
    station: S,
    local: Config,
    running: Config,
    folder: Folder,
    trial: Trial,
    /// By generation: what is in force, on trial, or newest.
    texts: BTreeMap<u64, String>,
    /// What was checked and not started yet.
    prepared: Option<(u64, Config, S::Ready)>,
    local_problem: Option<String>,
    /// The box's own settings are to be read again when the trial is over.
    put_off: bool,
    /// The time since the start.
    clock: Box<dyn Fn() -> Duration>,
}

impl<S: Station> Keeper<S> {
    /// Starts what `start` found. `clock` tells the time since some moment.
    pub fn begin(
        start: Start<S::Ready>,
        station: S,
        clock: impl Fn() -> Duration + 'static,
    ) -> Result<Self, Stranded> {
        let Start { config, ready, local, folder, trial, texts } = start;
        let (prepared, local_problem, put_off, clock) = (None, None, false, Box::new(clock));
        let running = config;
        let mut keeper =
            Self { station, local, running, folder, trial, texts, prepared, local_problem, put_off, clock };
        keeper.station.switch(&keeper.running, ready).map_err(Stranded)?;
        keeper.obey()?;
        Ok(keeper)
    }

    pub fn station(&mut self) -> &mut S {
        &mut self.station
    }

    /// What is in force, on trial or not.
    pub fn running(&self) -> &Config {
        &self.running
    }

    pub fn report(&self) -> Option<&ConfigReport> {
        self.trial.report()
    }

    /// When [`Self::due`] is to be called, on the clock given to [`Self::begin`].
    pub fn deadline(&self) -> Option<Duration> {
        self.trial.deadline()
    }

    /// The hub's newest wish has come.
    pub fn offered(&mut self, wish: &DesiredConfig) -> Result<(), Stranded> {
        self.texts.entry(wish.generation).or_insert_with(|| wish.toml.clone());
        self.handle(Input::Offered { generation: wish.generation })
    }

    pub fn seen(&mut self, seen: Seen) -> Result<(), Stranded> {
        self.handle(Input::Seen(seen))
    }

    pub fn due(&mut self) -> Result<(), Stranded> {
        self.handle(Input::Due)
    }

    /// The agent stops in order.
    pub fn stop(mut self) -> S {
        // Nothing is started by this.
        self.put_off = false;
        let _ = self.handle(Input::Stopping);
        self.station
    }

    /// Reads the box's own settings again. What is wrong with them leaves everything as it is: `Ok(Err)`. So does
    /// a trial; they are read when it is over.
    pub fn reload(&mut self) -> Result<Result<(), String>, Stranded> {
        self.put_off = self.trial.on_trial().is_some();
        let outcome = self.reread()?;
        match &outcome {
            Ok(()) => tracing::info!(file = %self.local.file.display(), "settings read again, in force"),
            Err(reason) => {
                tracing::error!(reason, "settings read again and refused; the old ones stay in force")
            }
        }
        self.local_problem = outcome.clone().err();
        self.tell();
        let refused = self.trial.report().filter(|r| r.state == ConfigState::Refused).map(|r| r.generation);
        if outcome.is_ok() && refused.is_some_and(|generation| self.texts.contains_key(&generation)) {
            self.handle(Input::LocalChanged)?;
        }
        Ok(outcome)
    }

    fn reread(&mut self) -> Result<Result<(), String>, Stranded> {
        if let Some(generation) = self.trial.on_trial() {
            let why =
                format!("configuration {generation} of the hub is on trial: they are read when it is over");
            return Ok(Err(why));
        }
        let checked =
            Config::read(&self.local.file).map_err(|e| settings::in_one_line(&e)).and_then(|local| {
                same_box(&self.local, &local)?;
                let (config, left) = self.together(&local);
                let ready = self.station.check(&config).map_err(|reason| reason.text)?;
                Ok((local, config, left, ready))
            });
        let (local, config, left, ready) = match checked {
            Ok(checked) => checked,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = self.station.switch(&config, ready) {
            let back = self.station.check(&self.running).map_err(|reason| reason.text);
            back.and_then(|ready| self.station.switch(&self.running, ready)).map_err(Stranded)?;
            return Ok(Err(why));
        }
        (self.local, self.running) = (local, config);
        self.trial.set_config(self.local.desired.trial());
        self.station.settle(&self.running);
        if let Some(reason) = left {
            self.handle(Input::Left { reason })?;
        }
        Ok(Ok(()))
    }

    /// These own settings with the wish in force, or alone and why.
    fn together(&self, local: &Config) -> (Config, Option<Reason>) {
        let applied =
            self.trial.applied().and_then(|generation| Some((generation, self.texts.get(&generation)?)));
        match applied.map(|(generation, text)| merged(local, generation, text)) {
            None => (local.clone(), None),
            Some(Ok(merged)) => (merged.config, None),
            Some(Err(reason)) => (local.clone(), Some(reason)),
        }
    }

    fn handle(&mut self, input: Input) -> Result<(), Stranded> {
        self.trial.handle((self.clock)(), input);
        self.obey()?;
        if self.put_off && self.trial.on_trial().is_none() {
            // What comes of it is logged and told to the hub.
            let _ = self.reload()?;
        }
        Ok(())
    }

    fn obey(&mut self) -> Result<(), Stranded> {
        while let Some(output) = self.trial.poll() {
            let answer = match output {
                Output::Check { generation } => {
                    Some(Input::Checked { generation, verdict: self.check(generation) })
                }
                Output::Try { generation } => Some(Input::Started(self.start(generation))),
                Output::Confirm { generation } => Some(Input::Confirmed(self.confirm(generation))),
                Output::RollBack { to } => {
                    self.roll_back(to)?;
                    None
                }
                Output::Forget => {
                    self.forget();
                    None
                }
                Output::Report(report) => {
                    self.say(&report);
                    None
                }
            };
            if let Some(input) = answer {
                self.trial.handle((self.clock)(), input);
            }
        }
        let applied = self.trial.applied();
        let on_trial = self.trial.on_trial();
        let newest = self.texts.keys().next_back().copied();
        self.texts.retain(|generation, _| [applied, on_trial, newest].contains(&Some(*generation)));
        Ok(())
    }

    fn check(&mut self, generation: u64) -> Result<Option<String>, Reason> {
        self.prepared = None;
        let text = self.texts.get(&generation).ok_or("its text is not here")?;
        let Merged { config, note } = merged(&self.local, generation, text)?;
        passwords(&self.local, &config)?;
        let ready = self.station.check(&config).map_err(|reason| reason.text)?;
        self.prepared = Some((generation, config, ready));
        Ok(note)
    }

    fn start(&mut self, generation: u64) -> Result<(), Reason> {
        let (_, config, ready) =
            self.prepared.take().filter(|(of, ..)| *of == generation).ok_or("it was not checked")?;
        let text = self.texts.get(&generation).ok_or("its text is not here")?;
        self.folder.begin(generation, text).map_err(|e| e.to_string())?;
        tracing::info!(generation, "configuration from the hub on trial");
        self.station.switch(&config, ready)?;
        self.running = config;
        Ok(())
    }

    fn confirm(&mut self, generation: u64) -> Result<(), Reason> {
        let text = self.texts.get(&generation).ok_or("its text is not here")?;
        self.folder.confirm(generation, text).map_err(|e| e.to_string())?;
        self.station.settle(&self.running);
        Ok(())
    }

    fn roll_back(&mut self, to: Option<u64>) -> Result<(), Stranded> {
        self.forget();
        let (config, mut left) = self.together(&self.local);
        let checked = self.station.check(&config);
        let started = checked.and_then(|ready| Ok(self.station.switch(&config, ready)?));
        match started {
            Ok(()) => self.running = config,
            Err(reason) if to.is_some() => {
                let ready = self.station.check(&self.local).map_err(|reason| Stranded(reason.text))?;
                self.station.switch(&self.local, ready).map_err(Stranded)?;
                self.running = self.local.clone();
                left = Some(reason);
            }
            Err(reason) => return Err(Stranded(reason.text)),
        }
        if let Some(reason) = left {
            tracing::error!(
                %reason,
                "the configuration of before is not used either; the box's own is in force"
            );
            self.trial.handle((self.clock)(), Input::Left { reason });
        }
        Ok(())
    }

    fn forget(&self) {
        if let Err(error) = self.folder.forget() {
            tracing::error!(%error, "the mark of a trial stays; the next start takes it for one broken off");
        }
    }

    fn say(&mut self, report: &ConfigReport) {
        let (generation, state, reason) = (report.generation, report.state, report.reason.as_deref());
        match state {
            ConfigState::Refused | ConfigState::RolledBack => {
                tracing::warn!(generation, ?state, reason, "configuration from the hub not taken");
            }
            _ => tracing::info!(generation, ?state, reason, "configuration from the hub"),
        }
        if let Err(error) = self.folder.keep(report) {
            tracing::error!(%error, "the verdict on a configuration is not kept");
        }
        self.tell();
    }

    fn tell(&mut self) {
        let mut report = self.trial.report().cloned();
        if let Some(problem) = &self.local_problem {
            let nothing = ConfigReport {
                applied: None,
                generation: 0,
                state: ConfigState::Applied,
                trying: None,
                reason: None,
                why: None,
                local: None,
            };
            report.get_or_insert(nothing).local = Some(problem.chars().take(400).collect());
        }
        self.station.report(report);
    }
}

fn merged(local: &Config, generation: u64, text: &str) -> Result<Merged, Reason> {
    // Looked at first: a locked box has nothing to say about the text.
    if local.locked {
        return Err(DesiredError::Locked.into());
    }
    let desired = Desired::read(text, generation)?;
    Ok(merge(local, &desired, &Shelf::of(local))?)
}

/// Whether every user that a wish brought in has a password at the box.
fn passwords(local: &Config, config: &Config) -> Result<(), Reason> {
    for camera in config.cameras.iter().filter(|c| !c.user.is_empty()) {
        let before = local.cameras.iter().find(|c| c.id == camera.id);
        let known = before.is_some_and(|before| before.user == camera.user);
        let sealed = camera.secrets.as_ref().is_some_and(|s| s.has(&camera.id));
        if !known && !sealed && camera.password_file.is_none() {
            let text = format!(
                "camera `{}` has the user `{}` and no password at the box: enter it there first (edge-agent camera)",
                camera.id, camera.user
            );
            let reason = Reason::new(ConfigWhyCode::NoPassword, text);
            return Err(reason.of_camera(&camera.id).detail(&camera.user));
        }
    }
    Ok(())
}

/// Whether one can take the place of the other while spool and uplink stay.
fn same_box(old: &Config, new: &Config) -> Result<(), String> {
    let changed = [
        (
            "[agent] site, id or data",
            (&old.agent.site, &old.agent.id, &old.agent.data)
                != (&new.agent.site, &new.agent.id, &new.agent.data),
        ),
        ("[hub]", old.hub != new.hub),
        ("[spool] ballast", old.spool.ballast != new.spool.ballast),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        Some((what, _)) => Err(format!("{what} has changed, which takes a restart of the agent")),
        None => Ok(()),
    }
}
