//! Hubs with real certificates: the right one, and each kind of wrong one, under right and wrong clocks.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2036, 1, 1));
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

/// A certificate of 90 days from the first of a month in 2026.
fn issued(
    by: &Authority,
    name: &str,
    month: u8,
    purpose: ExtendedKeyUsagePurpose,
) -> CertificateDer<'static> {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    params.not_before = date_time_ymd(2026, month, 1);
    params.not_after = params.not_before + std::time::Duration::from_secs(90 * 86_400);
    params.signed_by(&key(), by).unwrap().der().clone()
}

fn hub(by: &Authority, month: u8) -> CertificateDer<'static> {
    issued(by, HUB_NAME, month, ExtendedKeyUsagePurpose::ServerAuth)
}

fn at(year: i32, month: u8) -> i64 {
    date_time_ymd(year, month, 2).unix_timestamp()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn der(authority: &Authority) -> CertificateDer<'static> {
    authority.der().clone()
}

/// What a box with these authorities says, whose own certificate is of `floor`.
fn said(
    roots: &[CertificateDer<'static>],
    floor: i64,
    newest: Option<i64>,
    shown: &CertificateDer<'static>,
    local: i64,
) -> Result<(), Stranger> {
    Recognition::by_roots(roots, floor, newest, provider()).unwrap().judge(shown, roots, local)
}

#[test]
fn the_hub_is_known_by_its_authority_and_its_name_alone() {
    let (ours, other) = (authority(), authority());
    let roots = [der(&ours)];
    let say = |shown| said(&roots, at(2026, 3), None, &shown, at(2026, 4));
    assert_eq!(say(hub(&ours, 3)), Ok(()));
    assert_eq!(say(hub(&other, 3)), Err(Stranger::OtherAuthority));
    assert_eq!(
        say(issued(&ours, "hub.example", 3, ExtendedKeyUsagePurpose::ServerAuth)),
        Err(Stranger::NoHub)
    );
    // A box of the same authority is no hub, whatever name it got.
    assert_eq!(say(issued(&ours, HUB_NAME, 3, ExtendedKeyUsagePurpose::ClientAuth)), Err(Stranger::NoHub));
    assert_eq!(say(CertificateDer::from(vec![0x30, 0x00])), Err(Stranger::Unreadable));
    // Two authorities while one replaces the other.
    assert_eq!(said(&[der(&other), der(&ours)], 0, None, &hub(&ours, 3), at(2026, 4)), Ok(()));
}

#[test]
fn no_clock_shuts_the_newest_certificate_out_and_none_lets_an_old_one_in() {
    let ours = authority();
    let roots = [der(&ours)];
    let (old, new) = (hub(&ours, 1), hub(&ours, 7));
    let newest = validity(&new).map(|v| v.not_before);
    for local in [0, at(2026, 7), at(2036, 7), at(2016, 1)] {
        let say = |shown: CertificateDer<'static>| said(&roots, at(2026, 7), newest, &shown, local);
        assert_eq!(say(new.clone()), Ok(()), "clock at {local}");
        assert_eq!(say(hub(&ours, 9)), Ok(()), "a still newer one, clock at {local}");
        assert_eq!(say(old.clone()), Err(Stranger::OutOfDate), "clock at {local}");
    }
    // At first contact nothing was seen yet: the clock decides nothing.
    for local in [0, at(2036, 7)] {
        assert_eq!(said(&roots, 0, None, &new, local), Ok(()), "clock at {local}");
    }
}

#[test]
fn at_first_contact_the_tokens_fingerprint_finds_the_authority() {
    let (ours, other) = (authority(), authority());
    let shown = hub(&ours, 3);
    let chain = [der(&ours)];
    let right = Recognition::by_fingerprint(fingerprint(&chain[0]), 0, provider());
    assert_eq!(right.judge(&shown, &chain, at(2026, 4)), Ok(()));
    assert_eq!(right.root(), Some(chain[0].clone()));
    let newest = validity(&shown).map(|v| v.not_before);
    assert_eq!(right.believe_shown(), newest);
    let wrong = Recognition::by_fingerprint(fingerprint(&der(&other)), 0, provider());
    assert_eq!(wrong.judge(&shown, &chain, at(2026, 4)), Err(Stranger::OtherHub));
    // Showing the right authority beside a certificate that it never signed does not help.
    assert_eq!(right.judge(&hub(&other, 3), &chain, at(2026, 4)), Err(Stranger::OtherAuthority));
    // The authority itself must be there, not only named.
    assert_eq!(right.judge(&shown, &[], at(2026, 4)), Err(Stranger::OtherHub));
}

#[test]
fn what_the_tls_library_says_of_a_stranger_becomes_plain_words() {
    for stranger in [Stranger::OtherAuthority, Stranger::Unreadable] {
        let error =
            Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(Arc::new(stranger))));
        let text = in_words(&format!("client error: {error}"));
        assert_eq!(text, format!("client error: invalid peer certificate: {stranger}"));
    }
}
