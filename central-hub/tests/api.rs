//! The whole API as its own document describes it: asked everything by schemathesis, in every role; and what
//! it gives out, read by programs that are not the hub's. `make setup` with --test installs them.
//!
//! Each role gets a few seconds; `SIGNALBOX_API_SECONDS=300` for a long look.

mod world;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use central_hub::store::changes::Subject;
use central_hub::store::sql;
use serde_json::{Value, json};
use world::{Operator, PATIENCE, World, message, runtime};

/// 2025-11-23
const UPTIME_DAY: i64 = 20_415;
const ROLES: [&str; 6] = ["operator", "shift_lead", "installer", "auditor", "administrator", "grid_member"];
/// Ends the very session that asks, or never ends.
const LEFT_OUT: &str = "^/api/v1/(feed|session|sessions.*|users/[^/]+/sessions)$";
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// A program of the tests' own environment.
fn tool(name: &str) -> Command {
    let home = |name: &str, below: &str| Some(PathBuf::from(std::env::var_os(name)?).join(below));
    let cache = home("SIGNALBOX_CACHE", "")
        .or_else(|| home("XDG_CACHE_HOME", "signalbox"))
        .or_else(|| home("HOME", ".cache/signalbox"))
        .unwrap();
    let path = cache.join("api-tools/bin").join(name);
    assert!(path.is_file(), "{} is missing: run setup/setup.sh --test", path.display());
    Command::new(path)
}

fn read(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/api/read.py");
    let out = tool("python3").arg(script).args(arguments).output().unwrap();
    assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Some alerts, and incidents of every state.
fn fill(world: &World) {
    let papers = world.add_agent("market", "gate");
    let mut agent = world.connect("gate", &papers).unwrap();
    agent.subscribe("signalbox/v1/market/gate/ack");
    agent.publish("signalbox/v1/market/gate/alert", &message(1..=20));
    while agent.ack().unwrap().settled_through < 20 {}
    runtime().block_on(async {
        let store = world.store().await;
        let states = ["new", "acknowledged", "dispatched", "on_scene", "resolved", "closed", "false_alarm"];
        for (n, state) in states.iter().enumerate() {
            let mut tx = store.write().await.unwrap();
            let incident = id(n);
            let text =
                "INSERT INTO incidents (site, incident, origin, kind, family, test, opened_at, last_at,
                    clock_from, alerts, cameras, peak, severity, urgency, root, state, version)
                VALUES ('market', $1, 'alerts', 'LineDetector/Crossed', 'perimeter', FALSE, $3, $3, $3, 3,
                    '[[\"gate\", \"c1\"]]', 3, 3, 1, $1, $2, 1)";
            let at = 1_763_884_800_000 + n as i64 * 60_000;
            tx.execute(sql(text).bind(&incident).bind(*state).bind(at)).await.unwrap();
            tx.changed(Subject::Incident { site: "market".into(), incident });
            tx.commit().await.unwrap();
        }
        let mut tx = store.write().await.unwrap();
        let text = "INSERT INTO uptime_days (site, day, agent, camera, up_ms, down_ms, unknown_ms)
            VALUES ('market', $1, 'gate', $2, 64800000, 16200000, 5400000)";
        for camera in ["", "c1"] {
            tx.execute(sql(text).bind(UPTIME_DAY).bind(camera)).await.unwrap();
        }
        tx.commit().await.unwrap();
        store.close().await;
    });
}

fn id(n: usize) -> String {
    format!("01936f0a-7c00-7000-8000-{n:012}")
}

/// The answer, as soon as it is `enough`: the index is a moment behind the commit.
fn json_when(world: &World, who: &Operator, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = who.json(world, path);
        if enough(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{path}: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn person(world: &World, role: &str) -> Operator {
    let out = world.run(&["user", "add", "--user", role, "--role", role]);
    let link = String::from_utf8(out.stdout).unwrap();
    let (_, token) =
        link.trim().rsplit_once('#').unwrap_or_else(|| panic!("{role}: {out:?}", out = out.stderr));
    Operator::log_in(world, &json!({ "token": token })).unwrap()
}

#[test]
fn incidents_are_found_and_given_out_in_every_form() {
    let mut world = World::new();
    world.start();
    let lead = person(&world, "shift_lead");
    fill(&world);
    let found = |a: &Value| a["incidents"].as_array().unwrap().len();
    let all = json_when(
        &world,
        &lead,
        "/search?q=%E8%B6%8A%E7%BA%BF&site=market&before=2025-12-01T00:00:00Z",
        |a| found(a) == 7,
    );
    assert_eq!(all["incidents"][0]["incident"], id(6));
    let open = lead.json(&world, "/search?q=%E8%B6%8A&open=true&before=2025-12-01T00:00:00Z");
    assert_eq!(found(&open), 4);
    assert_eq!(found(&lead.json(&world, "/search?q=%E5%BE%98%E5%BE%8A")), 0);
    assert_eq!(lead.get(&world, "/search?q=%E3%80%82").status(), 400);

    let files: Vec<_> = (0..7)
        .map(|n| {
            let path = format!("/incidents/market/{}/exchange?form=cap", id(n));
            let mut answer = lead.get(&world, &path);
            assert_eq!(answer.headers()["content-type"], "application/cap+xml; charset=utf-8");
            let file = world.folder.path().join(format!("{n}.xml"));
            std::fs::write(&file, answer.body_mut().read_to_vec().unwrap()).unwrap();
            file.to_str().unwrap().to_owned()
        })
        .collect();
    let arguments: Vec<_> = ["cap"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert!(read(&arguments).contains("7 messages are right"));
    assert_eq!(lead.get(&world, "/incidents/school/x/exchange").status(), 404);

    let mut table = lead.get(&world, "/export/incidents.csv?site=market&before=2025-12-01T00:00:00Z");
    let table = table.body_mut().read_to_string().unwrap();
    assert!(table.starts_with('\u{feff}') && table.lines().count() == 8, "{table}");
    let figures = lead.json(&world, "/figures?what=days&from=2025-11-01&to=2025-11-30");
    assert_eq!(
        figures["rows"],
        json!([{ "name": "2025-11-23", "incidents": 7, "alerts": 21, "false_alarms": 1 }])
    );
    for what in ["hours", "kinds", "cameras", "sites", "durations", "rules"] {
        for form in ["json", "csv"] {
            let path = format!("/figures?what={what}&form={form}&from=2025-11-01&to=2025-11-30");
            assert_eq!(lead.get(&world, &path).status(), 200, "{path}");
        }
    }

    let uptime = lead.json(&world, "/figures/uptime?from=2025-11-01&to=2025-11-30&camera=c1");
    assert_eq!(
        uptime["rows"],
        json!([{ "day": "2025-11-23", "site": "market", "agent": "gate", "camera": "c1", "up_ms": 64_800_000,
            "down_ms": 16_200_000, "unknown_ms": 5_400_000, "up_share": 0.75, "down_share": 0.1875,
            "unknown_share": 0.0625 }])
    );
    let path = "/figures/uptime?from=2025-11-01&to=2025-11-30&site=market&agent=gate&form=csv";
    let mut table = lead.get(&world, path);
    assert_eq!(table.headers()["content-type"], "text/csv; charset=utf-8");
    let table = table.body_mut().read_to_string().unwrap();
    assert!(table.starts_with('\u{feff}') && table.lines().count() == 3, "{table}");
    assert!(
        table.contains("\"2025-11-23\",\"market\",\"gate\",,64800000,16200000,5400000,0.7500"),
        "{table}"
    );
    for (path, status) in
        [("site=school", 200), ("from=2025-12-01&to=2025-11-30", 400), ("camera=no/id", 400)]
    {
        assert_eq!(lead.get(&world, &format!("/figures/uptime?{path}")).status(), status, "{path}");
    }
    assert_eq!(lead.json(&world, "/figures/uptime?site=school")["rows"], json!([]));

    // Taking something out is an entry of the audit; whoever has no right to it gets nothing.
    let auditor = person(&world, "auditor");
    let audit = auditor.json(&world, "/audit").to_string();
    assert!(audit.contains("exported") && audit.contains(&id(3)), "{audit}");
    let operator = person(&world, "operator");
    for path in ["/export/incidents.csv", "/incidents/market/x/exchange"] {
        assert_eq!(operator.get(&world, path).status(), 403, "{path}");
    }
}

#[test]
fn nothing_that_is_asked_breaks_the_api_or_its_document() {
    let seconds = std::env::var("SIGNALBOX_API_SECONDS").unwrap_or("15".into());
    let mut world = World::new();
    world.start();
    fill(&world);
    let people = ROLES.map(|role| (role, person(&world, role)));
    let seed = "20261125";
    println!("seed {seed}, {seconds} s a role");
    for (role, who) in people.iter().map(|(r, w)| (*r, w)).chain([("nobody", &Operator::stranger())]) {
        let out = tool("schemathesis")
            .args(["--no-color", "run", &world.url("/openapi.json"), "--max-time", &seconds, "--seed", seed])
            .args(["--checks", CHECKS, "--exclude-path-regex", LEFT_OUT, "--warnings", "off"])
            .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--no-shrink"])
            .args(["--request-timeout", "20", "--generation-database", "none"])
            .arg("-H")
            .arg(format!("Cookie:{}", who.cookie()))
            .current_dir(world.folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let summary = text.find("SUMMARY").map_or("", |at| &text[at..]);
        println!("{role}: {summary}");
        assert!(
            out.status.success(),
            "{role}: {text}\n{}\n{}",
            String::from_utf8_lossy(&out.stderr),
            world.log()
        );
        assert!(text.contains("passed") || text.contains("generated"), "{role}: it asked nothing: {text}");
    }
}
