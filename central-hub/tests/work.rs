//! Working on incidents over the API of the real binary: by hand, against each other, with photos, to the sheet.

mod world;

use central_hub::store::sql;
use serde_json::{Value, json};
use world::{Operator, World, runtime};

#[test]
fn from_a_report_to_the_handover_sheet() {
    let mut world = World::new();
    world.start();
    let operator = Operator::by_link(&world);
    let kinds = operator.json(&world, "/sites/market/incident-kinds");
    let light = kinds["kinds"].as_array().unwrap().iter().find(|k| k["kind"] == "street_light").unwrap();
    assert_eq!(light["name"]["zh"], "路灯损坏");
    let unit = json!({ "name": "巡逻二队", "members": ["admin"] });
    assert_eq!(operator.put(&world, "/sites/market/units/patrol-2", &unit).0, 200);
    let outline = json!([[120.1, 30.2], [120.2, 30.2], [120.2, 30.3], [120.1, 30.3]]);
    let area = json!({ "name": "东片", "plane": "wgs84", "outline": outline, "unit": "patrol-2" });
    assert_eq!(operator.put(&world, "/sites/market/areas/east", &area).0, 200);
    let line = json!({ "name": "x", "plane": "plan", "outline": [[0, 0], [1, 1], [2, 2]] });
    assert_eq!(operator.put(&world, "/sites/market/areas/line", &line).0, 422);

    let words = "<script>alert(1)</script> 灯不亮";
    let report = json!({ "site": "market", "kind": "street_light", "words": words, "point": { "lat": 30.25, "lon": 120.15 } });
    let (status, opened) = operator.post(&world, "/incidents", &report);
    assert_eq!(status, 201, "{opened}");
    assert_eq!((&opened["state"], &opened["assigned"]), (&json!("new"), &json!({ "unit": "patrol-2" })));
    assert!(opened["due_at"].is_string(), "{opened}");
    for wrong in [
        json!({ "site": "market", "kind": "ghost", "words": "x" }),
        json!({ "site": "market", "kind": "other", "words": " " }),
        json!({ "site": "market", "kind": "other", "words": "x", "point": { "lat": 91, "lon": 0 } }),
    ] {
        assert_eq!(operator.post(&world, "/incidents", &wrong).0, 422, "{wrong}");
    }
    let path = format!("/incidents/market/{}/steps", opened["incident"].as_str().unwrap());
    let mine = operator.json(&world, "/my-incidents");
    assert_eq!(mine["incidents"][0]["incident"], opened["incident"]);

    let step = |body: Value| operator.post(&world, &path, &body);
    assert_eq!(step(json!({ "step": "acknowledge" })).0, 428);
    assert_eq!(step(json!({ "step": "acknowledge", "version": 0 })).0, 201);
    let (status, late) = step(json!({ "step": "acknowledge", "version": 0 }));
    assert_eq!(
        (status, &late["error"]["code"], &late["error"]["by"]),
        (409, &json!("overtaken"), &json!("admin"))
    );
    assert!(late["error"]["zh"].as_str().unwrap().contains("先行“确认”"), "{late}");
    assert_eq!(step(json!({ "step": "dispatch", "version": 1, "to": { "unit": "ghosts" } })).0, 422);
    assert_eq!(step(json!({ "step": "false_alarm", "version": 1 })).1["error"]["code"], "needs_note");
    assert_eq!(step(json!({ "step": "close", "version": 1 })).1["error"]["code"], "not_now");
    assert_eq!(step(json!({ "step": "fly", "version": 1 })).0, 400);
    assert_eq!(step(json!({ "step": "note", "note": "看过了" })).0, 201);
    photo(&world, &operator, &path);

    let many = |step: &str, version: i64| {
        let one = json!({ "site": "market", "incident": opened["incident"], "version": version });
        let ghost =
            json!({ "site": "market", "incident": "01900000-0000-7000-8000-000000000000", "version": 0 });
        operator.post(&world, "/incidents/steps", &json!({ "step": step, "incidents": [one, ghost] })).1
    };
    let version = operator.json(&world, &path)["version"].as_i64().unwrap();
    let results = many("resolve", version);
    assert_eq!(
        (&results["results"][0]["status"], &results["results"][1]["status"]),
        (&json!(201), &json!(404))
    );
    assert_eq!(many("resolve", version)["results"][0]["status"], 409);

    let sheet = operator.json(&world, "/sites/market/handover");
    assert_eq!(sheet["settled"][0]["incident"], opened["incident"], "{sheet}");
    assert_eq!((&sheet["opened"]["street_light"], &sheet["steps"]["resolve"]), (&json!(1), &json!(1)));
    for (lang, title) in [("zh", "交接班单"), ("en", "Shift handover")] {
        let mut page = operator.get(&world, &format!("/sites/market/handover?format=html&lang={lang}"));
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        let page = page.body_mut().read_to_string().unwrap();
        assert!(
            page.contains(title) && page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
    }
    assert_eq!(operator.get(&world, "/sites/market/handover?lang=xx").status(), 400);
    assert_eq!(operator.delete(&world, "/sites/market/units/patrol-2"), 204);
    assert_eq!(operator.delete(&world, "/sites/market/units/patrol-2"), 404);
}

/// A photo loses what the phone wrote into it; what is no photo is refused.
fn photo(world: &World, operator: &Operator, path: &str) {
    let path = path.replace("/steps", "/attachments");
    let plain = [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0][..],
        &[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0xd9],
    ]
    .concat();
    let mut taken = plain.clone();
    taken.splice(2..2, [0xff, 0xe1, 0, 8, b'E', b'x', b'i', b'f', 0, 0]);
    taken.extend(b"behind the end");
    assert_eq!(operator.send_bytes(world, &path, b"<html>").0, 415);
    assert_eq!(operator.send_bytes(world, &path, &plain[..20]).0, 422);
    let (status, added) = operator.send_bytes(world, &path, &taken);
    assert_eq!(status, 201, "{added}");
    let url = added["url"].as_str().unwrap().strip_prefix("/api/v1").unwrap();
    let mut shown = operator.get(world, url);
    assert_eq!(
        (shown.status().as_u16(), &shown.headers()["content-type"]),
        (200, &"image/jpeg".parse().unwrap())
    );
    assert_eq!(shown.body_mut().read_to_vec().unwrap(), plain);
    for file in ["..%2f..%2fhub.db", "01900000-0000-7000-8000-000000000000", "%00"] {
        assert_eq!(operator.get(world, &format!("{path}/{file}")).status(), 404, "{file}");
    }
    let (looks,): (i64,) = runtime().block_on(async {
        let store = world.store().await;
        let text = "SELECT count(*) FROM audit WHERE action = 'photo_viewed'";
        let looks = store.read().one(sql(text)).await.unwrap();
        store.close().await;
        looks
    });
    assert_eq!(looks, 1, "who looked is an entry");
}

/// A browser sends a POST again when its connection breaks; a phone when it never heard an answer.
#[test]
fn a_request_with_a_key_takes_effect_once() {
    const KEYS: [&str; 4] = [
        "01900000-0000-4000-8000-000000000001",
        "01900000-0000-4000-8000-000000000002",
        "01900000-0000-4000-8000-000000000003",
        "no uuid",
    ];
    let mut world = World::new();
    world.start();
    let operator = Operator::by_link(&world);
    let report = json!({ "site": "market", "kind": "street_light", "words": "灯不亮" });
    let first = operator.post_once(&world, "/incidents", KEYS[0], report.to_string().as_bytes());
    assert_eq!(first.0, 201, "{}", first.1);
    let again = "{ \"words\": \"灯不亮\", \"kind\": \"street_light\", \"site\": \"market\" }";
    assert_eq!(operator.post_once(&world, "/incidents", KEYS[0], again.as_bytes()), first, "one report");
    let incident = format!("/incidents/market/{}", first.1["incident"].as_str().unwrap());
    let steps = format!("{incident}/steps");

    let step = |key, step: Value| operator.post_once(&world, &steps, key, step.to_string().as_bytes());
    let acknowledged = step(KEYS[1], json!({ "step": "acknowledge", "version": 0 }));
    assert_eq!((acknowledged.0, &acknowledged.1["state"]), (201, &json!("acknowledged")));
    assert_eq!(operator.post(&world, &steps, &json!({ "step": "note", "note": "x" })).0, 201);
    // On the version of now: it is the same that is wanted.
    for version in [0, 2] {
        assert_eq!(step(KEYS[1], json!({ "step": "acknowledge", "version": version })), acknowledged);
    }
    for (key, status, code) in [(KEYS[1], 422, "key_used"), (KEYS[3], 400, "bad_request")] {
        let (refused, body) = step(key, json!({ "step": "note", "note": "other" }));
        assert_eq!((refused, &body["error"]["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(operator.post_once(&world, "/incidents", KEYS[1], report.to_string().as_bytes()).0, 422);

    let plain = [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0][..],
        &[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0xd9],
    ]
    .concat();
    let photos = format!("{incident}/attachments");
    let photo = operator.post_once(&world, &photos, KEYS[2], &plain);
    assert_eq!(photo.0, 201, "{}", photo.1);
    assert_eq!(operator.post_once(&world, &photos, KEYS[2], &plain), photo);
    assert_eq!(operator.post_once(&world, &photos, KEYS[2], &plain[..20]).0, 422);
    let history = operator.json(&world, &steps)["history"].as_array().unwrap().clone();
    let done: Vec<_> = history.iter().map(|fact| fact["step"].as_str().unwrap()).collect();
    assert_eq!(done, ["opened", "acknowledge", "note", "attach"]);
}
