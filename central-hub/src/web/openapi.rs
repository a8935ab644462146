//! The API's own description: OpenAPI 3.1, made from the list of routes that the router is made from.
//!
//! It cannot name a route that is not there, and a route without a line in [`DESCRIBED`] fails the tests. Shapes
//! are made by `schemars` from the types that handlers read and write.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::routes::Route;
use super::scope::{Access, Anybody};
use super::{figures, live, search};

type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What is said of a route besides its path and who may come.
struct Described {
    method: &'static str,
    path: &'static str,
    zh: &'static str,
    en: &'static str,
    /// The query's type: its fields are the parameters.
    query: Option<Shape>,
    body: Option<Shape>,
    answer: Answer,
}

/// Routes that take an `Idempotency-Key`.
const ONCE: &[&str] =
    &["/incidents", "/incidents/{site}/{incident}/steps", "/incidents/{site}/{incident}/attachments"];

/// What comes back when all is well.
enum Answer {
    Json(Shape),
    /// Of this media type, by default JSON.
    Of(&'static [&'static str]),
    /// 201, JSON.
    Made,
    /// 201 with a session description (WHEP).
    Session,
    /// 204
    Nothing,
    /// Server-sent events, without end.
    Events,
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const JSON: Answer = Answer::Of(&["application/json"]);

macro_rules! described {
    ($($method:ident $path:literal $zh:literal $en:literal $(query $query:ty)? $(, body $body:ty)?; $answer:expr;)+) => {
        &[$(Described {
            method: stringify!($method),
            path: $path,
            zh: $zh,
            en: $en,
            query: described!(@ $($query)?),
            body: described!(@ $($body)?),
            answer: $answer,
        }),+]
    };
    (@) => { None };
    (@ $type:ty) => { Some(shape::<$type>) };
}

const DESCRIBED: &[Described] = described! {
    GET "/health" "是否在运行" "Whether the hub is up"; JSON;
    GET "/openapi.json" "本文档" "This document"; JSON;
    POST "/session" "登录" "Log in"; JSON;
    GET "/session" "当前登录的人" "Who is logged in"; JSON;
    DELETE "/session" "退出" "Log out"; Answer::Nothing;
    PUT "/session/reason" "说明查看的理由" "Say what looking is for"; JSON;
    GET "/sessions" "自己的登录" "One's own sessions"; JSON;
    DELETE "/sessions/{session}" "结束自己的一次登录" "End a session of one's own"; Answer::Nothing;
    PUT "/account/password" "修改自己的密码" "Change one's own password"; JSON;
    POST "/account/second-factor" "开始设置第二因素" "Begin to set up a second factor"; JSON;
    PUT "/account/second-factor" "确认第二因素" "Prove the second factor"; JSON;
    GET "/users" "用户列表" "Users"; JSON;
    POST "/users" "新建用户" "Add a user"; JSON;
    GET "/users/{user}" "一个用户" "A user"; JSON;
    PATCH "/users/{user}" "修改用户" "Change a user"; JSON;
    PUT "/users/{user}/grants" "设置用户的角色和站点" "Set a user's roles and sites"; JSON;
    POST "/users/{user}/login-link" "生成一次性登录链接" "Make a link that logs in once"; JSON;
    DELETE "/users/{user}/sessions" "结束用户的所有登录" "End a user's sessions"; JSON;
    GET "/audit" "审计记录" "The audit"; JSON;
    GET "/alerts" "告警列表" "Alerts"; JSON;
    GET "/alerts/{agent}/{epoch}/{seq}" "一条告警" "An alert"; JSON;
    GET "/alerts/{agent}/{epoch}/{seq}/still" "告警的图片" "An alert's still"; Answer::Of(&["image/jpeg"]);
    GET "/agents" "盒子与摄像机" "Agents and their cameras"; JSON;
    GET "/cameras/{agent}/{camera}/live" "摄像机实时画面的状态" "How a camera's live video stands";
        Answer::Json(shape::<live::LiveView>);
    POST "/cameras/{agent}/{camera}/live" "观看实时画面（WHEP）；记入审计" "Watch a camera live (WHEP); audited";
        Answer::Session;
    DELETE "/cameras/{agent}/{camera}/live/{viewing}" "结束观看" "End watching"; Answer::Of(&[]);
    GET "/feed" "实时变化" "What changes, live"; Answer::Events;
    GET "/incidents" "事件列表" "Incidents"; JSON;
    GET "/incidents/{site}/{incident}" "一起事件" "An incident"; JSON;
    GET "/incidents/{site}/{incident}/alerts" "事件的告警" "An incident's alerts"; JSON;
    POST "/incidents/{site}/{incident}/split" "拆分事件" "Split an incident"; JSON;
    POST "/incidents/{site}/{incident}/merge" "合并事件" "Merge incidents"; JSON;
    GET "/sites" "自己有权限的站点" "The sites where one holds anything"; Answer::Json(shape::<super::sites::Sites>);
    GET "/sites/{site}/places" "站点的摄像机位置" "Where a site's cameras are"; JSON;
    PUT "/sites/{site}/places/{agent}/{camera}" "设置摄像机位置" "Say where a camera is"; JSON;
    DELETE "/sites/{site}/places/{agent}/{camera}" "删除摄像机位置" "Forget where a camera is"; JSON;
    GET "/search" "按词、类型、地点、时间、状态查找事件" "Find incidents by words, kind, place, time, state"
        query search::Question; Answer::Json(shape::<search::Found>);
    GET "/export/incidents.csv" "导出事件（CSV）；记入审计" "Incidents as CSV; audited"
        query search::Question; Answer::Of(&["text/csv"]);
    GET "/incidents/{site}/{incident}/exchange" "与其他部门系统交换一起事件（JSON 或 CAP 1.2）；记入审计"
        "An incident for other departments' systems, as JSON or CAP 1.2; audited"
        query search::As; Answer::Of(&["application/json", "application/cap+xml"]);
    GET "/figures" "统计数字（JSON 或 CSV）" "Figures, as JSON or CSV"
        query figures::Wanted; Answer::Of(&["application/json", "text/csv"]);
    GET "/figures/uptime" "盒子和摄像机每日正常、中断、未知的时间（JSON 或 CSV）"
        "How long agents and cameras were up, down and unknown, by day, as JSON or CSV"
        query figures::uptime::Wanted; Answer::Of(&["application/json", "text/csv"]);
    POST "/incidents" "人工上报事件" "Open an incident by hand"; Answer::Made;
    POST "/incidents/steps" "对多起事件执行同一步骤" "Take one step in many incidents"; JSON;
    GET "/incidents/{site}/{incident}/steps" "事件的处置经过" "How an incident is being worked on"; JSON;
    POST "/incidents/{site}/{incident}/steps" "执行一个处置步骤" "Take a step"; Answer::Made;
    POST "/incidents/{site}/{incident}/attachments" "上传照片" "Add a photo"; Answer::Made;
    GET "/incidents/{site}/{incident}/attachments/{file}" "查看照片" "A photo"; Answer::Of(&["image/jpeg", "image/png"]);
    GET "/my-incidents" "派给自己的事件" "Incidents given to oneself"; JSON;
    GET "/sites/{site}/incident-kinds" "可以人工上报的类型" "Kinds that can be opened by hand"; JSON;
    GET "/sites/{site}/handover" "交接班单（JSON 或可打印页面）" "The handover sheet, as JSON or to print"; Answer::Of(&["application/json", "text/html"]);
    GET "/sites/{site}/units" "站点的队伍" "A site's units"; JSON;
    PUT "/sites/{site}/units/{unit}" "设置队伍" "Say what a unit is"; JSON;
    DELETE "/sites/{site}/units/{unit}" "删除队伍" "Forget a unit"; Answer::Nothing;
    GET "/sites/{site}/areas" "站点的网格" "A site's grid areas"; JSON;
    PUT "/sites/{site}/areas/{area}" "划定网格" "Draw a grid area"; JSON;
    DELETE "/sites/{site}/areas/{area}" "删除网格" "Forget a grid area"; Answer::Nothing;
};

/// `GET /openapi.json`
pub(super) async fn show(_: Anybody) -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document(super::routes().list()).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The document over these routes. One without a line says only that it is there.
pub fn document(routes: &[Route]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let operation = operation(route, &mut generator);
        let methods = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.as_str().to_lowercase(), operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Refusal".to_owned(), refusal());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Signalbox hub 综治事件接口",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": "signalbox_session" } },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let method = route.method.as_str();
    let described = DESCRIBED.iter().find(|d| d.method == method && d.path == route.path);
    let mut parameters = path_parameters(route.path);
    let mut operation = json!({
        "operationId": name_of(method, route.path),
        "responses": { "default": refused() },
    });
    match route.access {
        Access::Anybody => operation["security"] = json!([]),
        Access::Oneself => operation["security"] = json!([{ "session": [] }]),
        Access::Action(action) => {
            operation["security"] = json!([{ "session": [] }]);
            operation["x-action"] = json!(action.as_str());
        }
    }
    let answer = described.map_or(&JSON, |d| &d.answer);
    if let Some(d) = described {
        operation["summary"] = json!(format!("{} / {}", d.zh, d.en));
        parameters.extend(d.query.map(|query| query_parameters(query, generator)).unwrap_or_default());
        if let Some(body) = d.body {
            let schema = body(generator);
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
    }
    if method == "POST" && ONCE.contains(&route.path) {
        parameters.push(idempotency_key());
    }
    operation["parameters"] = Value::Array(parameters);
    let (status, response) = answered(answer, generator);
    operation["responses"][status] = response;
    operation
}

fn answered(answer: &Answer, generator: &mut SchemaGenerator) -> (&'static str, Value) {
    let content = |types: &[&str], schema: Value| -> Value {
        types
            .iter()
            .map(|media| ((*media).to_owned(), json!({ "schema": schema })))
            .collect::<Map<_, _>>()
            .into()
    };
    match answer {
        Answer::Json(shape) => {
            let schema = shape(generator).to_value();
            ("200", json!({ "description": "well", "content": content(&["application/json"], schema) }))
        }
        Answer::Of(types) => ("200", json!({ "description": "well", "content": content(types, json!({})) })),
        Answer::Made => {
            ("201", json!({ "description": "made", "content": content(&["application/json"], json!({})) }))
        }
        Answer::Session => {
            ("201", json!({ "description": "answered", "content": content(&[live::SDP], json!({})) }))
        }
        Answer::Nothing => ("204", json!({ "description": "well" })),
        Answer::Events => {
            ("200", json!({ "description": "events", "content": content(&["text/event-stream"], json!({})) }))
        }
    }
}

/// The names in a path, each with what it may be.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let schema = match name {
            "seq" => json!({ "type": "integer", "minimum": 1, "maximum": i64::MAX }),
            "incident" => json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
            "site" | "agent" | "camera" | "epoch" => {
                json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$" })
            }
            _ => json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    };
    names.map(parameter).collect()
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "发送方为每个要做的事生成的 UUID。7 天内以同一键重复同一请求，得到第一次的回答，不再执行；同一键用于其他内容：422（key_used）。\
            A UUID that the sender mints for each thing that it wants done. Within 7 days a repeat under the same key is \
            answered as the first, and does nothing; the same key with something else is refused: 422 (key_used).",
        "schema": { "type": "string", "format": "uuid" },
    })
}

/// A query's fields as parameters.
fn query_parameters(query: Shape, generator: &mut SchemaGenerator) -> Vec<Value> {
    let reference = query(generator).to_value();
    let name = reference["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default().to_owned();
    let schema = generator.definitions_mut().remove(&name).unwrap_or(reference);
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            // What is absent is absent: no text of a query means nothing.
            without_null(&mut schema);
            json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema })
        })
        .collect()
}

fn without_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let left: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
        schema["type"] = if left.len() == 1 { left[0].clone() } else { left.into() };
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let left: Vec<Value> = any.iter().filter(|s| s["type"] != "null").cloned().collect();
        if left.len() == 1 {
            *schema = left[0].clone();
        }
    }
}

fn refusal() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": { "code": { "type": "string" }, "message": { "type": "string" } },
            },
        },
    })
}

fn refused() -> Value {
    json!({
        "description": "refused, and why",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Refusal" } } },
    })
}

/// `get_incidents_site_incident_exchange`
fn name_of(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.fold(method.to_lowercase(), |name, word| format!("{name}_{word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let routes = crate::web::routes();
        let has_line =
            |r: &&Route| DESCRIBED.iter().any(|d| d.method == r.method.as_str() && d.path == r.path);
        let without: Vec<_> = routes.list().iter().filter(|r| !has_line(r)).collect();
        assert!(without.is_empty(), "routes without a line in DESCRIBED (web/openapi.rs): {without:?}");
        let has_route =
            |d: &&Described| routes.list().iter().any(|r| d.method == r.method.as_str() && d.path == r.path);
        let stale: Vec<_> = DESCRIBED.iter().filter(|d| !has_route(d)).map(|d| (d.method, d.path)).collect();
        assert!(stale.is_empty(), "lines without a route: {stale:?}");
    }

    #[test]
    fn the_document_holds_every_route_and_its_references_lead_somewhere() {
        let routes = crate::web::routes();
        let document = document(routes.list());
        for route in routes.list() {
            let path = format!("/api/v1{}", route.path);
            let operation = &document["paths"][&path][route.method.as_str().to_lowercase()];
            assert!(operation["summary"].is_string(), "{path}");
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
