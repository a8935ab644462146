//! The real binary: agents over MQTT, operators over HTTP, and the hub killed in the middle.

mod world;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::enrol::STILLS;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, LastWill, PubAckReason, SubscribeReasonCode};
use rustls::ClientConfig;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use world::{Operator, Papers, Refused, World, https, message, runtime};

const ALERT: &str = "signalbox/v1/market/gate/alert";
const ACK: &str = "signalbox/v1/market/gate/ack";

#[test]
fn an_alert_goes_from_an_agent_to_the_wall_and_its_still_follows() {
    let mut world = World::new();
    let key = world.add_agent("market", "gate");
    world.start();
    let operator = Operator::by_link(&world);
    let mut agent = world.connect("gate", &key).unwrap();
    assert!(matches!(agent.subscribe(ACK), SubscribeReasonCode::Success(_)));
    assert_eq!(agent.publish(ALERT, &message(1..=3)), PubAckReason::Success);
    assert_eq!(agent.ack().unwrap().settled_through, 3);

    let alerts = operator.json(&world, "/alerts");
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 3);
    assert_eq!(alerts["alerts"][0]["id"], "gate/e1/3");
    assert_eq!(alerts["alerts"][0]["still"], json!({ "state": "pending" }));
    assert_eq!(alerts["next"], Value::Null);
    let change = alerts["change"].as_u64().unwrap();

    // From the first change on; then only what is new, where the feed broke off.
    let events = operator.feed(&world, Some("0"), 5);
    let kinds: Vec<_> = events.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["agent", "alert", "alert", "alert", "incident"]);
    still_travels(&world, &operator, &key);
    assert_eq!(events[4].0, change.to_string(), "the list and the feed meet without a hole");
    let more = operator.feed(&world, Some(&events[4].0), 1);
    assert_eq!(more[0].2["id"], "gate/e1/2", "a still without its alert is no event");
    assert_eq!(more[0].2["still"]["url"], "/api/v1/alerts/gate/e1/2/still");
    assert_eq!(operator.feed(&world, Some("999999"), 1)[0].1, "resync");

    let agents = operator.json(&world, "/agents");
    assert_eq!(agents["agents"][0]["agent"], "gate");
    let took = world.stop();
    assert!(took < Duration::from_secs(3), "stopping took {took:?}");
    assert!(!world.data().join("ports.json").exists());
}

/// The markers of a 1x1 picture: the hub walks them and decodes nothing.
fn jpeg(level: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0];
    bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, level, 0xff, 0xd9]);
    bytes
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
    let mut text: String = (0..bits.len())
        .step_by(6)
        .map(|i| {
            let group = format!("{:0<6}", &bits[i..bits.len().min(i + 6)]);
            char::from(DIGITS[usize::from_str_radix(&group, 2).unwrap()])
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn still_travels(world: &World, operator: &Operator, papers: &Papers) {
    let none = world.tls(None);
    let put = |path: &str, tls: &Arc<ClientConfig>, kind: &str, bytes: &[u8], digest_of: &[u8]| {
        let digest = format!("sha-256=:{}:", base64(&Sha256::digest(digest_of)));
        let head = format!("PUT {STILLS}/{path} HTTP/1.1\r\nContent-Type: {kind}\r\nRepr-Digest: {digest}");
        let sent = https::send(world.ports.agents, https::HERE, tls.clone(), &head, bytes);
        runtime().block_on(sent).unwrap().status
    };
    let key = &papers.tls();
    let (path, picture) = ("e1/2", jpeg(1));
    let mut with_exif = picture.clone();
    with_exif.splice(2..2, [0xff, 0xe1, 0, 8, b'E', b'x', b'i', b'f', 0, 0]);
    assert_eq!(put(path, &none, "image/jpeg", &picture, &picture), 401);
    assert_eq!(put(path, key, "image/png", &picture, &picture), 415);
    assert_eq!(put(path, key, "image/jpeg", &picture, b"other"), 422);
    assert_eq!(put(path, key, "image/jpeg", &with_exif, &with_exif), 422);
    assert_eq!(put(path, key, "image/jpeg", b"<html>", b"<html>"), 422);
    assert_eq!(put(path, key, "image/jpeg", &vec![0; 2 * 1024 * 1024 + 1], b""), 413);
    assert_eq!(put("e1/..%2f..%2fx", key, "image/jpeg", &picture, &picture), 400);
    assert_eq!(put(path, key, "image/jpeg", &picture, &picture), 201);
    let mut large = jpeg(1);
    large.splice(25..25, vec![0x12; 1_900_000]);
    assert_eq!(put("e1/9", key, "image/jpeg", &large, &large), 201, "before its alert");
    assert_eq!(put(path, key, "image/jpeg", &picture, &picture), 200);
    assert_eq!(put(path, key, "image/jpeg", &jpeg(2), &jpeg(2)), 409);
    let mut response = operator.get(world, "/alerts/gate/e1/2/still");
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.body_mut().read_to_vec().unwrap(), picture);
    assert_eq!(operator.get(world, "/alerts/gate/e1/1/still").status(), 404);
    assert_eq!(operator.json(world, "/alerts/gate/e1/2")["still"]["state"], "sent");
}

#[test]
fn nobody_speaks_for_another_and_a_revoked_agent_is_out() {
    let mut world = World::new();
    let key = world.add_agent("market", "gate");
    let other = world.add_agent("market", "yard");
    world.start();
    // Without a certificate, with one of another authority, with one that is not on the list.
    let stranger = World::new();
    let foreign = Papers { roots: key.roots.clone(), ..stranger.add_agent("market", "gate") };
    let bare = Papers { key: String::new(), ..key.clone() };
    for papers in [&bare, &foreign] {
        assert!(matches!(world.connect("gate", papers), Err(Refused::AtDoor(_))));
    }
    // A last will is published by the broker, without asking for rights; a client id in use is taken over.
    let will = |topic: &str| {
        let mut options = world.options("gate", &key);
        options.set_last_will(LastWill::new(topic, "{}", QoS::AtLeastOnce, true, None));
        world.connect_with(options).err()
    };
    let not_authorized = Some(Refused::ByBroker(ConnectReturnCode::NotAuthorized));
    assert_eq!(will("signalbox/v1/market/yard/status"), not_authorized);
    assert_eq!(will("signalbox/v1/market/gate/status"), None);
    assert_eq!(world.connect_with(world.options("gate", &other)).err(), not_authorized);

    let mut agent = world.connect("gate", &key).unwrap();
    for topic in ["signalbox/v1/market/yard/alert", "signalbox/v1/school/gate/alert", ACK, "other"] {
        assert_eq!(agent.publish(topic, &message([1])), PubAckReason::NotAuthorized, "{topic}");
    }
    for filter in [
        "#",
        "signalbox/v1/+/+/ack",
        "signalbox/v1/market/yard/ack",
        ALERT,
        "$share/g/signalbox/v1/market/gate/ack",
    ] {
        assert_eq!(agent.subscribe(filter), SubscribeReasonCode::NotAuthorized, "{filter}");
    }
    assert_eq!(agent.publish(ALERT, &message([1])), PubAckReason::Success, "the session stays up");

    // Enrolled anew, the old certificate ends, and what stands by it is cut.
    let key = world.add_agent("market", "gate");
    while agent.event().is_ok() {}
    let mut agent = world.connect("gate", &key).unwrap();
    assert_eq!(agent.publish(ALERT, &message([2])), PubAckReason::Success, "the new certificate counts");

    assert!(world.run(&["agent", "revoke", "--agent", "gate"]).status.success());
    while agent.event().is_ok() {}
    assert!(matches!(world.connect("gate", &key), Err(Refused::AtDoor(_))));
    assert!(world.connect("yard", &other).is_ok());
    assert!(world.log().contains("agent cut"), "{}", world.log());
}

#[test]
fn there_is_no_default_password_and_guessing_is_bounded() {
    let mut world = World::new();
    world.start();
    let file = world.data().join("initial-password.txt");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(!world.log().contains(&password));

    let stranger = Operator::stranger();
    for path in ["/session", "/alerts", "/alerts/a/b/1", "/alerts/a/b/1/still", "/agents", "/feed"] {
        assert_eq!(stranger.get(&world, path).status(), 401, "{path}");
    }
    let health = stranger.get(&world, "/health");
    assert_eq!(health.status(), 200);
    let policy = health.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self'; frame-ancestors 'none'"), "{policy}");

    // Every path of a page is the wall's page, but nothing below /api is.
    for path in ["", "/", "/login", "/alerts/gate/e1/1"] {
        let url = format!("http://127.0.0.1:{}{path}", world.ports.http);
        let mut page = ureq::get(&url).call().unwrap();
        assert!(page.headers().contains_key("content-security-policy"), "{path}");
        assert!(page.body_mut().read_to_string().unwrap().contains("the wall"), "{path}");
    }
    let page = |path: &str| ureq::get(format!("http://127.0.0.1:{}{path}", world.ports.http)).call();
    assert_eq!(page("/").unwrap().headers()["cache-control"], "no-cache");
    assert_eq!(page("/assets/app.js").unwrap().headers()["cache-control"], "max-age=31536000, immutable");
    assert!(matches!(page("/assets/gone.js"), Err(ureq::Error::StatusCode(404))), "HTML is no script");
    for path in ["/nothing", "/../nothing"] {
        assert_eq!(stranger.get(&world, path).status(), 404, "{path}");
    }

    let login = |password: &str| json!({ "user": "admin", "password": password });
    let operator = Operator::log_in(&world, &login(&password)).unwrap();
    assert_eq!(operator.json(&world, "/session")["user"], "admin");
    assert!(!file.exists(), "the first password's file has served");
    let answers: Vec<_> = (0..11).map(|_| Operator::log_in(&world, &login("admin")).err().unwrap()).collect();
    assert_eq!(answers.iter().filter(|a| **a == 429).count(), 2, "{answers:?}");

    // The rest of the source's share of a minute, under ever new names.
    let other = |n: usize| json!({ "user": format!("guess-{n}"), "password": "admin" });
    let answers: Vec<_> = (0..25).map(|n| Operator::log_in(&world, &other(n)).err().unwrap()).collect();
    assert_eq!(answers.iter().position(|a| *a == 429), Some(20), "{answers:?}");

    let new = world.folder.path().join("new");
    std::fs::write(&new, "a better password\n").unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    let words = ["user", "set-password", "--password-file", new.to_str().unwrap()];
    assert!(world.run(&words).status.success());
    assert_eq!(operator.get(&world, "/session").status(), 401, "a new password ends old sessions");
}

/// A small agent: everything in its spool until the hub settles it.
struct Spool {
    open: BTreeSet<u64>,
    settled: BTreeSet<u64>,
}

impl Spool {
    fn settle(&mut self, ack: &protocol::Ack) {
        let through = (1, ack.settled_through);
        for (first, last) in ack.settled.iter().copied().chain([through]) {
            self.settled.extend(self.open.iter().filter(|s| (first..=last).contains(*s)));
        }
        self.open.retain(|s| !self.settled.contains(s));
    }
}

#[test]
fn killed_at_any_moment_the_hub_loses_nothing_and_shows_nothing_twice() {
    const CYCLES: u64 = 24;
    const RECORDS_A_CYCLE: u64 = 60;
    const RECORDS: u64 = CYCLES * RECORDS_A_CYCLE;
    let mut world = World::new();
    let key = world.add_agent("market", "gate");
    let mut spool = Spool { open: BTreeSet::new(), settled: BTreeSet::new() };
    let mut seed = 20_261_123_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let (mut hub_epoch, mut killed_at_work) = (None, 0);
    for cycle in 1..=CYCLES + 1 {
        let last = cycle > CYCLES;
        if !last {
            spool.open.extend((cycle - 1) * RECORDS_A_CYCLE + 1..=cycle * RECORDS_A_CYCLE);
        }
        world.start();
        let mut agent = world.connect("gate", &key).unwrap();
        agent.subscribe(ACK);
        // Everything open is sent at once, in small messages, some of it twice.
        let batches: Vec<Vec<u64>> =
            spool.open.iter().copied().collect::<Vec<_>>().chunks(3).map(Vec::from).collect();
        for batch in batches.iter().chain(batches.iter().step_by(5)) {
            let payload = message(batch.iter().copied()).to_string();
            agent.client.publish(ALERT, QoS::AtLeastOnce, false, payload).unwrap();
        }
        // The hub dies after some acknowledgements, or in the middle of its work.
        let acks = if last { u64::MAX } else { random(4) };
        for _ in 0..acks {
            if spool.open.is_empty() {
                break;
            }
            let Some(ack) = agent.ack() else { break };
            assert_eq!(*hub_epoch.get_or_insert(ack.hub_epoch.clone()), ack.hub_epoch);
            spool.settle(&ack);
        }
        if !last {
            let begun = Instant::now();
            let micros = random(20_000);
            while begun.elapsed() < Duration::from_micros(micros) {
                std::hint::spin_loop();
            }
            world.kill();
            killed_at_work += u64::from(!spool.open.is_empty());
        }
    }
    assert!(killed_at_work > CYCLES / 4, "the hub was killed idle: {killed_at_work} of {CYCLES}");
    assert_eq!(spool.settled.len() as u64, RECORDS);
    let operator = Operator::by_link(&world);
    let (mut shown, mut path) = (Vec::new(), "/alerts?limit=200".to_owned());
    loop {
        let page = operator.json(&world, &path);
        shown.extend(page["alerts"].as_array().unwrap().iter().map(|a| a["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/alerts?limit=200&before={next}");
    }
    shown.sort_unstable();
    assert_eq!(shown, (1..=RECORDS).collect::<Vec<_>>());
}

/// A measurement, not a check: `cargo test -p central-hub --test serve -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn alerts_a_second_from_publish_to_acknowledgement() {
    const MESSAGES: u64 = 300;
    let mut world = World::new();
    let key = world.add_agent("market", "gate");
    world.start();
    for records in [1, 64] {
        let mut agent = world.connect("gate", &key).unwrap();
        agent.subscribe(ACK);
        let first = if records == 1 { 1 } else { MESSAGES + 1 };
        let all = first + MESSAGES * records - 1;
        let begun = Instant::now();
        let client = agent.client.clone();
        let sender = std::thread::spawn(move || {
            for n in 0..MESSAGES {
                let from = first + n * records;
                let payload = message(from..from + records).to_string();
                client.publish(ALERT, QoS::AtLeastOnce, false, payload).unwrap();
            }
        });
        while agent.ack().unwrap().settled_through < all {}
        let seconds = begun.elapsed().as_secs_f64();
        sender.join().unwrap();
        println!("{records} records a message: {:.0} alerts/s", (MESSAGES * records) as f64 / seconds);
    }
}
