//! Incidents as an operator meets them: a real hub, a box, the API, the feed, the command line.

mod world;

use serde_json::{Value, json};
use world::{Operator, World, message};

#[test]
fn an_operator_sees_splits_and_merges_incidents() {
    let mut world = World::new();
    let nothing = world.run(&["place", "list"]);
    let said = String::from_utf8_lossy(&nothing.stderr);
    assert!(!nothing.status.success() && said.contains(world.data().to_str().unwrap()), "{said}");
    assert!(!world.data().exists(), "a command that only reads has made a hub");

    let papers = world.add_agent("market", "gate");
    let list = world.folder.path().join("places.csv");
    std::fs::write(&list, "site,agent,camera,name,x,y\nmarket,gate,c1,东门,0,0\n").unwrap();
    let out = world.run(&["place", "import", list.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&world.run(&["place", "list"]).stdout).contains("东门"));
    std::fs::write(&list, "site,agent,camera,x\nmarket,gate,c1,0\n").unwrap();
    let out = world.run(&["place", "import", list.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("line 2: x and y belong together"));

    world.start();
    let mut agent = world.connect("gate", &papers).unwrap();
    agent.subscribe("signalbox/v1/market/gate/ack");
    agent.publish("signalbox/v1/market/gate/alert", &message(1..=3));
    assert_eq!(agent.ack().unwrap().settled_through, 3);

    let operator = Operator::by_link(&world);
    let page = operator.json(&world, "/incidents");
    let whole = &page["incidents"][0];
    assert_eq!((page["incidents"].as_array().unwrap().len(), &whole["alerts"]), (1, &json!(3)));
    assert_eq!(
        (&whole["severity"], &whole["state"], &whole["version"]),
        (&json!("high"), &json!("new"), &json!(0))
    );
    let path = format!("/incidents/market/{}", whole["incident"].as_str().unwrap());
    assert_eq!(operator.json(&world, &path), *whole);
    let alerts = operator.json(&world, &format!("{path}/alerts?limit=2"));
    assert_eq!(alerts["alerts"].as_array().unwrap().len(), 2);
    let rest = format!("{path}/alerts?limit=2&before={}", alerts["next"].as_str().unwrap());
    assert_eq!(operator.json(&world, &rest)["alerts"][0]["because"], json!({ "how": "opened" }));
    let one = operator.json(&world, "/alerts/gate/e1/2");
    assert_eq!((&one["incident"], &one["because"]["relation"]), (&whole["incident"], &json!("same")));

    let change = page["change"].to_string();
    let split = format!("{path}/split");
    let wanted = json!({ "version": 0, "alerts": ["gate/e1/3"] });
    let (status, new) = operator.post(&world, &split, &wanted);
    assert_eq!((status, &new["alerts"]), (201, &json!(1)));
    let (status, refused) = operator.post(&world, &split, &wanted);
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("changed_meanwhile")));
    let told: Vec<Value> = operator
        .feed(&world, Some(&change), 2)
        .into_iter()
        .filter(|e| e.1 == "incident")
        .map(|e| e.2)
        .collect();
    assert!(told.iter().any(|i| i["incident"] == new["incident"]), "{told:?}");

    let merge = format!("/incidents/market/{}/merge", new["incident"].as_str().unwrap());
    let (status, merged) = operator.post(&world, &merge, &json!({ "version": 0, "with": whole["incident"] }));
    assert_eq!((status, &merged["incident"], &merged["alerts"]), (200, &whole["incident"], &json!(3)));
    let old = operator.json(&world, &format!("/incidents/market/{}", new["incident"].as_str().unwrap()));
    assert_eq!(old, merged, "the old address leads to the survivor");

    for (path, expected) in [
        ("/incidents?state=done", 400),
        ("/incidents?camera=x", 400),
        ("/incidents?after=x", 400),
        ("/incidents/market/7", 400),
        ("/incidents/market/00000000-0000-7000-8000-000000000000", 404),
        ("/incidents?state=all&site=market&severity=low&kind=x&camera=gate/c1&order=urgent", 200),
    ] {
        assert_eq!(operator.get(&world, path).status(), expected, "{path}");
    }
    let place = "/sites/market/places/gate/c1";
    let (status, _) = operator.put(&world, place, &json!({ "lat": 31.2, "lon": 121.5, "sensitive": true }));
    assert_eq!(status, 200);
    assert_eq!(operator.put(&world, place, &json!({ "lat": 31.2 })).0, 400);
    assert_eq!(operator.json(&world, "/sites/market/places")["places"][0]["sensitive"], json!(true));
}
