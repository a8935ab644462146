//! The folder against real keys and certificates: what counts, what falls back, what is put aside.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::identity::testing::Authority;

const HUB: &str = "https://hub.example:8443";

const BROKER: &str = ":8883";

fn enrolled(data: &Path, hub: &Authority) -> Folder {
    let folder = Folder::hold(data).unwrap();
    grow(&folder, hub);
    folder
}

fn grow(folder: &Folder, hub: &Authority) -> u32 {
    hub.enrol(folder, HUB, BROKER)
}

#[test]
fn an_identity_is_whole_closed_to_others_and_held_by_one() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = Folder::hold(data.path()).unwrap();
    assert!(matches!(folder.usable(), Err(IdentityError::None { .. })));
    let (number, _) = folder.make_key().unwrap();
    assert_eq!((folder.waiting_key(), folder.complete()), (Some(1), vec![]));
    folder.keep(number, &hub.answer(&folder, number, BROKER), HUB, true).unwrap();
    assert!(matches!(Folder::hold(data.path()), Err(IdentityError::Busy { .. })));

    let seen = Folder::look(data.path()).newest().unwrap();
    assert_eq!((seen.number, seen.confirmed), (1, true));
    assert_eq!((seen.home.mqtt.as_str(), seen.home.agent.as_str()), ("hub.example:8883", "box"));
    assert_eq!(folder.believed().unwrap().roots, [hub.pem()]);
    assert_eq!(folder.waiting_key(), None);
    for (path, mode) in [("", 0o700), ("0001", 0o700), ("0001/key.pem", 0o600), ("trust.json", 0o600)] {
        let found = fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

#[test]
fn a_certificate_of_another_key_is_never_kept() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = enrolled(data.path(), &hub);
    let answer = hub.answer(&folder, 1, BROKER);
    let (number, _) = folder.make_key().unwrap();
    let error = folder.keep(number, &answer, HUB, true).unwrap_err().to_string();
    assert!(error.contains("another key"), "{error}");
    assert_eq!(folder.newest().unwrap().number, 1);
}

#[test]
fn a_damaged_generation_is_put_aside_and_the_one_before_counts() {
    for (file, bytes) in [
        ("certificate.pem", &b"nonsense"[..]),
        ("certificate.pem", &b""[..]),
        ("home.json", &b"{\"site\":"[..]),
        ("key.pem", &[0xff, 0x00][..]),
    ] {
        let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
        let folder = enrolled(data.path(), &hub);
        assert_eq!(grow(&folder, &hub), 2);
        fs::write(folder.path().join("0002").join(file), bytes).unwrap();
        fs::write(folder.path().join("trust.json"), bytes).unwrap();
        let usable: Vec<u32> = folder.usable().unwrap().iter().map(|g| g.number).collect();
        assert_eq!(usable, [1], "{file}");
        assert!(folder.path().join("damaged-0002").exists());
        assert_eq!(folder.believed().unwrap().roots, [hub.pem()], "{file}");
    }
}

#[test]
fn the_one_before_is_kept_and_what_is_older_goes() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = enrolled(data.path(), &hub);
    grow(&folder, &hub);
    assert_eq!(folder.outdated(2), Vec::<u32>::new());
    assert_eq!(grow(&folder, &hub), 3);
    assert_eq!(folder.outdated(3), [1]);
    folder.remove(1).unwrap();
    assert_eq!((folder.numbers(), folder.outdated(3)), (vec![2, 3], vec![]));
}

#[test]
fn how_new_the_hub_was_seen_never_goes_back() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = enrolled(data.path(), &hub);
    for issued in [100, 300, 200] {
        folder.note_hub_certificate(issued).unwrap();
    }
    assert_eq!(folder.believed().unwrap().newest_hub_certificate, Some(300));
    assert!(folder.believe(&["no certificate".into()]).is_err());
    assert_eq!(folder.believed().unwrap().roots, [hub.pem()]);
}

#[test]
fn the_token_that_let_the_box_in_is_known_from_another() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = enrolled(data.path(), &hub);
    assert_eq!(folder.is_of_token("one"), None);
    folder.note_token(1, "one").unwrap();
    assert_eq!((folder.is_of_token("one"), folder.is_of_token("two")), (Some(true), Some(false)));
    // It was renewed since.
    grow(&folder, &hub);
    assert_eq!(folder.is_of_token("one"), Some(true));
    // A replacement that stopped before its certificate came.
    folder.note_token(3, "two").unwrap();
    assert_eq!((folder.is_of_token("one"), folder.is_of_token("two")), (None, None));
}
