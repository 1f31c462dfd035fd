//! The description of /v1 (OpenAPI 3.1), put together from what the handlers say of themselves.
//!
//! A handler carries `#[utoipa::path]`, and a service derives `OpenApi` over its handlers. What is the same for all of
//! them is added here: problems, and the header of idempotency keys.

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use shardcart_types::code::Code;
use utoipa::OpenApi;
use utoipa::openapi;

use super::endpoint;
use super::route::PUBLIC;

/// What the frame has itself.
#[derive(OpenApi)]
#[openapi(paths(super::problems::list, show))]
struct Frame;

/// The description of all that is served.
#[derive(Debug, Clone)]
pub struct Document(Bytes);

impl Document {
    /// The description of the frame and these parts.
    pub fn of(parts: impl IntoIterator<Item = openapi::OpenApi>) -> Self {
        let whole = parts.into_iter().fold(Frame::openapi(), openapi::OpenApi::merge_from);
        // A description is made of texts, which can always be written.
        let mut document = serde_json::to_value(whole).unwrap_or_default();
        complete(&mut document);
        Document(Bytes::from(format!("{document:#}\n")))
    }

    /// As it is served.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Binds `/v1/openapi.json` for a service.
pub fn endpoints(config: &mut web::ServiceConfig, service: &'static str, document: &Document) {
    config
        .app_data(web::Data::new(document.clone()))
        .service(endpoint::at(service, "/v1/openapi.json").get(PUBLIC, show));
}

/// This description
///
/// OpenAPI 3.1. It only grows: what a client has read here stays.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "show_openapi",
    tag = "reference",
    responses((status = 200, description = "The description", body = Object, content_type = "application/json")),
)]
async fn show(_: HttpRequest, document: web::Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document.0.clone())
}

/// Adds what all operations have in common.
fn complete(document: &mut Value) {
    document["info"] = json!({
        "title": "Shardcart",
        "version": "1",
        "description": "The API for those who build a shop. Conventions: docs/use/v1.md.",
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/" }]);
    let components = &mut document["components"];
    if !components.is_object() {
        *components = Value::Object(Map::new());
    }
    components["schemas"]["Problem"] = problem();
    components["schemas"]["ProblemAt"] = problem_at();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    components["schemas"]["Code"] = json!({ "type": "string", "description": "What went wrong", "enum": codes });
    components["responses"]["Problem"] = json!({
        "description": "Refused (4xx: nothing was changed), or unknown (5xx)",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    components["parameters"]["IdempotencyKey"] = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a repeat of this request harmless for a day: 1 to 255 printable ASCII characters in double quotes",
        "schema": { "type": "string", "minLength": 1, "maxLength": 512 },
    });
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flatten();
    for (method, operation) in operations.filter(|(method, _)| METHODS.contains(&method.as_str())) {
        operation["responses"]["default"] = json!({ "$ref": "#/components/responses/Problem" });
        if method != "get" {
            let parameters =
                operation.as_object_mut().map(|operation| operation.entry("parameters").or_insert(json!([])));
            let parameters = parameters.and_then(Value::as_array_mut);
            if let Some(parameters) = parameters.filter(|all| !all.iter().any(|one| one["name"] == "Idempotency-Key")) {
                parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
            }
        }
    }
}

/// Members of a path that are operations.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// What [`Problem::body_of_v1`](crate::problem::Problem::body_of_v1) tells.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "An error (RFC 9457). Rely on `status` and `code`; `title` and `detail` are for people",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "code": { "$ref": "#/components/schemas/Code" },
            "retryable": { "type": "boolean", "description": "Whether the same request is worth repeating" },
            "trace": { "type": ["string", "null"], "description": "The trace of the request, as the log names it" },
            "request": { "type": ["string", "null"], "description": "The request, as the log names it" },
            "errors": { "type": "array", "items": { "$ref": "#/components/schemas/ProblemAt" } },
        },
    })
}

fn problem_at() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong at one place",
        "required": ["code", "detail"],
        "properties": {
            "pointer": { "type": "string", "description": "The place in the body, as a JSON pointer (RFC 6901)" },
            "parameter": { "type": "string", "description": "The parameter of the query" },
            "code": { "type": "string" },
            "detail": { "type": "string" },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_the_problems_and_every_write_its_key() {
        let mut document =
            json!({ "paths": { "/v1/things": { "get": {}, "post": { "parameters": [] }, "summary": "" } } });
        complete(&mut document);
        let things = &document["paths"]["/v1/things"];
        assert!(things["get"]["responses"]["default"].is_object() && things["get"]["parameters"].is_null());
        assert_eq!(things["post"]["parameters"][0]["$ref"], "#/components/parameters/IdempotencyKey");
        assert!(things["post"]["responses"]["default"].is_object());
    }

    #[test]
    fn the_codes_are_those_of_the_table() {
        let document: Value = serde_json::from_str(Document::of([]).text()).unwrap();
        let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
        assert_eq!(codes.len(), Code::ALL.len());
        assert_eq!(document["openapi"], "3.1.0");
    }
}
