//! The one table of the rights matrix: every route of the API, what it asks for, and how to ask it.
//!
//! A route without a row here fails the test; so does a row without its route, and a row that says another
//! access than the route's handler does.

use axum::http::Method;
use central_hub::web::scope::Access;
use hub_core::rights::Action;
use serde_json::{Value, json};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// No object, or a list that is cut to one's sites.
    Nothing,
    /// An object of a site: own, foreign and guessed ones are asked for.
    Site,
    /// An object that belongs to no site: one that is there and a guessed one.
    Hub,
}

/// A route.
pub struct Row {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub of: Of,
    /// What stands for the `{names}` of the path: own, foreign, guessed.
    pub names: [&'static str; 3],
    /// What is sent; `~` becomes something new each time.
    pub body: Value,
    /// What whoever may is answered.
    pub status: u16,
}

fn row(method: Method, path: &'static str, access: Access, status: u16) -> Row {
    Row { method, path, access, of: Of::Nothing, names: [""; 3], body: Value::Null, status }
}

impl Row {
    fn sending(self, body: Value) -> Self {
        Self { body, ..self }
    }

    fn of_site(self, own: &'static str, foreign: &'static str, guessed: &'static str) -> Self {
        Self { of: Of::Site, names: [own, foreign, guessed], ..self }
    }

    fn of_hub(self, there: &'static str, guessed: &'static str) -> Self {
        Self { of: Of::Hub, names: [there, there, guessed], ..self }
    }
}

/// The box `gate` stands at the own site, `yard` at the foreign one; both have a camera and an alert with a still.
pub fn rows() -> Vec<Row> {
    use Access::{Anybody, Oneself};
    use Action::*;
    let [get, post, put, patch, delete] =
        [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let to = Access::Action;
    // `@` is the incident that the alert of the site's box opened.
    let incident =
        |row: Row| row.of_site("market/@", "school/@", "market/01900000-0000-7000-8000-000000000000");
    let alert = |row: Row| row.of_site("gate/e1/1", "yard/e1/1", "gate/e1/999");
    let camera = |row: Row| row.of_site("gate/c1", "yard/c1", "gate/c9");
    let of_site = |row: Row| row.of_site("market", "school", "nowhere");
    vec![
        row(get.clone(), "/health", Anybody, 200),
        row(post.clone(), "/session", Anybody, 400).sending(json!({})),
        row(get.clone(), "/session", Oneself, 200),
        row(delete.clone(), "/session", Oneself, 204),
        row(put.clone(), "/session/reason", Oneself, 204).sending(json!({ "reason": "case 7" })),
        row(get.clone(), "/sessions", Oneself, 200),
        row(delete.clone(), "/sessions/{session}", Oneself, 404).of_hub("nobodys", "nobodys"),
        row(put.clone(), "/account/password", Oneself, 403)
            .sending(json!({ "old": "not it", "new": "an ordinary long one" })),
        row(post.clone(), "/account/second-factor", Oneself, 200),
        row(put.clone(), "/account/second-factor", Oneself, 422).sending(json!({ "code": "no code" })),
        row(get.clone(), "/users", to(ReadUsers), 200),
        row(post.clone(), "/users", to(ManageUsers), 201).sending(json!({ "user": "new-~" })),
        row(get.clone(), "/users/{user}", to(ReadUsers), 200).of_hub("clerk", "ghost"),
        row(patch, "/users/{user}", to(ManageUsers), 204)
            .of_hub("clerk", "ghost")
            .sending(json!({ "name": "王" })),
        row(put.clone(), "/users/{user}/grants", to(ManageUsers), 204)
            .of_hub("clerk", "ghost")
            .sending(json!({ "grants": [{ "role": "operator", "site": "market" }] })),
        row(post.clone(), "/users/{user}/login-link", to(ManageUsers), 201).of_hub("clerk", "ghost"),
        row(delete.clone(), "/users/{user}/sessions", to(ManageUsers), 204).of_hub("clerk", "ghost"),
        row(get.clone(), "/audit", to(ReadAudit), 200),
        row(get.clone(), "/openapi.json", Anybody, 200),
        row(get.clone(), "/search", to(ReadIncidents), 200),
        row(get.clone(), "/export/incidents.csv", to(Export), 200),
        row(get.clone(), "/figures", to(ReadFigures), 200),
        row(get.clone(), "/figures/uptime", to(ReadFigures), 200),
        incident(row(get.clone(), "/incidents/{site}/{incident}/exchange", to(Export), 200)),
        row(get.clone(), "/alerts", to(ReadAlerts), 200),
        alert(row(get.clone(), "/alerts/{agent}/{epoch}/{seq}", to(ReadAlerts), 200)),
        alert(row(get.clone(), "/alerts/{agent}/{epoch}/{seq}/still", to(ViewStills), 200)),
        row(get.clone(), "/incidents", to(ReadIncidents), 200),
        incident(row(get.clone(), "/incidents/{site}/{incident}", to(ReadIncidents), 200)),
        incident(row(get.clone(), "/incidents/{site}/{incident}/alerts", to(ReadIncidents), 200)),
        incident(row(post.clone(), "/incidents/{site}/{incident}/split", to(ReshapeIncidents), 409))
            .sending(json!({ "version": 99, "alerts": ["gate/e1/1"] })),
        incident(row(post.clone(), "/incidents/{site}/{incident}/merge", to(ReshapeIncidents), 409))
            .sending(json!({ "version": 99, "with": "01900000-0000-7000-8000-000000000000" })),
        row(get.clone(), "/sites", Oneself, 200),
        row(get.clone(), "/sites/{site}/places", to(ReadAgents), 200).of_site("market", "school", "nowhere"),
        row(put.clone(), "/sites/{site}/places/{agent}/{camera}", to(ManageAgents), 200)
            .of_site("market/gate/c1", "school/yard/c1", "nowhere/gate/c1")
            .sending(json!({})),
        row(delete.clone(), "/sites/{site}/places/{agent}/{camera}", to(ManageAgents), 404).of_site(
            "market/gate/none",
            "school/yard/c1",
            "nowhere/gate/c1",
        ),
        row(get.clone(), "/agents", to(ReadAgents), 200),
        camera(row(get.clone(), "/cameras/{agent}/{camera}/live", to(WatchLive), 200)),
        camera(row(post.clone(), "/cameras/{agent}/{camera}/live", to(WatchLive), 415)),
        row(delete.clone(), "/cameras/{agent}/{camera}/live/{viewing}", to(WatchLive), 404).of_site(
            "gate/c1/none",
            "yard/c1/none",
            "gate/c9/none",
        ),
        row(get.clone(), "/feed", to(FollowFeed), 200),
        row(get.clone(), "/my-incidents", to(WorkIncidents), 200),
        row(post.clone(), "/incidents/steps", to(WorkIncidents), 200).sending(json!({
            "step": "note", "note": "~",
            "incidents": [{ "site": "school", "incident": "01900000-0000-7000-8000-000000000000", "version": 0 }],
        })),
        incident(row(get.clone(), "/incidents/{site}/{incident}/steps", to(ReadIncidents), 200)),
        incident(row(post.clone(), "/incidents/{site}/{incident}/steps", to(WorkIncidents), 201))
            .sending(json!({ "step": "note", "note": "~" })),
        incident(row(post.clone(), "/incidents/{site}/{incident}/attachments", to(WorkIncidents), 415))
            .sending(json!("no picture")),
        row(get.clone(), "/incidents/{site}/{incident}/attachments/{file}", to(ReadIncidents), 404).of_site(
            "market/@/01900000-0000-7000-8000-000000000000",
            "school/@/01900000-0000-7000-8000-000000000000",
            "market/01900000-0000-7000-8000-000000000000/01900000-0000-7000-8000-000000000000",
        ),
        of_site(row(get.clone(), "/sites/{site}/incident-kinds", to(OpenIncidents), 200)),
        of_site(row(get.clone(), "/sites/{site}/handover", to(ReadHandover), 200)),
        of_site(row(get.clone(), "/sites/{site}/units", to(ReadUnits), 200)),
        of_site(row(get, "/sites/{site}/areas", to(ReadUnits), 200)),
        row(put.clone(), "/sites/{site}/units/{unit}", to(ManageUnits), 200)
            .of_site("market/p1", "school/p1", "nowhere/p1")
            .sending(json!({ "name": "~" })),
        row(put, "/sites/{site}/areas/{area}", to(ManageUnits), 200)
            .of_site("market/east", "school/east", "nowhere/east")
            .sending(json!({ "name": "~", "plane": "plan", "outline": [[0, 0], [9, 0], [0, 9]] })),
        row(delete.clone(), "/sites/{site}/units/{unit}", to(ManageUnits), 404)
            .of_site("market/ghost", "school/ghost", "nowhere/ghost"),
        row(delete, "/sites/{site}/areas/{area}", to(ManageUnits), 404)
            .of_site("market/ghost", "school/ghost", "nowhere/ghost"),
        // The last: whoever reports an incident may see it, and the rows above ask for the newest of a site.
        row(post, "/incidents", to(OpenIncidents), 201)
            .sending(json!({ "site": "market", "kind": "other", "words": "~" })),
    ]
}
