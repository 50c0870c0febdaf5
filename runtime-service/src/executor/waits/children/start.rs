//! Starting children: what they take from their parent, and what they may not be.

use super::{Children, Refusal, ids};
use crate::{
    engine::turn::Opened,
    store::{
        events::{self, NewEvent},
        executions::{
            self, Limits, NewExecution,
            children::{self, Parent},
        },
        lease::{WriteError, WriteResult},
        queue, steps,
        usable::{self, Usable},
    },
};
use action_rules::schema;
use common_api::types::AgentType;
use serde_json::{Value, json};
use shared_db::{
    enums::EventType,
    error::{Error, Reason, Result},
    ids::{ExecutionId, StepId},
    json as wire, read,
    service::trace_context,
};
use sqlx::PgConnection;
use std::time::Duration;

/// Executions above one another.
const DEPTH_MAX: usize = 16;

/// Children that one statement starts.
const BATCH_MAX: usize = 500;

impl Children {
    /// Starts all of them, or none. Returns how many there are.
    pub(super) async fn start(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        step: StepId,
    ) -> WriteResult<Result<usize, Refusal>> {
        let usable = match self.check(conn, of).await? {
            Ok(usable) => usable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let parent = children::parent(conn, of.lease).await?;
        let new = self.new_executions(of, step, &usable, &parent);
        for batch in new.chunks(BATCH_MAX) {
            let made = executions::start(conn, batch, None).await?;
            if made.len() < batch.len() {
                // All of it is done again, with the agent as it is by then.
                let problem = "the agent of the children has changed in this moment".into();
                let reason = Reason::DatabaseUnavailable;
                return Err(WriteError::Store(Error::Unavailable { reason, problem }));
            }
            if self.detached {
                let ids: Vec<_> = batch.iter().map(|it| it.id).collect();
                queue::detach(conn, of.lease.org, &ids).await?;
            }
        }
        let count = new.len();
        steps::note(conn, of.lease, of.key, json!({ "children": count })).await?;
        let payload = json!({ "agent_id": self.agent, "count": count, "detached": self.detached });
        let event =
            NewEvent { event_type: EventType::ChildrenStarted, step_key: Some(of.key), payload };
        events::append(conn, of.lease, event).await?;
        Ok(Ok(count))
    }

    /// Whether they may be started.
    async fn check(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
    ) -> WriteResult<Result<Usable, Refusal>> {
        let org = of.lease.org;
        let stack = stack(of);
        if DEPTH_MAX < stack.len() {
            let problem = format!("executions are nested at most {DEPTH_MAX} deep");
            return Ok(Err((Reason::DepthExceeded, problem)));
        }
        let above = stack.iter().map(|it| it.0).collect::<Vec<_>>();
        if let Some(id) = children::executing(conn, org, &above, self.agent).await? {
            let problem = format!("agent {} is executed above already, by {id}", self.agent);
            return Ok(Err((Reason::ExecutionCycle, problem)));
        }
        let Some(usable) = usable::find(conn, org, self.agent).await? else {
            let problem = format!("agent {} is gone, or not shared any more", self.agent);
            return Ok(Err((Reason::ResourceNotFound, problem)));
        };
        if usable.agent.r#type() != AgentType::Api {
            let problem = "only agents of type api can be executed so far".to_owned();
            return Ok(Err((Reason::AgentTypeUnsupported, problem)));
        }
        Ok(self.check_inputs(&usable).map(|()| usable))
    }

    fn check_inputs(&self, usable: &Usable) -> Result<(), Refusal> {
        let schema = usable.agent.io_schema.as_ref().and_then(|it| it.input.clone());
        let compiled = schema.map(|it| schema::compile(&wire::from_struct(it))).transpose();
        let compiled = compiled.map_err(|it| (it.reason, it.to_string()))?;
        for (index, input) in self.inputs.iter().enumerate() {
            if let Some(fault) = compiled.as_ref().and_then(|it| it.validate(input).err()) {
                let problem =
                    format!("item {index} does not match the input schema of the agent: {fault}");
                return Err((Reason::SchemaMismatch, problem));
            }
            let bytes_max = read::executions::INPUT_BYTES_MAX;
            if wire::check_size("input", input, bytes_max).is_err() {
                let problem = format!("item {index} is larger than {bytes_max} bytes as JSON");
                return Err((Reason::ChildrenInvalid, problem));
            }
        }
        Ok(())
    }

    fn new_executions(
        &self,
        of: Opened<'_>,
        step: StepId,
        usable: &Usable,
        parent: &Parent,
    ) -> Vec<NewExecution> {
        let millis = |it: i64| Duration::from_millis(it.max(1).unsigned_abs());
        let call_stack: Vec<_> = stack(of).into_iter().map(|it| it.0).collect();
        let traceparent = trace_context::current_traceparent();
        let new = |(id, input): (ExecutionId, &Value)| NewExecution {
            org: of.lease.org,
            id,
            agent_org_id: usable.org,
            agent_id: self.agent,
            agent_revision: usable.agent.revision,
            session_id: parent.session_id.clone(),
            parent_execution_id: Some(of.lease.execution),
            call_stack: call_stack.clone(),
            close_policy: self.close_policy,
            execution_key: None,
            platforms: usable.platforms.clone(),
            forked_from: None,
            forked_from_step: None,
            initial_prompt: String::new(),
            input: input.clone(),
            priority: parent.priority,
            limits: Limits {
                queue: millis(parent.queue_limit_ms.min(parent.total_left_ms)),
                attempt: millis(parent.attempt_limit_ms.min(parent.total_left_ms)),
                total: millis(parent.total_left_ms),
            },
            not_before: None,
            traceparent: traceparent.clone(),
            created_by: parent.created_by,
        };
        ids(step, self.inputs.len()).into_iter().zip(&self.inputs).map(new).collect()
    }
}

/// The executions above the children, outermost first.
fn stack(of: Opened<'_>) -> Vec<ExecutionId> {
    let above = of.turn.work().call_stack.iter().map(|it| ExecutionId(*it));
    above.chain([of.lease.execution]).collect()
}
