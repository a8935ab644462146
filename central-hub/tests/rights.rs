//! The rights matrix: every route of the API, as every role, at own, foreign and guessed objects.
//!
//! It walks the router's own list. What is expected follows from the table of `hub_core::rights` and the rows of
//! `matrix`: 401 without a session, 403 without the right, 404 for what is another site's or not there at all,
//! word for word the same.

mod matrix;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::Method;
use central_hub::credential::random_token;
use central_hub::evidence::Key;
use central_hub::store::Store;
use central_hub::store::incidents::{Filter, Order, States};
use central_hub::store::people::By;
use central_hub::store::sessions::Opening;
use central_hub::web::routes::Route;
use central_hub::web::scope::Access;
use hub_core::rights::{Grant, Grants, Reach, Role, Sites};
use matrix::{Of, Row, rows};
use protocol::AlertId;
use serde_json::{Value, json};
use world::{World, message, runtime};

/// Somebody who asks.
struct Asker {
    name: String,
    /// None: without a session.
    account: Option<String>,
    role: Option<Role>,
    second_factor: bool,
    /// Of a session that lasts.
    cookie: Option<String>,
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let key = |method: &Method, path: &str| format!("{method} {path}");
    let list = central_hub::web::routes();
    let routes: BTreeSet<_> = list.list().iter().map(|r| key(&r.method, r.path)).collect();
    let table = rows();
    let rowed: BTreeSet<_> = table.iter().map(|r| key(&r.method, r.path)).collect();
    let missing: Vec<_> = routes.difference(&rowed).collect();
    assert!(missing.is_empty(), "routes without a row in tests/matrix: {missing:?}");
    let stale: Vec<_> = rowed.difference(&routes).collect();
    assert!(stale.is_empty(), "rows without a route: {stale:?}");
    for Route { method, path, access } in list.list() {
        let row = table.iter().find(|r| r.method == *method && r.path == *path).unwrap();
        assert_eq!(row.access, *access, "{method} {path}");
    }
}

/// Routes come in by `web::routes` alone, which asks for a permit.
#[test]
fn no_route_goes_round_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut files = vec![folder.with_extension("rs")];
    files.extend(std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()));
    assert!(files.len() > 10, "the web has moved");
    for file in files.iter().filter(|f| f.is_file() && !f.ends_with("routes.rs") && !f.ends_with("wall.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let lines =
            text.lines().enumerate().filter(|(_, l)| l.contains(".route(") || l.contains(".route_service("));
        // What lies below /api and is none of its paths is refused; it asks for nothing.
        let stray: Vec<_> = lines.filter(|(_, l)| !l.contains("error::no_such_path")).collect();
        assert!(stray.is_empty(), "{}: {stray:?}", file.display());
    }
}

#[test]
fn whoever_asks_gets_what_the_table_says() {
    let mut world = World::new();
    let papers = ["gate", "yard"].map(|agent| (agent, world.add_agent(site_of(agent), agent)));
    world.start();
    for (agent, papers) in &papers {
        let mut link = world.connect(agent, papers).unwrap();
        let base = format!("signalbox/v1/{}/{agent}", site_of(agent));
        link.subscribe(&format!("{base}/ack"));
        link.publish(&format!("{base}/status"), &status());
        link.publish(&format!("{base}/alert"), &message([1]));
        assert_eq!(link.ack().unwrap().settled_through, 1);
    }
    let store = runtime().block_on(world.store());
    let mut askers = runtime().block_on(prepare(&store));
    for asker in &mut askers {
        asker.cookie = cookie(&store, asker);
    }
    let askers = askers;
    let (mut asked, mut wrong) = (0, Vec::new());
    for row in rows() {
        for asker in &askers {
            let mut refusals = Vec::new();
            for (n, names) in objects(&row) {
                let (status, body) = ask(&world, &store, asker, &row, names);
                let expected = expected(asker, &row, n);
                if status != expected {
                    let method = &row.method;
                    wrong.push(format!(
                        "{method} {} ({names}) as {}: {status} for {expected}: {body}",
                        row.path, asker.name
                    ));
                }
                if status == 404 && n > 0 {
                    refusals.push(body);
                }
                asked += 1;
            }
            refusals.dedup();
            assert!(
                refusals.len() <= 1,
                "{} {}: foreign and guessed differ: {refusals:?}",
                row.method,
                row.path
            );
        }
    }
    assert!(wrong.is_empty(), "{} of {asked} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{asked} requests, {} routes, {} askers", rows().len(), askers.len());
    lists_are_cut(&world, &askers);
    sites_are_told(&world, &askers);
    what_is_given_is_seen(&world, &store, &askers);
    other_methods_are_refused(&world);
}

/// One camera.
fn status() -> Value {
    let camera = json!({ "camera": "c1", "state": "live", "since": "2026-11-24T08:00:00.000Z" });
    json!({ "v": 1, "state": "online", "cameras": [camera] })
}

fn site_of(agent: &str) -> &'static str {
    if agent == "gate" { "market" } else { "school" }
}

/// Which of own (0), foreign (1) and guessed (2) a row has.
fn objects(row: &Row) -> Vec<(usize, &'static str)> {
    let all = row.names.into_iter().enumerate();
    match row.of {
        Of::Nothing => all.take(1).collect(),
        Of::Site => all.collect(),
        Of::Hub => all.filter(|(n, _)| *n != 1).collect(),
    }
}

fn expected(asker: &Asker, row: &Row, object: usize) -> u16 {
    let action = match row.access {
        Access::Anybody => return row.status,
        _ if asker.account.is_none() => return 401,
        Access::Oneself => return row.status,
        Access::Action(action) => action,
    };
    let counts = |role: &Role| asker.second_factor || !role.needs_second_factor();
    let reach = asker.role.filter(counts).map_or(Reach::Never, |role| role.reach(action));
    // Somebody of all sites owns the foreign one too; and which sites there are is written nowhere.
    let everywhere = asker.role.is_some_and(Role::everywhere_only);
    match (reach, row.of, object) {
        (Reach::Never, ..) => 403,
        (_, Of::Site, 1) if everywhere => row.status,
        (_, Of::Site, 2) if everywhere && row.path.starts_with("/sites/{site}") => row.status,
        // What is assigned to them: none of these is.
        (Reach::Assigned, Of::Site, _) => 404,
        // All sites are theirs, those to come included.
        (Reach::Site, Of::Site, _) if asker.role.is_some_and(Role::everywhere_only) => row.status,
        (_, Of::Site, 1) | (_, Of::Site | Of::Hub, 2) => 404,
        _ => row.status,
    }
}

/// Stills, a clerk to be administered, and one asker of each kind.
async fn prepare(store: &Store) -> Vec<Asker> {
    for agent in ["gate", "yard"] {
        let id = AlertId { agent: agent.parse().unwrap(), epoch: "e1".parse().unwrap(), seq: 1 };
        store.evidence().put(&Key::still(&id), b"\xff\xd8\xff\xd9").await.unwrap();
        store.put_still(&id, 4, &[0; 32]).await.unwrap();
    }
    let clerk = Grants::new([grant(Role::Operator)]).unwrap();
    store.add_user("clerk", None, &clerk, By::CommandLine).await.unwrap();
    let mut askers =
        vec![Asker { name: "nobody".into(), account: None, role: None, second_factor: false, cookie: None }];
    store.add_user("bare", None, &Grants::default(), By::CommandLine).await.unwrap();
    let bare = Some("bare".to_owned());
    askers.push(Asker {
        name: "holding nothing".into(),
        account: bare,
        role: None,
        second_factor: true,
        cookie: None,
    });
    for &role in Role::ALL {
        let account = format!("the-{}", role.as_str().replace('_', "-"));
        let grants = Grants::new([grant(role)]).unwrap();
        store.add_user(&account, None, &grants, By::CommandLine).await.unwrap();
        for second_factor in [true, false] {
            let with = if second_factor { "with" } else { "without" };
            let name = format!("{role} {with} a second factor");
            askers.push(Asker {
                name,
                account: Some(account.clone()),
                role: Some(role),
                second_factor,
                cookie: None,
            });
        }
    }
    askers
}

/// At the own site, or at all where it is held so alone.
fn grant(role: Role) -> Grant {
    Grant { role, site: (!role.everywhere_only()).then(|| "market".parse().unwrap()) }
}

fn cookie(store: &Store, asker: &Asker) -> Option<String> {
    let account = asker.account.as_deref()?;
    let token = random_token().unwrap();
    let (second_factor, by_link) = (asker.second_factor, false);
    let opening = Opening { account, token: &token, second_factor, by_link, source: "here", browser: "test" };
    runtime().block_on(store.open_session(opening)).unwrap();
    Some(format!("signalbox_session={token}"))
}

fn ask(world: &World, store: &Store, asker: &Asker, row: &Row, names: &str) -> (u16, String) {
    static NEW: AtomicU32 = AtomicU32::new(0);
    let site = names.split('/').next().unwrap_or_default();
    let names = match names.contains('@') {
        true => names.replace('@', &incident_at(store, site)),
        false => names.to_owned(),
    };
    let path = filled(row.path, &names);
    let body = match &row.body {
        Value::Null => String::new(),
        body => body.to_string().replace('~', &NEW.fetch_add(1, Ordering::Relaxed).to_string()),
    };
    // What ends its session gets one of its own.
    let ends = row.method == Method::DELETE && row.path == "/session";
    let cookie = if ends { cookie(store, asker) } else { asker.cookie.clone() };
    send(world, &row.method, &path, cookie, &body)
}

/// The incident that the alert of a site has opened.
fn incident_at(store: &Store, site: &str) -> String {
    let filter = Filter { states: States::All, site: Some(site.to_owned()), ..Filter::default() };
    let found = runtime().block_on(store.incidents(&Sites::All, &filter, Order::Newest, None, 1)).unwrap();
    found.0[0].incident.clone()
}

/// Names in place of a path's `{names}`, as many as there are.
fn filled(path: &str, names: &str) -> String {
    let mut names = names.split('/');
    let part = |part: &str| match part.starts_with('{') {
        true => names.next().expect("the row names too little").to_owned(),
        false => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn send(world: &World, method: &Method, path: &str, cookie: Option<String>, body: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(world::PATIENCE));
    let agent: ureq::Agent = config.build().into();
    let mut request = ureq::http::Request::builder().method(method.as_str()).uri(world.url(path));
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let mut answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap();
    let status = answer.status().as_u16();
    // The feed never ends.
    let text = if path == "/feed" && status == 200 {
        String::new()
    } else {
        answer.body_mut().read_to_string().unwrap_or_default()
    };
    (status, text)
}

fn lists_are_cut(world: &World, askers: &[Asker]) {
    for asker in askers.iter().filter(|a| a.account.is_some()) {
        for (path, list) in [
            ("/alerts", "alerts"),
            ("/agents", "agents"),
            ("/incidents", "incidents"),
            ("/incidents?state=all&order=newest", "incidents"),
            ("/alerts?site=school", "alerts"),
            ("/incidents?site=school", "incidents"),
        ] {
            let (status, body) = send(world, &Method::GET, path, asker.cookie.clone(), "");
            if status != 200 {
                continue;
            }
            let body: Value = serde_json::from_str(&body).unwrap();
            let sites: BTreeSet<_> =
                body[list].as_array().unwrap().iter().map(|o| o["site"].as_str().unwrap()).collect();
            let all = asker.role.is_some_and(Role::everywhere_only);
            let expected: &[&str] = match (path, all) {
                ("/alerts?site=school" | "/incidents?site=school", false) => &[],
                // What is assigned to them: none of these is.
                ("/incidents" | "/incidents?state=all&order=newest", false)
                    if asker.role == Some(Role::GridMember) =>
                {
                    &[]
                }
                (_, false) => &["market"],
                (_, true) => &["market", "school"],
            };
            assert_eq!(sites.into_iter().collect::<Vec<_>>(), expected, "{path} as {}", asker.name);
        }
    }
}

fn sites_are_told(world: &World, askers: &[Asker]) {
    for asker in askers.iter().filter(|a| a.account.is_some()) {
        let (status, body) = send(world, &Method::GET, "/sites", asker.cookie.clone(), "");
        let body: Value = serde_json::from_str(&body).unwrap();
        let sites: Vec<_> =
            body["sites"].as_array().unwrap().iter().map(|s| s["site"].as_str().unwrap()).collect();
        let role = asker.role.filter(|role| asker.second_factor || !role.needs_second_factor());
        let expected: &[&str] = match role {
            None => &[],
            Some(role) if role.everywhere_only() => &["market", "school"],
            Some(_) => &["market"],
        };
        assert_eq!((status, &sites[..]), (200, expected), "{}", asker.name);
    }
}

/// Whoever is sent out sees the picture of what they are sent to, and of nothing else.
fn what_is_given_is_seen(world: &World, store: &Store, askers: &[Asker]) {
    let of = |role| askers.iter().filter(move |a| a.role == Some(role));
    let operator = of(Role::Operator).next().unwrap();
    let steps = format!("/incidents/market/{}/steps", incident_of_alert(store));
    let see = |asker: &Asker, path: &str| send(world, &Method::GET, path, asker.cookie.clone(), "");
    let give = |to: &str| {
        let work: Value = serde_json::from_str(&see(operator, &steps).1).unwrap();
        let wish =
            serde_json::json!({ "step": "dispatch", "version": work["version"], "to": { "member": to } });
        let (status, body) = send(world, &Method::POST, &steps, operator.cookie.clone(), &wish.to_string());
        assert_eq!(status, 201, "{body}");
    };
    give("the-grid-member");
    for member in of(Role::GridMember) {
        let (_, list) = see(member, "/my-incidents");
        let list: Value = serde_json::from_str(&list).unwrap();
        let given = &list["incidents"][0];
        assert_eq!(given["still"]["alert"], "gate/e1/1", "{list}");
        assert_eq!(
            (&given["cameras"][0]["agent"], &given["cameras"][0]["camera"]),
            (&"gate".into(), &"c1".into())
        );
        let url = given["still"]["url"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
        assert_eq!(see(member, url).0, 200, "{}", member.name);
        for foreign in ["/alerts/yard/e1/1/still", "/alerts/gate/e1/999/still", "/alerts/gate/e1/1"] {
            assert_ne!(see(member, foreign).0, 200, "{foreign}");
        }
    }
    give("clerk");
    for member in of(Role::GridMember) {
        assert_eq!(see(member, "/alerts/gate/e1/1/still").0, 404, "no longer theirs");
    }
}

fn incident_of_alert(store: &Store) -> String {
    let alert = runtime().block_on(store.alert("gate", "e1", 1)).unwrap();
    alert.unwrap().incident.unwrap()
}

fn other_methods_are_refused(world: &World) {
    let list = central_hub::web::routes();
    let paths: BTreeSet<_> = list.list().iter().map(|r| r.path).collect();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if list.list().iter().any(|r| r.path == path && r.method == method) {
                continue;
            }
            let names = rows().iter().find(|r| r.path == path).unwrap().names[0].replace('@', "x");
            let (status, body) = send(world, &method, &filled(path, &names), None, "");
            assert_eq!((status, method.clone()), (405, method), "{path}: {body}");
        }
    }
}
