//! The folder against real keys and certificates: what counts, what falls back, what is put aside.

use std::os::unix::fs::PermissionsExt;

use protocol::Timestamp;
use protocol::enrol::Trust;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair,
};

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a hub answers to the waiting key.
    fn answer(&self, folder: &Folder, number: u32) -> Enrolment {
        let csr = folder.read_key(number).unwrap().signing_request().unwrap();
        let certificate =
            CertificateSigningRequestParams::from_pem(&csr).unwrap().signed_by(&self.0).unwrap();
        Enrolment {
            v: 1,
            site: "market".parse().unwrap(),
            agent: "box-1".parse().unwrap(),
            name: Some("市场".into()),
            certificate: certificate.pem(),
            not_before: Timestamp::from_unix_ms(0),
            not_after: Timestamp::from_unix_ms(1),
            mqtt: ":8883".into(),
            trust: Trust { v: 1, roots: vec![self.0.pem()], renew: false },
        }
    }
}

const HUB: &str = "https://hub.example:8443";

fn enrolled(data: &Path, hub: &Authority) -> Folder {
    let folder = Folder::hold(data).unwrap();
    let (number, _) = folder.make_key().unwrap();
    folder.keep(number, &hub.answer(&folder, number), HUB, true).unwrap();
    folder
}

fn grow(folder: &Folder, hub: &Authority) -> u32 {
    let (number, _) = folder.make_key().unwrap();
    folder.keep(number, &hub.answer(folder, number), HUB, true).unwrap();
    number
}

#[test]
fn an_identity_is_whole_closed_to_others_and_held_by_one() {
    let (data, hub) = (tempfile::tempdir().unwrap(), Authority::new());
    let folder = Folder::hold(data.path()).unwrap();
    assert!(matches!(folder.usable(), Err(IdentityError::None { .. })));
    let (number, _) = folder.make_key().unwrap();
    assert_eq!((folder.waiting_key(), folder.complete()), (Some(1), vec![]));
    folder.keep(number, &hub.answer(&folder, number), HUB, true).unwrap();
    assert!(matches!(Folder::hold(data.path()), Err(IdentityError::Busy { .. })));

    let seen = Folder::look(data.path()).newest().unwrap();
    assert_eq!((seen.number, seen.confirmed), (1, true));
    assert_eq!((seen.home.mqtt.as_str(), seen.home.agent.as_str()), ("hub.example:8883", "box-1"));
    assert_eq!(folder.believed().unwrap().roots, [hub.0.pem()]);
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
    let answer = hub.answer(&folder, 1);
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
        assert_eq!(folder.believed().unwrap().roots, [hub.0.pem()], "{file}");
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
    assert_eq!(folder.believed().unwrap().roots, [hub.0.pem()]);
}
