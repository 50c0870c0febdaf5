//! Forks: executions of the same agent, at the same revision, that begin with the finished steps of another.

use super::{Executions, is_refusal};
use crate::store::{
    executions::{self, forks},
    steps, usable,
};
use common_api::types::{Agent, Execution};
use runtime_api::v1 as pb;
use shared_db::{
    enums::StepState,
    error::{Error, Reason, Result},
    ids::ExecutionId,
    json, read,
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
        let (owner, revision) = (original.agent_org_id, original.agent_revision);
        let agent = self.core.agents.get(owner, original.agent_id, revision).await?;
        let agent = agent.ok_or_else(|| impossible(&request.id, "its agent's revision is gone"))?;
        let keys = kept(&agent, &done, &request)?;
        let any_input = request.input.is_some();
        let mut new = original.again(org, from, fork, caller.user);
        new.forked_from_step = Some(request.from_step);
        new.traceparent = trace_context::current_traceparent();
        if let Some(input) = request.input {
            new.input = json::from_struct(input);
        }
        json::check_size("input", &new.input, read::executions::INPUT_BYTES_MAX)?;
        self.check_input(&agent, &new.input).await?;

        let mut tx = self.core.begin_in_order().await?;
        new.platforms = usable::platforms(&mut tx, owner, &agent).await?;
        let made = executions::start(&mut tx, std::slice::from_ref(&new), None).await?;
        let Some(made) = made.into_iter().next() else { return Ok(None) };
        let taken = forks::take_over(&mut tx, org, from, fork, &keys, any_input).await?;
        if usize::try_from(taken) != Ok(keys.len()) {
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
