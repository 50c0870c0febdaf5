//! What a worker writes for an execution that it holds, as data: each one is one transaction, or a part of one.
//!
//! Every statement in here is fenced by the lease. A write that was sent twice, because its commit was not heard of, is noticed.

use super::state::Verb;
use crate::{
    executor::Failure,
    store::{
        actions::{self, Evidence, NewActionExecution},
        events::{self, NewEvent},
        executions::{self, End},
        lease::{Lease, WriteResult},
        queue,
        steps::{self, NewStep},
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, StepState},
    error::{Reason, reason_name},
    ids::{ActionExecutionId, StepId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// One attempt of a step.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) step: StepId,
    pub(crate) key: String,
    pub(crate) number: i32,
    pub(crate) action: ActionExecutionId,
}

#[derive(Debug)]
pub(crate) enum Write {
    /// The step is under way, and what is about to be sent is noted. `new` when it is the first attempt.
    Begin {
        attempt: Attempt,
        new: Option<NewStep>,
        action: NewActionExecution,
    },
    /// The step has its output; with `end` the execution ends with it.
    Succeed {
        attempt: Attempt,
        output: Value,
        evidence: Evidence,
        end: Option<End>,
    },
    /// The step is tried again after `delay`; with `leave` another worker may do that.
    Retry {
        attempt: Attempt,
        failure: Failure,
        evidence: Evidence,
        delay: Duration,
        leave: bool,
    },
    /// The step has failed, and the execution with it.
    Fail {
        attempt: Attempt,
        failure: Failure,
        evidence: Evidence,
        end: End,
    },
    /// The execution goes back into the queue as it is.
    Release,
    End(End),
    /// The execution was asked to stop.
    Cancel,
}

/// What a write came to.
#[derive(Debug)]
pub(crate) enum Written {
    Done,
    /// The output as it is stored, which is what later steps see.
    Output(Value),
    /// Somebody had asked to stop, so the execution was cancelled instead.
    Cancelled,
}

impl Write {
    /// Performs the write. `again` says that an earlier try of the same write may have been committed.
    pub(crate) async fn apply(
        &self,
        conn: &mut PgConnection,
        lease: &Lease,
        again: bool,
    ) -> WriteResult<Written> {
        let cancel_requested = queue::lock_held(conn, lease).await?;
        if again && self.is_done(conn, lease).await? {
            return Ok(Written::Done);
        }
        let leaves_or_begins = match self {
            Self::Begin { .. } | Self::Release | Self::Cancel => true,
            Self::Retry { leave, .. } => *leave,
            Self::Succeed { .. } | Self::Fail { .. } | Self::End(_) => false,
        };
        if cancel_requested && leaves_or_begins {
            let end = executions::cancelled(conn, lease).await?;
            executions::end(conn, lease, &end).await?;
            return Ok(Written::Cancelled);
        }
        match self {
            Self::Begin { attempt, new, action } => {
                begin(conn, lease, attempt, new.as_ref(), action).await
            }
            Self::Succeed { attempt, output, evidence, end } => {
                succeed(conn, lease, attempt, output, evidence, end.as_ref()).await
            }
            Self::Retry { attempt, failure, evidence, delay, leave } => {
                let tried = Tried { attempt, failure, evidence };
                retry(conn, lease, tried, *delay, *leave).await
            }
            Self::Fail { attempt, failure, evidence, end } => {
                let tried = Tried { attempt, failure, evidence };
                tried.close(conn, lease, false, EventType::StepFailed, None).await?;
                executions::end(conn, lease, end).await?;
                Ok(Written::Done)
            }
            Self::Release => leave(conn, lease, Verb::Release, Duration::ZERO).await,
            Self::End(end) => {
                executions::end(conn, lease, end).await?;
                Ok(Written::Done)
            }
            // The request was seen before this lease was locked, so it is still there.
            Self::Cancel => Ok(Written::Done),
        }
    }

    /// Whether an earlier try was committed after all. Those that raise the token need no look: they are fenced.
    async fn is_done(&self, conn: &mut PgConnection, lease: &Lease) -> WriteResult<bool> {
        let (attempt, state) = match self {
            Self::Begin { attempt, .. } => (attempt, StepState::Running),
            Self::Succeed { attempt, .. } => (attempt, StepState::Succeeded),
            Self::Retry { attempt, .. } => (attempt, StepState::Waiting),
            Self::Fail { .. } | Self::Release | Self::End(_) | Self::Cancel => return Ok(false),
        };
        let standing = steps::standing(conn, lease, attempt.step).await?;
        Ok(standing == Some((attempt.number, state)))
    }
}

async fn begin(
    conn: &mut PgConnection,
    lease: &Lease,
    attempt: &Attempt,
    new: Option<&NewStep>,
    action: &NewActionExecution,
) -> WriteResult<Written> {
    if let Some(new) = new {
        steps::begin(conn, lease, new).await?;
    } else {
        let lost = "the worker was lost before it had an answer";
        let reason = reason_name(Reason::WorkerLost);
        actions::close_open(conn, lease, StepState::Failed, reason, lost).await?;
        steps::again(conn, lease, attempt.step, attempt.number).await?;
    }
    actions::begin(conn, lease, attempt.step, attempt.number, action).await?;
    tell(conn, lease, attempt, EventType::StepStarted, json!({ "attempt": attempt.number }))
        .await?;
    Ok(Written::Done)
}

async fn succeed(
    conn: &mut PgConnection,
    lease: &Lease,
    attempt: &Attempt,
    output: &Value,
    evidence: &Evidence,
    end: Option<&End>,
) -> WriteResult<Written> {
    let stored = steps::succeed(conn, lease, attempt.step, output).await?;
    actions::finish(conn, lease, attempt.action, evidence, None).await?;
    tell(conn, lease, attempt, EventType::StepSucceeded, json!({ "attempt": attempt.number }))
        .await?;
    if let Some(end) = end {
        executions::end(conn, lease, end).await?;
    }
    Ok(Written::Output(stored))
}

async fn retry(
    conn: &mut PgConnection,
    lease: &Lease,
    tried: Tried<'_>,
    delay: Duration,
    leaves: bool,
) -> WriteResult<Written> {
    tried.close(conn, lease, true, EventType::StepRetry, Some(delay)).await?;
    if leaves {
        executions::requeue(conn, lease, Verb::Retry).await?;
        queue::release(conn, lease, delay, false).await?;
    }
    Ok(Written::Done)
}

/// Puts an execution back into the queue, with the event that tells why.
pub(crate) async fn leave(
    conn: &mut PgConnection,
    lease: &Lease,
    verb: Verb,
    delay: Duration,
) -> WriteResult<Written> {
    let lost = verb == Verb::Expire;
    let reason = if lost { Reason::WorkerLost } else { Reason::NotServing };
    let payload = json!({ "reason": reason_name(reason) });
    let event = NewEvent { event_type: EventType::ExecutionRetry, step_key: None, payload };
    events::append(conn, lease, event).await?;
    executions::requeue(conn, lease, verb).await?;
    queue::release(conn, lease, delay, lost).await?;
    Ok(Written::Done)
}

/// An attempt that failed.
struct Tried<'w> {
    attempt: &'w Attempt,
    failure: &'w Failure,
    evidence: &'w Evidence,
}

impl Tried<'_> {
    async fn close(
        &self,
        conn: &mut PgConnection,
        lease: &Lease,
        retry: bool,
        event_type: EventType,
        delay: Option<Duration>,
    ) -> WriteResult {
        let Self { attempt, failure, evidence } = self;
        let (reason, message) = (reason_name(failure.reason), failure.message.as_str());
        steps::fail(conn, lease, attempt.step, retry, reason, message).await?;
        actions::finish(conn, lease, attempt.action, evidence, Some((reason, message))).await?;
        let mut payload =
            json!({ "attempt": attempt.number, "reason": reason, "message": message });
        if let Some(delay) = delay {
            payload["delay_ms"] = json!(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        }
        tell(conn, lease, attempt, event_type, payload).await
    }
}

async fn tell(
    conn: &mut PgConnection,
    lease: &Lease,
    attempt: &Attempt,
    event_type: EventType,
    payload: Value,
) -> WriteResult {
    let event = NewEvent { event_type, step_key: Some(&attempt.key), payload };
    events::append(conn, lease, event).await?;
    Ok(())
}
