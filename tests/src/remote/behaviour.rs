//! What the remote does, by the path of the request.

use super::{
    Mood, Shared,
    http1::{Answer, Seen},
};
use serde_json::{Value, json};
use std::time::Duration;

/// By how much `/work` takes longer in a slow mood.
const SLOWER: Duration = Duration::from_millis(1500);

pub(super) async fn answer(request: &Seen, shared: &Shared) -> Answer {
    let number = |name: &str| request.parameter(name).and_then(|it| it.parse::<u64>().ok());
    match request.path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["echo"] => echo(request),
        ["status", code] => {
            let status = code.parse().unwrap_or(500);
            let retry = request.parameter("retry_after").map(|it| ("retry-after", it));
            respond(status, retry.into_iter().collect(), &json!({ "status": status }))
        }
        ["slow"] => {
            tokio::time::sleep(Duration::from_millis(number("ms").unwrap_or(1000))).await;
            echo(request)
        }
        ["work"] => {
            tokio::time::sleep(Duration::from_millis(number("ms").unwrap_or(0))).await;
            match shared.mood() {
                Mood::Slow => tokio::time::sleep(SLOWER).await,
                Mood::Failing => return respond(503, vec![], &json!({ "mood": "failing" })),
                Mood::Hanging => std::future::pending().await,
                Mood::Resetting => return Answer::Reset,
                Mood::Well => {}
            }
            // Counting costs a look at the whole log: only for those that ask for it.
            let fail = number("fail").unwrap_or(0);
            if 0 < fail && shared.times_seen(request) <= fail {
                return respond(503, vec![], &json!({ "failed": fail }));
            }
            echo(request)
        }
        ["flaky"] => {
            let before = shared.times_seen(request) - 1;
            if before < number("fail").unwrap_or(1) {
                respond(503, vec![], &json!({ "failed": before + 1 }))
            } else {
                echo(request)
            }
        }
        ["big"] => {
            // The two quotes count.
            let bytes = number("bytes").unwrap_or(1 << 20).saturating_sub(2);
            let text = "x".repeat(usize::try_from(bytes).unwrap_or(0));
            respond(200, vec![], &Value::String(text))
        }
        ["redirect"] => redirect(request.parameter("to").unwrap_or_else(|| "/echo".to_owned())),
        ["loop"] => redirect("/loop".to_owned()),
        ["not-json"] => Answer::Response {
            status: 200,
            headers: vec![("content-type", "text/html".to_owned())],
            body: b"<!doctype html><title>not JSON</title>".to_vec(),
        },
        ["mcp"] => super::mcp::answer(request).await,
        ["hang"] => std::future::pending().await,
        ["reset"] => Answer::Reset,
        _ => respond(404, vec![], &json!({ "error": "no such path" })),
    }
}

fn echo(request: &Seen) -> Answer {
    let seen = json!({
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": request.json(),
    });
    respond(200, vec![], &seen)
}

fn redirect(to: String) -> Answer {
    respond(302, vec![("location", to)], &json!({}))
}

fn respond(status: u16, mut headers: Vec<(&'static str, String)>, body: &Value) -> Answer {
    headers.push(("content-type", "application/json".to_owned()));
    Answer::Response { status, headers, body: body.to_string().into_bytes() }
}
