//! Core actions: what is compiled when they are written, so that it does not fail when they are used.

use freehold_tests::{
    errors::{assert_fails, fields},
    remote::Remote,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

fn http(change: &Value) -> Value {
    let mut http = json!({ "method": "GET", "url": "https://example.test/" });
    http.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    http
}

async fn create(org: &Org, fields: Value) -> Result<Value, Status> {
    let mut action = json!({ "slug": "an-action", "name": "An action", "http": http(&json!({})) });
    action.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let request = json!({ "core_action": action });
    org.developer().call("CoreActionService/CreateCoreAction", request).await
}

async fn count(org: &Org) -> usize {
    let list = org.viewer().call("CoreActionService/ListCoreActions", json!({})).await;
    list.unwrap()["core_actions"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_cannot_be_compiled_is_refused_and_the_field_named() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let kept = create(&org, json!({ "slug": "kept" })).await.unwrap();
    for (change, reason, field) in [
        (json!({ "input_schema": { "type": 5 } }), Reason::InvalidJsonSchema, "input_schema"),
        (
            json!({ "output_schema": { "$ref": "https://example.test/x" } }),
            Reason::InvalidJsonSchema,
            "output_schema",
        ),
        (
            json!({ "input_schema": { "$ref": "file:///etc/passwd" } }),
            Reason::InvalidJsonSchema,
            "input_schema",
        ),
        (
            json!({ "http": http(&json!({ "response_filter": ".a |" })) }),
            Reason::InvalidFilter,
            "http.response_filter",
        ),
        (
            json!({ "http": http(&json!({ "response_filter": "env" })) }),
            Reason::InvalidFilter,
            "http.response_filter",
        ),
        (
            json!({ "http": http(&json!({ "response_filter": "def f: f; f" })) }),
            Reason::InvalidFilter,
            "http.response_filter",
        ),
        (
            json!({ "http": http(&json!({ "body_template": "{{ input." })) }),
            Reason::InvalidTemplate,
            "http.body_template",
        ),
        (
            json!({ "http": http(&json!({ "url": "https://example.test/{% if" })) }),
            Reason::InvalidTemplate,
            "http.url",
        ),
        (
            json!({ "http": http(&json!({ "url": "file:///etc/passwd" })) }),
            Reason::InvalidField,
            "http.url",
        ),
        (
            json!({ "http": http(&json!({ "url": "https://{{ input.host }}/" })) }),
            Reason::InvalidField,
            "http.url",
        ),
        (
            json!({ "http": http(&json!({ "method": "CONNECT" })) }),
            Reason::InvalidField,
            "http.method",
        ),
        (
            json!({ "http": http(&json!({ "headers": { "Host": "x" } })) }),
            Reason::InvalidField,
            "http.headers[\"Host\"]",
        ),
        (json!({ "http": Value::Null }), Reason::InvalidField, "http"),
        (json!({ "price_credits": "1e3" }), Reason::InvalidField, "price_credits"),
        (json!({ "price_credits": "-1" }), Reason::InvalidField, "price_credits"),
        (json!({ "retry": { "coefficient": 0.5 } }), Reason::InvalidField, "retry.coefficient"),
        (
            json!({ "input_schema": { "description": "x".repeat(70_000) } }),
            Reason::InvalidField,
            "input_schema",
        ),
        (json!({ "name": "a\u{0}b" }), Reason::InvalidField, "name"),
        (
            json!({ "http": http(&json!({ "body_template": "a\u{0}b" })) }),
            Reason::InvalidField,
            "http.body_template",
        ),
    ] {
        let field = format!("core_action.{field}");
        let result = create(&org, change.clone()).await;
        assert_fails(result, Code::InvalidArgument, reason, field.as_str());
        let mask: Vec<_> = change.as_object().unwrap().keys().cloned().collect();
        let mut action = change;
        action["id"] = kept["id"].clone();
        let request = json!({ "core_action": action, "update_mask": mask });
        let result = org.developer().call("CoreActionService/UpdateCoreAction", request).await;
        assert_fails(result, Code::InvalidArgument, reason, field.as_str());
    }
    assert_eq!(count(&org).await, 1);
    let get = json!({ "id": kept["id"] });
    let after = org.viewer().call("CoreActionService/GetCoreAction", get).await.unwrap();
    assert_eq!(after, kept);
}

/// An action of another kind than HTTP.
async fn create_kind(org: &Org, slug: &str, field: &str, kind: &Value) -> Result<Value, Status> {
    create(org, json!({ "slug": slug, "http": Value::Null, field: kind })).await
}

#[tokio::test]
async fn each_kind_is_kept_as_it_is_and_checked_by_its_own_rules() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let mcp = json!({
        "url": "https://tools.example.test/mcp/{{ input.tenant }}", "tool": "search", "response_filter": ".hits",
        "headers": { "authorization": "Bearer {{ input.token }}" }, "timeout": "5s", "response_bytes_max": 1000,
    });
    let transform = json!({ "filter": ".items | length" });
    for (field, kind, side_effect) in
        [("mcp", &mcp, "SIDE_EFFECT_AT_MOST_ONCE"), ("transform", &transform, "SIDE_EFFECT_PURE")]
    {
        let made = create_kind(&org, field, field, kind).await.unwrap();
        let get = json!({ "id": made["id"] });
        let read = org.viewer().call("CoreActionService/GetCoreAction", get).await.unwrap();
        assert_eq!((&read[field], &read["side_effect"]), (kind, &json!(side_effect)));
        assert!(read["http"].is_null(), "{read}");
    }
    let with = |field: &str, value: Value| {
        let mut changed = mcp.clone();
        changed[field] = value;
        changed
    };
    for (field, kind, reason, named) in [
        ("mcp", with("url", json!("ftp://example.test/")), Reason::InvalidField, "mcp.url"),
        ("mcp", with("url", json!("https://{{ input.host }}/")), Reason::InvalidField, "mcp.url"),
        ("mcp", with("tool", json!("")), Reason::InvalidField, "mcp.tool"),
        (
            "mcp",
            with("headers", json!({ "Mcp-Session-Id": "x" })),
            Reason::InvalidField,
            "mcp.headers[\"Mcp-Session-Id\"]",
        ),
        (
            "mcp",
            with("headers", json!({ "Accept": "text/html" })),
            Reason::InvalidField,
            "mcp.headers[\"Accept\"]",
        ),
        (
            "mcp",
            with("response_filter", json!(".a |")),
            Reason::InvalidFilter,
            "mcp.response_filter",
        ),
        ("transform", json!({ "filter": "" }), Reason::InvalidField, "transform.filter"),
        ("transform", json!({ "filter": "env" }), Reason::InvalidFilter, "transform.filter"),
    ] {
        let refused = create_kind(&org, "refused", field, &kind).await;
        assert_fails(
            refused,
            Code::InvalidArgument,
            reason,
            format!("core_action.{named}").as_str(),
        );
    }
    assert_eq!(count(&org).await, 2);
}

/// From one service to the other: what is written here is what the runtime performs.
#[tokio::test]
async fn an_agent_calls_a_tool_and_computes_with_what_it_gives() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let remote = Remote::start().await;
    let mcp = json!({ "url": remote.url("/mcp"), "tool": "add" });
    let add = org.action_with(json!({ "mcp": mcp, "side_effect": "SIDE_EFFECT_PURE" })).await;
    let double = org.action_with(json!({ "transform": { "filter": ".sum * 2" } })).await;
    let calls = json!([
        { "step_key": "add", "core_action_id": add },
        { "step_key": "double", "core_action_id": double, "input": "{{ steps.add }}" },
    ]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let execution = org.start(&agent, json!({ "a": 3, "b": 4 })).await;
    org.watch(&execution).await;
    let get = json!({ "id": execution });
    let ended = org.viewer().call("ExecutionService/GetExecution", get).await.unwrap();
    assert_eq!(
        (&ended["state"], &ended["output"]),
        (&json!("EXECUTION_STATE_SUCCEEDED"), &json!(14.0))
    );
}

#[tokio::test]
async fn an_action_changes_to_the_kind_that_the_mask_names() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let made = create(&org, json!({})).await.unwrap();
    let update = async |fields: Value, mask: &[&str]| {
        let mut action = json!({ "id": made["id"] });
        action.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let request = json!({ "core_action": action, "update_mask": mask });
        org.developer().call("CoreActionService/UpdateCoreAction", request).await
    };
    let transform = json!({ "transform": { "filter": ".a" } });
    for mask in [&["http"][..], &["mcp", "description"]] {
        let field = format!("core_action.{}", mask[0]);
        let refused = update(transform.clone(), mask).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field.as_str());
    }
    let changed = update(transform, &["transform"]).await.unwrap();
    assert_eq!(changed["transform"]["filter"], ".a");
    assert!(changed["http"].is_null(), "{changed}");
    // What it does twice was not named, so it stays.
    assert_eq!(changed["side_effect"], "SIDE_EFFECT_AT_MOST_ONCE");
}

#[tokio::test]
async fn a_version_grows_with_each_change() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let made = create(&org, json!({})).await.unwrap();
    assert_eq!(made["version"], 1);
    for version in 2..4 {
        let action = json!({ "id": made["id"], "name": format!("Number {version}") });
        let request = json!({ "core_action": action, "update_mask": ["name"] });
        let changed = org.developer().call("CoreActionService/UpdateCoreAction", request).await;
        assert_eq!(changed.unwrap()["version"], version);
    }
}

#[tokio::test]
async fn prices_are_exact_and_lose_needless_zeros() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    for (index, (sent, kept)) in [
        ("0", "0"),
        ("0.000001", "0.000001"),
        ("1.250000", "1.25"),
        ("100", "100"),
        ("007.50", "7.5"),
        ("99999999999999.999999", "99999999999999.999999"),
    ]
    .into_iter()
    .enumerate()
    {
        let fields = json!({ "slug": format!("p{index}"), "price_credits": sent });
        assert_eq!(create(&org, fields).await.unwrap()["price_credits"], kept, "{sent}");
    }
    assert!(create(&org, json!({})).await.unwrap()["price_credits"].is_null());
}

#[tokio::test]
async fn what_is_not_said_is_the_careful_choice() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let made = create(&org, json!({})).await.unwrap();
    assert_eq!(made["side_effect"], "SIDE_EFFECT_AT_MOST_ONCE");
    assert_eq!(made["risk"], "RISK_LEVEL_LOW");
    assert_eq!(made["disabled"], false);
}

#[tokio::test]
async fn a_slug_is_taken_once_in_an_organization_and_free_in_another() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    create(&org, json!({})).await.unwrap();
    let again = create(&org, json!({})).await;
    assert_fails(again, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    create(&other, json!({})).await.unwrap();
}

#[tokio::test]
async fn sql_in_texts_is_text() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let sql = "'; drop table web.core_actions; -- \\ $1 %s \" ` {{";
    let fields = json!({
        "name": sql,
        "description": sql,
        "scopes": [sql],
        "input_schema": { "description": sql },
        "http": http(&json!({ "headers": { "x-note": "'; select 1 --" } })),
    });
    let made = create(&org, fields).await.unwrap();
    assert_eq!((&made["name"], &made["scopes"][0]), (&json!(sql), &json!(sql)));
    assert_eq!(made["input_schema"]["description"], json!(sql));
    assert_eq!(count(&org).await, 1);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let wrong = json!({ "slug": "No Slug", "name": "x".repeat(201), "platform_id": "none" });
    let status = create(&org, wrong).await.unwrap_err();
    assert_eq!(
        fields(&status),
        ["core_action.slug", "core_action.name", "core_action.platform_id"]
    );
}
