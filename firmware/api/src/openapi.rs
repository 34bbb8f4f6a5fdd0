use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Info, License, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required};

use crate::endpoints::{Access, Answer, Body, ENDPOINTS, Endpoint, Method, Query, QueryKind};
use crate::{ClientFrame, ErrorBody, ServerFrame};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The OpenAPI document of [`ENDPOINTS`] and of the frames of `/ws`.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut schemas = Schemas::new();
    collect::<ErrorBody>(&mut schemas);
    collect::<ClientFrame>(&mut schemas);
    collect::<ServerFrame>(&mut schemas);
    let mut paths = Paths::new();
    for endpoint in ENDPOINTS {
        for body in bodies(endpoint) {
            collect_body(body, &mut schemas);
        }
        paths.add_path_operation(endpoint.path, vec![http_method(endpoint.method)], operation(endpoint));
    }
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let components = ComponentsBuilder::new().schemas_from_iter(schemas).security_scheme(BEARER, bearer).build();
    let mut info = Info::new("Homenichat box", env!("CARGO_PKG_VERSION"));
    info.description = Some("SMS, calls and lines of a telephone exchange at home.".to_owned());
    info.license = Some(License::new("Apache-2.0"));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

fn operation(endpoint: &Endpoint) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(endpoint.id))
        .summary(Some(endpoint.summary))
        .request_body(endpoint.request.map(request_body));
    for name in path_parameters(endpoint.path) {
        operation = operation.parameter(path_parameter(name));
    }
    for query in endpoint.query {
        operation = operation.parameter(query_parameter(query));
    }
    let (status, description, body) = match endpoint.answer {
        Answer::Ok(body) => ("200", "Done.", Some(body)),
        Answer::Created(body) => ("201", "Created.", Some(body)),
        Answer::Accepted(body) => ("202", "Stored, and done next.", Some(body)),
        Answer::Upgrade => {
            ("101", "The client sends `ClientFrame`, the box sends `ServerFrame`, each as one JSON text.", None)
        }
    };
    let mut success = ResponseBuilder::new().description(description);
    if let Some(body) = body {
        success = success.content(JSON, content(&(body.name)()));
    }
    let failure =
        ResponseBuilder::new().description("Not done; the body says why.").content(JSON, content(&ErrorBody::name()));
    let operation = operation.response(status, success.build()).response("default", failure.build());
    match endpoint.access {
        Access::Public => operation.build(),
        Access::User | Access::Admin | Access::WebSocket => {
            operation.security(SecurityRequirement::new(BEARER, Vec::<String>::new())).build()
        }
    }
}

fn bodies(endpoint: &Endpoint) -> impl Iterator<Item = Body> {
    let answer = match endpoint.answer {
        Answer::Ok(body) | Answer::Created(body) | Answer::Accepted(body) => Some(body),
        Answer::Upgrade => None,
    };
    endpoint.request.into_iter().chain(answer)
}

fn collect<T: ToSchema>(schemas: &mut Schemas) {
    collect_body(Body { name: T::name, schema: T::schema, parts: T::schemas }, schemas);
}

fn collect_body(body: Body, schemas: &mut Schemas) {
    let mut parts = Vec::new();
    (body.parts)(&mut parts);
    schemas.extend(parts);
    schemas.insert((body.name)().into_owned(), (body.schema)());
}

fn content(name: &str) -> Content {
    Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(name))))
}

fn request_body(body: Body) -> utoipa::openapi::request_body::RequestBody {
    RequestBodyBuilder::new().content(JSON, content(&(body.name)())).required(Some(Required::True)).build()
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn query_parameter(query: &Query) -> Parameter {
    let holds = match query.kind {
        QueryKind::Integer => Type::Integer,
        QueryKind::Text => Type::String,
    };
    ParameterBuilder::new()
        .name(query.name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(query.summary))
        .schema(Some(ObjectBuilder::new().schema_type(holds)))
        .build()
}

fn http_method(method: Method) -> HttpMethod {
    match method {
        Method::Delete => HttpMethod::Delete,
        Method::Get => HttpMethod::Get,
        Method::Patch => HttpMethod::Patch,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
    }
}

const BEARER: &str = "session";
const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::expect_file;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_is_the_one_checked_in() {
        let mut document = serde_json::to_string_pretty(&openapi()).unwrap();
        document.push('\n');
        expect_file!["../../../docs/openapi.json"].assert_eq(&document);
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = serde_json::to_value(openapi()).unwrap();
        let mut references = BTreeSet::new();
        find_references(&document, &mut references);
        assert!(references.len() > 30, "only {} references", references.len());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn no_two_operations_share_an_id_or_a_route() {
        let ids: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.id).collect();
        let routes: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| (endpoint.path, endpoint.method.as_str())).collect();
        assert_eq!((ids.len(), routes.len()), (ENDPOINTS.len(), ENDPOINTS.len()));
    }

    #[test]
    fn only_login_setup_and_liveness_are_open() {
        let open: Vec<_> = ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.access == Access::Public)
            .map(|endpoint| endpoint.path)
            .collect();
        assert_eq!(open, ["/livez", "/api/auth/login", "/api/setup/status", "/api/setup/owner"]);
    }

    fn find_references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| find_references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| find_references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
