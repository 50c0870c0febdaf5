//! What a status says to a program, and the assertion that reads it.

use shared_db::error::{DOMAIN, Reason, reason_name};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The reason that the status carries, without prefix. Panics when it carries none: every error of Freehold does.
pub fn reason(status: &Status) -> String {
    let Some(info) = status.get_details_error_info() else {
        panic!("every error carries an ErrorInfo; this one does not: {status:?}")
    };
    assert_eq!(info.domain, DOMAIN, "{status:?}");
    info.reason
}

/// The fields that a `BadRequest` names, empty when there is none.
pub fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|it| it.field_violations);
    violations.unwrap_or_default().into_iter().map(|it| it.field).collect()
}

/// Whether the reason is one that `freehold.errors.v1` publishes.
pub fn is_published(reason: &str) -> bool {
    reason != "UNSPECIFIED" && Reason::from_str_name(&format!("ERROR_REASON_{reason}")).is_some()
}

/// Asserts the code, the reason and, if one is given, a field that the error names.
#[track_caller]
pub fn assert_error<'a>(
    status: &Status,
    code: Code,
    expected: Reason,
    field: impl Into<Option<&'a str>>,
) {
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(reason(status), reason_name(expected), "{status:?}");
    assert!(!status.message().is_empty(), "every error says something to people: {status:?}");
    if let Some(field) = field.into() {
        let fields = fields(status);
        assert!(
            fields.iter().any(|it| it == field),
            "{field} is named, not {fields:?}: {status:?}"
        );
    }
}

/// Asserts that the call failed, and how.
#[track_caller]
pub fn assert_fails<'a, T: std::fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
    expected: Reason,
    field: impl Into<Option<&'a str>>,
) -> Status {
    let status = result.expect_err("the call is refused");
    assert_error(&status, code, expected, field);
    status
}

/// Everything that a status tells, with `id` taken out of it: two that are equal tell the same.
pub fn without_id(status: &Status, id: &str) -> (Code, String, Vec<u8>) {
    without_ids(status, &[id.to_owned()])
}

/// [`without_id`] for several ids.
pub fn without_ids(status: &Status, ids: &[String]) -> (Code, String, Vec<u8>) {
    let mut message = status.message().to_owned();
    let mut details = status.details().to_vec();
    for id in ids {
        message = message.replace(id, "-");
        for at in 0..details.len().saturating_sub(id.len() - 1) {
            let here = &mut details[at..at + id.len()];
            if here == id.as_bytes() {
                here.fill(b'-');
            }
        }
    }
    (status.code(), message, details)
}
