//! The one error type of both services, and the only place that maps it to gRPC: a canonical code, an `ErrorInfo` with a reason
//! that `freehold.errors.v1` publishes, and the details that help to mend it. Internals are logged here and never sent.

pub use common_api::errors::ErrorReason as Reason;

use crate::service::trace_context;
use std::{borrow::Cow, collections::HashMap, fmt, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every `ErrorInfo`.
pub const DOMAIN: &str = "freehold";

/// When a caller may repeat what failed for want of something that comes back by itself.
const RETRY_DELAY: Duration = Duration::from_millis(500);

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a field did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the request, such as `core_action.http.url`.
    pub field: String,
    pub problem: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", Violations(.violations))]
    Invalid { reason: Reason, violations: Vec<Violation> },
    #[error("{resource} {id} not found")]
    NotFound { resource: &'static str, id: String },
    #[error("another {resource} has this {key}")]
    AlreadyExists { resource: &'static str, key: &'static str },
    #[error("{resource} {id} has changed since this etag was read; read it again and repeat")]
    EtagMismatch { resource: &'static str, id: String },
    /// `subject` names what stands in the way, such as `execution/<id>`.
    #[error("{problem}")]
    Precondition { reason: Reason, subject: String, problem: String },
    #[error(
        "request_id {request_id} was used before with another payload, to make {resource_id}; take a new one"
    )]
    RequestIdReused { request_id: String, resource_id: String },
    #[error("the same request_id is being answered by another call; repeat in a moment")]
    RequestInProgress,
    #[error("{problem}")]
    Unauthenticated { reason: Reason, problem: Cow<'static, str> },
    #[error("{problem}")]
    Denied { reason: Reason, problem: String },
    #[error("{method} needs the role {needed}")]
    RoleTooLow { method: String, needed: &'static str },
    #[error("{problem}")]
    Exhausted { reason: Reason, problem: String },
    #[error("execution {holder} has the key {key:?}, and the policies of the call refuse a second")]
    ExecutionKeyTaken { key: String, holder: String },
    #[error("the execution is {state}, which does not allow this")]
    ExecutionState { id: String, state: &'static str },
    #[error("the reader is too slow; watch again from seq {}", .last_seq + 1)]
    WatchTooSlow { last_seq: i64 },
    #[error("events before seq {first_seq} are no longer kept; watch from there")]
    HistoryTruncated { first_seq: i64 },
    #[error("the deadline passed before the answer was ready")]
    DeadlineExceeded,
    #[error("{problem}")]
    Unavailable { reason: Reason, problem: Cow<'static, str> },
    /// What was kept is not there any more, or is not what it was.
    #[error("{problem}")]
    DataLoss { reason: Reason, problem: String },
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
    /// An answer of runtime-service that is passed on as it is.
    #[error("{}", .0.message())]
    Status(Box<Status>),
}

struct Violations<'a>(&'a [Violation]);

impl fmt::Display for Violations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, it) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", it.field, it.problem)?;
        }
        Ok(())
    }
}

impl Error {
    pub fn invalid(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::invalid_as(Reason::InvalidField, field, problem)
    }

    pub fn invalid_as(
        reason: Reason,
        field: impl Into<String>,
        problem: impl fmt::Display,
    ) -> Self {
        let violation = Violation { field: field.into(), problem: problem.to_string() };
        Self::Invalid { reason, violations: vec![violation] }
    }

    pub fn not_found(resource: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound { resource, id: id.to_string() }
    }

    pub fn etag_mismatch(resource: &'static str, id: impl fmt::Display) -> Self {
        Self::EtagMismatch { resource, id: id.to_string() }
    }

    pub fn precondition(
        reason: Reason,
        subject: impl Into<String>,
        problem: impl fmt::Display,
    ) -> Self {
        Self::Precondition { reason, subject: subject.into(), problem: problem.to_string() }
    }

    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self::Internal(source.into())
    }

    /// The canonical code, and the reason that a program may match on.
    pub fn kind(&self) -> (Code, Reason) {
        match self {
            Self::Invalid { reason, .. } => (Code::InvalidArgument, *reason),
            Self::NotFound { .. } => (Code::NotFound, Reason::ResourceNotFound),
            Self::AlreadyExists { .. } => (Code::AlreadyExists, Reason::ResourceAlreadyExists),
            Self::EtagMismatch { .. } => (Code::Aborted, Reason::EtagMismatch),
            Self::Precondition { reason, .. } => (Code::FailedPrecondition, *reason),
            Self::RequestIdReused { .. } => (Code::AlreadyExists, Reason::RequestIdReused),
            Self::RequestInProgress => (Code::Aborted, Reason::RequestInProgress),
            Self::Unauthenticated { reason, .. } => (Code::Unauthenticated, *reason),
            Self::Denied { reason, .. } => (Code::PermissionDenied, *reason),
            Self::RoleTooLow { .. } => (Code::PermissionDenied, Reason::RoleTooLow),
            Self::Exhausted { reason, .. } => (Code::ResourceExhausted, *reason),
            Self::ExecutionKeyTaken { .. } => (Code::AlreadyExists, Reason::ExecutionKeyTaken),
            Self::ExecutionState { .. } => (Code::FailedPrecondition, Reason::ExecutionState),
            Self::WatchTooSlow { .. } => (Code::ResourceExhausted, Reason::WatchTooSlow),
            Self::HistoryTruncated { .. } => (Code::OutOfRange, Reason::HistoryTruncated),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, Reason::DeadlineExceeded),
            Self::Unavailable { reason, .. } => (Code::Unavailable, *reason),
            Self::DataLoss { reason, .. } => (Code::DataLoss, *reason),
            Self::Database(source) => database_kind(source),
            Self::Internal(_) => (Code::Internal, Reason::Internal),
            Self::Status(status) => (status.code(), Reason::Unspecified),
        }
    }

    /// The name of the constraint that a statement broke, if it broke one: the link from PostgreSQL to reasons.
    pub fn constraint(&self) -> Option<&str> {
        let Self::Database(sqlx::Error::Database(source)) = self else { return None };
        source.constraint()
    }

    /// Turns a violation of `constraint` into what `then` says, and leaves everything else alone.
    #[must_use]
    pub fn on_constraint(self, constraint: &str, then: impl FnOnce() -> Self) -> Self {
        if self.constraint() == Some(constraint) { then() } else { self }
    }
}

/// Failures of the connection are UNAVAILABLE, a cancelled statement is the deadline (it is the only thing that cancels), the rest
/// is a defect.
fn database_kind(source: &sqlx::Error) -> (Code, Reason) {
    let unavailable = (Code::Unavailable, Reason::DatabaseUnavailable);
    let defect = (Code::Internal, Reason::Internal);
    if let sqlx::Error::Database(it) = source {
        return match it.code().as_deref() {
            // A NUL character in text or JSON, the one thing that PostgreSQL can not keep of them.
            Some("22021" | "22P05") => (Code::InvalidArgument, Reason::InvalidField),
            Some("57014") => (Code::DeadlineExceeded, Reason::DeadlineExceeded),
            // Serialization and deadlock; then the classes connection, insufficient resources, operator intervention.
            Some("40001" | "40P01") => unavailable,
            Some(code) if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => {
                unavailable
            }
            _ => defect,
        };
    }
    let connection_failed = matches!(
        source,
        sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
    );
    if connection_failed { unavailable } else { defect }
}

/// An error with all its causes, for the log: `Display` of ours never prints its source. That of others may.
pub fn chain(error: &dyn std::error::Error) -> impl fmt::Display {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |it| it.source()).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source)
    }
}

/// A reason as it stands on the wire: `RESOURCE_NOT_FOUND`.
pub fn reason_name(reason: Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// A status with the `ErrorInfo` that every error carries.
pub fn status(code: Code, reason: Reason, message: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason_name(reason), DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = error.kind();
        let mut metadata = HashMap::new();
        let mut details = ErrorDetails::new();
        match &error {
            Error::Status(status) => return status.as_ref().clone(),
            Error::Invalid { violations, .. } => {
                for it in violations {
                    details.add_bad_request_violation(&it.field, &it.problem);
                }
            }
            Error::NotFound { resource, id } | Error::EtagMismatch { resource, id } => {
                details.set_resource_info(*resource, id, "", "");
            }
            Error::AlreadyExists { resource, key } => {
                details.set_resource_info(*resource, "", "", "");
                metadata.insert("key".to_owned(), (*key).to_owned());
            }
            Error::Precondition { subject, problem, .. } => {
                details.add_precondition_failure_violation(reason_name(reason), subject, problem);
            }
            Error::RequestIdReused { request_id, resource_id } => {
                metadata.insert("request_id".to_owned(), request_id.clone());
                metadata.insert("resource_id".to_owned(), resource_id.clone());
            }
            Error::RoleTooLow { needed, .. } => {
                metadata.insert("needed".to_owned(), (*needed).to_owned());
            }
            Error::Exhausted { problem, .. } => {
                details.add_quota_failure_violation(reason_name(reason), problem);
            }
            Error::ExecutionKeyTaken { holder, .. } => {
                details.set_resource_info("execution", holder, "", "has the key");
            }
            Error::ExecutionState { id, state } => {
                metadata.insert("state".to_owned(), (*state).to_owned());
                let subject = format!("execution/{id}");
                details.add_precondition_failure_violation(
                    reason_name(reason),
                    subject,
                    error.to_string(),
                );
            }
            Error::WatchTooSlow { last_seq } => {
                metadata.insert("last_seq".to_owned(), last_seq.to_string());
            }
            Error::HistoryTruncated { first_seq } => {
                metadata.insert("first_seq".to_owned(), first_seq.to_string());
            }
            Error::DataLoss { problem, .. } => tracing::error!(problem, "data is lost"),
            Error::Database(_) if code == Code::InvalidArgument => {}
            Error::Database(source) => {
                tracing::error!(error = %chain(source), "the database failed");
            }
            Error::Internal(source) => {
                tracing::error!(error = %format_args!("{source:#}"), "internal error");
            }
            Error::RequestInProgress
            | Error::Unauthenticated { .. }
            | Error::Denied { .. }
            | Error::DeadlineExceeded
            | Error::Unavailable { .. } => {}
        }
        if matches!(code, Code::Unavailable | Code::ResourceExhausted)
            || matches!(error, Error::RequestInProgress)
        {
            details.set_retry_info(Some(RETRY_DELAY));
        }
        if code == Code::Internal {
            metadata.extend(trace_context::trace_id().map(|it| ("trace_id".to_owned(), it)));
        }
        details.set_error_info(reason_name(reason), DOMAIN, metadata);
        let message = match (&error, code) {
            (Error::Database(_), Code::Unavailable) => {
                "the database does not answer; repeat in a moment".to_owned()
            }
            (Error::Database(_), Code::InvalidArgument) => {
                "a string holds a NUL character, which can not be kept".to_owned()
            }
            (Error::Database(_), Code::DeadlineExceeded) => Error::DeadlineExceeded.to_string(),
            _ => error.to_string(),
        };
        Status::with_error_details(code, message, details)
    }
}
