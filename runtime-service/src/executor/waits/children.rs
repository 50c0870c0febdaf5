//! Executions that an execution starts. It waits until all of them have ended, unless they are detached.
//!
//! Their ids follow from the id of the step, so only their number is kept with it. They are started by the first look at the step, in the
//! transaction in which it begins: what refuses them is an outcome of the step.

mod start;

use crate::{
    engine::{
        state::Verb,
        turn::{Opened, Outcome, Stop, Waited},
    },
    executor::{Failure, api::Context},
    store::{
        executions::children::{self, Child},
        lease::WriteResult,
        steps::{self, Limit},
    },
};
use common_api::types::ChildrenStep;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use shared_db::{
    enums::{ClosePolicy, ExecutionState, StepType},
    error::{Reason, Result},
    ids::{AgentId, ExecutionId, StepId},
};
use sqlx::PgConnection;
use std::fmt::Write as _;

/// Children of one step.
const CHILDREN_MAX: usize = 10_000;

/// Bytes of what all children of a step came to.
const OUTPUT_BYTES_MAX: i64 = 16 << 20;

pub(crate) struct Children {
    agent: AgentId,
    /// Of each child.
    inputs: Vec<Value>,
    close_policy: ClosePolicy,
    tolerate_failures: bool,
    detached: bool,
}

/// Why no children are started, or what they came to is not taken.
type Refusal = (Reason, String);

impl Children {
    pub(crate) fn of(
        context: &Context<'_>,
        step: &ChildrenStep,
        input: &Value,
    ) -> Result<Self, Stop> {
        let failed =
            |problem: String| context.failed(Failure::fatal(Reason::ChildrenInvalid, problem));
        let agent = step
            .agent_id
            .parse()
            .map_err(|_| failed(format!("{:?} is not the id of an agent", step.agent_id)))?;
        let items = if step.for_each.is_empty() {
            vec![input.clone()]
        } else {
            let list = Value::String(step.for_each.clone());
            match context.render(&list, "start_children.for_each")? {
                Value::Array(items) if items.len() <= CHILDREN_MAX => items,
                Value::Array(items) => {
                    let count = items.len();
                    let problem = format!(
                        "for_each came to {count} items; at most {CHILDREN_MAX} children are started"
                    );
                    return Err(failed(problem));
                }
                other @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_)) => {
                    let problem =
                        format!("for_each did not come to a list but to {}", kind(&other));
                    return Err(failed(problem));
                }
            }
        };
        let input = |it: Value| if it.is_object() { it } else { json!({ "item": it }) };
        let inputs = items.into_iter().map(input);
        Ok(Self {
            agent,
            inputs: inputs.collect(),
            close_policy: ClosePolicy::from_wire(step.close_policy())
                .unwrap_or(ClosePolicy::Terminate),
            tolerate_failures: step.tolerate_failures,
            detached: step.detached,
        })
    }

    /// What they came to, once all of them have ended.
    async fn results(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        ids: &[ExecutionId],
    ) -> WriteResult<Outcome> {
        let org = of.lease.org;
        let bytes = children::weight(conn, org, ids).await?;
        if OUTPUT_BYTES_MAX < bytes {
            let problem =
                format!("the children came to {bytes} bytes; {OUTPUT_BYTES_MAX} are taken");
            return Ok(Outcome::Failed(Reason::ChildrenTooLarge, problem));
        }
        let came = children::list(conn, org, ids).await?;
        let failed = came.iter().enumerate().find(|it| it.1.state != ExecutionState::Succeeded);
        if let Some((index, child)) = failed.filter(|_| !self.tolerate_failures) {
            return Ok(Outcome::Failed(Reason::ChildFailed, lament(index, child)));
        }
        Ok(Outcome::Output(came.into_iter().map(told).collect()))
    }

    async fn look_at(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
    ) -> WriteResult<Option<Outcome>> {
        let (step, noted) = steps::noted(conn, of.lease, of.key).await?;
        let count = match noted.get("children").and_then(Value::as_u64) {
            Some(count) => usize::try_from(count).unwrap_or(CHILDREN_MAX),
            None => match self.start(conn, of, step).await? {
                Ok(count) => count,
                Err((reason, problem)) => return Ok(Some(Outcome::Failed(reason, problem))),
            },
        };
        let ids = ids(step, count);
        if self.detached {
            return Ok(Some(Outcome::Output(json!(ids))));
        }
        if children::live(conn, of.lease.org, of.lease.execution).await? {
            return Ok(None);
        }
        self.results(conn, of, &ids).await.map(Some)
    }
}

impl Waited for Children {
    fn step_type(&self) -> StepType {
        StepType::Agent
    }

    fn verb(&self) -> Verb {
        Verb::AwaitChildren
    }

    fn limit(&self) -> Option<Limit> {
        None
    }

    fn joins(&self) -> bool {
        true
    }

    fn open<'w>(&'w self, _: &'w mut PgConnection, _: Opened<'w>) -> BoxFuture<'w, WriteResult> {
        async { Ok(()) }.boxed()
    }

    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        _: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        self.look_at(conn, of).boxed()
    }
}

fn ids(step: StepId, count: usize) -> Vec<ExecutionId> {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    (0..count).map(|it| ExecutionId::derived(step.0, it)).collect()
}

fn told(it: Child) -> Value {
    let error = it.error_reason.map(|reason| {
        json!({ "reason": reason, "message": it.error_message, "step_key": it.error_step_key })
    });
    json!({ "execution_id": it.id, "state": it.state.name(), "output": it.output, "error": error })
}

fn lament(index: usize, child: &Child) -> String {
    let mut text = format!("child {index}, execution {}, is {}", child.id, child.state.name());
    if let (Some(reason), Some(message)) = (&child.error_reason, &child.error_message) {
        let _ = write!(text, " as {reason}: {message}");
    }
    text
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
