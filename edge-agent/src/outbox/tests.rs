//! The real client against a small HTTP server that answers by the picture's first byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use protocol::{Body, Kind, Raised, Record, Severity, Still, TimeSource, Timestamp, Updated};

use super::*;
use crate::identity::testing::Authority;
use crate::spool::{Draft, Spool, SpoolConfig};

#[test]
fn base64_as_rfc_4648_writes_it() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

/// Answers the n-th try of a picture with `answers[first byte][n]`, the last one from then on.
fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    answers: BTreeMap<u8, Vec<u16>>,
    seen: &Sender<(u8, u16, String)>,
) {
    let mut tries: BTreeMap<u8, usize> = BTreeMap::new();
    for stream in listener.incoming() {
        let connection = rustls::ServerConnection::new(tls.clone()).unwrap();
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream.unwrap()));
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) <= 2 {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            request += &line;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let Some(&picture) = body.first() else { return };
        let n = tries.entry(picture).or_default();
        let status = *answers[&picture].get(*n).or(answers[&picture].last()).unwrap();
        *n += 1;
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        stream.get_mut().conn.send_close_notify();
        stream.get_mut().flush().unwrap();
        if seen.send((picture, status, request)).is_err() {
            return;
        }
    }
}

/// A hub that wants the box's certificate.
fn hub_tls(authority: &Authority) -> Arc<rustls::ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (certificate, key) = authority.hub();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    Arc::new(config.unwrap())
}

fn alert(picture: u8) -> Draft {
    let body = Body::Raised(Raised {
        camera: "gate".parse().unwrap(),
        kind: Kind::ZoneEntered,
        rule: "yard".parse().unwrap(),
        rule_name: None,
        severity: Severity::High,
        direction: None,
        track: Some(1),
        object_class: None,
        confidence: None,
        bounding_box: None,
        still: Still::Pending,
        test: false,
    });
    Draft {
        at: Timestamp::from_unix_ms(0),
        time_source: TimeSource::Agent,
        uncertainty_ms: None,
        body,
        still: Some(vec![picture; 100]),
    }
}

fn next(seen: &Receiver<(u8, u16, String)>) -> (u8, u16, String) {
    seen.recv_timeout(Duration::from_secs(30)).expect("an upload within 30 s")
}

#[test]
fn a_still_that_is_not_taken_holds_up_no_other_and_a_refused_one_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(dir.path()) }).unwrap();
    let records = spool.append([1, 2, 3, 4].map(alert).to_vec()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new();
    let pass = authority.pass(dir.path(), &format!("https://{address}"), "127.0.0.1:9");
    let (_passes, pass) = watch::channel(pass);
    let tls = hub_tls(&authority);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (seen, uploads) = channel();
    // Newest first: 4 never passes, 3 is refused for good, 2 passes the second time.
    let answers = [(1, vec![201]), (2, vec![503, 201]), (3, vec![409]), (4, vec![401])];
    let server = std::thread::spawn(move || serve(listener, tls, answers.into(), &seen));
    let cancel = CancellationToken::new();
    let config = OutboxConfig { pass, runtime: runtime.handle().clone() };
    let thread = start(config, spool.clone(), cancel.clone()).unwrap();
    let mut last: BTreeMap<u8, u16> = BTreeMap::new();
    let (mut first, mut tries) = (None, 0);
    while last.get(&1) != Some(&201) || last.get(&2) != Some(&201) || last.get(&3) != Some(&409) {
        tries += 1;
        assert!(tries < 20, "held up: {last:?}");
        let (picture, status, request) = next(&uploads);
        last.insert(picture, status);
        first.get_or_insert((picture, request));
    }
    let (picture, request) = first.unwrap();
    assert_eq!(picture, 4, "the newest goes first");
    assert!(request.starts_with(&format!("PUT /agent/v1/stills/{}/4 ", records[0].epoch)), "{request}");
    assert!(request.contains("repr-digest: sha-256=:"), "{request}");
    // One more round, so that what follows the last answer is done.
    while next(&uploads).0 != 4 {}
    cancel.cancel();
    thread.join().unwrap();
    let left: Vec<u64> = waiting(spool.outbox()).into_iter().map(|w| w.seq).collect();
    assert_eq!(left, [4]);
    let sent = spool.take(64, 128 << 10).unwrap().unwrap();
    let updates: Vec<Body> = sent
        .iter()
        .map(|r| serde_json::from_slice::<Record>(r).unwrap().body)
        .filter(|b| matches!(b, Body::Updated(_)))
        .collect();
    let none = Still::None { reason: "given_up".into() };
    assert_eq!(updates, [Body::Updated(Updated { of_seq: 3, still: Some(none) })]);
    drop(uploads);
    // Lets the server's accept return.
    drop(TcpStream::connect(address));
    server.join().unwrap();
    spool.close();
}

#[test]
fn a_refused_still_stays_until_its_record_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(SpoolConfig { ballast: 0, ..SpoolConfig::new(dir.path()) }).unwrap();
    let record = spool.append(vec![alert(1)]).unwrap().remove(0);
    let still = waiting(spool.outbox()).remove(0);
    // The `updated` record goes to the file of its alert's class, which is open; `close` ends it.
    spool.close();
    assert_eq!((still.epoch.clone(), still.seq), (record.epoch, record.seq));
    assert!(!settle(&Outcome::Refused(409), &still, &spool));
    assert!(still.path.exists());
}
