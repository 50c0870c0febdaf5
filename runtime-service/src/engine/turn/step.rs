//! One step of a turn: looked up when it has finished, otherwise begun, performed and written down.

use super::{
    super::{
        retry::{Retry, Verdict, final_reason},
        write::{Write, Written},
    },
    Stop, Turn,
    hash::hash,
    locked,
};
use crate::{
    executor::{Call, Failure, Performed, Prepared, action::Action},
    store::{
        actions::Evidence,
        executions::{End, forks::ANY_INPUT},
        steps::Step,
        turns::{ActionRow, StepRow},
    },
};
use serde_json::Value;
use shared_db::{
    enums::{ExecutionState, SideEffect, StepState, StepType},
    error::{Reason, reason_name},
    ids::{ActionExecutionId, StepId},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tracing::Instrument;

/// Delays up to here are waited for in the worker; longer ones cost no worker.
const SHORT_DELAY: Duration = Duration::from_secs(1);

/// What became of a step before.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and is taken apart at once")]
pub(crate) enum Found<'k> {
    /// It has been done.
    Output(Value),
    /// It is to be done, or to be gone on with.
    Due(Due<'k>),
}

/// A step that the program has come to.
pub(crate) struct Due<'k> {
    pub(super) key: &'k str,
    pub(super) input: Value,
    pub(super) hash: [u8; 32],
    /// As it was left, if it was begun before.
    pub(super) known: Option<Step>,
}

impl Due<'_> {
    pub(crate) fn input(&self) -> &Value {
        &self.input
    }
}

/// What a step is to do.
pub(crate) struct StepCall {
    pub(crate) action: Arc<Action>,
    pub(crate) retry: Retry,
}

/// How the execution ends with the output of its last step.
pub(crate) type Finish<'f> = &'f (dyn Fn(&Value) -> End + Send + Sync);

/// What became of one attempt.
enum Tried {
    Output(Value),
    /// The step waits for its next attempt, which this worker makes after the delay.
    Again(Step, Duration),
}

impl Turn {
    /// Looks a step up: whatever it takes to do it is read only if it is to be done. With `finish` it is the last one, and the execution
    /// ends with it.
    pub(crate) async fn look_up<'k>(
        &self,
        key: &'k str,
        input: Value,
        finish: Option<Finish<'_>>,
    ) -> Result<Found<'k>, Stop> {
        let hash = hash(&input);
        let known = locked(&self.known).get(key).cloned();
        if let Some(step) = &known
            && let Some(output) = self.settled(step, key, &hash, finish).await?
        {
            return Ok(Found::Output(output));
        }
        Ok(Found::Due(Due { key, input, hash, known }))
    }

    /// Does a step. With `finish` it is the last one, and the execution ends in the same transaction.
    pub(crate) async fn step(
        &self,
        mut due: Due<'_>,
        call: StepCall,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        loop {
            let known = due.known.take();
            let number = known.as_ref().map_or(1, |it| it.attempt + 1);
            let span = tracing::info_span!(
                "step",
                otel.name = format!("step {}", due.key),
                step = due.key,
                attempt = number
            );
            *locked(&self.current) = Some(due.key.to_owned());
            let tried = self.attempt(&due, known, &call, finish).instrument(span).await;
            self.unrepeatable.store(false, Ordering::Release);
            match tried? {
                Tried::Output(output) => {
                    *locked(&self.current) = None;
                    return Ok(output);
                }
                Tried::Again(step, delay) => {
                    tokio::time::sleep(delay).await;
                    due.known = Some(step);
                }
            }
        }
    }

    /// What a step that is there already comes to; `None` when it is to be attempted (again).
    async fn settled(
        &self,
        step: &Step,
        key: &str,
        hash: &[u8; 32],
        finish: Option<Finish<'_>>,
    ) -> Result<Option<Value>, Stop> {
        let fail = |reason, message: &str| {
            Err(Stop::Fail(reason, message.to_owned(), Some(key.to_owned())))
        };
        if step.input_hash != hash && step.input_hash != ANY_INPUT {
            let message =
                "the step was begun with another input before, so the agent is not deterministic";
            return fail(Reason::StepInputChanged, message);
        }
        match step.state {
            StepState::Succeeded => {
                let output = step.output.clone().unwrap_or_default();
                if let Some(finish) = finish {
                    self.end(finish(&output)).await?;
                }
                Ok(Some(output))
            }
            StepState::Failed | StepState::Cancelled => {
                let message = step.error_message.as_deref().unwrap_or("the step has failed before");
                let known = step.error_reason.as_deref().and_then(reason_of);
                fail(known.unwrap_or(Reason::Internal), message)
            }
            StepState::Running if step.side_effect == SideEffect::AtMostOnce => {
                Err(self.interrupted(step).await)
            }
            StepState::Waiting if step.is_undecided() => {
                Err(self.await_decision(key, None, None).await)
            }
            StepState::Running | StepState::Waiting | StepState::Pending => Ok(None),
        }
    }

    /// A step that is over as soon as it is begun: it calls nobody, so it is written down once, when it is done.
    pub(crate) async fn compute(
        &self,
        due: Due<'_>,
        step_type: StepType,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        let Due { key, input, hash, known } = due;
        let output = input.clone();
        let new = NewStep { key, step_type, side_effect: SideEffect::Pure, hash, input };
        let row = StepRow {
            state: StepState::Succeeded,
            output: Some(output.clone()),
            ..self.row(known.as_ref(), new)
        };
        let end = finish.map(|it| it(&output));
        let failed = matches!(end, Some(End::Failed { .. }));
        self.write(&Write::Succeed { step: row, action: None, end }).await?;
        if failed { Err(Stop::Ended(ExecutionState::Failed)) } else { Ok(output) }
    }

    /// The row of the next attempt of a step, under way.
    pub(super) fn row(&self, known: Option<&Step>, new: NewStep<'_>) -> StepRow {
        StepRow {
            new: known.is_none(),
            id: known.map_or_else(StepId::generate, |it| it.id),
            step_key: new.key.to_owned(),
            sequence: known.map_or_else(|| self.next_sequence(), |it| it.sequence),
            step_type: new.step_type,
            state: StepState::Running,
            side_effect: new.side_effect,
            input_hash: new.hash.to_vec(),
            input: new.input,
            output: None,
            error_reason: None,
            error_message: None,
            attempt: known.map_or(1, |it| it.attempt + 1),
            failures: known.map_or(0, |it| it.failures),
        }
    }

    /// One attempt: noted before, performed, noted after.
    async fn attempt(
        &self,
        due: &Due<'_>,
        known: Option<Step>,
        call: &StepCall,
        finish: Option<Finish<'_>>,
    ) -> Result<Tried, Stop> {
        let action = &call.action;
        let interrupted = known.as_ref().is_some_and(|it| it.state == StepState::Running);
        let step = self.row(
            known.as_ref(),
            NewStep {
                key: due.key,
                step_type: action.step_type(),
                side_effect: action.side_effect,
                hash: due.hash,
                input: due.input.clone(),
            },
        );
        // The remote sees one key for the step, however often it is attempted.
        let key = (action.side_effect == SideEffect::Idempotent).then(|| step.id.to_string());
        let prepared = action.check_input(&due.input).and_then(|()| {
            let call = Call { action, input: &due.input, idempotency_key: key.as_deref() };
            self.core.executors.prepare(&call)
        });
        let noted = ActionRow {
            new: true,
            id: ActionExecutionId::generate(),
            step_id: step.id,
            core_action_id: action.id,
            core_action_version: action.version,
            attempt: step.attempt,
            state: StepState::Running,
            idempotency_key: key.clone().unwrap_or_default(),
            request: prepared.as_ref().ok().map(|it| it.request()),
            response: None,
            http_status: None,
            error_reason: None,
            error_message: None,
        };
        self.unrepeatable.store(action.side_effect == SideEffect::AtMostOnce, Ordering::Release);
        let action = noted;
        let begin = Write::Begin { step: step.clone(), action: action.clone(), interrupted };
        match self.write(&begin).await? {
            Written::Cancelled => return Err(Stop::Ended(ExecutionState::Cancelled)),
            Written::Paused => return Err(Stop::Left),
            Written::Done => {}
        }
        // The answer may have been long in coming, to a process that was frozen meanwhile: somebody else has called then.
        if !self.core.held.holds(&self.lease, tokio::time::Instant::now()) {
            tracing::info!("the lease ended before the call was made");
            return Err(Stop::Quiet);
        }
        let Performed { evidence, result } = self.perform(prepared).await;
        let step = StepRow { new: false, ..step };
        let action = ActionRow {
            new: false,
            state: if result.is_ok() { StepState::Succeeded } else { StepState::Failed },
            request: evidence.request,
            response: evidence.response,
            http_status: evidence.http_status,
            ..action
        };
        match result {
            Ok(output) => self.succeed(step, action, output, finish).await.map(Tried::Output),
            Err(failure) => self.failed(call, step, action, failure).await,
        }
    }

    async fn perform(&self, prepared: Result<Box<dyn Prepared>, Failure>) -> Performed {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => {
                return Performed { evidence: Evidence::default(), result: Err(failure) };
            }
        };
        let began = Instant::now();
        let performed = prepared.perform().await;
        let outcome =
            if performed.result.is_ok() { StepState::Succeeded } else { StepState::Failed };
        self.core.metrics.step(outcome, began.elapsed());
        performed
    }

    async fn succeed(
        &self,
        step: StepRow,
        action: ActionRow,
        output: Value,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        let end = finish.map(|it| it(&output));
        let failed = matches!(end, Some(End::Failed { .. }));
        let step = StepRow { state: StepState::Succeeded, output: Some(output.clone()), ..step };
        self.write(&Write::Succeed { step, action: Some(action), end }).await?;
        if failed { Err(Stop::Ended(ExecutionState::Failed)) } else { Ok(output) }
    }

    /// Tries again soon, leaves that to another, or gives the execution up.
    async fn failed(
        &self,
        call: &StepCall,
        step: StepRow,
        action: ActionRow,
        failure: Failure,
    ) -> Result<Tried, Stop> {
        let side_effect = call.action.side_effect;
        let failures = step.failures + 1;
        let (reason, message) = (reason_name(failure.reason).to_owned(), failure.message.clone());
        let step = StepRow {
            failures,
            error_reason: Some(reason.clone()),
            error_message: Some(message.clone()),
            ..step
        };
        let action =
            ActionRow { error_reason: Some(reason), error_message: Some(message), ..action };
        let verdict = call.retry.judge(side_effect, &failure, failures, rand::random());
        let Verdict::Again(delay) = verdict else {
            let (reason, message) = final_reason(verdict, &failure);
            if verdict == Verdict::Unknown {
                return Err(self.unknown(step, action, message).await);
            }
            let end = End::Failed {
                reason,
                message: crate::executor::legible(message),
                step_key: Some(step.step_key.clone()),
            };
            let step = StepRow { state: StepState::Failed, ..step };
            self.write(&Write::Fail { step, action: Some(action), end }).await?;
            return Err(Stop::Ended(ExecutionState::Failed));
        };
        tracing::info!(reason = reason_name(failure.reason), ?delay, "the step is tried again");
        let leave = delay >= SHORT_DELAY;
        let step = StepRow { state: StepState::Waiting, ..step };
        let again = known_again(&step);
        match self.write(&Write::Retry { step, action, delay, leave }).await? {
            Written::Cancelled => Err(Stop::Ended(ExecutionState::Cancelled)),
            Written::Paused => Err(Stop::Left),
            Written::Done if leave => Err(Stop::Left),
            Written::Done => Ok(Tried::Again(again, delay)),
        }
    }

    fn next_sequence(&self) -> i32 {
        let mut sequence = locked(&self.sequence);
        *sequence += 1;
        *sequence
    }
}

/// A step that is about to be begun.
pub(super) struct NewStep<'n> {
    pub(super) key: &'n str,
    pub(super) step_type: StepType,
    pub(super) side_effect: SideEffect,
    pub(super) hash: [u8; 32],
    pub(super) input: Value,
}

/// A step that waits for its next attempt, as if it had been read.
fn known_again(row: &StepRow) -> Step {
    Step {
        id: row.id,
        step_key: row.step_key.clone(),
        sequence: row.sequence,
        step_type: row.step_type,
        state: row.state,
        side_effect: row.side_effect,
        // It was compared when the turn came to the step.
        input_hash: Vec::new(),
        input: None,
        output: None,
        error_reason: None,
        error_message: None,
        attempt: row.attempt,
        failures: row.failures,
        decision: None,
        wait_until: None,
    }
}

fn reason_of(name: &str) -> Option<Reason> {
    Reason::from_str_name(&format!("ERROR_REASON_{name}"))
}
