//! What a runner is asked and what it answers: frames of a length in four bytes, then as many bytes.

use serde_json::Value;
use std::io::{Error, Read, Result, Write};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a frame. Responses and their outputs are at most half as large.
const FRAME_BYTES_MAX: u32 = 64 << 20;

const VALUE: u8 = b'v';
const PROBLEM: u8 = b'p';

/// What a filter came to.
#[derive(Debug)]
pub(super) enum Answer {
    Value(Value),
    Problem(String),
}

pub(super) async fn ask(
    to: &mut (impl AsyncWrite + Unpin),
    from: &mut (impl AsyncRead + Unpin),
    filter: &str,
    body: &[u8],
) -> Result<Answer> {
    for frame in [filter.as_bytes(), body] {
        to.write_u32(length(frame)?).await?;
        to.write_all(frame).await?;
    }
    to.flush().await?;
    let mut answer = vec![0; checked(from.read_u32().await?)?];
    from.read_exact(&mut answer).await?;
    match answer.split_first() {
        Some((&VALUE, json)) => Ok(Answer::Value(serde_json::from_slice(json)?)),
        Some((&PROBLEM, text)) => Ok(Answer::Problem(String::from_utf8_lossy(text).into_owned())),
        _ => Err(Error::other("an answer of no kind")),
    }
}

/// The filter and the body of the next question; `None` when there is no more.
pub(super) fn next(from: &mut impl Read) -> Result<Option<(String, Vec<u8>)>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..])?;
    let filter = rest(from, u32::from_be_bytes(length))?;
    from.read_exact(&mut length)?;
    let body = rest(from, u32::from_be_bytes(length))?;
    Ok(Some((String::from_utf8(filter).map_err(Error::other)?, body)))
}

pub(super) fn answer(to: &mut impl Write, answer: &Answer) -> Result<()> {
    let mut frame = Vec::new();
    match answer {
        Answer::Value(value) => {
            frame.push(VALUE);
            serde_json::to_writer(&mut frame, value)?;
        }
        Answer::Problem(text) => {
            frame.push(PROBLEM);
            frame.extend_from_slice(text.as_bytes());
        }
    }
    to.write_all(&length(&frame)?.to_be_bytes())?;
    to.write_all(&frame)?;
    to.flush()
}

fn rest(from: &mut impl Read, length: u32) -> Result<Vec<u8>> {
    let mut frame = vec![0; checked(length)?];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn length(frame: &[u8]) -> Result<u32> {
    let length = u32::try_from(frame.len()).ok().filter(|it| *it <= FRAME_BYTES_MAX);
    length.ok_or_else(|| Error::other("a frame is too large"))
}

fn checked(length: u32) -> Result<usize> {
    if length > FRAME_BYTES_MAX {
        return Err(Error::other("a frame is too large"));
    }
    usize::try_from(length).map_err(Error::other)
}
