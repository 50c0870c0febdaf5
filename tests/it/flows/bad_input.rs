//! Input that is no good: each gets a typed error that names the field or the cause, and nothing is written.

use crate::tenancy::tables::digest;
use freehold_tests::{
    client::Caller,
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code::{self, InvalidArgument, NotFound};

/// One request, and what it is told.
struct Bad {
    method: &'static str,
    request: Value,
    code: Code,
    reason: Reason,
    field: &'static str,
}

fn bad(method: &'static str, request: Value, reason: Reason, field: &'static str) -> Bad {
    Bad { method, request, code: InvalidArgument, reason, field }
}

/// All that there is of an organization, but for the request ids that are set down as abandoned.
async fn written(stack: &Stack, org: &Org) -> String {
    let digest = digest(&stack.database.superuser(), &org.id).await;
    digest.lines().filter(|it| !it.starts_with("web.request_ids")).collect()
}

/// Makes each request, and looks whether anything of the organization was written.
async fn refuse(stack: &Stack, org: &Org, caller: &Caller, cases: Vec<Bad>) {
    let before = written(stack, org).await;
    for Bad { method, request, code, reason, field } in cases {
        let shown: String = request.to_string().chars().take(300).collect();
        let result = caller.call(method, request).await;
        let field = Some(field).filter(|it| !it.is_empty());
        println!("{method} {shown}");
        assert_fails(result, code, reason, field);
        assert_eq!(written(stack, org).await, before, "{method} {shown} wrote something");
    }
}

/// An action whose HTTP call has these fields.
fn action(http: &Value) -> Value {
    let mut whole = json!({ "method": "GET", "url": "https://example.test/" });
    for (key, value) in http.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({ "core_action": { "slug": "bad", "name": "Bad", "http": whole } })
}

fn action_with(field: &str, value: Value) -> Value {
    let mut request = action(&json!({}));
    request["core_action"][field] = value;
    request
}

const CREATE_ACTION: &str = "CoreActionService/CreateCoreAction";
const CREATE_AGENT: &str = "AgentService/CreateAgent";
const START: &str = "ExecutionService/StartExecution";

#[tokio::test]
async fn an_action_that_could_not_work_is_refused_when_it_is_made() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let (field, schema) = (Reason::InvalidField, Reason::InvalidJsonSchema);
    let (filter, template) = (Reason::InvalidFilter, Reason::InvalidTemplate);
    let url = "core_action.http.url";
    let of = |reason, field, request| bad(CREATE_ACTION, request, reason, field);
    let headers: serde_json::Map<_, _> = (0..51).map(|i| (format!("x-{i}"), json!("v"))).collect();
    let cases = vec![
        of(schema, "core_action.input_schema", action_with("input_schema", json!({ "type": 12 }))),
        of(
            schema,
            "core_action.output_schema",
            action_with("output_schema", json!({ "pattern": "(" })),
        ),
        of(
            schema,
            "core_action.input_schema",
            action_with("input_schema", json!({ "$ref": "https://example.test/schema.json" })),
        ),
        of(
            field,
            "core_action.input_schema",
            action_with("input_schema", json!({ "description": "x".repeat(70_000) })),
        ),
        of(filter, "core_action.http.response_filter", action(&json!({ "response_filter": ".[" }))),
        of(
            filter,
            "core_action.http.response_filter",
            action(&json!({ "response_filter": "env" })),
        ),
        of(
            filter,
            "core_action.http.response_filter",
            action(&json!({ "response_filter": "nonsense(1)" })),
        ),
        of(
            template,
            "core_action.http.body_template",
            action(&json!({ "body_template": "{{ input." })),
        ),
        of(template, url, action(&json!({ "url": "https://example.test/{% if %}" }))),
        of(field, url, action(&json!({ "url": "" }))),
        of(field, url, action(&json!({ "url": "file:///etc/passwd" }))),
        of(field, url, action(&json!({ "url": "not a url" }))),
        of(field, "core_action.http.method", action(&json!({ "method": "TRACE" }))),
        of(field, "core_action.http.headers", action(&json!({ "headers": headers }))),
        of(field, "core_action.http.timeout", action(&json!({ "timeout": "601s" }))),
        of(field, "core_action.http.timeout", action(&json!({ "timeout": "-1s" }))),
        of(field, "core_action.http.redirects_max", action(&json!({ "redirects_max": 11 }))),
        of(
            field,
            "core_action.http.response_bytes_max",
            action(&json!({ "response_bytes_max": -1 })),
        ),
        of(field, "core_action.price_credits", action_with("price_credits", json!("-1"))),
        of(field, "core_action.price_credits", action_with("price_credits", json!("1e9"))),
        of(field, "core_action.slug", action_with("slug", json!("Not A Slug"))),
        of(field, "core_action.risk", action_with("risk", json!(99))),
        of(
            field,
            "core_action.retry.attempts_max",
            action_with("retry", json!({ "attempts_max": 101 })),
        ),
        of(field, "core_action.platform_id", action_with("platform_id", json!("nonsense"))),
        bad(CREATE_ACTION, json!({}), field, "core_action"),
    ];
    refuse(&stack, &org, &org.developer(), cases).await;

    let missing = "00000000-0000-7000-8000-000000000000";
    let request = action_with("platform_id", json!(missing));
    let result = org.developer().call(CREATE_ACTION, request).await;
    let status = result.expect_err("there is no such platform");
    assert!([NotFound, InvalidArgument].contains(&status.code()), "{status:?}");
    assert!(status.message().contains("platform"), "{status:?}");
}

#[tokio::test]
async fn an_agent_that_could_not_work_is_refused_when_it_is_made() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let action = org.action("https://example.test/").await;
    let call = |more: Value| {
        let mut call = json!({ "step_key": "a", "core_action_id": action });
        for (key, value) in more.as_object().unwrap() {
            call[key] = value.clone();
        }
        call
    };
    let agent = |field: &str, value: Value| {
        let mut agent = json!({ "slug": "bad", "name": "Bad", "type": "AGENT_TYPE_API" });
        agent["endpoint"] = json!({ "calls": [call(json!({}))] });
        agent[field] = value;
        json!({ "agent": agent })
    };
    let calls = |calls: Value| agent("endpoint", json!({ "calls": calls }));
    let of = |reason, field, request| bad(CREATE_AGENT, request, reason, field);
    let field = Reason::InvalidField;
    let template = json!({ "x": "{{ input." });
    let model = json!({ "provider": "openai", "model": "m" });
    let cases = vec![
        of(
            Reason::InvalidJsonSchema,
            "agent.io_schema.input",
            agent("io_schema", json!({ "input": { "type": 1 } })),
        ),
        of(
            Reason::InvalidJsonSchema,
            "agent.io_schema.output",
            agent("io_schema", json!({ "output": { "type": [] } })),
        ),
        of(field, "agent.metadata", agent("metadata", json!({ "x": "x".repeat(70_000) }))),
        of(field, "agent.version", agent("version", json!("one"))),
        of(field, "agent.type", agent("type", json!("AGENT_TYPE_UNSPECIFIED"))),
        of(field, "agent.endpoint", agent("endpoint", Value::Null)),
        of(field, "agent.llm_config", agent("llm_config", model)),
        of(field, "agent.endpoint.calls", calls(json!([]))),
        of(
            field,
            "agent.endpoint.calls[1].step_key",
            calls(json!([call(json!({})), call(json!({}))])),
        ),
        of(
            field,
            "agent.endpoint.calls[0].step_key",
            calls(json!([call(json!({ "step_key": "A B" }))])),
        ),
        of(
            field,
            "agent.endpoint.calls[0].core_action_id",
            calls(json!([call(json!({ "core_action_id": "x" }))])),
        ),
        of(
            Reason::InvalidTemplate,
            "agent.endpoint.calls[0].input.x",
            calls(json!([call(json!({ "input": template }))])),
        ),
        of(field, "agent.tags", agent("tags", json!(vec!["t"; 51]))),
        bad(CREATE_AGENT, json!({}), field, "agent"),
    ];
    refuse(&stack, &org, &org.developer(), cases).await;
}

#[tokio::test]
async fn an_execution_that_could_not_work_is_refused_when_it_is_started() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let action = org.action("https://example.test/").await;
    let calls = json!({ "calls": [{ "step_key": "a", "core_action_id": action }] });
    let io = json!({ "input": { "type": "object", "required": ["who"] } });
    let agent = org.agent_with(json!({ "endpoint": calls, "io_schema": io })).await;
    let start = |field: &str, value: Value| {
        let mut request =
            json!({ "agent_id": agent, "request_id": field, "input": { "who": "Ada" } });
        request[field] = value;
        request
    };
    let of = |reason, field, request| bad(START, request, reason, field);
    let (field, missing) = (Reason::InvalidField, "00000000-0000-7000-8000-000000000000");
    let cases = vec![
        of(Reason::SchemaMismatch, "input", start("input", json!({ "whom": "Ada" }))),
        of(field, "input", start("input", json!({ "who": "x".repeat(300_000) }))),
        of(field, "request_id", start("request_id", json!(""))),
        of(field, "request_id", start("request_id", json!("x".repeat(65)))),
        of(field, "agent_id", start("agent_id", json!("nonsense"))),
        of(field, "priority", start("priority", json!(6))),
        of(field, "priority", start("priority", json!(-1))),
        of(field, "not_before", start("not_before", json!("2999-01-01T00:00:00Z"))),
        of(field, "time_limits.total", start("time_limits", json!({ "total": "-1s" }))),
        of(field, "session_id", start("session_id", json!("x".repeat(256)))),
        Bad {
            method: START,
            request: start("agent_id", json!(missing)),
            code: NotFound,
            reason: Reason::ResourceNotFound,
            field: "",
        },
    ];
    refuse(&stack, &org, &org.developer(), cases).await;
    // What was refused used nothing up: the same request id is taken with what is good.
    let good = start("agent_id", json!(agent));
    org.developer().call(START, good).await.unwrap();
}

#[tokio::test]
async fn messages_that_are_too_large_or_too_deep_are_refused_before_they_are_read() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let huge = action_with("description", json!("x".repeat(5 << 20)));
    let status = org.developer().call(CREATE_ACTION, huge).await.unwrap_err();
    assert!([Code::OutOfRange, Code::ResourceExhausted].contains(&status.code()), "{status:?}");
    assert_eq!(freehold_tests::errors::reason(&status), "MESSAGE_TOO_LARGE");

    // Under the decoder's own limit of depth, and over it.
    for depth in [20, 40] {
        let nested = (0..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        let mut agent = json!({ "slug": "deep", "name": "Deep", "type": "AGENT_TYPE_API" });
        agent["metadata"] = nested;
        let status =
            org.developer().call(CREATE_AGENT, json!({ "agent": agent })).await.unwrap_err();
        let reason = freehold_tests::errors::reason(&status);
        let expected = if depth < 30 { "INVALID_FIELD" } else { "MALFORMED_MESSAGE" };
        assert_eq!(reason, expected, "{status:?}");
    }
}

#[tokio::test]
async fn sql_in_a_filter_is_a_word_that_nothing_has() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    org.agent(&["https://example.test/"]).await;
    for text in ["' or '1'='1", "x'; drop table runtime.agents; --", "%", "_", "\\"] {
        for (method, field) in [
            ("AgentService/ListAgents", "department"),
            ("AgentService/ListAgents", "tag"),
            ("ExecutionService/ListExecutions", "session_id"),
        ] {
            let answer = org.viewer().call(method, json!({ field: text })).await.unwrap();
            let lists = answer.as_object().unwrap().values().filter_map(Value::as_array);
            assert_eq!(lists.map(Vec::len).sum::<usize>(), 0, "{method} {field} {text}");
        }
        let filter = json!({ "resource_type": text });
        let answer = org.admin().call("ActivityService/ListActivities", filter).await.unwrap();
        assert_eq!(answer["activities"], json!([]));
    }
}
