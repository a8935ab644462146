//! Desired configuration by scenario: what is refused, tried, kept and rolled back, and a thousand broken ones.

mod mutations;
mod world;

use std::time::Duration;

use protocol::ConfigState;

use super::{Desired, Merged, Shelf, merge};
use crate::config::Config;
use world::{GOOD, World};

fn local(change: impl FnOnce(&mut Config)) -> (World, Config) {
    let world = World::new();
    let mut local = world.local();
    change(&mut local);
    (world, local)
}

fn merged(local: &Config, text: &str) -> Result<Merged, String> {
    let desired = Desired::read(text, 7).map_err(|e| e.to_string())?;
    merge(local, &desired, &Shelf::of(local)).map_err(|e| e.to_string())
}

fn refused(local: &Config, text: &str) -> String {
    match merged(local, text) {
        Ok(merged) => panic!("taken: {text}: {:?}", merged.config),
        Err(why) => why,
    }
}

#[test]
fn a_wish_changes_what_it_says_and_nothing_else() {
    let (_world, local) = local(|_| {});
    let Merged { config, note } = merged(&local, GOOD).unwrap();
    assert_eq!(note, None);
    let ids: Vec<&str> = config.cameras.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["gate", "square", "new"]);
    let [gate, square, new] = &config.cameras[..] else { panic!() };
    assert_eq!((gate.name.as_str(), gate.user.as_str()), ("东大门", "guard"));
    assert_eq!(gate.password_file, local.cameras[0].password_file);
    assert_eq!((gate.lines.len(), gate.zones.len()), (1, 1));
    assert_eq!(square, &local.cameras[1]);
    assert!(new.pipeline.as_ref().unwrap().ends_with("pipelines/quiet.toml"));
    assert_eq!((config.stills.quality, config.stills.cover_persons, config.spool.cap.0), (70, true, 2 << 30));
    assert_eq!((&config.agent.data, &config.hub), (&local.agent.data, &local.hub));
    // Nothing wished: nothing changes.
    assert_eq!(format!("{:?}", merged(&local, "# none\n").unwrap().config), format!("{local:?}"));
}

#[test]
fn what_is_refused_is_named_with_its_reason() {
    let (_world, local) = local(|_| {});
    for (text, said) in [
        ("[agent]\nid = \"other\"\n", "[agent] says who the box is, which is set at the box alone"),
        ("[hub]\nmqtt = \"evil:1\"\n", "which hub it serves"),
        ("[live]\nplain = true\n", "plain live"),
        ("locked = false\n", "what is locked"),
        ("[[camera]]\nid = \"gate\"\npasword = \"hunter2\"\n", "unknown field `pasword`"),
        ("[[camera]]\nid = \"gate\"\npassword = \"hunter2\"\n", "would carry a secret"),
        ("[[camera]]\nid = \"gate\"\npassword_file = \"/etc/shadow\"\n", "would carry a secret"),
        ("[[camera]]\nid = \"gate\"\nurl = \"rtsp://a:hunter2@192.0.2.10/\"\n", "in its address"),
        ("[[camera]]\nid = \"gate\"\npiepline = \"quiet\"\n", "did you mean `pipeline`?"),
        ("[[camera]]\nid = \"gate\"\npipeline = \"../../etc/passwd\"\n", "is no rule id"),
        ("[[camera]]\nid = \"gate\"\npipeline = \"loud\"\n", "no pipeline `loud`; it has: default, quiet"),
        ("[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.99/s\"\n", "another host"),
        ("[[camera]]\nid = \"gate\"\nurl = \"file:///etc/passwd\"\n", "begin with rtsp://"),
        ("[[camera]]\nid = \"gate\"\nlocked = false\n", "unknown field `locked`"),
        ("[[camera]]\nid = \"gate\"\nremove = true\nname = \"x\"\n", "nothing but the id"),
        ("[[camera]]\nid = \"gate\"\n[[camera]]\nid = \"gate\"\n", "two sections name camera `gate`"),
        ("[[camera]]\nid = \"pond\"\n", "a new one needs a `url`"),
        ("[[camera]]\nid = \"gate\"\nname = \"a\\u0007b\"\n", "a control character"),
        ("[stills]\nquality = 0\n", "use 1 to 100"),
        ("[spool]\ncap = \"1MiB\"\n", "use 64MiB to 1024GiB"),
        ("[spool]\nballast = \"1MiB\"\n", "unknown field `ballast`"),
    ] {
        let why = refused(&local, text);
        assert!(why.contains(said) && !why.contains("hunter2"), "{text}: {why}");
    }
}

#[test]
fn a_password_goes_only_to_the_host_it_was_entered_for() {
    let (_world, local) = local(|_| {});
    for same in ["rtsp://192.0.2.10:8554/other", "rtsp://192.0.2.10/x"] {
        merged(&local, &format!("[[camera]]\nid = \"gate\"\nurl = \"{same}\"\n")).unwrap();
    }
    for other in ["rtsp://192.0.2.11/s", "rtsp://192.0.2.10.evil.example/s", "rtsp://[::1]:554/s"] {
        assert!(refused(&local, &format!("[[camera]]\nid = \"gate\"\nurl = \"{other}\"\n")).contains("host"));
    }
    let without = "[[camera]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.11/s\"\nuser = \"\"\n";
    assert_eq!(merged(&local, without).unwrap().config.cameras[0].user, "");
    // `square` has no password to lose.
    merged(&local, "[[camera]]\nid = \"square\"\nurl = \"rtsp://192.0.2.99/s\"\n").unwrap();
}

#[test]
fn nobody_has_the_box_connect_to_itself_from_afar() {
    let (_world, mut own) = local(|_| {});
    for host in ["127.0.0.1:1883", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "0.0.0.0", "224.0.0.1"] {
        let wish = format!("[[camera]]\nid = \"new\"\nurl = \"rtsp://{host}/s\"\n");
        assert!(refused(&own, &wish).contains("at the box alone"), "{host}");
    }
    for host in ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"] {
        let wish = format!("[[camera]]\nid = \"new\"\nurl = \"rtsp://{host}/s\"\n");
        assert!(refused(&own, &wish).contains("written as four numbers"), "{host}");
    }
    // One of its own cameras is there: that was allowed at the box.
    own.cameras[1].url = "rtsp://127.0.0.1:8554/s".to_owned().try_into().unwrap();
    merged(&own, "[[camera]]\nid = \"new\"\nurl = \"rtsp://127.0.0.1:8554/t\"\n").unwrap();
    own.agent.camera_networks = vec!["192.0.2.0/24".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    let outside = refused(&own, "[[camera]]\nid = \"new\"\nurl = \"rtsp://198.51.100.1/t\"\n");
    assert!(outside.contains("camera_networks"), "{outside}");
}

#[test]
fn what_is_locked_at_the_box_stays() {
    let (_world, locked) = local(|local| local.cameras[0].locked = true);
    for wish in ["name = \"x\"\n", "remove = true\n", "url = \"rtsp://192.0.2.99/\"\n"] {
        let merged =
            merged(&locked, &format!("[[camera]]\nid = \"gate\"\n{wish}[stills]\nquality = 55\n")).unwrap();
        assert_eq!(merged.config.cameras[0], locked.cameras[0]);
        assert_eq!(merged.config.stills.quality, 55);
        assert!(merged.note.unwrap().contains("camera `gate` is locked at the box"));
    }
    let (_world, whole) = local(|local| local.locked = true);
    assert!(refused(&whole, "# nothing\n").contains("`locked = true`"));
}

#[test]
fn covering_is_only_ever_made_stricter() {
    let (_world, open) = local(|_| {});
    assert!(merged(&open, "[stills]\ncover_persons = true\n").unwrap().config.stills.cover_persons);
    let (_world, strict) = local(|local| local.stills.cover_persons = true);
    assert!(refused(&strict, "[stills]\ncover_persons = false\n").contains("loosened at the box alone"));
    assert!(merged(&strict, "[stills]\nquality = 60\n").unwrap().config.stills.cover_persons);
    for other in ["cover_faces = false", "plain = true", "face_confidence = 0.9", "redact = false"] {
        assert!(refused(&open, &format!("[stills]\n{other}\n")).contains("unknown field"));
    }
}

#[test]
fn a_good_one_is_tried_applied_and_there_after_a_restart() {
    let mut world = World::new();
    let mut keeper = world.start();
    world.offer(&mut keeper, 1, GOOD);
    assert_eq!(keeper.report().unwrap().state, ConfigState::Trying);
    assert_eq!(keeper.running().cameras.len(), 3);
    // A smaller or larger spool waits for the verdict: it could not be taken back.
    assert_eq!(world.yard().settled, None);
    world.pass(&mut keeper, 40);
    let report = keeper.report().unwrap();
    assert_eq!((report.state, report.applied), (ConfigState::Applied, Some(1)));
    assert_eq!(world.yard().settled, Some(2 << 30));
    let running = format!("{:?}", keeper.running());
    drop(keeper);
    let keeper = world.start();
    assert_eq!(format!("{:?}", keeper.running()), running);
    assert_eq!(keeper.report().unwrap().applied, Some(1));
}

#[test]
fn one_that_takes_a_camera_down_is_rolled_back_while_the_box_goes_on() {
    let mut world = World::new();
    let mut keeper = world.start();
    let before = format!("{:?}", keeper.running());
    let wrong = "[[camera]]\nid = \"square\"\nurl = \"rtsp://192.0.2.99/nobody-there\"\n";
    world.offer(&mut keeper, 1, wrong);
    assert_ne!(format!("{:?}", keeper.running()), before);
    world.pass(&mut keeper, 125);
    assert_eq!(format!("{:?}", keeper.running()), before);
    let report = keeper.report().unwrap();
    assert_eq!((report.state, report.applied), (ConfigState::RolledBack, None));
    assert!(report.reason.as_ref().unwrap().contains("camera `square` (no route)"), "{report:?}");
    // Said again, by the same hub or after a restart: not tried again.
    let switches = world.yard().switches;
    world.offer(&mut keeper, 1, wrong);
    drop(keeper);
    let mut keeper = world.start();
    world.offer(&mut keeper, 1, wrong);
    assert_eq!(format!("{:?}", keeper.running()), before);
    assert_eq!(world.yard().switches, switches + 1);
}

#[test]
fn a_power_cut_in_the_trial_wakes_up_on_the_one_before() {
    let mut world = World::new();
    let mut keeper = world.start();
    let before = format!("{:?}", keeper.running());
    world.offer(&mut keeper, 1, GOOD);
    drop(keeper);
    for _ in 0..3 {
        let keeper = world.start();
        assert_eq!(format!("{:?}", keeper.running()), before);
        let report = keeper.report().unwrap();
        assert_eq!((report.state, report.generation), (ConfigState::RolledBack, 1));
        assert!(report.reason.as_ref().unwrap().contains("lost power"));
    }
    // An orderly stop is no verdict.
    let mut keeper = world.start();
    world.offer(&mut keeper, 2, GOOD);
    keeper.stop();
    let mut keeper = world.start();
    assert_eq!(format!("{:?}", keeper.running()), before);
    world.offer(&mut keeper, 2, GOOD);
    assert_eq!(keeper.report().unwrap().state, ConfigState::Trying);
}

#[test]
fn the_boxs_own_settings_are_read_again_whole_or_not_at_all() {
    let mut world = World::new();
    let mut keeper = world.start();
    world.offer(&mut keeper, 1, GOOD);
    let text = world.local_text();
    world.write_local(&text.replace("广场", "小广场"));
    assert!(keeper.reload().unwrap().unwrap_err().contains("on trial"));
    assert!(world.yard().reported.clone().unwrap().local.unwrap().contains("on trial"));
    world.pass(&mut keeper, 40);
    assert_eq!(keeper.running().cameras[1].name, "小广场");
    assert_eq!(world.yard().reported.clone().unwrap().local, None);
    let before = format!("{:?}", keeper.running());

    for (broken, said) in [
        (text.replace("[agent]", "[agnet]"), "agnet"),
        (text.replace("quality = 80", "quality = 800"), "800"),
        (text.replace("pipelines/default.toml", "pipelines/gone.toml"), "gone.toml"),
        (text.replace("id = \"box-1\"", "id = \"box-2\""), "restart"),
    ] {
        world.write_local(&broken);
        let why = keeper.reload().unwrap().unwrap_err();
        assert!(why.contains(said), "{why}");
        assert_eq!(format!("{:?}", keeper.running()), before);
        let told = world.yard().reported.clone().unwrap();
        assert!(told.local.unwrap().contains(said));
        assert_eq!((told.state, told.applied), (ConfigState::Applied, Some(1)));
    }
    // What is right is in force, with the hub's wish on top.
    world.write_local(&text.replace("广场", "大广场"));
    keeper.reload().unwrap().unwrap();
    assert_eq!(keeper.running().cameras[1].name, "大广场");
    assert_eq!((keeper.running().cameras.len(), keeper.running().stills.quality), (3, 70));
    assert_eq!(world.yard().reported.clone().unwrap().local, None);
    // Locked as a whole: the wish is left, and taken again when the lock is.
    world.write_local(&format!("locked = true\n{text}"));
    keeper.reload().unwrap().unwrap();
    assert_eq!((keeper.running().cameras.len(), keeper.running().stills.quality), (2, 80));
    assert_eq!(keeper.report().unwrap().state, ConfigState::Refused);
    world.offer(&mut keeper, 2, GOOD);
    assert!(keeper.report().unwrap().reason.as_ref().unwrap().contains("locked"));
    world.write_local(&text);
    keeper.reload().unwrap().unwrap();
    world.pass(&mut keeper, 40);
    let report = keeper.report().unwrap();
    assert_eq!((report.state, report.applied), (ConfigState::Applied, Some(2)));
}

#[test]
fn a_damaged_folder_leaves_the_boxs_own_settings_in_force() {
    let mut world = World::new();
    let mut keeper = world.start();
    let own = format!("{:?}", keeper.running());
    world.offer(&mut keeper, 1, GOOD);
    world.pass(&mut keeper, 40);
    let applied = format!("{:?}", keeper.running());
    drop(keeper);
    let folder = world.folder();
    let mut tried = 0;
    for name in ["1.toml", "applied", "report.json"] {
        let path = folder.join(name);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bytes in [whole[..at].to_vec(), {
                let mut b = whole.clone();
                b[at] ^= 1 << (at % 8);
                b
            }] {
                std::fs::write(&path, &bytes).unwrap();
                if at % 7 == 0 {
                    let keeper = world.start();
                    let running = format!("{:?}", keeper.running());
                    assert!(running == applied || running == own, "{name} {at}");
                    assert!(name == "report.json" || running == own || bytes == whole, "{name} {at}");
                    tried += 1;
                    drop(keeper);
                    world.restore(&[("1.toml", GOOD.as_bytes())]);
                }
                std::fs::write(&path, &whole).unwrap();
            }
        }
    }
    assert!(tried > 200, "{tried}");
    let keeper = world.start();
    assert_eq!(format!("{:?}", keeper.running()), applied);
    assert_eq!(world.now(), Duration::from_secs(40));
}
