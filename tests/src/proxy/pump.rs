//! One direction of a connection.

use super::{Wire, frames::Frames};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
};

const CHUNK_BYTES: usize = 16 << 10;
const TRICKLE_BYTES: usize = 48;
const TRICKLE_INTERVAL: Duration = Duration::from_millis(4);

/// Passes bytes on as the wire of the moment does, until one side ends. `frames` is there for what the server sends.
pub(super) async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    wire: watch::Receiver<Wire>,
    mut frames: Option<Frames>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let state = *wire.borrow();
        // Followed at any time, so that it is known where a message begins when the wire goes deaf.
        let kept = frames.as_mut().map(|it| it.pass(&buffer[..count], state == Wire::Deaf));
        let bytes = kept.as_deref().unwrap_or(&buffer[..count]);
        match state {
            Wire::Late(delay) => tokio::time::sleep(delay).await,
            Wire::Trickle => {
                for few in bytes.chunks(TRICKLE_BYTES) {
                    to.write_all(few).await?;
                    to.flush().await?;
                    tokio::time::sleep(TRICKLE_INTERVAL).await;
                }
                continue;
            }
            Wire::Whole | Wire::Cut | Wire::Reset | Wire::Silent | Wire::Deaf => {}
        }
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}
