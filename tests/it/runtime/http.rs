//! HTTP actions against a real remote: what is sent, what comes back, and what is refused.

use super::workshop::{Standing, Workshop, quick};
use freehold_tests::remote::Remote;
use runtime_service::engine::EngineConfig;
use serde_json::{Value, json};

/// Runs an agent of one call and returns how it ended.
async fn call(workshop: &Workshop, path: &str, config: Value, input: Value) -> Standing {
    let retry = json!({ "retry": { "attempts_max": 1 } });
    let action = workshop.action_with("pure", path, config, retry).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let id = workshop.start(agent, input).await;
    workshop.ended(id).await
}

async fn reason(workshop: &Workshop, path: &str, config: Value) -> String {
    let standing = call(workshop, path, config, json!({})).await;
    standing.reason.clone().unwrap_or_else(|| format!("{standing:?}"))
}

/// The reason below what a single attempt that failed says.
async fn exhausted(workshop: &Workshop, path: &str, config: Value, reason: &str) {
    let standing = call(workshop, path, config, json!({})).await;
    assert_eq!(standing.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"), "{standing:?}");
    assert!(standing.message.as_deref().unwrap().contains(reason), "{standing:?}");
}

#[tokio::test]
async fn the_request_is_what_the_action_says() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let config = json!({
        "method": "PUT",
        "url": format!("{}?q={{{{ input.q }}}}&r={{{{ input.missing | default('') }}}}", workshop.remote.url("/echo")),
        "headers": { "X-Trace": "{{ input.q }}", "Authorization": "Bearer {{ input.secret }}" },
        "body_template": "{\"wrapped\": {{ input.q | tojson }}}",
        "response_filter": "{method, query, body, type: .headers[\"content-type\"], trace: .headers[\"x-trace\"], parent: .headers.traceparent}",
    });
    let input = json!({ "q": "a b&c=\"d\"", "secret": "s3cret" });
    let standing = call(&workshop, "/echo", config, input).await;
    let expected = json!({
        "method": "PUT", "query": "q=a%20b%26c%3D%22d%22&r=", "body": { "wrapped": "a b&c=\"d\"" },
        "type": "application/json", "trace": "a b&c=\"d\"", "parent": null,
    });
    assert_eq!(standing.output, Some(expected));
    // What is kept of it holds no secret.
    let kept: String =
        sqlx::query_scalar("select request::text || response::text from runtime.action_executions")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert!(kept.contains("[redacted]"));
    let (request, status): (Value, i32) =
        sqlx::query_as("select request, http_status from runtime.action_executions")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert_eq!((status, &request["headers"]["authorization"]), (200, &json!("[redacted]")));
    engine.stop().await;
}

#[tokio::test]
async fn a_response_that_is_not_json_is_a_string_and_none_is_null() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let standing = call(&workshop, "/not-json", json!({}), json!({})).await;
    assert!(standing.output.unwrap().as_str().unwrap().contains("not JSON"));
    let standing = call(&workshop, "/echo", json!({ "method": "HEAD" }), json!({})).await;
    assert_eq!((standing.state.as_str(), standing.output), ("succeeded", Some(Value::Null)));
    engine.stop().await;
}

#[tokio::test]
async fn what_the_remote_does_wrong_has_a_name() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    assert_eq!(reason(&workshop, "/status/418", json!({})).await, "REMOTE_STATUS");
    let limit = json!({ "response_bytes_max": 1000 });
    assert_eq!(reason(&workshop, "/big?bytes=1001", limit.clone()).await, "REMOTE_TOO_LARGE");
    assert_eq!(call(&workshop, "/big?bytes=1000", limit, json!({})).await.state, "succeeded");
    exhausted(&workshop, "/hang", json!({ "timeout": "0.2s" }), "REMOTE_TIMEOUT").await;
    exhausted(&workshop, "/reset", json!({}), "REMOTE_UNREACHABLE").await;
    let nowhere = json!({ "url": "http://no-such-host.invalid/" });
    exhausted(&workshop, "/", nowhere, "REMOTE_UNREACHABLE").await;
    engine.stop().await;
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_allowed() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let to_echo = "/redirect?to=%2Fecho";
    assert_eq!(reason(&workshop, to_echo, json!({})).await, "TOO_MANY_REDIRECTS");
    let one = json!({ "redirects_max": 1, "response_filter": ".method" });
    let standing = call(&workshop, to_echo, one, json!({})).await;
    assert_eq!(standing.output, Some(json!("GET")), "302 makes a GET of a POST");
    assert_eq!(
        reason(&workshop, "/loop", json!({ "redirects_max": 3 })).await,
        "TOO_MANY_REDIRECTS"
    );
    assert_eq!(workshop.remote.requests_to("/loop").len(), 4);
    let away = "/redirect?to=ftp%3A%2F%2Fexample.com%2F";
    assert_eq!(reason(&workshop, away, json!({ "redirects_max": 1 })).await, "ADDRESS_REFUSED");
    engine.stop().await;
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_origin() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let other = Remote::start().await;
    let to =
        |target: &str| format!("/redirect?to={}", target.replace(':', "%3A").replace('/', "%2F"));
    let config = json!({
        "method": "GET", "redirects_max": 1,
        "headers": { "Authorization": "Bearer x", "X-Api-Key": "x", "Accept": "application/json" },
    });
    let away = to(&other.url("/echo"));
    assert_eq!(call(&workshop, &away, config.clone(), json!({})).await.state, "succeeded");
    let headers = &other.requests()[0].headers;
    assert!(!headers.contains_key("authorization") && !headers.contains_key("x-api-key"));
    assert_eq!(headers["accept"], "application/json");
    let same = to(&workshop.remote.url("/echo"));
    call(&workshop, &same, config, json!({})).await;
    assert_eq!(workshop.remote.requests_to("/echo")[0].headers["authorization"], "Bearer x");
    engine.stop().await;
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_notation() {
    let workshop = Workshop::new().await;
    // This operator allows nothing.
    let engine = workshop.engine(EngineConfig { http_allow: vec![], ..quick() });
    let port = workshop.remote.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let config = json!({ "url": format!("http://{host}:{port}/echo") });
        assert_eq!(reason(&workshop, "/", config).await, "ADDRESS_REFUSED", "{host}");
    }
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let workshop = Workshop::new().await;
    // 127.0.0.1 is allowed here; everything else that is private is not.
    let engine = workshop.engine(quick());
    let port = workshop.remote.address.port();
    for host in ["127.0.0.2", "localhost.localdomain", "[::1]", "169.254.169.254", "0.0.0.0"] {
        let target = format!("http%3A%2F%2F{}%3A{port}%2Fecho", host.replace(':', "%3A"));
        let path = format!("/redirect?to={target}");
        let standing = call(&workshop, &path, json!({ "redirects_max": 5 }), json!({})).await;
        let reason = standing.reason.as_deref();
        assert!(
            matches!(reason, Some("ADDRESS_REFUSED" | "ATTEMPTS_EXHAUSTED")),
            "{host}: {standing:?}"
        );
    }
    assert!(workshop.remote.requests_to("/echo").is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn what_an_action_can_not_do_with_its_input_fails_before_anything_is_sent() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let header = json!({ "headers": { "X-A": "{{ input.a }}" } });
    for (config, input, expected) in [
        (json!({ "body_template": "{{ input.gone }}" }), json!({}), "INVALID_TEMPLATE"),
        (header, json!({ "a": "x\r\nHost: evil" }), "INVALID_TEMPLATE"),
        (json!({ "url": "http://u:p@example.com/" }), json!({}), "INVALID_FIELD"),
        (json!({ "headers": { "Host": "evil" } }), json!({}), "INVALID_FIELD"),
        (json!({ "response_filter": "def f: f; f" }), json!({}), "INVALID_FILTER"),
        (json!({ "response_filter": "env" }), json!({}), "INVALID_FILTER"),
    ] {
        let standing = call(&workshop, "/echo", config, input).await;
        assert_eq!(standing.reason.as_deref(), Some(expected), "{standing:?}");
    }
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn a_filter_that_fails_fails_the_step_alone() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for filter in [".body | error", ".headers[]", ".method + 1"] {
        let config = json!({ "response_filter": filter });
        assert_eq!(reason(&workshop, "/echo", config).await, "RESPONSE_INVALID", "{filter}");
    }
    let standing =
        call(&workshop, "/echo", json!({ "response_filter": ".body.n" }), json!({ "n": 1 })).await;
    assert_eq!(standing.output, Some(json!(1)));
    engine.stop().await;
}

#[tokio::test]
async fn a_filter_without_measure_takes_nothing_with_it() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let many: Vec<_> = (0..3000).collect();
    for filter in [
        // All the memory at once, slowly, and by doubling; and time without memory.
        "\"x\" * 100000000000",
        "[.body.many[] as $a | .body.many[] as $b | .body.many[] as $c | [$a, $b, $c]]",
        &format!("{} | tojson", vec!["[., .]"; 60].join(" | ")),
        "[.body.many[] as $a | .body.many[] as $b | .body.many[] as $c | empty]",
    ] {
        let config = json!({ "response_filter": filter });
        let standing = call(&workshop, "/echo", config, json!({ "many": many })).await;
        assert_eq!(standing.reason.as_deref(), Some("RESPONSE_INVALID"), "{filter}: {standing:?}");
    }
    // Whoever comes next finds a runner.
    let config = json!({ "response_filter": ".body.n" });
    assert_eq!(call(&workshop, "/echo", config, json!({ "n": 1 })).await.output, Some(json!(1)));
    engine.stop().await;
}

#[tokio::test]
async fn text_that_the_database_can_not_keep_does_not_stop_the_work() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let config =
        json!({ "body_template": "{{ input.t }}", "response_filter": ".body + \"\\u0000\"" });
    let standing = call(&workshop, "/echo", config, json!({ "t": "x" })).await;
    assert_eq!(standing.output, Some(json!("x\u{fffd}")), "{standing:?}");
    engine.stop().await;
}
