//! The messages in what the server sends: a letter, four bytes of length that count themselves, and a body.

/// `NotificationResponse`.
const NOTIFICATION: u8 = b'A';
const HEADER_BYTES: usize = 5;

/// Follows a stream of messages through chunks that end anywhere.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of a header that is not complete yet.
    header: Vec<u8>,
    /// Of the body under way.
    left: usize,
    /// Whether the message under way is left out.
    dropping: bool,
}

impl Frames {
    /// What of `chunk` is passed on: all of it, without the notifications if this is wanted.
    pub(super) fn pass(&mut self, mut chunk: &[u8], without_notifications: bool) -> Vec<u8> {
        let mut kept = Vec::with_capacity(chunk.len());
        while !chunk.is_empty() {
            if self.left == 0 {
                let missing = HEADER_BYTES - self.header.len();
                let (more, rest) = chunk.split_at(missing.min(chunk.len()));
                self.header.extend_from_slice(more);
                chunk = rest;
                let [kind, length @ ..] = self.header.as_slice() else { break };
                let Ok(length) = <[u8; 4]>::try_from(length) else { break };
                self.left = (u32::from_be_bytes(length) as usize).saturating_sub(4);
                self.dropping = without_notifications && *kind == NOTIFICATION;
                if !self.dropping {
                    kept.extend_from_slice(&self.header);
                }
                self.header.clear();
            }
            let (body, rest) = chunk.split_at(self.left.min(chunk.len()));
            if !self.dropping {
                kept.extend_from_slice(body);
            }
            self.left -= body.len();
            chunk = rest;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    #[test]
    fn notifications_are_left_out_wherever_chunks_end() {
        let (ready, told) = (message(b'Z', b"I"), message(b'A', b"\0\0\0\x01work\0\0"));
        let stream = [ready.clone(), told, message(b'I', b""), ready.clone()].concat();
        let without = [ready.clone(), message(b'I', b""), ready].concat();
        for size in 1..stream.len() {
            let pass = |deaf| {
                let mut frames = Frames::default();
                let chunks = stream.chunks(size).map(|it| frames.pass(it, deaf));
                chunks.collect::<Vec<_>>().concat()
            };
            assert_eq!(pass(true), without, "chunks of {size}");
            assert_eq!(pass(false), stream, "chunks of {size}");
        }
    }
}
