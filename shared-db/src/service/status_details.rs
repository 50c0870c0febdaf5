//! Completes errors that were not made by [`Error`](crate::error::Error): those of tonic itself know a code and a sentence, and get the
//! `ErrorInfo` that every error of Freehold carries.

use crate::error::{Reason, status};
use http::HeaderMap;
use tonic::{Code, Status};
use tracing::Span;

/// What tonic says of bytes that are no message, in any of its ways to say it.
const MALFORMED: [&str; 6] = [
    "failed to decode Protobuf message",
    "Missing request message",
    "protocol error: received message with",
    "Error decompressing",
    "Unexpected EOF decoding stream",
    "compression flag",
];

/// Completes the status in headers or trailers of a call, and returns its code; `None` when they hold no status.
pub(crate) fn complete(headers: &mut HeaderMap, call: &Span) -> Option<Code> {
    let code = Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes());
    if code == Code::Ok || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return Some(code);
    }
    let message = Status::from_header_map(headers).map(|it| it.message().to_owned());
    // Within the call, whose trace it names.
    let completed = call.in_scope(|| explain(code, &message.unwrap_or_default()));
    write(&completed, headers);
    Some(completed.code())
}

/// A status as trailers.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    write(status, &mut trailers);
    trailers
}

fn write(status: &Status, headers: &mut HeaderMap) {
    if status.add_header(headers).is_err() {
        // Only metadata that is no header can fail, and ours has none; the code alone is still true.
        headers.insert(Status::GRPC_STATUS, http::HeaderValue::from(status.code() as i32));
    }
}

fn explain(code: Code, message: &str) -> Status {
    let malformed = MALFORMED.iter().any(|it| message.contains(it));
    match code {
        Code::Unimplemented if message.is_empty() => status(
            code,
            Reason::MethodUnknown,
            "there is no such method; list the methods by reflection",
        ),
        Code::Unimplemented => status(code, Reason::MethodUnknown, message),
        Code::OutOfRange | Code::ResourceExhausted => {
            status(code, Reason::MessageTooLarge, message)
        }
        // The caller's bytes are the caller's fault, whatever tonic calls it.
        Code::Internal | Code::Unknown if malformed => {
            status(Code::InvalidArgument, Reason::MalformedMessage, message)
        }
        Code::InvalidArgument => status(code, Reason::InvalidField, message),
        Code::Cancelled => status(code, Reason::CallerGone, message),
        Code::DeadlineExceeded => status(code, Reason::DeadlineExceeded, message),
        Code::Unavailable => status(code, Reason::NotServing, message),
        Code::Unauthenticated => status(code, Reason::CredentialsInvalid, message),
        Code::PermissionDenied => status(code, Reason::PeerNotAllowed, message),
        Code::NotFound => status(code, Reason::ResourceNotFound, message),
        Code::AlreadyExists => status(code, Reason::ResourceAlreadyExists, message),
        Code::Ok
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss
        | Code::Aborted
        | Code::FailedPrecondition => {
            tracing::error!(?code, message, "a status without details");
            status(Code::Internal, Reason::Internal, "internal error")
        }
    }
}
