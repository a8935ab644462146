//! The API's own description: OpenAPI 3.1, made from the list of routes that the router is made from.
//!
//! It cannot name a route that is not there, and a route without a line in [`DESCRIBED`] fails the tests. Shapes
//! are made by `schemars` from the types that handlers read and write.

mod described;

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::Route;
use super::scope::{Access, Anybody};
use described::{Answer, DESCRIBED, JSON, ONCE, Shape};

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
        Answer::Made(shape) => {
            let schema = shape(generator).to_value();
            ("201", json!({ "description": "made", "content": content(&["application/json"], schema) }))
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
    use super::described::Described;
    use super::*;

    #[test]
    fn every_route_has_its_line_and_every_line_its_route() {
        let routes = crate::web::routes();
        let has_line =
            |r: &&Route| DESCRIBED.iter().any(|d| d.method == r.method.as_str() && d.path == r.path);
        let without: Vec<_> = routes.list().iter().filter(|r| !has_line(r)).collect();
        assert!(
            without.is_empty(),
            "routes without a line in DESCRIBED (web/openapi/described.rs): {without:?}"
        );
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

    #[test]
    fn no_two_shapes_bear_one_name() {
        let document = document(crate::web::routes().list());
        let shapes = document["components"]["schemas"].as_object().unwrap();
        let numbered = |name: &&String| name.ends_with(|c: char| c.is_ascii_digit());
        let second: Vec<_> = shapes.keys().filter(numbered).collect();
        assert!(
            second.is_empty(),
            "taken already; give them names of their own (schemars rename): {second:?}"
        );
    }
}
