//! Steps that wait for what is written elsewhere: a time, a person, a signal, other executions. Such a step begins and suspends its
//! execution in one transaction; woken, the program comes to it again and looks whether it has come.
//!
//! Nothing is missed: whoever writes what is waited for then locks the queue row to wake the execution, and suspending looks once more
//! after it has locked that row. One of the two comes second, and sees the other.

use super::{
    super::state::Verb,
    Stop, Turn, locked,
    step::{Due, Finish, NewStep},
};
use crate::store::{
    events::{self, NewEvent},
    executions::{self, End},
    lease::{Lease, WriteError, WriteResult},
    queue::{self, Leave},
    steps::{self, Limit, Step},
    turns::StepRow,
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, ExecutionState, SideEffect, StepState, StepType},
    error::{Reason, reason_name},
    scope::Tx,
};
use sqlx::PgConnection;
use std::{sync::atomic::Ordering, time::Duration};

/// What a step waits for.
pub(crate) trait Waited: Send + Sync {
    fn step_type(&self) -> StepType;

    /// How the execution stands while it waits: one of the verbs that lead out of `running` and not into the queue.
    fn verb(&self) -> Verb;

    /// How long it is waited for at the longest.
    fn limit(&self) -> Option<Limit>;

    /// How its beginning is told.
    fn begins(&self) -> EventType {
        EventType::StepWaiting
    }

    /// Whether its beginning is committed before it is looked at, so that others find it there.
    fn opens_first(&self) -> bool {
        false
    }

    /// Whether the end of the execution's children wakes it.
    fn joins(&self) -> bool {
        false
    }

    /// Asks for it, once, in the transaction in which the step begins.
    fn open<'w>(&'w self, conn: &'w mut PgConnection, of: Opened<'w>)
    -> BoxFuture<'w, WriteResult>;

    /// What it has come to; `None` while it has not. `over`: the limit has passed. Under the lock of the queue row.
    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        over: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>>;
}

/// The step that waits.
#[derive(Clone, Copy)]
pub(crate) struct Opened<'o> {
    pub(crate) turn: &'o Turn,
    pub(crate) lease: &'o Lease,
    pub(crate) key: &'o str,
    /// The step's input, once templates are filled in.
    pub(crate) input: &'o Value,
}

/// What was waited for.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Output(Value),
    Failed(Reason, String),
}

/// What one look came to.
enum Looked {
    Output(Value),
    Ended(ExecutionState),
    Left,
}

impl Turn {
    /// Waits for `what`. When this returns `Err(Stop::Left)`, the execution is suspended, and that is written.
    pub(crate) async fn wait(
        &self,
        due: Due<'_>,
        what: &dyn Waited,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        let Due { key, input, hash, known } = due;
        *locked(&self.current) = Some(key.to_owned());
        let of = Opened { turn: self, lease: self.lease(), key, input: &input };
        if what.opens_first() && known.is_none() {
            self.persist(move |mut tx: Tx| async move {
                let opened = self.opened(&mut tx, of, hash, what).await;
                (tx, opened.map(drop))
            })
            .await?;
        }
        let looked = self
            .persist(move |mut tx: Tx| async move {
                let looked = self.look(&mut tx, of, hash, what, finish).await;
                (tx, looked)
            })
            .await?;
        *locked(&self.current) = None;
        self.core.wake.events_of(self.lease().execution);
        // Its end, or that it has begun to wait for children of which the last may just have ended.
        if what.joins() || finish.is_some() || matches!(looked, Looked::Ended(_)) {
            self.core.follow.tell((self.lease.org, self.lease.execution));
        }
        match looked {
            Looked::Output(output) => Ok(output),
            Looked::Ended(state) => Err(Stop::Ended(state)),
            Looked::Left => Err(Stop::Left),
        }
    }

    async fn look(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        hash: [u8; 32],
        what: &dyn Waited,
        finish: Option<Finish<'_>>,
    ) -> WriteResult<Looked> {
        let lease = of.lease;
        let asked = queue::lock_held(conn, lease).await?;
        if asked.to_cancel {
            let end = executions::cancelled(conn, lease).await?;
            executions::end(conn, lease, &end).await?;
            return Ok(Looked::Ended(ExecutionState::Cancelled));
        }
        let step = self.opened(conn, of, hash, what).await?;
        if step.state == StepState::Succeeded {
            // An earlier try of this was committed after all.
            return Ok(Looked::Output(step.output.unwrap_or_default()));
        }
        let left = steps::wait_left(conn, lease, of.key).await?;
        let over = left.is_some_and(|it| it.is_zero());
        match what.look(conn, of, over).await? {
            Some(Outcome::Output(output)) => close(conn, of, output, finish).await,
            Some(Outcome::Failed(reason, message)) => fail(conn, of, reason, message).await,
            None => suspend(conn, of, what, left, asked.to_pause).await,
        }
    }

    /// The step, which begins unless it has.
    async fn opened(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        hash: [u8; 32],
        what: &dyn Waited,
    ) -> WriteResult<Step> {
        // This locks the row as well.
        executions::announce(conn, of.lease).await?;
        if let Some(step) = steps::find(conn, of.lease, of.key).await? {
            return Ok(step);
        }
        let (key, input) = (of.key, of.input.clone());
        let new = NewStep {
            key,
            step_type: what.step_type(),
            side_effect: SideEffect::Pure,
            hash,
            input,
        };
        let row = StepRow { state: StepState::Waiting, ..self.row(None, new) };
        let step = steps::open(conn, of.lease, &row, what.limit()).await?;
        let payload = json!({ "until": step.wait_until, "for": what.step_type() });
        tell(conn, of, what.begins(), payload).await?;
        what.open(conn, of).await?;
        Ok(step)
    }

    /// Writes in a transaction of its own, as often as it takes, for no longer than a lease may hold. What is written tells that the turn
    /// has begun.
    async fn persist<T, W>(&self, write: impl Fn(Tx) -> W) -> Result<T, Stop>
    where
        W: Future<Output = (Tx, WriteResult<T>)>,
    {
        let written = self
            .core
            .insist(|| async {
                match write(self.core.begin_by_key().await?).await {
                    (tx, Ok(written)) => {
                        tx.commit().await?;
                        Ok(Some(written))
                    }
                    (_, Err(WriteError::Fenced)) => Ok(None),
                    (_, Err(WriteError::Store(error))) => Err(error),
                }
            })
            .await?;
        let written = written.ok_or_else(|| {
            self.core.metrics.write_fenced();
            Stop::Quiet
        })?;
        self.told.store(true, Ordering::Release);
        Ok(written)
    }
}

async fn tell(
    conn: &mut PgConnection,
    of: Opened<'_>,
    event_type: EventType,
    payload: Value,
) -> WriteResult {
    let event = NewEvent { event_type, step_key: Some(of.key), payload };
    events::append(conn, of.lease, event).await.map(drop)
}

async fn close(
    conn: &mut PgConnection,
    of: Opened<'_>,
    output: Value,
    finish: Option<Finish<'_>>,
) -> WriteResult<Looked> {
    steps::close(conn, of.lease, of.key, Ok(&output)).await?;
    tell(conn, of, EventType::StepSucceeded, json!({ "attempt": 1 })).await?;
    let Some(end) = finish.map(|it| it(&output)) else { return Ok(Looked::Output(output)) };
    executions::end(conn, of.lease, &end).await?;
    Ok(match end {
        End::Succeeded { .. } => Looked::Output(output),
        End::Failed { .. } | End::Cancelled { .. } => Looked::Ended(end.state()),
    })
}

async fn fail(
    conn: &mut PgConnection,
    of: Opened<'_>,
    reason: Reason,
    message: String,
) -> WriteResult<Looked> {
    let message = crate::executor::legible(message);
    steps::close(conn, of.lease, of.key, Err((reason_name(reason), &message))).await?;
    let payload = json!({ "attempt": 1, "reason": reason_name(reason), "message": message });
    tell(conn, of, EventType::StepFailed, payload).await?;
    let end = End::Failed { reason, message, step_key: Some(of.key.to_owned()) };
    executions::end(conn, of.lease, &end).await?;
    Ok(Looked::Ended(ExecutionState::Failed))
}

/// Lets go of the execution until what it waits for has come, or its limit has passed.
async fn suspend(
    conn: &mut PgConnection,
    of: Opened<'_>,
    what: &dyn Waited,
    left: Option<Duration>,
    to_pause: bool,
) -> WriteResult<Looked> {
    let verb = if to_pause { Verb::Pause } else { what.verb() };
    let (event_type, payload) = if to_pause {
        (EventType::ExecutionPaused, json!({}))
    } else {
        let state = super::super::state::target(verb).name();
        (EventType::ExecutionSuspended, json!({ "state": state, "step_key": of.key }))
    };
    events::append(conn, of.lease, NewEvent { event_type, step_key: None, payload }).await?;
    executions::requeue(conn, of.lease, verb).await?;
    let leave =
        Leave { delay: left, lost: false, joins: what.joins() && !to_pause, paused: to_pause };
    queue::release(conn, of.lease, leave).await?;
    Ok(Looked::Left)
}
