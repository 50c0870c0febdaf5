//! One step of a turn: looked up when it has finished, otherwise begun, performed and written down.

use super::{
    super::{
        retry::{Retry, Verdict, final_reason},
        write::{Attempt, Write, Written},
    },
    Stop, Turn,
    hash::hash,
    locked,
};
use crate::{
    executor::{
        Call, Executor, Failure, Performed, Prepared,
        action::{Action, Kind},
    },
    store::{
        actions::{Evidence, NewActionExecution},
        executions::End,
        steps::{NewStep, Step},
    },
};
use serde_json::Value;
use shared_db::{
    enums::{ExecutionState, SideEffect, StepState},
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

/// What a step is to do.
pub(crate) struct StepCall<'c> {
    pub(crate) key: &'c str,
    pub(crate) action: Arc<Action>,
    pub(crate) input: Value,
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
    /// Does a step, unless it has been done. With `finish` it is the last one, and the execution ends in the same transaction.
    pub(crate) async fn step(
        &self,
        call: StepCall<'_>,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        let hash = hash(&call.input);
        let mut known = locked(&self.known).get(call.key).cloned();
        loop {
            if let Some(step) = &known
                && let Some(output) = self.settled(step, &call, &hash, finish).await?
            {
                return Ok(output);
            }
            let number = known.as_ref().map_or(1, |it| it.attempt + 1);
            let span = tracing::info_span!(
                "step",
                otel.name = format!("step {}", call.key),
                step = call.key,
                attempt = number
            );
            *locked(&self.current) = Some(call.key.to_owned());
            let tried = self.attempt(&call, known.take(), hash, finish).instrument(span).await;
            self.unrepeatable.store(false, Ordering::Release);
            match tried? {
                Tried::Output(output) => {
                    *locked(&self.current) = None;
                    return Ok(output);
                }
                Tried::Again(step, delay) => {
                    tokio::time::sleep(delay).await;
                    known = Some(step);
                }
            }
        }
    }

    /// What a step that is there already comes to; `None` when it is to be attempted (again).
    async fn settled(
        &self,
        step: &Step,
        call: &StepCall<'_>,
        hash: &[u8; 32],
        finish: Option<Finish<'_>>,
    ) -> Result<Option<Value>, Stop> {
        let fail = |reason, message: &str| {
            Err(Stop::Fail(reason, message.to_owned(), Some(call.key.to_owned())))
        };
        if step.input_hash != hash {
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
                let message = "the worker was lost during a call that must not be repeated, so whether it took effect is unknown";
                fail(Reason::StepOutcomeUnknown, message)
            }
            StepState::Running | StepState::Waiting | StepState::Pending => Ok(None),
        }
    }

    /// One attempt: noted before, performed, noted after.
    async fn attempt(
        &self,
        call: &StepCall<'_>,
        known: Option<Step>,
        hash: [u8; 32],
        finish: Option<Finish<'_>>,
    ) -> Result<Tried, Stop> {
        let action = &call.action;
        let failures = known.as_ref().map_or(0, |it| it.failures);
        let attempt = Attempt {
            step: known.as_ref().map_or_else(StepId::generate, |it| it.id),
            key: call.key.to_owned(),
            number: known.as_ref().map_or(1, |it| it.attempt + 1),
            action: ActionExecutionId::generate(),
        };
        // The remote sees one key for the step, however often it is attempted.
        let key = (action.side_effect == SideEffect::Idempotent).then(|| attempt.step.to_string());
        let prepared = action.check_input(&call.input).and_then(|()| {
            let call = Call { action, input: &call.input, idempotency_key: key.as_deref() };
            match &action.kind {
                Kind::Http(_) => self.core.http.prepare(call),
            }
        });
        let new = known.is_none().then(|| NewStep {
            id: attempt.step,
            step_key: attempt.key.clone(),
            sequence: self.next_sequence(),
            step_type: action.step_type(),
            side_effect: action.side_effect,
            input_hash: hash,
            input: call.input.clone(),
        });
        let noted = NewActionExecution {
            id: attempt.action,
            core_action_id: action.id,
            core_action_version: action.version,
            idempotency_key: key.clone().unwrap_or_default(),
            request: prepared.as_ref().ok().map(|it| it.request()),
        };
        self.unrepeatable.store(action.side_effect == SideEffect::AtMostOnce, Ordering::Release);
        let begun = Write::Begin { attempt: attempt.clone(), new, action: noted };
        if let Written::Cancelled = self.write(&begun).await? {
            return Err(Stop::Ended(ExecutionState::Cancelled));
        }
        let performed = self.perform(prepared).await;
        match performed.result {
            Ok(output) => {
                self.succeed(attempt, output, performed.evidence, finish).await.map(Tried::Output)
            }
            Err(failure) => {
                let settled = Failed {
                    attempt,
                    failure,
                    evidence: performed.evidence,
                    hash,
                    failures: failures + 1,
                };
                self.failed(call, settled).await
            }
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
        attempt: Attempt,
        output: Value,
        evidence: Evidence,
        finish: Option<Finish<'_>>,
    ) -> Result<Value, Stop> {
        let end = finish.map(|it| it(&output));
        let failed = matches!(end, Some(End::Failed { .. }));
        let write = Write::Succeed { attempt, output, evidence, end };
        let written = self.write(&write).await?;
        if failed {
            return Err(Stop::Ended(ExecutionState::Failed));
        }
        Ok(match (written, write) {
            (Written::Output(stored), _) => stored,
            // An earlier try was committed after all; what it stored is what was to be stored.
            (Written::Done | Written::Cancelled, Write::Succeed { output, .. }) => output,
            (Written::Done | Written::Cancelled, _) => Value::Null,
        })
    }

    /// Tries again soon, leaves that to another, or gives the execution up.
    async fn failed(&self, call: &StepCall<'_>, it: Failed) -> Result<Tried, Stop> {
        let Failed { attempt, failure, evidence, hash, failures } = it;
        let side_effect = call.action.side_effect;
        let verdict = call.retry.judge(side_effect, &failure, failures, rand::random());
        let Verdict::Again(delay) = verdict else {
            let (reason, message) = final_reason(verdict, &failure);
            let end = End::Failed {
                reason,
                message: crate::executor::legible(message),
                step_key: Some(attempt.key.clone()),
            };
            self.write(&Write::Fail { attempt, failure, evidence, end }).await?;
            return Err(Stop::Ended(ExecutionState::Failed));
        };
        tracing::info!(reason = reason_name(failure.reason), ?delay, "the step is tried again");
        let leave = delay >= SHORT_DELAY;
        let step = Step {
            id: attempt.step,
            step_key: attempt.key.clone(),
            sequence: 0,
            state: StepState::Waiting,
            side_effect,
            input_hash: hash.to_vec(),
            output: None,
            error_reason: None,
            error_message: None,
            attempt: attempt.number,
            failures,
        };
        let written =
            self.write(&Write::Retry { attempt, failure, evidence, delay, leave }).await?;
        match written {
            Written::Cancelled => Err(Stop::Ended(ExecutionState::Cancelled)),
            Written::Done | Written::Output(_) if leave => Err(Stop::Left),
            Written::Done | Written::Output(_) => Ok(Tried::Again(step, delay)),
        }
    }

    fn next_sequence(&self) -> i32 {
        let mut sequence = locked(&self.sequence);
        *sequence += 1;
        *sequence
    }
}

/// An attempt that failed, with how many of its step have.
struct Failed {
    attempt: Attempt,
    failure: Failure,
    evidence: Evidence,
    hash: [u8; 32],
    failures: i32,
}

fn reason_of(name: &str) -> Option<Reason> {
    Reason::from_str_name(&format!("ERROR_REASON_{name}"))
}
