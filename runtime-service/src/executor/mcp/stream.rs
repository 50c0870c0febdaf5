//! Responses that come as a stream of server-sent events, each of them one message.

use super::{
    super::{Effect, Failure, http::next},
    messages,
};
use reqwest::Response;
use serde_json::Value;
use shared_db::error::Reason;

/// Whether a content type is that of a stream of events.
pub(super) fn is_one(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/event-stream")
}

pub(super) struct Events {
    response: Response,
    /// Bytes of the whole stream.
    limit: usize,
}

impl Events {
    pub(super) fn of(response: Response, limit: usize) -> Self {
        Self { response, limit }
    }

    /// Reads until the answer to the request `id`, which it leaves in `body`.
    pub(super) async fn until(mut self, id: u64, body: &mut Vec<u8>) -> Result<Value, Failure> {
        let mut parser = Parser::default();
        let mut left = self.limit;
        while let Some(chunk) = next(&mut self.response, &mut left, self.limit).await? {
            for event in parser.take(&chunk) {
                let Ok(message) = serde_json::from_slice(&event) else { continue };
                if messages::answers(&message, id) {
                    *body = event;
                    return Ok(message);
                }
            }
        }
        let message = "the server closed the stream before it answered";
        Err(Failure::passing(Reason::RemoteUnreachable, message, Effect::Unknown))
    }
}

/// The data of events, from bytes as they come.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    /// Of the event that is under way: none before its first line of data.
    data: Option<Vec<u8>>,
}

impl Parser {
    /// The data of the events that these bytes end.
    fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                events.extend(self.data.take());
            } else if let Some(more) = line.strip_prefix(b"data:") {
                let more = more.strip_prefix(b" ").unwrap_or(more);
                match &mut self.data {
                    Some(data) => {
                        data.push(b'\n');
                        data.extend_from_slice(more);
                    }
                    None => self.data = Some(more.to_vec()),
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let stream = b": a comment\r\n\r\nevent: message\r\nid: 1\r\ndata: {\"a\":\r\ndata:1}\r\n\r\ndata: second\n\ndata: unfinished\n";
        for size in 1..=stream.len() {
            let mut parser = Parser::default();
            let events: Vec<_> = stream.chunks(size).flat_map(|it| parser.take(it)).collect();
            assert_eq!(events, [b"{\"a\":\n1}".to_vec(), b"second".to_vec()], "pieces of {size}");
        }
    }

    #[test]
    fn streams_are_known_by_their_type() {
        assert!(is_one("text/event-stream") && is_one("Text/Event-Stream; charset=utf-8"));
        assert!(!is_one("application/json") && !is_one(""));
    }
}
