//! The messages of MCP, which are JSON-RPC 2.0: what is asked, and what an answer comes to.

use super::super::{Effect, Failure};
use serde_json::{Value, json};
use shared_db::error::Reason;

/// What this client speaks, the newest first. The first is what it asks for.
const VERSIONS: &[&str] = &["2025-06-18", "2025-03-26"];

/// The ids of the two requests of a session.
pub(super) const OPENING: u64 = 1;
pub(super) const CALL: u64 = 2;

/// Errors of JSON-RPC that say that the request was not carried out: not parsed, invalid, of an unknown method, with invalid parameters.
const REFUSALS: &[i64] = &[-32700, -32600, -32601, -32602];

pub(super) fn open() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": OPENING,
        "method": "initialize",
        "params": {
            "protocolVersion": VERSIONS[0],
            "capabilities": {},
            "clientInfo": { "name": "freehold", "version": env!("CARGO_PKG_VERSION") },
        },
    })
}

pub(super) fn opened() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
}

pub(super) fn call(tool: &str, arguments: &Value, idempotency_key: Option<&str>) -> Value {
    let mut params = json!({ "name": tool, "arguments": arguments });
    if let Some(key) = idempotency_key {
        params["_meta"] = json!({ "idempotencyKey": key });
    }
    json!({ "jsonrpc": "2.0", "id": CALL, "method": "tools/call", "params": params })
}

/// Whether this is the response to the request `id`, and not another message that comes before it.
pub(super) fn answers(message: &Value, id: u64) -> bool {
    message["id"] == id && (message.get("result").is_some() || message.get("error").is_some())
}

/// The version that the server has chosen.
pub(super) fn version(answer: Value) -> Result<&'static str, Failure> {
    let result = result(answer)?;
    let chosen = &result["protocolVersion"];
    VERSIONS.iter().copied().find(|it| chosen == it).ok_or_else(|| {
        let message = format!(
            "the server speaks version {chosen} of MCP, and this is known of {}",
            VERSIONS.join(" and ")
        );
        Failure::fatal(Reason::ResponseInvalid, message)
    })
}

/// What the tool has given.
pub(super) fn given(answer: Value) -> Result<Value, Failure> {
    let mut result = result(answer)?;
    if result["isError"] == true {
        let message = format!("the tool failed: {}", text(&result["content"]));
        return Err(Failure::passing(Reason::ToolFailed, message, Effect::Possible));
    }
    let structured = result["structuredContent"].take();
    Ok(if structured.is_null() { result["content"].take() } else { structured })
}

fn result(mut answer: Value) -> Result<Value, Failure> {
    let error = &answer["error"];
    if error.is_null() {
        return Ok(answer["result"].take());
    }
    let code = error["code"].as_i64().unwrap_or_default();
    let said = error["message"].as_str().unwrap_or("nothing");
    let message = format!("the server answered with error {code}: {said}");
    if REFUSALS.contains(&code) {
        return Err(Failure::fatal(Reason::ToolFailed, message));
    }
    Err(Failure::passing(Reason::ToolFailed, message, Effect::Possible))
}

/// The texts of a list of content.
fn text(content: &Value) -> String {
    let texts = content.as_array().into_iter().flatten().filter_map(|it| it["text"].as_str());
    let text = texts.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "it does not say why".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(answer: Value) -> (bool, Effect, String) {
        let failure = given(answer).unwrap_err();
        assert_eq!(failure.reason, Reason::ToolFailed);
        (failure.retryable, failure.effect, failure.message)
    }

    #[test]
    fn structure_goes_before_content() {
        let content = json!([{ "type": "text", "text": "7" }]);
        assert_eq!(given(json!({ "result": { "content": content } })).unwrap(), content);
        let both = json!({ "result": { "content": content, "structuredContent": { "n": 7 } } });
        assert_eq!(given(both).unwrap(), json!({ "n": 7 }));
    }

    #[test]
    fn a_refused_call_is_not_repeated_and_a_failed_one_may_be() {
        let refused = json!({ "error": { "code": -32602, "message": "Unknown tool" } });
        let (retryable, effect, message) = failed(refused);
        assert_eq!((retryable, effect), (false, Effect::None));
        assert!(message.ends_with("error -32602: Unknown tool"), "{message}");
        let broken = json!({ "error": { "code": -32603, "message": "Internal error" } });
        assert_eq!(failed(broken).1, Effect::Possible);
        let content =
            json!([{ "type": "text", "text": "no such" }, { "type": "text", "text": "city" }]);
        let (retryable, effect, message) =
            failed(json!({ "result": { "isError": true, "content": content } }));
        assert_eq!((retryable, effect), (true, Effect::Possible));
        assert_eq!(message, "the tool failed: no such\ncity");
    }

    #[test]
    fn only_known_versions_are_spoken() {
        let chosen = |it: Value| {
            version(json!({ "result": { "protocolVersion": it } })).map_err(|it| it.reason)
        };
        assert_eq!(chosen(json!("2025-03-26")), Ok("2025-03-26"));
        for other in [json!("1999-01-01"), Value::Null] {
            assert_eq!(chosen(other), Err(Reason::ResponseInvalid));
        }
    }

    #[test]
    fn what_comes_before_the_answer_is_told_from_it() {
        assert!(answers(&json!({ "id": 2, "result": {} }), CALL));
        assert!(answers(&json!({ "id": 2, "error": {} }), CALL));
        // A request of the server may have any id.
        assert!(!answers(&json!({ "id": 2, "method": "ping" }), CALL));
        assert!(!answers(&json!({ "method": "notifications/progress" }), CALL));
    }
}
