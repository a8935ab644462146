//! A thousand broken configurations: each is refused, or applied whole, or tried and rolled back. Nothing
//! half, nothing lost, no secret kept, and after a power cut at any point the last good one is there.

use protocol::ConfigState;
use testkit::Chance;

use super::super::{Desired, Shelf, merge};
use super::world::{GOOD, World};

const SECRET: &str = "hunter2";
const VALUES: [&str; 24] = [
    "0",
    "-1",
    "1e309",
    "nan",
    "inf",
    "true",
    "false",
    "\"\"",
    "[]",
    "[[]]",
    "{}",
    "\"rtsp://192.0.2.99/s\"",
    "\"rtsp://\"",
    "\"http://192.0.2.10/\"",
    "\"../../../etc/passwd\"",
    "\"/etc/shadow\"",
    "\"pipelines/default.toml\"",
    "\"default\"",
    "\"quiet.toml\"",
    "\"..\"",
    "\"gate\"",
    "9223372036854775808",
    "1979-05-27T07:32:00Z",
    "\"\\u0000\"",
];
const LINES: [&str; 16] = [
    "password = \"hunter2\"",
    "password_file = \"/root/hunter2\"",
    "url = \"rtsp://guard:hunter2@192.0.2.10/\"",
    "url = \"rtsp://192.0.2.10/user=a&password=hunter2\"",
    "api_key = \"hunter2\"",
    "[hub]\nmqtt = \"evil.example:1883\"",
    "[agent]\ndata = \"/tmp\"",
    "[models]\nfaces = \"none\"",
    "locked = false",
    "remove = true",
    "pipeline = \"../quiet\"",
    "data = \"/\"",
    "[stills]\ncover_persons = false",
    "[live]\nplain = true",
    "unknown = 1",
    "file = \"/etc/passwd\"",
];

fn mutated(chance: &mut Chance) -> String {
    let mut bytes = GOOD.as_bytes().to_vec();
    for _ in 0..=chance.below(4) / 2 {
        let at = chance.below(bytes.len());
        let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        let (i, j) = (chance.below(lines.len()), chance.below(lines.len()));
        match chance.below(13) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(..at)),
            3 => bytes.insert(at, 0),
            4 => bytes.insert(at, chance.next() as u8),
            5 => {
                lines.remove(i);
                bytes = lines.join(&b'\n');
            }
            6 => {
                lines.insert(j, lines[i].clone());
                bytes = lines.join(&b'\n');
            }
            7 => {
                lines.swap(i, j);
                bytes = lines.join(&b'\n');
            }
            8 | 9 => {
                let value = chance.pick(&VALUES);
                let named = lines.iter_mut().filter(|l| l.contains(&b'=')).nth(chance.below(16));
                if let Some(line) = named {
                    let name = line.split(|b| *b == b'=').next().unwrap_or_default().to_vec();
                    *line = [&name[..], b"= ", value.as_bytes()].concat();
                }
                bytes = lines.join(&b'\n');
            }
            10 | 11 => {
                lines.insert(i, chance.pick(&LINES).as_bytes().to_vec());
                bytes = lines.join(&b'\n');
            }
            _ => {
                let more = match chance.below(4) {
                    0 => b"#".repeat(70_000),
                    1 => [b"x = ".to_vec(), b"[".repeat(20_000)].concat(),
                    2 => (0..400)
                        .flat_map(|n| {
                            format!("[[camera]]\nid = \"c{n}\"\nurl = \"rtsp://192.0.2.10/\"\n").into_bytes()
                        })
                        .collect(),
                    _ => format!("name = \"{}\"", "长".repeat(5000)).into_bytes(),
                };
                bytes.splice(at..at, more);
            }
        }
        if bytes.is_empty() {
            bytes = b" ".to_vec();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    applied: usize,
    rolled_back: usize,
    power_cuts: usize,
}

#[test]
fn a_thousand_broken_configurations_are_refused_or_applied_whole() {
    const SEED: u64 = 20_261_124;
    let mut chance = Chance::new(SEED);
    let mut world = World::new();
    let mut keeper = world.start();
    let local = world.local();
    let mut tally = Tally::default();
    let mut in_force = format!("{:?}", keeper.running());
    for generation in 1..=1000 {
        let text = mutated(&mut chance);
        // What it would be as a whole, if it may be at all.
        let whole = Desired::read(&text, generation)
            .and_then(|desired| merge(&local, &desired, &Shelf::of(&local)))
            .map(|merged| format!("{:?}", merged.config));
        world.offer(&mut keeper, generation, &text);
        let state = keeper.report().unwrap().state;
        let running = format!("{:?}", keeper.running());
        if state == ConfigState::Refused {
            assert_eq!(running, in_force, "{generation}: {text}");
        } else {
            assert_eq!(
                (state, Ok(&running)),
                (ConfigState::Trying, whole.as_ref().map_err(drop)),
                "{generation}"
            );
        }
        if state == ConfigState::Trying && chance.below(4) == 0 {
            // The power goes, some seconds into the trial.
            world.pass(&mut keeper, chance.next() % 25);
            drop(keeper);
            keeper = world.start();
            tally.power_cuts += 1;
        }
        world.pass(&mut keeper, 130);

        let report = keeper.report().unwrap().clone();
        assert_eq!(report.generation, generation, "{report:?}");
        let running = format!("{:?}", keeper.running());
        match report.state {
            ConfigState::Applied => {
                assert_eq!((Some(generation), Ok(&running)), (report.applied, whole.as_ref().map_err(drop)));
                in_force = running;
                tally.applied += 1;
            }
            state => {
                assert_eq!(running, in_force, "seed {SEED}, {generation}: not what was in force before");
                assert!(report.reason.is_some());
                match state {
                    ConfigState::Refused => tally.refused += 1,
                    ConfigState::RolledBack => tally.rolled_back += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        let played = world.yard().running.as_ref().map(|c| format!("{c:?}"));
        assert_eq!(played.as_ref(), Some(&in_force), "the cameras run on something else");
        assert!(!format!("{report:?}").contains(SECRET), "{report:?}");
        assert_eq!((&keeper.running().agent.data, &keeper.running().hub), (&local.agent.data, &local.hub));
        if generation % 20 == 0 {
            // A start from the disk gives the same.
            drop(keeper);
            keeper = world.start();
            assert_eq!(format!("{:?}", keeper.running()), in_force, "{generation}");
        }
    }
    drop(keeper);
    let files: Vec<_> = std::fs::read_dir(world.folder()).unwrap().map(|f| f.unwrap().path()).collect();
    assert!(files.len() <= 5, "texts pile up: {files:?}");
    for file in files {
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains(SECRET), "{file:?}");
    }
    println!("seed {SEED}: {tally:?}");
    assert!(
        tally.refused > 500 && tally.applied > 30 && tally.rolled_back > 10 && tally.power_cuts > 10,
        "{tally:?}"
    );
}
