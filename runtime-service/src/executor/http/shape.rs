//! From the bytes of a response to the output of the action: JSON or text, the filter, the output schema.
//!
//! A filter can be slow and has no fuel, so it runs on a thread of its own, with a time limit. One that overruns goes on until it ends and
//! keeps its place for as long; there are only so many places.

use super::{
    super::{
        Effect, Failure,
        action::{Action, Kind},
    },
    redact,
};
use action_rules::filter::STACK_BYTES;
use serde_json::Value;
use shared_db::error::Reason;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};

/// Threads that shape responses at a time.
const THREADS_MAX: usize = 8;

/// For the wait for a place, and again for the work.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Bytes of an output as JSON.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
pub(super) struct Shaper(Arc<Semaphore>);

impl Default for Shaper {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(THREADS_MAX)))
    }
}

impl Shaper {
    pub(super) async fn shape(
        &self,
        action: &Arc<Action>,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let Kind::Http(http) = &action.kind;
        if http.filter.is_none() && action.output_schema.is_none() {
            return bounded(redact::without_nul(parse(&body)));
        }
        let slow = |what: &str| {
            let message = format!("{what} took longer than {} s", TIME_LIMIT.as_secs());
            Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible)
        };
        let place = tokio::time::timeout(TIME_LIMIT, self.0.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(slow("waiting for other response filters")) };
        let (tell, told) = oneshot::channel();
        let action = action.clone();
        let thread = std::thread::Builder::new().name("shape".to_owned()).stack_size(STACK_BYTES);
        let spawned = thread.spawn(move || {
            let _place = place;
            let _ = tell.send(shape_here(&action, &body));
        });
        if let Err(error) = spawned {
            let message = format!("no thread for the response filter: {error}");
            return Err(
                Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible)
            );
        }
        match tokio::time::timeout(TIME_LIMIT, told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                let message = "the response filter broke down";
                Err(Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible))
            }
            Err(_) => Err(slow("the response filter")),
        }
    }
}

fn shape_here(action: &Action, body: &[u8]) -> Result<Value, Failure> {
    let invalid = |message: String| {
        Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible)
    };
    let Kind::Http(http) = &action.kind;
    let mut value = parse(body);
    if let Some(filter) = &http.filter {
        value = filter
            .run(&value)
            .map_err(|fault| invalid(format!("the response filter failed: {fault}")))?;
    }
    let value = bounded(redact::without_nul(value))?;
    if let Some(schema) = &action.output_schema {
        schema.validate(&value).map_err(|fault| {
            invalid(format!("the response does not match the action's output schema: {fault}"))
        })?;
    }
    Ok(value)
}

/// JSON where it is JSON, null where there is nothing, otherwise text.
fn parse(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn bounded(value: Value) -> Result<Value, Failure> {
    if value.to_string().len() <= OUTPUT_BYTES_MAX {
        return Ok(value);
    }
    let message = format!("the output is larger than {OUTPUT_BYTES_MAX} bytes as JSON");
    Err(Failure::fatal(Reason::RemoteTooLarge, message).with_effect(Effect::Possible))
}
