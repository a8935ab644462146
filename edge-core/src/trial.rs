//! Whether the hub's wish for a box's configuration is taken: checked whole, tried, confirmed or rolled back.
//!
//! Decides by generation number alone: what a configuration says, the disk it is kept on and the cameras it
//! starts are the agent's. Time comes in as the time since the agent's start. Invariants:
//! what runs was checked whole; a generation that was given up is never tried again by itself; a trial has an
//! end; and whoever stops in the middle of one wakes up on the configuration of before.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{CameraId, ConfigReport, ConfigState, ConfigWhy, ConfigWhyCode};

/// How long what is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialConfig {
    /// Cameras and uplink must be well again by then.
    pub length: Duration,
    /// For this long without a break.
    pub steady: Duration,
}

impl Default for TrialConfig {
    fn default() -> Self {
        Self { length: Duration::from_secs(120), steady: Duration::from_secs(30) }
    }
}

/// What the disk knows when the agent starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last good generation.
    pub applied: Option<u64>,
    /// The one whose trial had begun and has no verdict.
    pub trial: Option<u64>,
    /// The last verdict.
    pub report: Option<ConfigReport>,
}

/// One camera as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCamera {
    pub id: CameraId,
    /// `None`: it was not reached yet, nor failed.
    pub live: Option<bool>,
    /// Why it is not, where that is known.
    pub why: Option<String>,
}

impl SeenCamera {
    fn is_live(&self) -> bool {
        self.live == Some(true)
    }
}

/// The box as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub cameras: Vec<SeenCamera>,
    /// Whether the hub is reached.
    pub linked: bool,
}

/// Why something was not taken: in English, and in a form for every language where it is a usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub text: String,
    pub why: Option<ConfigWhy>,
}

impl Reason {
    pub fn new(code: ConfigWhyCode, text: impl Into<String>) -> Self {
        let why = ConfigWhy { code, camera: None, detail: None, seconds: None };
        Self { text: text.into(), why: Some(why) }
    }

    pub fn of_camera(mut self, camera: &CameraId) -> Self {
        self.why = self.why.map(|why| ConfigWhy { camera: Some(camera.clone()), ..why });
        self
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = Some(shortened(detail.into()));
        self.why = self.why.map(|why| ConfigWhy { detail, ..why });
        self
    }

    pub fn seconds(mut self, seconds: u64) -> Self {
        self.why = self.why.map(|why| ConfigWhy { seconds: Some(seconds), ..why });
        self
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, why: None }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The hub wishes this generation.
    Offered {
        generation: u64,
    },
    /// The answer to [`Output::Check`]: right as a whole (with what is worth knowing), or why not.
    Checked {
        generation: u64,
        verdict: Result<Option<String>, Reason>,
    },
    /// The answer to [`Output::Try`].
    Started(Result<(), Reason>),
    /// The answer to [`Output::Confirm`].
    Confirmed(Result<(), Reason>),
    Seen(Seen),
    /// [`Trial::deadline`] has come.
    Due,
    /// The generation in force can't be used any more with what the box itself says; it was left.
    Left {
        reason: Reason,
    },
    /// The box's own settings are others now: what was refused may be right.
    LocalChanged,
    /// The agent stops in order.
    Stopping,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Check it whole and answer [`Input::Checked`].
    Check { generation: u64 },
    /// Write it down, mark it as on trial, start cameras on it, answer [`Input::Started`].
    Try { generation: u64 },
    /// Mark it as the good one, take the mark of the trial away, answer [`Input::Confirmed`].
    Confirm { generation: u64 },
    /// Take the mark of the trial away and start cameras on this one again; `None`: on local files alone.
    RollBack { to: Option<u64> },
    /// Take the mark of the trial away: it is tried again when the hub says it again.
    Forget,
    /// Say it to the hub; keep it if it is a verdict.
    Report(ConfigReport),
}

/// The state.
#[derive(Debug)]
pub struct Trial {
    config: TrialConfig,
    applied: Option<u64>,
    /// Up to here nothing is looked at again.
    newest: u64,
    /// To be looked at once it is known which cameras are live without it, or at this time.
    waiting: Option<(u64, Duration)>,
    checking: Option<u64>,
    phase: Phase,
    /// As last seen outside of a trial.
    before: Option<Seen>,
    report: Option<ConfigReport>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    Settled,
    Starting(Attempt),
    Watching { attempt: Attempt, until: Duration, well_since: Option<Duration>, lacking: Lacking },
    Confirming(Attempt),
}

/// What is not as it was before.
#[derive(Debug)]
struct Lacking {
    text: String,
    /// Empty: the hub.
    cameras: Vec<String>,
}

/// A generation on trial.
#[derive(Debug, Clone)]
struct Attempt {
    generation: u64,
    note: Option<String>,
    /// Cameras that were live before it.
    expected: BTreeSet<CameraId>,
}

/// Longest reason that is passed on, letters.
const REASON_LETTERS: usize = 400;

impl Trial {
    /// As the disk left it. What was on trial when the agent stopped without a word is given up.
    pub fn resume(config: TrialConfig, kept: Kept) -> Self {
        let Kept { applied, trial, report } = kept;
        let told = report.as_ref().map_or(0, |r| match r.state {
            // Whatever stood against it may have been mended since.
            ConfigState::Refused => r.generation.saturating_sub(1),
            // It passed, and is no longer there.
            ConfigState::Applied if applied.is_none() => r.generation.saturating_sub(1),
            _ => r.generation,
        });
        let newest = told.max(applied.unwrap_or(0));
        let phase = Phase::Settled;
        let (waiting, checking, before, outputs) = (None, None, None, VecDeque::new());
        let mut resumed = Self { config, applied, newest, waiting, checking, phase, before, report, outputs };
        let broken_off = trial.filter(|generation| Some(*generation) != applied);
        if let Some(generation) = broken_off {
            resumed.newest = newest.max(generation);
            resumed.verdict(
                generation,
                ConfigState::RolledBack,
                Some(Reason::new(
                    ConfigWhyCode::BrokenOff,
                    "the box stopped or lost power while it was on trial; the one before is in force",
                )),
            );
        } else if let Some(generation) = applied
            && resumed.report.as_ref().is_none_or(|r| r.generation <= generation)
        {
            let note = resumed
                .report
                .take()
                .filter(|r| r.generation == generation && r.state == ConfigState::Applied);
            resumed.verdict(generation, ConfigState::Applied, note.and_then(|r| r.reason).map(Reason::from));
        } else if let Some(mut report) = resumed.report.take() {
            report.applied = applied;
            resumed.say(report);
        }
        if trial.is_some() {
            resumed.outputs.push_back(Output::Forget);
        }
        resumed
    }

    /// The generation in force, if it has passed its trial.
    pub fn applied(&self) -> Option<u64> {
        self.applied
    }

    /// The generation on trial.
    pub fn on_trial(&self) -> Option<u64> {
        match &self.phase {
            Phase::Settled => None,
            Phase::Starting(a) | Phase::Confirming(a) | Phase::Watching { attempt: a, .. } => {
                Some(a.generation)
            }
        }
    }

    /// Other times, from the next trial on.
    pub fn set_config(&mut self, config: TrialConfig) {
        self.config = config;
    }

    pub fn report(&self) -> Option<&ConfigReport> {
        self.report.as_ref()
    }

    pub fn handle(&mut self, now: Duration, input: Input) {
        match input {
            Input::Offered { generation } => self.offered(now, generation),
            Input::Checked { generation, verdict } => self.checked(generation, verdict),
            Input::Started(outcome) => self.started(now, outcome),
            Input::Confirmed(outcome) => self.confirmed(outcome),
            Input::Seen(seen) => self.seen(now, seen),
            Input::Due => self.due(now),
            Input::Left { reason } => self.left(reason),
            Input::LocalChanged => self.look_again(now),
            Input::Stopping => {
                if self.on_trial().is_some() {
                    self.phase = Phase::Settled;
                    self.outputs.push_back(Output::Forget);
                }
            }
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Due`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Watching { until, well_since, .. } => {
                Some(well_since.map_or(*until, |since| (since + self.config.steady).min(*until)))
            }
            _ => self.waiting.map(|(_, until)| until),
        }
    }

    fn offered(&mut self, now: Duration, generation: u64) {
        if generation <= self.newest {
            return;
        }
        self.newest = generation;
        self.look(now, generation);
    }

    fn look(&mut self, now: Duration, generation: u64) {
        // What it takes down can only be known by what is up without it.
        if self.on_trial().is_some() || self.before.as_ref().is_some_and(is_known) {
            self.check(generation);
        } else {
            self.waiting = Some((generation, now + self.config.length));
        }
    }

    fn check(&mut self, generation: u64) {
        self.waiting = None;
        self.checking = Some(generation);
        self.outputs.push_back(Output::Check { generation });
    }

    fn checked(&mut self, generation: u64, verdict: Result<Option<String>, Reason>) {
        if self.checking != Some(generation) {
            return; // a newer one is being looked at
        }
        self.checking = None;
        match verdict {
            Err(reason) => self.verdict(generation, ConfigState::Refused, Some(reason)),
            Ok(note) => {
                let expected = match std::mem::replace(&mut self.phase, Phase::Settled) {
                    // It takes the place of one that has no verdict yet: what counts is how it was before both.
                    Phase::Starting(a) | Phase::Confirming(a) | Phase::Watching { attempt: a, .. } => {
                        a.expected
                    }
                    Phase::Settled => self.before.as_ref().map(not_down).unwrap_or_default(),
                };
                self.verdict(generation, ConfigState::Trying, None);
                self.phase = Phase::Starting(Attempt { generation, note, expected });
                self.outputs.push_back(Output::Try { generation });
            }
        }
    }

    fn started(&mut self, now: Duration, outcome: Result<(), Reason>) {
        let Phase::Starting(attempt) = std::mem::replace(&mut self.phase, Phase::Settled) else { return };
        match outcome {
            Err(reason) => self.give_up(&attempt, reason),
            Ok(()) => {
                let lacking = Lacking {
                    text: "nothing was seen of cameras and uplink".to_owned(),
                    cameras: Vec::new(),
                };
                let until = now + self.config.length;
                self.phase = Phase::Watching { attempt, until, well_since: None, lacking };
            }
        }
    }

    fn seen(&mut self, now: Duration, seen: Seen) {
        match &mut self.phase {
            Phase::Settled => {
                let known = is_known(&seen);
                self.before = Some(seen);
                if let Some((generation, _)) = self.waiting.filter(|_| known) {
                    self.check(generation);
                }
            }
            Phase::Starting(_) | Phase::Confirming(_) => {}
            Phase::Watching { attempt, well_since, lacking, .. } => match lacks(&attempt.expected, &seen) {
                None => *well_since = well_since.or(Some(now)),
                Some(what) => (*well_since, *lacking) = (None, what),
            },
        }
        self.due(now);
    }

    fn due(&mut self, now: Duration) {
        if let Some((generation, until)) = self.waiting
            && (now >= until || self.on_trial().is_some())
        {
            self.check(generation);
        }
        let Phase::Watching { attempt, until, well_since, lacking } = &self.phase else { return };
        let steady = well_since.is_some_and(|since| now >= since + self.config.steady);
        if steady {
            let attempt = attempt.clone();
            self.outputs.push_back(Output::Confirm { generation: attempt.generation });
            self.phase = Phase::Confirming(attempt);
        } else if now >= *until {
            let seconds = self.config.length.as_secs();
            let how = if well_since.is_some() { "steady" } else { "well" };
            let text = format!("not {how} within {seconds} s: {}", lacking.text);
            let reason = match lacking.cameras.is_empty() {
                true => Reason::new(ConfigWhyCode::HubLost, text),
                false => Reason::new(ConfigWhyCode::CamerasLost, text).detail(lacking.cameras.join(", ")),
            };
            let reason = reason.seconds(seconds);
            let attempt = attempt.clone();
            self.give_up(&attempt, reason);
        }
    }

    fn confirmed(&mut self, outcome: Result<(), Reason>) {
        let Phase::Confirming(attempt) = std::mem::replace(&mut self.phase, Phase::Settled) else { return };
        match outcome {
            Err(reason) => self.give_up(&attempt, reason),
            Ok(()) => {
                self.applied = Some(attempt.generation);
                self.verdict(attempt.generation, ConfigState::Applied, attempt.note.map(Reason::from));
            }
        }
    }

    fn give_up(&mut self, attempt: &Attempt, reason: Reason) {
        self.phase = Phase::Settled;
        self.verdict(attempt.generation, ConfigState::RolledBack, Some(reason));
        self.outputs.push_back(Output::RollBack { to: self.applied });
    }

    fn left(&mut self, reason: Reason) {
        let Some(generation) = self.applied.take() else { return };
        self.newest = self.newest.min(generation.saturating_sub(1)).max(self.on_trial().unwrap_or(0));
        self.verdict(generation, ConfigState::Refused, Some(reason));
    }

    fn look_again(&mut self, now: Duration) {
        let refused = self.report.as_ref().filter(|r| r.state == ConfigState::Refused).map(|r| r.generation);
        if let Some(generation) = refused
            && self.checking.is_none()
            && self.waiting.is_none()
        {
            self.newest = self.newest.max(generation);
            self.look(now, generation);
        }
    }

    /// Only the newest generation's state is told; of older ones, that they are in force.
    fn verdict(&mut self, generation: u64, state: ConfigState, reason: Option<Reason>) {
        let (reason, why) = reason.map_or((None, None), |r| (Some(shortened(r.text)), r.why));
        let applied = self.applied;
        let mut report = ConfigReport { applied, generation, state, trying: None, reason, why, local: None };
        if let Some(newer) = self.report.as_ref().filter(|r| r.generation > generation) {
            report = ConfigReport { applied, ..newer.clone() };
        }
        self.say(report);
    }

    fn say(&mut self, mut report: ConfigReport) {
        report.trying = self.on_trial().filter(|generation| *generation != report.generation);
        self.report = Some(report.clone());
        self.outputs.push_back(Output::Report(report));
    }
}

/// Whether every camera has been reached or has failed.
fn is_known(seen: &Seen) -> bool {
    seen.cameras.iter().all(|c| c.live.is_some())
}

/// A camera of which nothing is known is taken for one that works.
fn not_down(seen: &Seen) -> BTreeSet<CameraId> {
    seen.cameras.iter().filter(|c| c.live != Some(false)).map(|c| c.id.clone()).collect()
}

/// What is not as it was: every camera that was live and is still there must be live again, at least one
/// of those that are there, and the hub must be reached.
fn lacks(expected: &BTreeSet<CameraId>, seen: &Seen) -> Option<Lacking> {
    let said = |c: &SeenCamera| match &c.why {
        Some(why) => format!("camera `{}` ({why})", c.id),
        None => format!("camera `{}`", c.id),
    };
    let away: Vec<&SeenCamera> =
        seen.cameras.iter().filter(|c| !c.is_live() && expected.contains(&c.id)).collect();
    let mut missing: Vec<String> = away.iter().copied().map(said).collect();
    let mut cameras: Vec<String> = away.iter().map(|c| c.id.to_string()).collect();
    let dark =
        !expected.is_empty() && !seen.cameras.is_empty() && !seen.cameras.iter().any(SeenCamera::is_live);
    if missing.is_empty() && dark {
        missing.push("any camera".into());
        cameras.extend(seen.cameras.iter().map(|c| c.id.to_string()));
    }
    if !seen.linked {
        missing.push("the link to the hub".into());
    }
    let text = format!("{} did not come back", missing.join(", "));
    (!missing.is_empty()).then_some(Lacking { text, cameras })
}

/// One line without control characters, of a bounded length.
fn shortened(reason: String) -> String {
    let plain = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(REASON_LETTERS).collect()
}
