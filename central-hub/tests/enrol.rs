//! Enrolment through the real door of the real program: tokens, renewal, revocation, another authority.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use central_hub::store::{self, audit::AuditRow};
use protocol::enrol::{CONFIRM, Enrolment, Identity, REDEEM, RENEW, TRUST, Token, Trust};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use world::https::{self, Answer};
use world::{PATIENCE, Papers, Refused, World, key_and_request, message, runtime};

/// A token's secret, by the command that operators use.
fn token(world: &World, agent: &str) -> String {
    let out = world.run(&["token", "create", "--site", "market", "--agent", agent, "--json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let made: Value = serde_json::from_slice(&out.stdout).unwrap();
    let token: Token = made["token"].as_str().unwrap().parse().unwrap();
    assert!(made["enrol"].as_str().unwrap().starts_with("signalbox:enrol?hub=https://127.0.0.1:"));
    token.secret_hex()
}

fn said(world: &World, words: &[&str]) -> String {
    let out = world.run(&[words, &["--lang", "en"]].concat());
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Until it is used, revoked or over; the token itself never.
#[test]
fn an_open_token_is_seen_until_it_is_used_or_taken_away() {
    let mut world = World::new();
    world.start();
    let _ = token(&world, "box-1");
    let secret = token(&world, "box-2");
    let list = said(&world, &["agent", "list"]);
    assert!(list.contains("market/box-1") && list.contains("market/box-2"), "{list}");
    let shown = said(&world, &["agent", "show", "--agent", "box-1"]);
    assert!(shown.contains("market/box-1") && shown.contains("Token"), "{shown}");
    let json: Value =
        serde_json::from_str(&said(&world, &["agent", "show", "--agent", "box-2", "--json"])).unwrap();
    let open = &json["open_tokens"][0];
    assert_eq!(open["site"], "market");
    assert!(
        open["expires_at"].is_string() && open["created_by"].as_str().unwrap().contains("operator"),
        "{json}"
    );
    for text in [&list, &shown, &json.to_string()] {
        assert!(!text.contains(&secret) && !text.contains("SB1-"), "{text}");
    }
    assert!(world.run(&["agent", "revoke", "--agent", "box-1"]).status.success());
    alter(&world, "UPDATE tokens SET expires_at = 0 WHERE agent = $1", "box-2");
    let list = said(&world, &["agent", "list"]);
    assert!(!list.contains("box-1") && !list.contains("box-2"), "{list}");
    assert!(said(&world, &["agent", "show", "--agent", "box-2"]).contains("no agent"));
}

#[test]
fn commands_end_well_when_nobody_reads_their_output() {
    let mut world = World::new();
    let _ = world.add_agent("market", "gate");
    world.start();
    for words in [
        &["agent", "list"][..],
        &["agent", "show", "--agent", "gate"],
        &["user", "list"],
        &["user", "login-link"],
        &["ca", "status"],
        &["audit", "export", "--reason", "test"],
        &["token", "create", "--site", "market", "--agent", "box-1"],
        &["agent", "revoke", "--agent", "gate"],
    ] {
        assert_eq!(world.run_unread(words).code(), Some(0), "{words:?}");
    }
    assert_eq!(world.run_unread(&["agent", "show", "--agent", "nobody"]).code(), Some(1));
    assert!(said(&world, &["agent", "list"]).contains("market/box-1"), "it was done all the same");
}

#[test]
fn a_token_made_while_no_hub_runs_is_told_to_wait_for_one() {
    let mut world = World::new();
    world.start();
    let create = ["token", "create", "--site", "market", "--agent", "box-1"];
    let link = ["user", "login-link"];
    let told =
        |world: &World| [&create[..], &link].map(|words| said(world, words).contains("no hub is running"));
    assert_eq!(told(&world), [false, false]);
    world.kill();
    assert_eq!(told(&world), [true, true]);
    assert!(world.run(&create).status.success() && world.run(&link).status.success());
}

#[test]
fn a_wrong_setting_and_a_second_hub_are_told_in_the_readers_language() {
    let mut world = World::new();
    world.start();
    let second = |language| world.run(&["serve", "--lang", language]);
    let (zh, en) = (second("zh"), second("en"));
    assert!(
        !zh.status.success() && String::from_utf8_lossy(&zh.stderr).contains("另一个中心正在使用数据文件夹")
    );
    assert!(
        !en.status.success() && String::from_utf8_lossy(&en.stderr).contains("another hub is running on")
    );
    let wrong = World::on(Default::default(), "[htp]\n");
    let zh = wrong.run(&["serve", "--lang", "zh"]);
    let zh = String::from_utf8_lossy(&zh.stderr);
    assert!(zh.contains("没有名为 `htp` 的设置；是不是 `http`？") && !zh.contains("unknown field"), "{zh}");
    let en = wrong.run(&["serve", "--lang", "en"]);
    assert!(String::from_utf8_lossy(&en.stderr).contains("unknown field `htp`"));
}

fn redemption(secret: &str, csr: &str) -> Value {
    json!({ "v": 1, "secret": secret, "csr": csr })
}

fn redeem(world: &World, secret: &str, csr: &str) -> Answer {
    world.ask(world.tls(None), &format!("POST {REDEEM}"), &redemption(secret, csr))
}

fn renew(world: &World, papers: &Papers, csr: &str) -> Answer {
    world.ask(papers.tls(), &format!("POST {RENEW}"), &json!({ "v": 1, "csr": csr }))
}

fn confirm(world: &World, papers: &Papers) -> Answer {
    world.ask(papers.tls(), &format!("POST {CONFIRM}"), &Value::Null)
}

fn trust(world: &World, papers: &Papers) -> Answer {
    world.ask(papers.tls(), &format!("GET {TRUST}"), &Value::Null)
}

fn enrolment(answer: &Answer) -> Enrolment {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

fn papers(key: &str, answer: &Answer) -> Papers {
    let enrolment = enrolment(answer);
    Papers { key: key.to_owned(), certificate: enrolment.certificate, roots: enrolment.trust.roots }
}

/// What the database says, asked beside the running hub.
fn count(world: &World, sql: &'static str, agent: &str) -> i64 {
    runtime().block_on(async {
        let store = world.store().await;
        let (n,): (i64,) = store.read().one(store::sql(sql).bind(agent)).await.unwrap();
        store.close().await;
        n
    })
}

const CERTIFICATES: &str = "SELECT count(*) FROM certificates WHERE agent = $1";

fn alter(world: &World, sql: &'static str, agent: &str) {
    runtime().block_on(async {
        let store = world.store().await;
        let mut tx = store.write().await.unwrap();
        assert_eq!(tx.execute(store::sql(sql).bind(agent)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        store.close().await;
    });
}

fn audited(world: &World, action: &str) -> Vec<AuditRow> {
    runtime().block_on(async {
        let store = world.store().await;
        let rows = store.audited(action, 100).await.unwrap();
        store.close().await;
        rows
    })
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Many requests at a time, each from an address of its own among a few; the answers by request.
fn all_at_once(
    port: u16,
    tls: &Arc<ClientConfig>,
    bodies: Vec<String>,
    at_a_time: usize,
) -> Vec<std::io::Result<Answer>> {
    let tls = tls.clone();
    runtime().block_on(async move {
        let turn = Arc::new(Semaphore::new(at_a_time));
        let tasks: Vec<_> = bodies
            .into_iter()
            .enumerate()
            .map(|(n, body)| {
                let (tls, turn) = (tls.clone(), turn.clone());
                let from = Ipv4Addr::new(127, 1, 1, 1 + (n % 50) as u8);
                tokio::spawn(async move {
                    let _turn = turn.acquire().await.unwrap();
                    let head = format!("POST {REDEEM} HTTP/1.1\r\nContent-Type: application/json");
                    https::send(port, from, tls, &head, body.as_bytes()).await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    })
}

#[test]
fn of_a_thousand_boxes_with_one_token_exactly_one_gets_in() {
    let mut world = World::new();
    world.start();
    let (secret, tls) = (token(&world, "gate"), world.tls(None));
    let bodies = (0..1000).map(|_| redemption(&secret, &key_and_request().1).to_string()).collect();
    let begun = Instant::now();
    let answers = all_at_once(world.ports.agents, &tls, bodies, 200);
    println!("1000 redemptions in {:?}", begun.elapsed());
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        let answer = answer.unwrap();
        *codes.entry(format!("{} {}", answer.status, answer.code())).or_default() += 1;
    }
    assert_eq!(codes, BTreeMap::from([("200 ".to_owned(), 1), ("409 token_used".to_owned(), 999)]));
    assert_eq!(count(&world, CERTIFICATES, "gate"), 1);
}

#[test]
fn a_hub_killed_while_it_redeems_never_lets_a_second_box_in() {
    let seed_of = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(20_261_123) >> 33;
    let mut world = World::new();
    let (mut broken, mut rounds) = (0, 0);
    for seed in 0..8 {
        let agent = format!("box-{seed}");
        world.start();
        let (secret, tls) = (token(&world, &agent), world.tls(None));
        let requests: Vec<_> = (0..16).map(|_| key_and_request().1).collect();
        let mut certificates: BTreeSet<(usize, String)> = BTreeSet::new();
        for round in 0..3 {
            let last = round == 2;
            let bodies: Vec<_> = requests.iter().map(|csr| redemption(&secret, csr).to_string()).collect();
            let port = world.ports.agents;
            let asking = std::thread::spawn({
                let tls = tls.clone();
                move || all_at_once(port, &tls, bodies, 16)
            });
            if !last {
                let micros = seed_of(seed * 3 + round) % 60_000;
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_micros(micros) {
                    std::hint::spin_loop();
                }
                world.kill();
                rounds += 1;
            }
            let answers = asking.join().unwrap();
            broken += answers.iter().filter(|a| a.is_err()).count();
            for (n, answer) in answers.into_iter().enumerate() {
                match answer {
                    Ok(answer) if answer.status == 200 => {
                        certificates.insert((n, enrolment(&answer).certificate));
                    }
                    Ok(answer) => assert_eq!(answer.code(), "token_used", "seed {seed}"),
                    Err(error) => assert!(!last, "seed {seed}: {error}: {}", world.log()),
                }
            }
            if !last {
                world.start();
            }
        }
        assert_eq!(certificates.len(), 1, "seed {seed}: the same box, the same certificate each time");
        assert_eq!(count(&world, CERTIFICATES, &agent), 1, "seed {seed}");
        world.stop();
    }
    println!("{rounds} kills, {broken} requests broken off");
    assert!(broken > 16, "the hub was killed idle: {broken}");
}

#[test]
fn wrong_tokens_are_refused_by_their_reason_and_noted() {
    let mut world = World::new();
    world.start();
    let (_, csr) = key_and_request();
    assert_eq!(redeem(&world, &"0".repeat(32), &csr).code(), "token_unknown");
    let used = token(&world, "gate");
    assert_eq!(redeem(&world, &used, "no request").code(), "bad_request");
    assert_eq!(redeem(&world, "short", &csr).code(), "bad_request");
    let long = redeem(&world, &used, &"x".repeat(20_000));
    assert_eq!((long.status, long.code()), (413, "too_large".to_owned()));
    // None of that used the token up. The first answer may be lost: the same key gets the same again.
    let first = enrolment(&redeem(&world, &used, &csr));
    assert_eq!(enrolment(&redeem(&world, &used, &csr)), first);
    assert_eq!((first.site.as_str(), first.agent.as_str()), ("market", "gate"));
    assert_eq!(first.mqtt, format!(":{}", world.ports.mqtt.unwrap()));
    assert_eq!(redeem(&world, &used, &key_and_request().1).code(), "token_used");

    let late = token(&world, "late");
    alter(&world, "UPDATE tokens SET expires_at = 1 WHERE agent = $1", "late");
    assert_eq!(redeem(&world, &late, &csr).code(), "token_expired");
    assert_eq!(count(&world, CERTIFICATES, "late"), 0);
    // Revoking takes an open token away too.
    let open = token(&world, "open");
    assert!(world.run(&["agent", "revoke", "--agent", "open"]).status.success());
    assert_eq!(redeem(&world, &open, &csr).code(), "token_unknown");
    assert_eq!(audited(&world, "token_refused").len(), 4);
    assert_eq!(audited(&world, "enrolled").len(), 1);
    assert!(!world.log().contains(&used), "a token is a secret");

    // Guessing is bounded; somebody else is not hindered by it.
    let codes: BTreeSet<_> = (0..40).map(|_| redeem(&world, &"1".repeat(32), &csr).code()).collect();
    assert_eq!(codes, BTreeSet::from(["busy".to_owned(), "token_unknown".to_owned()]));
    let body = redemption(&token(&world, "yard"), &csr).to_string();
    let tls = world.tls(None);
    assert_eq!(all_at_once(world.ports.agents, &tls, vec![body], 1).remove(0).unwrap().status, 200);
}

#[test]
fn a_renewal_survives_every_lost_answer() {
    let mut world = World::new();
    world.start();
    let (key, csr) = key_and_request();
    let old = papers(&key, &redeem(&world, &token(&world, "gate"), &csr));
    let mut line = world.connect("gate", &old).unwrap();
    // The answer to a renewal is lost: asked again with the same key, the same certificate comes.
    let (key, csr) = key_and_request();
    let first = renew(&world, &old, &csr);
    assert_eq!(enrolment(&renew(&world, &old, &csr)), enrolment(&first));
    // The key is lost as well: another one takes the place of the first, of which nothing is left.
    let (next_key, next_csr) = key_and_request();
    let next = papers(&next_key, &renew(&world, &old, &next_csr));
    assert_eq!(trust(&world, &papers(&key, &first)).code(), "superseded");
    // Until it is confirmed, both are good.
    assert_eq!((trust(&world, &old).status, trust(&world, &next).status), (200, 200));
    assert_eq!(line.publish("signalbox/v1/market/gate/alert", &message([1])), PubAckReason::Success);
    // The answer to the confirmation is lost: asked again, it is as good as once.
    for _ in 0..2 {
        let answer = confirm(&world, &next);
        assert_eq!(answer.status, 200);
        let trust: Trust = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((trust.roots.len(), trust.renew), (1, false));
    }
    assert_eq!(trust(&world, &old).code(), "superseded");
    assert_eq!(renew(&world, &old, &csr).code(), "superseded");
    while line.event().is_ok() {}
    assert!(world.connect("gate", &next).is_ok());
    assert!(matches!(world.connect("gate", &old), Err(Refused::AtDoor(_))));
    // Whoever renews by an unconfirmed certificate has it: that confirms it.
    let (third_key, third_csr) = key_and_request();
    let third = papers(&third_key, &renew(&world, &next, &third_csr));
    let (fourth_key, fourth_csr) = key_and_request();
    let fourth = papers(&fourth_key, &renew(&world, &third, &fourth_csr));
    assert_eq!(trust(&world, &next).code(), "superseded");
    assert_eq!((trust(&world, &third).status, trust(&world, &fourth).status), (200, 200));
    assert_eq!(world.ask(world.tls(None), &format!("POST {RENEW}"), &Value::Null).code(), "no_certificate");
}

#[test]
fn an_expired_certificate_reaches_renewal_and_nothing_else() {
    let mut world = World::new();
    let expired = world.add_agent_for("market", "gate", 0);
    world.start();
    until("expired", || trust(&world, &expired).code() == "expired");
    assert_eq!(confirm(&world, &expired).code(), "expired");
    assert!(matches!(world.connect("gate", &expired), Err(Refused::AtDoor(_))));
    let (key, csr) = key_and_request();
    let renewed = papers(&key, &renew(&world, &expired, &csr));
    assert_eq!(confirm(&world, &renewed).status, 200);
    assert!(world.connect("gate", &renewed).is_ok());
    // Beyond the grace not even that.
    let sql = "UPDATE certificates SET not_after = not_after - CAST(400 AS BIGINT) * 24 * 60 * 60 * 1000
        WHERE agent = $1 AND state = 'active'";
    alter(&world, sql, "gate");
    assert_eq!(renew(&world, &renewed, &key_and_request().1).code(), "expired");
}

#[test]
fn a_revoked_box_is_out_within_moments_and_stays_out() {
    let mut world = World::new();
    let box_1 = world.add_agent("market", "gate");
    let other = world.add_agent("market", "yard");
    world.start();
    let (mut line, mut bystander) =
        (world.connect("gate", &box_1).unwrap(), world.connect("yard", &other).unwrap());
    assert_eq!(line.publish("signalbox/v1/market/gate/alert", &message([1])), PubAckReason::Success);
    let begun = Instant::now();
    assert!(world.run(&["agent", "revoke", "--agent", "gate"]).status.success());
    while line.event().is_ok() {}
    let took = begun.elapsed();
    println!("cut {took:?} after the command was typed");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(matches!(world.connect("gate", &box_1), Err(Refused::AtDoor(_))));
    for answer in
        [trust(&world, &box_1), confirm(&world, &box_1), renew(&world, &box_1, &key_and_request().1)]
    {
        assert_eq!((answer.status, answer.code()), (403, "revoked".to_owned()));
    }
    assert_eq!(audited(&world, "revoked").len(), 1);
    let refused = audited(&world, "certificate_refused");
    assert_eq!(refused[0].object.as_deref(), Some("gate"), "{refused:?}");
    assert_eq!(bystander.publish("signalbox/v1/market/yard/alert", &message([1])), PubAckReason::Success);
    // A new token lets it in again.
    let (key, csr) = key_and_request();
    let again = papers(&key, &redeem(&world, &token(&world, "gate"), &csr));
    assert!(world.connect("gate", &again).is_ok());
}

#[test]
fn a_held_box_gets_nothing_until_it_is_released() {
    let mut world = World::new();
    let gate = world.add_agent("market", "gate");
    world.start();
    let id = "gate".parse().unwrap();
    runtime().block_on(async {
        let store = world.store().await;
        assert!(store.hold_agent(&id, "two boxes", "test").await.unwrap());
        store.close().await;
    });
    let shown = said(&world, &["agent", "show", "--agent", "gate"]);
    assert!(shown.contains("held") && shown.contains("agent release --agent gate"), "{shown}");
    let zh = world.run(&["agent", "show", "--agent", "gate", "--lang", "zh"]);
    let zh = String::from_utf8_lossy(&zh.stdout);
    assert!(zh.contains("待裁定") && zh.contains("agent revoke --agent gate"), "{zh}");
    let json: Value =
        serde_json::from_str(&said(&world, &["agent", "show", "--agent", "gate", "--json"])).unwrap();
    assert_eq!(json["held_why"], "two boxes");
    let list = world.run(&["agent", "list", "--lang", "zh"]);
    assert!(!String::from_utf8_lossy(&list.stdout).contains("unknown"));
    assert_eq!(trust(&world, &gate).code(), "held");
    assert_eq!(renew(&world, &gate, &key_and_request().1).code(), "held");
    assert!(matches!(world.connect("gate", &gate), Err(Refused::AtDoor(_))));
    assert!(world.run(&["agent", "release", "--agent", "gate"]).status.success());
    assert!(!world.run(&["agent", "release", "--agent", "gate"]).status.success(), "it is not held");
    assert!(world.connect("gate", &gate).is_ok());
}

#[test]
fn another_authority_takes_over_without_a_single_disconnection() {
    const BOXES: usize = 5;
    let mut world = World::new();
    let names: Vec<_> = (0..BOXES).map(|n| format!("box-{n}")).collect();
    let mut boxes: Vec<_> = names.iter().map(|name| world.add_agent("market", name)).collect();
    world.start();
    let speak = |line: &mut world::Agent, name: &str, seq: u64| {
        let topic = format!("signalbox/v1/market/{name}/alert");
        assert_eq!(line.publish(&topic, &message([seq])), PubAckReason::Success, "{name}");
    };
    let mut lines: Vec<_> = names.iter().zip(&boxes).map(|(n, b)| world.connect(n, b).unwrap()).collect();

    assert!(!world.run(&["ca", "retire"]).status.success(), "there is one authority only");
    assert!(world.run(&["ca", "rotate"]).status.success());
    assert!(!world.run(&["ca", "rotate"]).status.success(), "one after the other");
    let told: Trust = serde_json::from_slice(&trust(&world, &boxes[0]).body).unwrap();
    assert_eq!((told.roots.len(), told.renew), (2, true));
    for (line, name) in lines.iter_mut().zip(&names) {
        speak(line, name, 1);
    }
    // Who comes in now gets a certificate of the new one, and finds the hub by the old one.
    let (key, csr) = key_and_request();
    let newcomer = papers(&key, &redeem(&world, &token(&world, "late"), &csr));
    assert_eq!(newcomer.roots, told.roots);
    let mut late = world.connect("late", &newcomer).unwrap();
    let refused = world.run(&["ca", "retire"]);
    assert!(!refused.status.success());
    let listed = String::from_utf8(refused.stdout).unwrap();
    assert!(names.iter().all(|n| listed.contains(n.as_str())) && !listed.contains("late"), "{listed}");

    for (n, name) in names.iter().enumerate() {
        let (key, csr) = key_and_request();
        let next = papers(&key, &renew(&world, &boxes[n], &csr));
        let answer = confirm(&world, &next);
        let told: Trust = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((told.roots.len(), told.renew), (2, false), "{name}");
        lines[n] = world.connect(name, &next).unwrap();
        boxes[n] = next;
    }
    let out = world.run(&["ca", "retire"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // The hub shows itself by the new one within moments; boxes that believe it alone find it.
    let by_new = Papers { roots: vec![told.roots[1].clone()], ..newcomer.clone() };
    let shown =
        || runtime().block_on(https::shake_hands(world.ports.agents, https::HERE, by_new.tls())).is_ok();
    let took = until("the hub's certificate is by the new authority", shown);
    println!("new server certificate {took:?} after retiring");
    for (line, name) in lines.iter_mut().zip(&names) {
        speak(line, name, 2);
    }
    speak(&mut late, "late", 1);
    let told: Trust = serde_json::from_slice(&trust(&world, &by_new).body).unwrap();
    assert_eq!(told.roots, by_new.roots);
    assert_eq!(audited(&world, "authority_retired").len(), 1);
}

#[test]
fn forced_retirement_ends_what_it_must_and_is_noted() {
    let mut world = World::new();
    let old = world.add_agent("market", "gate");
    world.start();
    let mut line = world.connect("gate", &old).unwrap();
    assert!(world.run(&["ca", "rotate"]).status.success());
    assert!(world.run(&["ca", "retire", "--force"]).status.success());
    while line.event().is_ok() {}
    until("the old authority is forgotten", || {
        runtime().block_on(https::shake_hands(world.ports.agents, https::HERE, old.tls())).is_err()
    });
    assert!(audited(&world, "authority_retired")[0].detail.contains("1 valid certificates"));
}

#[test]
fn openssl_reads_our_certificates_as_we_mean_them() {
    let mut world = World::new();
    let gate = world.add_agent("market", "gate");
    world.start();
    let folder = world.folder.path();
    let (root, leaf) = (folder.join("root.pem"), folder.join("leaf.pem"));
    std::fs::write(&root, &gate.roots[0]).unwrap();
    std::fs::write(&leaf, &gate.certificate).unwrap();
    let (root, leaf) = (root.to_str().unwrap(), leaf.to_str().unwrap());
    let server = world.data().join("ca/server.pem");
    let openssl = |words: &[&str]| {
        let out = Command::new("openssl").args(words).output().unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let verify =
        |more: &[&str]| openssl(&[&["verify", "-x509_strict", "-CAfile", root][..], more].concat()).0;
    assert!(verify(&["-purpose", "sslclient", leaf]));
    assert!(!verify(&["-purpose", "sslserver", leaf]), "a box is no hub");
    let server = server.to_str().unwrap();
    for name in ["signalbox-hub", "localhost"] {
        assert!(verify(&["-purpose", "sslserver", "-verify_hostname", name, server]), "{name}");
    }
    assert!(verify(&["-purpose", "sslserver", "-verify_ip", "127.0.0.1", server]));
    assert!(!verify(&["-purpose", "sslserver", "-verify_hostname", "other", server]));
    assert!(!verify(&["-purpose", "sslclient", server]), "the hub is no box");
    let identity = Identity { site: "market".parse().unwrap(), agent: "gate".parse().unwrap() };
    let text = openssl(&["x509", "-in", leaf, "-noout", "-subject", "-ext", "subjectAltName"]).1;
    assert!(text.contains(&format!("URI:{}", identity.uri())), "{text}");
    assert!(text.contains(&identity.common_name()), "{text}");
    let text = openssl(&["x509", "-in", root, "-noout", "-text"]).1;
    assert!(text.contains("CA:TRUE") && text.contains("prime256v1"), "{text}");
}

#[test]
fn keys_are_closed_and_the_authority_outlives_the_program() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new();
    world.start();
    let folder = world.data().join("ca");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let read = || -> BTreeMap<_, _> {
        let files = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path());
        files.map(|f| (f.clone(), std::fs::read(&f).unwrap())).collect()
    };
    let before = read();
    assert_eq!(before.len(), 2, "{:?}", before.keys());
    assert!(before.keys().all(|f| mode(f) == 0o600));
    world.stop();
    world.start();
    assert_eq!(read(), before);
    // A damaged certificate of the hub's own is made anew, a missing key of the authority is said.
    std::fs::write(folder.join("server.pem"), "damaged").unwrap();
    world.stop();
    world.start();
    assert_eq!(trust(&world, &world.add_agent("market", "gate")).status, 200);
}
