//! As much of an MCP server as calls of tools need, over Streamable HTTP: it insists on what the protocol asks of clients.
//!
//! | tool | what it does |
//! |---|---|
//! | `add` | adds `a` and `b`: `{"sum": …}` as structured content |
//! | `words` | a list of two texts, without structure |
//! | `echo` | the parameters of the call |
//! | `broken` | says that it failed |
//! | `crash` | an internal error of the server |
//! | `hang` | takes the call and never answers |

use super::http1::{Answer, Seen};
use serde_json::{Value, json};

/// The session of everybody.
const SESSION: &str = "session-of-tests";

const VERSION: &str = "2025-06-18";

pub(super) async fn answer(request: &Seen) -> Answer {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    if request.method == "DELETE" {
        return empty(if header("mcp-session-id") == Some(SESSION) { 204 } else { 404 });
    }
    let accepted = header("accept").unwrap_or_default();
    let accepts = ["application/json", "text/event-stream"].iter().all(|it| accepted.contains(it));
    if request.method != "POST" || !accepts {
        return empty(406);
    }
    let message = request.json();
    let method = message["method"].as_str().unwrap_or_default();
    let in_session = header("mcp-session-id") == Some(SESSION)
        && header("mcp-protocol-version") == Some(VERSION);
    match method {
        "initialize" => {
            let version = request.parameter("version").unwrap_or_else(|| VERSION.to_owned());
            let result = json!({
                "protocolVersion": version,
                "capabilities": { "tools": {} },
                "serverInfo": { "name": super::SERVER, "version": "0" },
            });
            let mut answer = respond(request, &message, "result", &result);
            if let Answer::Response { headers, .. } = &mut answer {
                headers.push(("mcp-session-id", SESSION.to_owned()));
            }
            answer
        }
        _ if !in_session => empty(400),
        "notifications/initialized" => empty(202),
        "tools/call" => call(request, &message).await,
        _ => error(request, &message, -32601, "Method not found"),
    }
}

async fn call(request: &Seen, message: &Value) -> Answer {
    let params = &message["params"];
    let number = |name: &str| params["arguments"][name].as_f64();
    let text = |it: &str| json!({ "type": "text", "text": it });
    let result = match params["name"].as_str().unwrap_or_default() {
        "add" => {
            let (Some(a), Some(b)) = (number("a"), number("b")) else {
                return error(request, message, -32602, "a and b are numbers");
            };
            let sum = json!({ "sum": a + b });
            json!({ "content": [text(&sum.to_string())], "structuredContent": sum })
        }
        "words" => json!({ "content": [text("one"), text("two")] }),
        "echo" => json!({ "content": [], "structuredContent": params }),
        "broken" => json!({ "content": [text("the tool is out of order")], "isError": true }),
        "crash" => return error(request, message, -32603, "Internal error"),
        "hang" => std::future::pending().await,
        _ => return error(request, message, -32602, "Unknown tool"),
    };
    respond(request, message, "result", &result)
}

fn error(request: &Seen, message: &Value, code: i64, text: &str) -> Answer {
    respond(request, message, "error", &json!({ "code": code, "message": text }))
}

fn respond(request: &Seen, message: &Value, part: &str, value: &Value) -> Answer {
    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], part: value });
    let (kind, body) = if request.parameter("stream").is_some() {
        let progress =
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
        ("text/event-stream", format!("event: message\ndata: {progress}\n\ndata: {answer}\n\n"))
    } else {
        ("application/json", answer.to_string())
    };
    let headers = vec![("content-type", kind.to_owned())];
    Answer::Response { status: 200, headers, body: body.into_bytes() }
}

fn empty(status: u16) -> Answer {
    Answer::Response { status, headers: vec![], body: vec![] }
}
