//! What people decide about steps whose outcome is unknown.

use super::Executions;
use crate::{
    app::check_against,
    executor::action::Action,
    store::{
        events::{self, NewEvent},
        executions::{self, End},
        lease::{Lease, WriteError, WriteResult},
        queue,
        steps::decisions::{self, Standing},
    },
};
use common_api::types as wire_types;
use runtime_api::v1 as pb;
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, StepDecision, StepState},
    error::{Error, Reason, Result, reason_name},
    ids::{ExecutionId, OrganizationId, UserId},
    json as wire, read,
    scope::Tx,
    service::{caller::Caller, id},
};
use std::sync::Arc;

/// Bytes of an output as JSON.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

const FAILED: &str =
    "somebody decided that the step has failed; whether it took effect was unknown";

/// What somebody says of a step.
struct Asked<'a> {
    key: &'a str,
    decision: StepDecision,
    output: Value,
    /// 0: whichever is undecided.
    attempt: i32,
    by: Option<UserId>,
}

impl Executions {
    /// Decides about a step. The same decision again changes nothing.
    pub async fn decide(
        &self,
        caller: &Caller,
        request: pb::DecideStepRequest,
    ) -> Result<wire_types::ExecutionStep> {
        let org = caller.org()?;
        let execution: ExecutionId = id("execution_id", &request.execution_id)?;
        let decision = StepDecision::from_wire(request.decision());
        let asked = Asked {
            key: &request.step_key,
            decision: decision.ok_or_else(|| Error::invalid("decision", "is required"))?,
            output: wire::from_value(request.output.clone().unwrap_or_default()),
            attempt: request.attempt,
            by: caller.user,
        };
        wire::check_size("output", &asked.output, OUTPUT_BYTES_MAX)?;
        let action = self.action_of(caller, execution, &asked).await?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let locked = queue::lock(&mut tx, org, execution, true).await?;
        read::executions::progress(&mut tx, org, execution).await?;
        let standing = asked.look(&mut tx, org, execution).await?;
        let standing = standing.ok_or_else(|| Error::not_found("step", asked.key))?;
        match locked {
            Some(locked) if asked.is_wanted(&standing) => {
                if let Some(schema) = action.as_ref().and_then(|it| it.output_schema.as_ref()) {
                    check_against("output", schema, &asked.output)?;
                }
                let lease = locked.lease;
                take(&mut tx, &lease, &asked, &standing).await.map_err(WriteError::under_lock)?;
                if asked.decision != StepDecision::Failed {
                    queue::wake(&mut tx, org, execution).await?;
                }
            }
            _ if asked.is_taken(&standing) => {}
            _ => return Err(not_undecided(execution, &asked, &standing)),
        }
        let step = read::steps::get(&mut tx, org, execution, asked.key).await?;
        tx.commit().await?;
        self.core.follow.tell((org, execution));
        self.core.wake.work_of(org);
        self.core.wake.events_of(execution);
        Ok(step)
    }

    /// The action that the step was to perform, whose schema its output has to match, when somebody says what it came to. `None` where
    /// nothing can be asked of it: the execution is not there, or the action is not any more.
    async fn action_of(
        &self,
        caller: &Caller,
        execution: ExecutionId,
        asked: &Asked<'_>,
    ) -> Result<Option<Arc<Action>>> {
        if asked.decision != StepDecision::Succeeded {
            return Ok(None);
        }
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let of = executions::agent_of(&mut tx, caller.org()?, execution).await?;
        drop(tx);
        let Some((owner, agent, revision)) = of else { return Ok(None) };
        let agent = self.core.agents.get(owner, agent, revision).await?;
        let endpoint = agent.as_ref().and_then(|it| it.endpoint.as_ref());
        let call = endpoint.and_then(|it| it.calls.iter().find(|it| it.step_key == asked.key));
        let Some(id) = call.and_then(|it| it.core_action_id.parse().ok()) else { return Ok(None) };
        Ok(self.core.actions.get(owner, id).await?.ok())
    }
}

impl Asked<'_> {
    /// The step waits for this decision.
    fn is_wanted(&self, it: &Standing) -> bool {
        it.undecided && (self.attempt == 0 || self.attempt == it.attempt)
    }

    /// It was decided so before.
    fn is_taken(&self, it: &Standing) -> bool {
        let decided = it.decision == Some(self.decision);
        match self.decision {
            StepDecision::Succeeded => {
                decided && it.state == StepState::Succeeded && it.same_output
            }
            StepDecision::Failed => decided && it.state == StepState::Failed,
            StepDecision::Repeat => it.repeated,
        }
    }

    async fn look(
        &self,
        tx: &mut Tx,
        org: OrganizationId,
        execution: ExecutionId,
    ) -> Result<Option<Standing>> {
        decisions::find(tx, org, execution, self.key, &self.output, self.attempt).await
    }
}

/// Writes the decision down with its events; a step that has failed takes its execution with it.
async fn take(tx: &mut Tx, lease: &Lease, asked: &Asked<'_>, it: &Standing) -> WriteResult {
    let output = (asked.decision == StepDecision::Succeeded).then_some(&asked.output);
    decisions::decide(tx, lease, asked.key, asked.decision, output, asked.by).await?;
    let payload =
        json!({ "decision": asked.decision, "decided_by": asked.by, "attempt": it.attempt });
    tell(tx, lease, asked, EventType::StepDecided, payload).await?;
    match asked.decision {
        StepDecision::Repeat => Ok(()),
        StepDecision::Succeeded => {
            let payload = json!({ "attempt": it.attempt });
            tell(tx, lease, asked, EventType::StepSucceeded, payload).await
        }
        StepDecision::Failed => {
            let reason = Reason::StepOutcomeUnknown;
            let payload =
                json!({ "attempt": it.attempt, "reason": reason_name(reason), "message": FAILED });
            tell(tx, lease, asked, EventType::StepFailed, payload).await?;
            let (message, step_key) = (FAILED.to_owned(), Some(asked.key.to_owned()));
            executions::end(tx, lease, &End::Failed { reason, message, step_key }).await
        }
    }
}

async fn tell(
    tx: &mut Tx,
    lease: &Lease,
    asked: &Asked<'_>,
    event_type: EventType,
    payload: Value,
) -> WriteResult {
    let event = NewEvent { event_type, step_key: Some(asked.key), payload };
    events::append(tx, lease, event).await.map(drop)
}

fn not_undecided(execution: ExecutionId, asked: &Asked<'_>, it: &Standing) -> Error {
    let problem = if it.undecided {
        format!(
            "attempt {} of the step waits for a decision, and not attempt {}",
            it.attempt, asked.attempt
        )
    } else {
        "the step does not wait for a decision".to_owned()
    };
    let subject = format!("execution/{execution}/step/{}", asked.key);
    Error::precondition(Reason::StepNotUndecided, subject, problem)
}
