//! Forks: executions of the same agent, at the same revision, that begin with the finished steps of another.

use super::{Executions, is_refusal};
use crate::store::{
    executions::{
        self, NewExecution,
        forks::{self, Original},
    },
    steps, usable,
};
use common_api::types::{Agent, Execution};
use runtime_api::v1 as pb;
use shared_db::{
    enums::{ClosePolicy, StepState},
    error::{Error, Reason, Result},
    ids::ExecutionId,
    json, read,
    scope::Scope,
    service::{caller::Caller, id, trace_context},
};

impl Executions {
    /// Accepts a fork under the id that web chose. The same again returns what is there.
    pub async fn fork(
        &self,
        caller: &Caller,
        request: pb::ForkExecutionRequest,
    ) -> Result<Execution> {
        let fork: ExecutionId = id("execution_id", &request.execution_id)?;
        let (from, step) = (request.id.clone(), request.from_step.clone());
        let refusal = match self.make(caller, fork, request).await {
            Ok(Some(made)) => return Ok(made),
            Ok(None) => impossible(&from, "its agent is gone, or not shared any more"),
            Err(refusal) if is_refusal(&refusal) => refusal,
            Err(error) => return Err(error),
        };
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let there = read::executions::find(&mut tx, caller.org()?, fork).await?;
        there.filter(|it| it.forked_from == from && it.forked_from_step == step).ok_or(refusal)
    }

    async fn make(
        &self,
        caller: &Caller,
        fork: ExecutionId,
        request: pb::ForkExecutionRequest,
    ) -> Result<Option<Execution>> {
        let org = caller.org()?;
        let from: ExecutionId = id("id", &request.id)?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let original = forks::original(&mut tx, org, from).await?;
        let done = steps::list(&mut tx, org, from).await?;
        drop(tx);
        let Original { agent_org_id, agent_id, agent_revision, .. } = original;
        let agent = self.core.agents.get(agent_org_id, agent_id, agent_revision).await?;
        let agent = agent.ok_or_else(|| impossible(&request.id, "its agent's revision is gone"))?;
        let keys = kept(&agent, &done, &request)?;
        let any_input = request.input.is_some();
        let input = request.input.map_or_else(|| original.input.clone(), json::from_struct);
        json::check_size("input", &input, read::executions::INPUT_BYTES_MAX)?;
        self.check_input(&agent, &input).await?;

        let mut tx = self.core.db.begin(Scope::Platform).await?;
        let new = NewExecution {
            org,
            id: fork,
            agent_org_id,
            agent_id,
            agent_revision,
            session_id: original.session_id,
            parent_execution_id: None,
            call_stack: Vec::new(),
            close_policy: ClosePolicy::Terminate,
            execution_key: None,
            platforms: usable::platforms(&mut tx, agent_org_id, &agent).await?,
            forked_from: Some(from),
            forked_from_step: Some(request.from_step),
            initial_prompt: original.initial_prompt,
            input,
            priority: original.priority,
            limits: original.limits,
            not_before: None,
            traceparent: trace_context::current_traceparent(),
            created_by: caller.user,
        };
        let made = executions::start(&mut tx, std::slice::from_ref(&new), None).await?;
        let Some(made) = made.into_iter().next() else { return Ok(None) };
        let copied = forks::copy_steps(&mut tx, org, from, fork, &keys, any_input).await?;
        if usize::try_from(copied) != Ok(keys.len()) {
            return Err(impossible(&request.id, "its steps are not kept any more"));
        }
        tx.commit().await?;
        self.core.wake.work_of(org);
        Ok(Some(super::accepted(&new, &made)))
    }
}

/// The steps that a fork takes over: all before `from_step`, each of which has succeeded.
fn kept(
    agent: &Agent,
    done: &[steps::Step],
    request: &pb::ForkExecutionRequest,
) -> Result<Vec<String>> {
    let refuse = |problem: String| Err(impossible(&request.id, &problem));
    let calls = agent.endpoint.as_ref().map_or(&[][..], |it| &it.calls);
    let Some(position) = calls.iter().position(|it| it.step_key == request.from_step) else {
        let (step, revision) = (&request.from_step, agent.revision);
        return refuse(format!("its agent has no step {step:?} at revision {revision}"));
    };
    let keys: Vec<_> = calls.iter().take(position).map(|it| it.step_key.clone()).collect();
    for key in &keys {
        match done.iter().find(|it| it.step_key == *key).map(|it| it.state) {
            Some(StepState::Succeeded) => {}
            Some(_) => return refuse(format!("its step {key:?} has not succeeded")),
            None => return refuse(format!("its step {key:?} was never begun")),
        }
    }
    Ok(keys)
}

fn impossible(id: &str, problem: &str) -> Error {
    let problem = format!("execution {id} can not be forked there: {problem}");
    Error::precondition(Reason::ForkImpossible, format!("execution/{id}"), problem)
}
