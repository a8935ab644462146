//! Sealed passwords: what opens, what does not, and what lies on the disk.

use std::os::unix::fs::PermissionsExt;

use super::*;

const PASSWORD: &str = "right-horse 电池";

fn camera(id: &str) -> CameraId {
    id.parse().unwrap()
}

fn sealed() -> (tempfile::TempDir, Secrets) {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::open(folder.path());
    secrets.seal(&camera("gate"), &Secret::new(PASSWORD)).unwrap();
    (folder, secrets)
}

#[test]
fn what_was_sealed_opens_for_its_camera_and_can_be_replaced_and_forgotten() {
    let (_folder, secrets) = sealed();
    let gate = camera("gate");
    assert_eq!(secrets.unseal(&gate).unwrap().unwrap().expose(), PASSWORD);
    assert_eq!(secrets.unseal(&camera("yard")).unwrap(), None);
    secrets.seal(&gate, &Secret::new("new")).unwrap();
    assert_eq!(secrets.unseal(&gate).unwrap().unwrap().expose(), "new");
    secrets.remove(&gate).unwrap();
    secrets.remove(&gate).unwrap();
    assert_eq!(secrets.unseal(&gate).unwrap(), None);
}

#[test]
fn nothing_on_the_disk_is_readable_by_others_or_holds_the_password() {
    let (folder, secrets) = sealed();
    secrets.seal(&camera("yard"), &Secret::new(PASSWORD)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("secrets")), 0o700);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("secrets")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for part in [PASSWORD, "right-horse", "horse", "电池"] {
            assert!(!bytes.windows(part.len()).any(|w| w == part.as_bytes()), "{}", path.display());
        }
        files.push(bytes);
    }
    assert_eq!(files.len(), 3, "the key and two cameras");
    assert!(!format!("{secrets:?}").contains("horse"));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused_with_the_cure() {
    let (folder, secrets) = sealed();
    let path = folder.path().join("secrets/gate.sealed");
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = secrets.unseal(&camera("gate")).unwrap_err();
        assert!(matches!(error, SecretsError::Damaged { .. }), "{what}: {error}");
        let text = error.to_string();
        assert!(text.contains("gate.sealed") && text.contains("camera password gate"), "{text}");
        assert!(!text.contains("horse"), "{text}");
    };
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            refused(&bad, &format!("byte {at} bit {bit}"));
        }
        refused(&good[..at], &format!("cut at {at}"));
    }
    refused(&[&good[..], &[0; 9000]].concat(), "long");
}

#[test]
fn a_file_of_another_camera_or_box_does_not_open() {
    let (folder, secrets) = sealed();
    let at = |name: &str| folder.path().join("secrets").join(name);
    std::fs::copy(at("gate.sealed"), at("yard.sealed")).unwrap();
    assert!(matches!(secrets.unseal(&camera("yard")), Err(SecretsError::Damaged { .. })));
    let (other, _) = sealed();
    std::fs::copy(other.path().join("secrets/box.key"), at("box.key")).unwrap();
    assert!(matches!(secrets.unseal(&camera("gate")), Err(SecretsError::Damaged { .. })));
}

#[test]
fn a_key_that_is_gone_cut_or_open_to_others_is_named() {
    let (folder, secrets) = sealed();
    let key = folder.path().join("secrets/box.key");
    let error = |part: &str| {
        let text = secrets.unseal(&camera("gate")).unwrap_err().to_string();
        assert!(text.contains("box.key") && text.contains(part), "{text}");
    };
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    error("chmod 600");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, [7; 31]).unwrap();
    error("31 bytes instead of 32");
    assert!(secrets.seal(&camera("yard"), &Secret::new("x")).is_err(), "a broken key seals nothing");
    std::fs::remove_file(&key).unwrap();
    error("is gone");
}

#[test]
fn two_that_seal_first_at_the_same_time_share_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::open(folder.path());
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (secrets, start) = (&secrets, &start);
            scope.spawn(move || {
                start.wait();
                secrets.seal(&camera(&format!("c{n}")), &Secret::new(format!("p{n}"))).unwrap();
            });
        }
    });
    for n in 0..8 {
        let opened = secrets.unseal(&camera(&format!("c{n}"))).unwrap().unwrap();
        assert_eq!(opened.expose(), format!("p{n}"));
    }
    let left = std::fs::read_dir(folder.path().join("secrets")).unwrap().count();
    assert_eq!(left, 9, "the key, eight secrets, and no remains");
}

#[test]
fn an_empty_or_endless_password_is_refused() {
    let (_folder, secrets) = sealed();
    for text in [String::new(), "x".repeat(LONGEST + 1)] {
        let error = secrets.seal(&camera("yard"), &Secret::new(text)).unwrap_err();
        assert!(matches!(error, SecretsError::Length { .. }), "{error}");
    }
}
