//! People at a real hub: logging in, the second factor, guessing, and pages that close when rights end.

mod world;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use central_hub::clock::now_ms;
use central_hub::totp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use world::{Operator, World, runtime};

/// A browser of our own: any source address, any cookies.
#[derive(Clone)]
struct Browser {
    from: Ipv4Addr,
    cookies: Vec<String>,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("")
    }
}

impl Browser {
    fn new() -> Self {
        Self { from: Ipv4Addr::LOCALHOST, cookies: Vec::new() }
    }

    fn from(last: u8) -> Self {
        Self { from: Ipv4Addr::new(127, 0, 1, last), cookies: Vec::new() }
    }

    async fn send(&mut self, port: u16, line: &str, more: &str, body: &Value) -> std::io::Result<Answer> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((self.from, 0)))?;
        let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (cookies, length) = (self.cookies.join("; "), body.len());
        let text = format!(
            "{line} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nCookie: {cookies}\r\n{more}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        for line in head.lines().filter_map(|l| l.strip_prefix("set-cookie: ")) {
            let pair = line.split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            self.cookies.retain(|c| !c.starts_with(&format!("{name}=")));
            self.cookies.push(pair);
        }
        let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
        Ok(Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or(Value::Null) })
    }

    fn ask(&mut self, world: &World, method: &str, path: &str, body: Value) -> Answer {
        let line = format!("{method} /api/v1{path}");
        runtime().block_on(self.send(world.ports.http, &line, "", &body)).unwrap()
    }

    fn get(&mut self, world: &World, path: &str) -> Answer {
        self.ask(world, "GET", path, Value::Null)
    }

    fn log_in(&mut self, world: &World, login: Value) -> Answer {
        self.ask(world, "POST", "/session", login)
    }
}

fn password_file(world: &World, password: &str) -> String {
    let path = world.folder.path().join("password");
    std::fs::write(&path, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a command that must succeed; what it printed.
fn hub(world: &World, words: &[&str]) -> String {
    let out = world.run(words);
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn link_token(printed: &str) -> String {
    printed.trim().split_once('#').unwrap().1.to_owned()
}

#[test]
fn a_township_of_one_works_from_the_first_link_and_administers_with_a_second_factor() {
    let mut world = World::new();
    world.start();
    let mut admin = Browser::new();
    let token = link_token(&hub(&world, &["user", "login-link"]));
    let opened = admin.log_in(&world, json!({ "token": token }));
    assert_eq!((opened.status, &opened.body["second_factor_wanted"]), (200, &json!(true)));
    for path in ["/alerts", "/agents", "/sessions"] {
        assert_eq!(admin.get(&world, path).status, 200, "{path}");
    }
    assert_eq!(admin.get(&world, "/users").code(), "not_allowed", "not without a second factor");
    assert_eq!(admin.get(&world, "/audit").code(), "not_allowed");

    let begun = admin.ask(&world, "POST", "/account/second-factor", Value::Null);
    assert!(begun.body["uri"].as_str().unwrap().starts_with("otpauth://totp/Signalbox:admin?secret="));
    let secret = unbase32(begun.body["secret"].as_str().unwrap());
    let wrong = admin.ask(&world, "PUT", "/account/second-factor", json!({ "code": "no code" }));
    assert_eq!(wrong.code(), "wrong_code");
    let step = totp::step_at(now_ms());
    let code = totp::code_at(&secret, step);
    assert_eq!(admin.ask(&world, "PUT", "/account/second-factor", json!({ "code": code })).status, 204);
    assert_eq!(admin.get(&world, "/users").status, 200, "this session has it now");
    assert_eq!(admin.get(&world, "/audit").code(), "not_allowed", "an administrator never");
    let again = admin.ask(&world, "POST", "/account/second-factor", Value::Null);
    assert_eq!(again.code(), "second_factor_there", "taken away at the hub alone");

    // From now on it is asked for, with a link too; a code counts once.
    let token = link_token(&hub(&world, &["user", "login-link"]));
    let mut other = Browser::new();
    assert_eq!(other.log_in(&world, json!({ "token": token })).code(), "code_needed");
    let used = other.log_in(&world, json!({ "token": token, "code": code }));
    assert_eq!((used.status, used.code()), (401, "wrong_code"));
    let next = totp::code_at(&secret, step + 1);
    assert_eq!(other.log_in(&world, json!({ "token": token, "code": next })).status, 200);
    assert_eq!(other.get(&world, "/users").status, 200);
    let token = link_token(&hub(&world, &["user", "login-link"]));
    assert_eq!(Browser::new().log_in(&world, json!({ "token": token, "code": next })).code(), "wrong_code");

    // Lost: the hub's command line takes it away, and with it what was opened by it.
    hub(&world, &["user", "totp", "--remove"]);
    assert_eq!(other.get(&world, "/session").status, 401);
    let kept = Browser::new().log_in(&world, json!({ "token": token }));
    assert_eq!((kept.status, &kept.body["has_second_factor"]), (200, &json!(false)));
}

/// RFC 4648, without padding.
fn unbase32(text: &str) -> Vec<u8> {
    let bits: String = text
        .bytes()
        .map(|c| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|l| *l == c).unwrap())
        .map(|n| format!("{n:05b}"))
        .collect();
    (0..bits.len() / 8).map(|n| u8::from_str_radix(&bits[8 * n..8 * n + 8], 2).unwrap()).collect()
}

#[test]
fn a_new_user_comes_by_link_sets_a_password_and_sees_their_site_alone() {
    let mut world = World::new();
    world.add_agent("market", "gate");
    world.add_agent("school", "yard");
    world.start();
    let words = ["user", "add", "--user", "Li", "--name", "李明", "--role", "operator", "--site", "market"];
    let token = link_token(&hub(&world, &words));
    let mut li = Browser::new();
    let opened = li.log_in(&world, json!({ "token": token }));
    assert_eq!(opened.body["name"], "李明");
    assert_eq!(opened.body["grants"], json!([{ "role": "operator", "site": "market" }]));
    let agents = li.get(&world, "/agents").body;
    let seen: Vec<_> = agents["agents"].as_array().unwrap().iter().map(|a| &a["agent"]).collect();
    assert_eq!(seen, ["gate"]);

    for (password, code) in [
        ("short", "password_too_short"),
        ("qwertyuiop", "password_common"),
        ("mySignalbox1", "password_named"),
    ] {
        let refused = li.ask(&world, "PUT", "/account/password", json!({ "new": password }));
        assert_eq!((refused.status, refused.code()), (422, code));
    }
    let good = "我家门前有一棵老槐树";
    assert_eq!(li.ask(&world, "PUT", "/account/password", json!({ "new": good })).status, 204);
    let mut again = Browser::new();
    assert_eq!(again.log_in(&world, json!({ "user": "LI", "password": good })).status, 200);
    let without_old = again.ask(&world, "PUT", "/account/password", json!({ "new": "another long one" }));
    assert_eq!(without_old.code(), "wrong_password");
    let with_old = json!({ "old": good, "new": "another long one" });
    assert_eq!(again.ask(&world, "PUT", "/account/password", with_old).status, 204);
    assert_eq!(li.get(&world, "/session").status, 401, "a new password ends the other sessions");
    assert_eq!(again.get(&world, "/session").status, 200);

    // One's own sessions, and nobody else's.
    let mut second = Browser::new();
    second.log_in(&world, json!({ "user": "li", "password": "another long one" }));
    let sessions = again.get(&world, "/sessions").body["sessions"].clone();
    let other = sessions.as_array().unwrap().iter().find(|s| s["this"] == false).unwrap();
    let path = format!("/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(again.ask(&world, "DELETE", &path, Value::Null).status, 204);
    assert_eq!(second.get(&world, "/session").status, 401);
    assert_eq!(again.ask(&world, "DELETE", &path, Value::Null).status, 404);

    let listed = hub(&world, &["user", "list"]);
    assert!(listed.contains("operator@market") && listed.contains("李明"), "{listed}");
    hub(&world, &["user", "disable", "--user", "li"]);
    let gone = again.log_in(&world, json!({ "user": "li", "password": "another long one" }));
    assert_eq!((gone.status, gone.code()), (401, "wrong_login"), "as if there were no such user");
}

#[test]
fn a_feed_closes_when_its_session_or_its_rights_end() {
    let mut world = World::new();
    world.start();
    let ways: [&[&str]; 2] =
        [&["user", "disable", "--user", "li"], &["user", "grant", "--user", "wang", "--role", "installer"]];
    for (user, way) in ["li", "wang"].into_iter().zip(ways) {
        let words = ["user", "add", "--user", user, "--role", "operator"];
        let token = link_token(&hub(&world, &words));
        let operator = Operator::log_in(&world, &json!({ "token": token })).unwrap();
        let answer = operator.get(&world, "/feed");
        assert_eq!(answer.status(), 200);
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            // Ends when the hub ends it; what came is of no interest.
            let _ = answer.into_body().into_reader().read_to_end(&mut all);
            Instant::now()
        });
        assert!(!reading.is_finished());
        let done = Instant::now();
        hub(&world, way);
        let took = reading.join().unwrap().saturating_duration_since(done);
        println!("{way:?}: the feed ended {took:?} after the command began");
        assert!(took < world::PATIENCE - Duration::from_secs(5), "it ended by the reader's own patience");
    }
}

#[test]
fn guessers_are_bounded_over_a_restart_and_cannot_lock_the_owner_out() {
    let mut world = World::new();
    world.start();
    let password = "a better pass phrase";
    hub(&world, &["user", "password", "--password-file", &password_file(&world, password)]);
    let right = json!({ "user": "admin", "password": password });
    let mut owner = Browser::new();
    assert_eq!(owner.log_in(&world, right.clone()).status, 200);
    assert!(owner.cookies.iter().any(|c| c.starts_with("signalbox_device=")));

    // 100 guesses at once from 50 sources.
    let port = world.ports.http;
    let answers: Vec<Answer> = runtime().block_on(async {
        let mut guesses = tokio::task::JoinSet::new();
        for n in 0..100u8 {
            guesses.spawn(async move {
                let login = json!({ "user": "admin", "password": format!("guess {n} guess") });
                Browser::from(n % 50 + 1).send(port, "POST /api/v1/session", "", &login).await.unwrap()
            });
        }
        guesses.join_all().await
    });
    let count = |status| answers.iter().filter(|a| a.status == status).count();
    // One of ten was the owner's first.
    assert!(count(401) <= 9, "{} guesses were looked at", count(401));
    assert_eq!(count(401) + count(429) + count(503), 100);
    let told = answers.iter().find(|a| a.status == 429).unwrap();
    assert!(told.head.contains("retry-after: "), "{}", told.head);

    // Neither a restart nor a new source helps; the owner's browser is known.
    world.stop();
    world.start();
    assert_eq!(Browser::from(200).log_in(&world, right.clone()).status, 429);
    assert_eq!(owner.log_in(&world, right.clone()).status, 200);
    let mut thief = Browser::from(201);
    thief.cookies.push(format!("signalbox_device={}", "0".repeat(64)));
    assert_eq!(thief.log_in(&world, right).status, 429, "a made-up device is none");
}

/// What other sites' pages could make a browser send; none changes anything. (Row S11.)
#[test]
fn another_sites_page_changes_nothing() {
    let mut world = World::new();
    world.start();
    let token = link_token(&hub(&world, &["user", "login-link"]));
    let mut browser = Browser::new();
    browser.log_in(&world, json!({ "token": token }));
    let origins = ["http://evil.example", "null", "http://hub.evil.example", "https://hub:1", "hub", ""];
    let sites = ["cross-site", "same-site", "CROSS-SITE", "?"];
    let writes = [
        ("DELETE", "/session"),
        ("PUT", "/session/reason"),
        ("POST", "/account/second-factor"),
        ("PUT", "/account/password"),
    ];
    let body = json!({ "reason": "x", "new": "a long enough one" });
    let mut tried = 0;
    for (method, path) in writes {
        let headers = origins.iter().map(|o| format!("Origin: {o}\r\n"));
        let headers =
            headers.chain(sites.iter().map(|s| format!("Origin: http://hub\r\nSec-Fetch-Site: {s}\r\n")));
        for more in headers {
            let line = format!("{method} /api/v1{path}");
            let sent = browser.send(world.ports.http, &line, &more, &body);
            let answer = runtime().block_on(sent).unwrap();
            assert_eq!((answer.status, answer.code()), (403, "foreign_origin"), "{line} {more}");
            tried += 1;
        }
    }
    assert_eq!(tried, 40);
    let session = browser.get(&world, "/session");
    assert_eq!((session.status, &session.body["reason"]), (200, &Value::Null));
    for wanted in ["frame-ancestors 'none'", "x-frame-options: DENY", "cache-control: no-store"] {
        assert!(session.head.contains(wanted), "{}", session.head);
    }
}

#[test]
fn looking_is_an_entry_and_the_audit_is_exported_and_verified_at_the_command_line() {
    let mut world = World::new();
    let heads = world.folder.path().join("elsewhere");
    let settings = world.folder.path().join("hub.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(
        &settings,
        format!("{text}audit.heads = {heads:?}\naudit.reason_for = [\"read_audit\"]\n"),
    )
    .unwrap();
    world.start();
    let token = link_token(&hub(&world, &["user", "add", "--user", "cai", "--role", "auditor"]));
    let mut auditor = Browser::new();
    auditor.log_in(&world, json!({ "token": token }));
    assert_eq!(auditor.get(&world, "/audit").code(), "reason_needed");
    let reason = json!({ "reason": "年度检查" });
    assert_eq!(auditor.ask(&world, "PUT", "/session/reason", reason).status, 204);
    let audit = auditor.get(&world, "/audit?limit=2");
    let entries = audit.body["entries"].as_array().unwrap();
    assert_eq!((&entries[0]["action"], &entries[0]["reason"]), (&json!("audit_read"), &json!("年度检查")));
    let next = audit.body["next"].as_str().unwrap();
    let more = auditor.get(&world, &format!("/audit?limit=500&before={next}&action=user_added"));
    assert_eq!(more.body["entries"][0]["object"], "cai");
    assert_eq!(auditor.get(&world, "/audit?before=x").status, 400);

    let exported = hub(&world, &["audit", "export", "--reason", "yearly review"]);
    let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["reason"]), (&json!("exported"), &json!("yearly review")));
    // Stopping publishes what was not yet.
    world.stop();
    let verified = hub(&world, &["audit", "verify"]);
    assert!(verified.contains("审计记录完整"), "{verified}");
    let published = std::fs::read_to_string(&heads).unwrap();
    assert!(published.lines().count() >= 1, "{published}");

    let store = runtime().block_on(world.store());
    runtime().block_on(async {
        let mut tx = store.write().await.unwrap();
        let text = "UPDATE audit SET actor = 'nobody' WHERE action = 'user_added'";
        tx.execute(central_hub::store::sql(text)).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
    });
    let out = world.run(&["audit", "verify"]);
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!out.status.success() && said.contains("altered"), "{said}");
}

/// A measurement, not a check: `cargo test -p central-hub --test people -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_wrong_password_takes_for_users_that_exist_and_that_do_not() {
    let mut world = World::new();
    world.start();
    let store = runtime().block_on(world.store());
    let forget = || {
        runtime().block_on(async {
            let mut tx = store.write().await.unwrap();
            tx.execute(central_hub::store::sql("DELETE FROM login_attempts")).await.unwrap();
            tx.commit().await.unwrap();
        });
    };
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..200 {
        let kind = n % 2;
        forget();
        let user = ["admin", "nobody"][kind];
        let login = json!({ "user": user, "password": "certainly wrong" });
        let begun = Instant::now();
        assert_eq!(Browser::new().log_in(&world, login).status, 401);
        took[kind].push(begun.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let [exists, unknown] = &mut took;
    let (exists, unknown) = (median(exists), median(unknown));
    let ratio = unknown.as_secs_f64() / exists.as_secs_f64();
    println!("medians of 100: exists {exists:?}, does not {unknown:?}, ratio {ratio:.3}");
}
