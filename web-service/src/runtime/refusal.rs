//! What it means that a command was refused: whether it is told to the caller, and whether a moment later it may be otherwise.

use super::replicas;
use prost::bytes::Bytes;
use shared_db::error::{DOMAIN, Error, Reason, reason_name};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// What a command came to.
pub(super) struct Refusal {
    pub(super) error: Error,
    /// Whether a moment later it may be otherwise.
    pub(super) passes: bool,
    /// Whether no replica has seen the command.
    pub(super) unsent: bool,
}

/// What runtime says in our own words is passed on; everything else means that it is not there for us. That it does not accept
/// web is nothing that the caller could mend, so it is told to the operator instead.
pub(super) fn refused(status: &Status) -> Refusal {
    let ours = status.get_details_error_info().filter(|it| it.domain == DOMAIN);
    let Some(info) = ours else {
        tracing::warn!(code = ?status.code(), message = status.message(), "runtime-service does not answer");
        return Refusal { error: unavailable(), passes: true, unsent: replicas::is_unsent(status) };
    };
    let is = |reasons: &[Reason]| reasons.iter().any(|it| reason_name(*it) == info.reason);
    if is(&[Reason::NotServing, Reason::CallerGone]) {
        return Refusal { error: unavailable(), passes: true, unsent: false };
    }
    if is(BETWEEN_US) {
        let message = status.message();
        tracing::error!(reason = info.reason, message, "runtime-service refuses web-service");
        return Refusal { error: unavailable(), passes: false, unsent: false };
    }
    // Without the metadata of runtime's response, which are not the caller's.
    let details = Bytes::copy_from_slice(status.details());
    let status = Status::with_details(status.code(), status.message(), details);
    let passes = status.code() == Code::Unavailable;
    Refusal { error: Error::Status(Box::new(status)), passes, unsent: false }
}

/// Reasons that tell of the relation between the two services, not of what the caller asked.
const BETWEEN_US: &[Reason] = &[
    Reason::CredentialsMissing,
    Reason::CredentialsInvalid,
    Reason::RoleTooLow,
    Reason::PeerNotAllowed,
    Reason::OrganizationMissing,
    Reason::MethodUnknown,
    Reason::MalformedMessage,
];

pub(super) fn unavailable() -> Error {
    Error::Unavailable {
        reason: Reason::RuntimeUnavailable,
        problem: "runtime-service does not answer; repeat in a moment, with the same request_id"
            .into(),
    }
}
