//! What a worker writes for an execution that it holds, as data: each one is one change, and most share a commit with others.
//!
//! Everything in here is fenced by the lease. A write that was sent twice, because its commit was not heard of, is noticed.

mod undecided;

use super::{state::Verb, turn::Begun};
use crate::store::{
    actions,
    events::{self, NewEvent},
    executions::{self, End},
    lease::{Lease, WriteError, WriteResult},
    queue::{self, Leave},
    steps,
    turns::{self, ActionRow, Change, Changed, EventRow, Fate, StepRow},
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, StepState},
    error::{Reason, reason_name},
};
use sqlx::PgConnection;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// The step is under way, and what is about to be sent is noted. `interrupted`: an attempt that a worker's death cut short is closed
    /// first.
    Begin { step: StepRow, action: ActionRow, interrupted: bool },
    /// The step has its output; with `end` the execution ends with it. `action` is absent where nothing was called.
    Succeed { step: StepRow, action: Option<ActionRow>, end: Option<End> },
    /// The step is tried again after `delay`; with `leave` another worker may do that.
    Retry { step: StepRow, action: ActionRow, delay: Duration, leave: bool },
    /// Nobody knows what became of the step, and the execution waits for whoever decides. `step` and `action` are absent where that was
    /// noted before.
    AwaitDecision { step_key: String, step: Option<StepRow>, action: Option<ActionRow> },
    /// The step has failed, and the execution with it.
    Fail { step: StepRow, action: Option<ActionRow>, end: End },
    /// The execution goes back into the queue as it is.
    Release,
    /// The execution ends, and what it left open is closed.
    End(End),
    /// The execution was asked to stop.
    Cancel,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// Somebody had asked to stop, so the execution was cancelled instead.
    Cancelled,
    /// Somebody had asked to pause, so it was left to them instead.
    Paused,
}

impl Write {
    /// The write as a change that can share a commit; `None` for those that take more than one statement.
    pub(crate) fn change(&self, lease: &Lease, begun: Option<&Begun>) -> Option<Change> {
        let (fate, step, action) = match self {
            Self::Begin { interrupted: true, .. }
            | Self::AwaitDecision { .. }
            | Self::Release
            | Self::Cancel
            | Self::End(End::Failed { .. } | End::Cancelled { .. }) => return None,
            Self::End(end) => (Fate::End(end.clone()), None, None),
            Self::Begin { step, action, .. } => (Fate::KeepUnlessAsked, Some(step), Some(action)),
            Self::Succeed { step, action, end } => {
                let fate = end.clone().map_or(Fate::Keep, Fate::End);
                (fate, Some(step), action.as_ref())
            }
            Self::Retry { step, action, delay, leave } => {
                let fate = if *leave { Fate::Leave(*delay) } else { Fate::Keep };
                (fate, Some(step), Some(action))
            }
            Self::Fail { step, action, end } => {
                (Fate::End(end.clone()), Some(step), action.as_ref())
            }
        };
        let mut events: Vec<_> = begun.map(Begun::event).into_iter().collect();
        events.extend(self.event());
        if let Fate::End(end) = &fate {
            let (event_type, payload) = end.event();
            events.push(EventRow { event_type, step_key: None, payload, at: None });
        }
        Some(Change {
            lease: *lease,
            begun_at: begun.map(|it| it.at),
            fate,
            steps: step.cloned().into_iter().collect(),
            actions: action.cloned().into_iter().collect(),
            events,
        })
    }

    /// Whether it gives way to a request to stop or to pause: it would begin something, or leave the execution to others anyway.
    fn yields(&self) -> bool {
        match self {
            Self::Begin { .. } | Self::AwaitDecision { .. } | Self::Release | Self::Cancel => true,
            Self::Retry { leave, .. } => *leave,
            Self::Succeed { .. } | Self::Fail { .. } | Self::End(_) => false,
        }
    }

    /// Whether the execution may have ended with it, when it was made by itself.
    pub(crate) fn may_end(&self) -> bool {
        self.yields() || !matches!(self, Self::Succeed { end: None, .. } | Self::Retry { .. })
    }

    /// What it tells of its step.
    fn event(&self) -> Option<EventRow> {
        let (event_type, step, payload) = match self {
            Self::Begin { step, .. } => {
                (EventType::StepStarted, step, json!({ "attempt": step.attempt }))
            }
            Self::Succeed { step, .. } => {
                (EventType::StepSucceeded, step, json!({ "attempt": step.attempt }))
            }
            Self::Retry { step, delay, .. } => {
                let mut payload = failed(step);
                let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                payload["delay_ms"] = json!(millis);
                (EventType::StepRetry, step, payload)
            }
            Self::Fail { step, .. } => (EventType::StepFailed, step, failed(step)),
            Self::AwaitDecision { .. } | Self::Release | Self::End(_) | Self::Cancel => {
                return None;
            }
        };
        Some(EventRow { event_type, step_key: Some(step.step_key.clone()), payload, at: None })
    }

    /// Performs the write in a transaction of its own. `again` says that an earlier try of the same write may have been committed.
    pub(crate) async fn apply(
        &self,
        conn: &mut PgConnection,
        lease: &Lease,
        begun: Option<&Begun>,
        again: bool,
    ) -> WriteResult<Written> {
        // From here on nobody else writes for the execution, and each statement sees what was committed before.
        let asked = queue::lock_held(conn, lease).await?;
        if again && self.is_done(conn, lease).await? {
            return Ok(Written::Done);
        }
        if let Self::AwaitDecision { step: Some(step), action, .. } = self {
            undecided::note(conn, lease, step, action.as_ref()).await?;
        }
        if asked.to_cancel && self.yields() {
            let end = executions::cancelled(conn, lease).await?;
            executions::end(conn, lease, &end).await?;
            return Ok(Written::Cancelled);
        }
        if asked.to_pause && self.yields() {
            self.pause(conn, lease).await?;
            return Ok(Written::Paused);
        }
        match self {
            Self::Release => {
                executions::announce(conn, lease).await?;
                leave(conn, lease, Verb::Release, Leave::AT_ONCE).await?;
            }
            Self::End(end) => executions::end(conn, lease, end).await?,
            // The request was seen before this lease was locked, so it is still there.
            Self::Cancel => {}
            Self::AwaitDecision { step_key, .. } => {
                undecided::suspend(conn, lease, step_key).await?;
            }
            Self::Begin { interrupted: true, step, action } => {
                let lost = "the worker was lost before it had an answer";
                let reason = reason_name(Reason::WorkerLost);
                actions::close_open(conn, lease, StepState::Failed, reason, lost).await?;
                let (step, action) = (step.clone(), action.clone());
                let whole = Self::Begin { step, action, interrupted: false };
                whole.alone(conn, lease, begun).await?;
            }
            Self::Begin { .. } | Self::Succeed { .. } | Self::Retry { .. } | Self::Fail { .. } => {
                self.alone(conn, lease, begun).await?;
            }
        }
        Ok(Written::Done)
    }

    /// As a batch of one.
    async fn alone(
        &self,
        conn: &mut PgConnection,
        lease: &Lease,
        begun: Option<&Begun>,
    ) -> WriteResult {
        let Some(change) = self.change(lease, begun) else { return Ok(()) };
        match turns::apply(conn, std::slice::from_ref(&change)).await?.changed.first() {
            Some(Changed::Done) => Ok(()),
            // It is locked, and what was asked was looked at.
            Some(Changed::Yielded | Changed::Fenced) | None => Err(WriteError::Fenced),
        }
    }

    /// Leaves the execution to the person who asked to pause it, with what the write knows of its step.
    async fn pause(&self, conn: &mut PgConnection, lease: &Lease) -> WriteResult {
        executions::announce(conn, lease).await?;
        if let Self::Retry { step, action, delay, .. } = self {
            let (step, action) = (step.clone(), action.clone());
            let retry = Self::Retry { step, action, delay: *delay, leave: false };
            retry.alone(conn, lease, None).await?;
        }
        executions::leave_paused(conn, lease, false).await
    }

    /// Whether an earlier try was committed after all. Those that raise the token need no look: they are fenced.
    async fn is_done(&self, conn: &mut PgConnection, lease: &Lease) -> WriteResult<bool> {
        let step = match self {
            Self::Begin { step, .. } | Self::Succeed { step, .. } | Self::Retry { step, .. } => {
                step
            }
            Self::AwaitDecision { .. }
            | Self::Fail { .. }
            | Self::Release
            | Self::End(_)
            | Self::Cancel => return Ok(false),
        };
        let standing = steps::standing(conn, lease, step.id).await?;
        Ok(standing == Some((step.attempt, step.state)))
    }
}

fn failed(step: &StepRow) -> Value {
    json!({ "attempt": step.attempt, "reason": step.error_reason, "message": step.error_message })
}

/// Puts an execution back into the queue, with the event that tells why.
pub(crate) async fn leave(
    conn: &mut PgConnection,
    lease: &Lease,
    verb: Verb,
    how: Leave,
) -> WriteResult {
    executions::announce(conn, lease).await?;
    let reason = if verb == Verb::Expire { Reason::WorkerLost } else { Reason::NotServing };
    let payload = json!({ "reason": reason_name(reason) });
    let event = NewEvent { event_type: EventType::ExecutionRetry, step_key: None, payload };
    events::append(conn, lease, event).await?;
    executions::requeue(conn, lease, verb).await?;
    queue::release(conn, lease, how).await
}
