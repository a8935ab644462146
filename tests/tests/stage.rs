//! The stage without an agent: the hub comes up, lets one person in by a link, survives a kill, and
//! nothing is left listening.

use testkit::hub::{Hub, token_of};
use testkit::port::is_open;
use testkit::stage::{CAMERAS, Stage};

#[test]
fn a_login_link_works_once_and_nothing_is_left_listening() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(folder.path()).unwrap();
    stage.start_cameras(&testkit::cache().join("clips/vtest.mp4")).unwrap();
    stage.start_hub().unwrap();
    let ports = stage.ports();
    assert_eq!(ports.len(), CAMERAS.len() + 4);
    assert!(ports.iter().all(|p| is_open(*p)), "{ports:?}");

    let link = stage.login_link().unwrap();
    let token = token_of(&link).unwrap();
    let hub = Hub::sign_in(&stage.base(), token).unwrap();
    assert!(hub.alerts().unwrap().is_empty());
    assert!(Hub::sign_in(&stage.base(), token).is_err(), "the link worked twice");

    stage.kill_hub().unwrap();
    stage.start_hub().unwrap();
    assert!(stage.sign_in().unwrap().alerts().unwrap().is_empty());
    assert_eq!(stage.stop().unwrap(), Vec::<u16>::new());
    assert!(!ports.iter().any(|p| is_open(*p)), "{ports:?}");
}
