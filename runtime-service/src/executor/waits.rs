//! What steps can wait for: one file for each.

pub(crate) mod children;
pub(crate) mod data;
pub(crate) mod input;
pub(crate) mod signal;
pub(crate) mod sleep;

use crate::store::steps::Limit;
use prost_types::Duration;

/// How long a step waits at the longest; `None`: as long as its execution may take.
fn limit(timeout: Option<Duration>) -> Option<Limit> {
    timeout.and_then(|it| it.try_into().ok()).map(Limit::After)
}
