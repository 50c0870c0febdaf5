//! Tools of MCP servers: what is sent to them, what they give, and what is known of a call that failed.

use super::workshop::{Standing, Workshop, quick};
use runtime_service::engine::EngineConfig;
use serde_json::{Value, json};
use shared_db::ids::ExecutionId;
use std::time::Duration;

/// Runs an agent of one call and tells which execution it was.
async fn call(
    workshop: &Workshop,
    side_effect: &str,
    path: &str,
    config: Value,
    input: Value,
) -> ExecutionId {
    let mut mcp = json!({ "url": workshop.remote.url(path) });
    mcp.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let retry = json!({ "retry": { "attempts_max": 1 } });
    let action = workshop.action_of("mcp", side_effect, mcp, retry).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    workshop.start(agent, input).await
}

async fn ended(workshop: &Workshop, path: &str, config: Value, input: Value) -> Standing {
    let id = call(workshop, "pure", path, config, input).await;
    workshop.ended(id).await
}

async fn fails(workshop: &Workshop, path: &str, config: Value, message: &str) {
    let standing = ended(workshop, path, config, json!({})).await;
    assert_eq!(standing.state, "failed", "{standing:?}");
    assert!(standing.message.as_deref().unwrap().contains(message), "{standing:?}");
}

fn tool(name: &str) -> Value {
    json!({ "tool": name })
}

#[tokio::test]
async fn a_tool_gives_its_structure_or_its_content() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for path in ["/mcp", "/mcp?stream=1"] {
        let numbers = json!({ "a": 3, "b": 4 });
        let sum = ended(&workshop, path, tool("add"), numbers).await;
        assert_eq!(sum.output, Some(json!({ "sum": 7.0 })), "{path}: {sum:?}");
        let filtered = json!({ "tool": "words", "response_filter": "[.[].text]" });
        let words = ended(&workshop, path, filtered, json!({})).await;
        assert_eq!(words.output, Some(json!(["one", "two"])), "{path}: {words:?}");
    }
    let kind: String =
        sqlx::query_scalar("select distinct step_type::text from runtime.execution_steps")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert_eq!(kind, "mcp");
    engine.stop().await;
}

#[tokio::test]
async fn the_call_is_made_in_a_session_that_is_closed() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let config =
        json!({ "tool": "echo", "headers": { "Authorization": "Bearer {{ input.secret }}" } });
    let input = json!({ "secret": "s3cret" });
    let id = call(&workshop, "idempotent", "/mcp", config, input.clone()).await;
    let standing = workshop.ended(id).await;
    workshop.seen("/mcp", 4).await;
    let requests = workshop.remote.requests_to("/mcp");
    let told: Vec<_> = requests
        .iter()
        .map(|it| it.json()["method"].as_str().unwrap_or(&it.method).to_owned())
        .collect();
    assert_eq!(told, ["initialize", "notifications/initialized", "tools/call", "DELETE"]);
    assert!(requests.iter().all(|it| it.headers["authorization"] == "Bearer s3cret"));
    // The key goes with the call alone, twice: where HTTP looks for it, and where tools do.
    let key = requests[2].idempotency_key().unwrap();
    let others = [0, 1, 3].map(|it| requests[it].idempotency_key());
    assert_eq!(others, [None; 3]);
    let params = json!({ "name": "echo", "arguments": input, "_meta": { "idempotencyKey": key } });
    assert_eq!(standing.output, Some(params));
    let (request, response, status): (Value, Value, i32) =
        sqlx::query_as("select request, response, http_status from runtime.action_executions")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert_eq!((status, &request["body"]["method"]), (200, &json!("tools/call")));
    assert_eq!(request["headers"]["authorization"], json!("[redacted]"));
    assert!(response["body"]["result"].is_object(), "{response}");
    engine.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for path in ["/mcp", "/mcp?stream=1"] {
        fails(&workshop, path, tool("broken"), "TOOL_FAILED: the tool failed: the tool is out")
            .await;
        fails(&workshop, path, tool("crash"), "TOOL_FAILED: the server answered with error -32603")
            .await;
        let unknown = ended(&workshop, path, tool("none"), json!({})).await;
        assert_eq!(unknown.reason.as_deref(), Some("TOOL_FAILED"), "not repeated: {unknown:?}");
    }
    let other = ended(&workshop, "/mcp?version=1999-01-01", tool("add"), json!({})).await;
    assert_eq!(other.reason.as_deref(), Some("RESPONSE_INVALID"), "{other:?}");
    let page = ended(&workshop, "/not-json", tool("add"), json!({})).await;
    assert_eq!(page.reason.as_deref(), Some("RESPONSE_INVALID"), "{page:?}");
    let none = ended(&workshop, "/status/404", tool("add"), json!({})).await;
    assert_eq!(none.reason.as_deref(), Some("REMOTE_STATUS"), "{none:?}");
    let small = json!({ "tool": "echo", "response_bytes_max": 20 });
    for path in ["/mcp", "/mcp?stream=1"] {
        let large = ended(&workshop, path, small.clone(), json!({})).await;
        assert_eq!(large.reason.as_deref(), Some("REMOTE_TOO_LARGE"), "{path}: {large:?}");
    }
    let refused = EngineConfig { http_allow: vec![], ..quick() };
    engine.stop().await;
    let engine = workshop.engine(refused);
    let private = ended(&workshop, "/mcp", tool("add"), json!({})).await;
    assert_eq!(private.reason.as_deref(), Some("ADDRESS_REFUSED"), "{private:?}");
    engine.stop().await;
}

/// Only a call that was sent and not answered leaves a doubt; whatever fails before it leaves none.
#[tokio::test]
async fn a_person_is_asked_about_a_call_without_an_answer_and_not_about_a_session_without_one() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let hanging = json!({ "tool": "hang", "timeout": "1s" });
    let id = call(&workshop, "at_most_once", "/mcp", hanging, json!({})).await;
    workshop.reaches(id, "waiting_input").await;
    let unopened = json!({ "tool": "add", "timeout": "0.3s" });
    for path in ["/hang", "/reset"] {
        let id = call(&workshop, "at_most_once", path, unopened.clone(), json!({})).await;
        let standing = workshop.ended(id).await;
        assert_eq!(standing.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"), "{path}: {standing:?}");
    }
    // The server is told that the session is over, also of the call that was given up.
    workshop.seen("/mcp", 4).await;
    assert_eq!(workshop.remote.requests_to("/mcp")[3].method, "DELETE");
    let cut = workshop.remote.requests_to("/mcp")[2].cut;
    assert!(cut.is_some_and(|it| it.elapsed() < Duration::from_secs(30)), "nobody waits for it");
    engine.stop().await;
}
