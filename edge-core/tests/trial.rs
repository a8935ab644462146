//! Configurations on trial: scenarios, and a seeded simulation with a disk, crashes and a hub that repeats
//! itself.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_core::trial::{Input, Kept, Output, Seen, SeenCamera, Trial, TrialConfig};
use protocol::{ConfigReport, ConfigState, ConfigWhyCode};
use testkit::Chance;

const CONFIG: TrialConfig = TrialConfig { length: Duration::from_secs(120), steady: Duration::from_secs(30) };

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// `+gate -yard ?pond`: live, not, and not known yet; a trailing `~`: no link.
fn seen(text: &str) -> Seen {
    let cameras = text.split_whitespace().filter(|w| *w != "~").map(|word| SeenCamera {
        id: word[1..].parse().unwrap(),
        live: (!word.starts_with('?')).then(|| word.starts_with('+')),
        why: word.starts_with('-').then(|| "connection refused".into()),
    });
    Seen { cameras: cameras.collect(), linked: !text.contains('~') }
}

fn outputs(trial: &mut Trial) -> Vec<Output> {
    std::iter::from_fn(|| trial.poll()).collect()
}

fn last_report(trial: &Trial) -> (u64, ConfigState, Option<u64>, String) {
    let r = trial.report().unwrap();
    (r.generation, r.state, r.applied, r.reason.clone().unwrap_or_default())
}

/// Cameras `+gate +yard` are live; generation 1 was checked and started at second 10.
fn on_trial() -> Trial {
    let mut trial = Trial::resume(CONFIG, Kept::default());
    trial.handle(secs(1), Input::Seen(seen("+gate +yard -cellar")));
    trial.handle(secs(5), Input::Offered { generation: 1 });
    assert_eq!(outputs(&mut trial), [Output::Check { generation: 1 }]);
    trial.handle(secs(9), Input::Checked { generation: 1, verdict: Ok(None) });
    assert!(matches!(&outputs(&mut trial)[..], [Output::Report(r), Output::Try { generation: 1 }]
        if r.state == ConfigState::Trying && r.applied.is_none()));
    trial.handle(secs(10), Input::Started(Ok(())));
    trial.handle(secs(10), Input::Seen(seen("-gate -yard -cellar")));
    assert_eq!(outputs(&mut trial), []);
    assert_eq!(trial.deadline(), Some(secs(130)));
    trial
}

#[test]
fn what_is_well_for_long_enough_is_confirmed() {
    let mut trial = on_trial();
    trial.handle(secs(12), Input::Seen(seen("+gate +yard -cellar")));
    assert_eq!(trial.deadline(), Some(secs(42)));
    // A break begins the wait anew; a camera that was not live before is not waited for.
    trial.handle(secs(30), Input::Seen(seen("+gate +yard -cellar ~")));
    trial.handle(secs(40), Input::Seen(seen("+gate +yard -cellar")));
    trial.handle(secs(69), Input::Due);
    assert_eq!(outputs(&mut trial), []);
    trial.handle(secs(70), Input::Due);
    assert_eq!(outputs(&mut trial), [Output::Confirm { generation: 1 }]);
    trial.handle(secs(70), Input::Confirmed(Ok(())));
    assert_eq!(last_report(&trial), (1, ConfigState::Applied, Some(1), String::new()));
    assert_eq!((trial.applied(), trial.on_trial(), trial.deadline()), (Some(1), None, None));
}

#[test]
fn what_takes_a_camera_or_the_link_down_is_rolled_back_by_itself() {
    for (state, said) in [
        ("+gate -yard +cellar", "camera `yard` (connection refused) did not come back"),
        ("+gate +yard ~", "the link to the hub did not come back"),
        ("-other", "any camera did not come back"),
    ] {
        let mut trial = on_trial();
        trial.handle(secs(20), Input::Seen(seen(state)));
        trial.handle(secs(129), Input::Due);
        assert_eq!(outputs(&mut trial), [], "{state}");
        trial.handle(secs(130), Input::Due);
        let after = outputs(&mut trial);
        assert!(matches!(&after[..], [Output::Report(_), Output::RollBack { to: None }]), "{after:?}");
        let (_, state, applied, reason) = last_report(&trial);
        assert_eq!((state, applied), (ConfigState::RolledBack, None));
        assert!(reason.contains(said), "{reason}");
        let why = trial.report().unwrap().why.clone().unwrap();
        let lost = if said.contains("link") { ConfigWhyCode::HubLost } else { ConfigWhyCode::CamerasLost };
        assert_eq!((why.code, why.seconds), (lost, Some(120)), "{why:?}");
        // The hub says it again at every connection.
        trial.handle(secs(200), Input::Offered { generation: 1 });
        assert_eq!(outputs(&mut trial), []);
    }
}

#[test]
fn what_comes_before_it_is_known_which_cameras_are_live_has_to_wait() {
    let mut trial = Trial::resume(CONFIG, Kept::default());
    trial.handle(secs(1), Input::Offered { generation: 1 });
    trial.handle(secs(2), Input::Seen(seen("+gate ?yard")));
    assert_eq!((outputs(&mut trial), trial.deadline()), (vec![], Some(secs(121))));
    trial.handle(secs(3), Input::Offered { generation: 2 });
    trial.handle(secs(4), Input::Seen(seen("+gate -yard")));
    assert_eq!(outputs(&mut trial), [Output::Check { generation: 2 }]);

    let mut trial = Trial::resume(CONFIG, Kept::default());
    trial.handle(secs(1), Input::Offered { generation: 1 });
    trial.handle(secs(121), Input::Due);
    assert_eq!(outputs(&mut trial), [Output::Check { generation: 1 }]);
}

#[test]
fn a_camera_that_was_taken_away_is_not_missed() {
    let mut trial = on_trial();
    trial.handle(secs(12), Input::Seen(seen("+gate")));
    trial.handle(secs(42), Input::Due);
    assert_eq!(outputs(&mut trial), [Output::Confirm { generation: 1 }]);
}

#[test]
fn a_newer_one_takes_the_place_of_one_on_trial_and_is_measured_by_what_was_before_both() {
    let mut trial = on_trial();
    trial.handle(secs(20), Input::Offered { generation: 2 });
    trial.handle(secs(21), Input::Checked { generation: 2, verdict: Ok(Some("gate is locked".into())) });
    trial.handle(secs(22), Input::Started(Ok(())));
    trial.handle(secs(23), Input::Seen(seen("+gate -yard")));
    outputs(&mut trial);
    trial.handle(secs(142), Input::Due);
    assert!(outputs(&mut trial).contains(&Output::RollBack { to: None }));
}

#[test]
fn a_refused_one_during_a_trial_leaves_the_trial_alone() {
    let mut trial = on_trial();
    trial.handle(secs(12), Input::Seen(seen("+gate +yard")));
    trial.handle(secs(20), Input::Offered { generation: 2 });
    trial.handle(secs(21), Input::Checked { generation: 2, verdict: Err("line 3: no\nsuch thing".into()) });
    assert_eq!(last_report(&trial), (2, ConfigState::Refused, None, "line 3: no such thing".into()));
    assert_eq!(trial.report().unwrap().trying, Some(1));
    trial.handle(secs(42), Input::Due);
    trial.handle(secs(42), Input::Confirmed(Ok(())));
    outputs(&mut trial);
    assert_eq!(trial.report().unwrap().trying, None);
    assert_eq!(last_report(&trial), (2, ConfigState::Refused, Some(1), "line 3: no such thing".into()));
    trial.handle(secs(50), Input::LocalChanged);
    assert_eq!(outputs(&mut trial), [Output::Check { generation: 2 }]);
}

#[test]
fn what_cannot_be_started_or_marked_good_is_rolled_back() {
    let mut trial = on_trial();
    trial.handle(secs(12), Input::Seen(seen("+gate +yard")));
    trial.handle(secs(42), Input::Due);
    outputs(&mut trial);
    trial.handle(secs(42), Input::Confirmed(Err("disk full".into())));
    assert!(outputs(&mut trial).contains(&Output::RollBack { to: None }));
    trial.handle(secs(50), Input::Offered { generation: 2 });
    trial.handle(secs(50), Input::Checked { generation: 2, verdict: Ok(None) });
    trial.handle(secs(50), Input::Started(Err("no thread".into())));
    assert!(outputs(&mut trial).contains(&Output::RollBack { to: None }));
    assert_eq!(last_report(&trial).1, ConfigState::RolledBack);
}

#[test]
fn a_crash_in_a_trial_is_a_verdict_and_an_orderly_stop_is_none() {
    let kept = Kept { applied: Some(3), trial: Some(4), report: None };
    let mut trial = Trial::resume(CONFIG, kept);
    let after = outputs(&mut trial);
    assert!(matches!(&after[..], [Output::Report(_), Output::Forget]), "{after:?}");
    let (generation, state, applied, reason) = last_report(&trial);
    assert_eq!((generation, state, applied), (4, ConfigState::RolledBack, Some(3)));
    assert!(reason.contains("lost power"), "{reason}");
    trial.handle(secs(1), Input::Offered { generation: 4 });
    assert_eq!(outputs(&mut trial), []);

    let mut trial = on_trial();
    trial.handle(secs(20), Input::Stopping);
    assert_eq!(outputs(&mut trial), [Output::Forget]);
    let mut again = Trial::resume(CONFIG, Kept::default());
    again.handle(secs(1), Input::Seen(seen("")));
    again.handle(secs(1), Input::Offered { generation: 1 });
    assert_eq!(outputs(&mut again), [Output::Check { generation: 1 }]);
}

#[test]
fn one_that_no_longer_goes_with_the_boxs_own_settings_is_left_and_looked_at_again() {
    let mut trial = Trial::resume(CONFIG, Kept { applied: Some(3), ..Kept::default() });
    outputs(&mut trial);
    trial.handle(secs(1), Input::Left { reason: "locked".into() });
    assert_eq!(last_report(&trial), (3, ConfigState::Refused, None, "locked".into()));
    outputs(&mut trial);
    trial.handle(secs(2), Input::Seen(seen("+gate")));
    trial.handle(secs(2), Input::Offered { generation: 3 });
    assert_eq!(outputs(&mut trial), [Output::Check { generation: 3 }]);
}

/// What a generation is like, by its number and the seed.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Good,
    Broken,
    TakesCamerasDown,
    CrashesTheBox,
}

/// The box around the machine: disk, cameras, and the power switch.
struct World {
    chance: Chance,
    now: u64,
    disk: Kept,
    /// What cameras run on.
    running: Option<u64>,
    kinds: BTreeMap<u64, Kind>,
    begun: BTreeMap<u64, u64>,
    newest: u64,
    power_cuts: u64,
    confirmed: u64,
    rolled_back: u64,
}

impl World {
    fn kind(&mut self, generation: u64) -> Kind {
        let kinds = [Kind::Good, Kind::Broken, Kind::TakesCamerasDown, Kind::CrashesTheBox];
        let drawn = kinds[(self.chance.next() % 4) as usize];
        *self.kinds.entry(generation).or_insert(drawn)
    }

    fn keep(&mut self, report: &ConfigReport) {
        if report.state != ConfigState::Trying {
            self.disk.report = Some(report.clone());
        }
    }

    /// Does what the machine says, until it is content or the power goes: `false`.
    fn obey(&mut self, trial: &mut Trial) -> bool {
        while let Some(output) = trial.poll() {
            if self.chance.one_in(60) {
                return false;
            }
            let input = match output {
                Output::Check { generation } => {
                    let verdict = match self.kind(generation) {
                        Kind::Broken => Err("broken".into()),
                        _ => Ok(None),
                    };
                    Input::Checked { generation, verdict }
                }
                Output::Try { generation } => {
                    assert_ne!(self.kinds[&generation], Kind::Broken, "started unchecked");
                    *self.begun.entry(generation).or_default() += 1;
                    self.disk.trial = Some(generation);
                    if self.chance.one_in(30) {
                        return false;
                    }
                    self.running = Some(generation);
                    if self.kinds[&generation] == Kind::CrashesTheBox {
                        return false;
                    }
                    Input::Started(if self.chance.one_in(20) { Err("no".into()) } else { Ok(()) })
                }
                Output::Confirm { generation } => {
                    if self.chance.one_in(20) {
                        trial.handle(secs(self.now), Input::Confirmed(Err("disk full".into())));
                        continue;
                    }
                    assert_eq!(self.kinds[&generation], Kind::Good);
                    self.disk.applied = Some(generation);
                    if self.chance.one_in(10) {
                        return false;
                    }
                    self.disk.trial = None;
                    self.confirmed += 1;
                    Input::Confirmed(Ok(()))
                }
                Output::RollBack { to } => {
                    self.disk.trial = None;
                    assert_eq!(to, self.disk.applied);
                    self.running = to;
                    self.rolled_back += 1;
                    continue;
                }
                Output::Forget => {
                    self.disk.trial = None;
                    continue;
                }
                Output::Report(report) => {
                    assert_eq!(report.applied, trial.applied(), "{report:?}");
                    self.keep(&report);
                    continue;
                }
            };
            trial.handle(secs(self.now), input);
        }
        true
    }

    fn seen(&mut self) -> Seen {
        let down = self.running.is_some_and(|g| self.kinds[&g] == Kind::TakesCamerasDown);
        seen(match self.chance.next() % 8 {
            0 => "?gate +yard",
            _ if down => "-gate +yard",
            1 => "+gate ?yard ~",
            _ => "+gate +yard",
        })
    }

    /// Something happens outside.
    fn happen(&mut self, trial: &mut Trial) -> bool {
        self.now += self.chance.next() % 20;
        if trial.deadline().is_some_and(|due| due <= secs(self.now)) {
            trial.handle(secs(self.now), Input::Due);
            return true;
        }
        match self.chance.next() % 12 {
            0 => {
                self.newest += 1 + self.chance.next() % 2;
                trial.handle(secs(self.now), Input::Offered { generation: self.newest });
            }
            // An old message comes late, or the same one again.
            1 if self.newest > 0 => {
                let generation = self.newest - self.chance.next() % self.newest.min(3);
                if generation == self.newest || self.kinds.contains_key(&generation) {
                    trial.handle(secs(self.now), Input::Offered { generation });
                }
            }
            2 if self.chance.one_in(6) => trial.handle(secs(self.now), Input::LocalChanged),
            3 if self.chance.one_in(10) => {
                trial.handle(secs(self.now), Input::Stopping);
                self.obey(trial);
                return false;
            }
            4 if self.chance.one_in(5) => return false,
            _ => {
                let seen = self.seen();
                trial.handle(secs(self.now), Input::Seen(seen));
            }
        }
        true
    }
}

#[test]
fn whatever_happens_the_last_good_one_is_in_force_in_the_end() {
    let (mut cuts, mut confirmed, mut rolled_back) = (0, 0, 0);
    for seed in 0..400 {
        let mut world = World {
            chance: Chance::new(seed),
            now: 0,
            disk: Kept::default(),
            running: None,
            kinds: BTreeMap::new(),
            begun: BTreeMap::new(),
            newest: 0,
            power_cuts: 0,
            confirmed: 0,
            rolled_back: 0,
        };
        for _ in 0..30 {
            let mut trial = Trial::resume(CONFIG, world.disk.clone());
            // Only what has passed its trial is ever started on.
            world.running = trial.applied();
            trial.handle(secs(world.now), Input::Seen(seen("?gate ?yard")));
            assert!(world.running.is_none_or(|g| world.kinds[&g] == Kind::Good), "seed {seed}");
            let mut alive = world.obey(&mut trial);
            for _ in 0..120 {
                alive = alive && world.happen(&mut trial) && world.obey(&mut trial);
                if !alive {
                    break;
                }
                let in_force = trial.on_trial().or(trial.applied());
                assert_eq!(world.running, in_force, "seed {seed}");
            }
            // One that was given up with a verdict is never tried again: only crashes between its mark and
            // the verdict, orderly stops and lost messages may make it begin twice.
            world.power_cuts += u64::from(!alive);
        }
        // Given time and quiet, it settles.
        let mut trial = Trial::resume(CONFIG, world.disk.clone());
        world.running = trial.applied();
        while !world.obey(&mut trial) {
            trial = Trial::resume(CONFIG, world.disk.clone());
            world.running = trial.applied();
        }
        assert_eq!((trial.on_trial(), world.disk.trial), (None, None), "seed {seed}");
        for (generation, times) in &world.begun {
            let crashes = world.kinds[generation] == Kind::CrashesTheBox;
            assert!(!crashes || *times == 1, "seed {seed}: {generation} crashed the box {times} times");
        }
        cuts += world.power_cuts;
        confirmed += world.confirmed;
        rolled_back += world.rolled_back;
    }
    println!("{cuts} stops, {confirmed} confirmed, {rolled_back} rolled back");
    assert!(cuts > 1000 && confirmed > 1000 && rolled_back > 1000, "{cuts} {confirmed} {rolled_back}");
}
