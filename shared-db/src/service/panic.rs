//! A panic is a defect of one call: it answers INTERNAL, and everything else goes on.

use crate::error::Error;
use futures_util::FutureExt;
use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tonic::Status;

/// Runs a call's future; what it was in the middle of is dropped with it, so nothing half done is seen again.
pub(crate) async fn caught<T>(
    future: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|payload| Err(defect(&*payload)))
}

/// The same for one step of a stream.
pub(crate) fn caught_step<T>(step: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|payload| defect(&*payload))
}

fn defect(payload: &(dyn Any + Send)) -> Status {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::internal(anyhow::anyhow!("panicked: {}", text.unwrap_or("without words"))).into()
}
