//! Agents of type api: calls of core actions in order, each a step. The last one's output is the execution's.

use super::{Failure, legible};
use crate::{
    engine::{
        Retry,
        turn::{StepCall, Stop, Turn},
    },
    store::{agents, executions::End},
};
use action_rules::{schema, values};
use common_api::types::{ActionCall, Agent};
use serde_json::{Map, Value, json};
use shared_db::{
    error::{Reason, Result},
    ids::{AgentId, CoreActionId, OrganizationId},
    json as wire,
    scope::{Db, Scope},
};
use std::sync::Arc;

/// Definitions of agents. A revision never changes, so what was read once is good for ever.
#[derive(Clone)]
pub struct Agents {
    db: Db,
    read: moka::future::Cache<(OrganizationId, AgentId, i32), Arc<Agent>>,
}

/// Entries of the cache.
const READ_MAX: u64 = 1000;

impl Agents {
    pub fn new(db: Db) -> Self {
        Self { db, read: moka::future::Cache::new(READ_MAX) }
    }

    /// The agent as it was at `revision`; `None` when there is no such revision.
    pub async fn get(
        &self,
        org: OrganizationId,
        id: AgentId,
        revision: i32,
    ) -> Result<Option<Arc<Agent>>> {
        let key = (org, id, revision);
        if let Some(agent) = self.read.get(&key).await {
            return Ok(Some(agent));
        }
        let mut tx = self.db.begin(Scope::Tenant(org, None)).await?;
        let definition = agents::definition(&mut tx, org, id, revision).await?;
        drop(tx);
        let Some(definition) = definition else { return Ok(None) };
        let agent = Arc::new(wire::to_message::<Agent>(definition)?);
        self.read.insert(key, agent.clone()).await;
        Ok(Some(agent))
    }
}

/// Performs the calls of `agent`. When this returns `Ok` the execution has succeeded and that is written.
pub(crate) async fn run(turn: &Turn, agent: &Agent) -> Result<(), Stop> {
    let calls = agent.endpoint.as_ref().map(|it| it.calls.as_slice()).unwrap_or_default();
    let output_schema =
        agent.io_schema.as_ref().and_then(|it| it.output.clone()).map(wire::from_struct);
    let finish = |output: &Value| ending(output_schema.as_ref(), output);
    let Some((last, before)) = calls.split_last() else {
        let end = finish(&Value::Null);
        return turn.end(end).await;
    };
    let mut outputs = Map::new();
    for call in before {
        let step = prepare(turn, call, &outputs).await?;
        let output = turn.step(step, None).await?;
        outputs.insert(call.step_key.clone(), output);
    }
    let step = prepare(turn, last, &outputs).await?;
    turn.step(step, Some(&finish)).await.map(drop)
}

/// How an execution ends that came to `output`.
fn ending(schema: Option<&Value>, output: &Value) -> End {
    let checked = schema.map_or(Ok(()), |it| schema::compile(it)?.validate(output));
    match checked {
        Ok(()) => End::Succeeded { output: output.clone() },
        Err(fault) => End::Failed {
            reason: Reason::SchemaMismatch,
            message: legible(format!(
                "the output does not match the agent's output schema: {fault}"
            )),
            step_key: None,
        },
    }
}

/// Fills in the input of a call and finds its action.
async fn prepare<'c>(
    turn: &Turn,
    call: &'c ActionCall,
    outputs: &Map<String, Value>,
) -> Result<StepCall<'c>, Stop> {
    let failed =
        |failure: Failure| Stop::Fail(failure.reason, failure.message, Some(call.step_key.clone()));
    let input = match &call.input {
        None => turn.input().clone(),
        Some(template) => {
            let context = json!({ "input": turn.input(), "steps": outputs });
            values::render(&wire::from_value(template.clone()), &context)
                .map_err(|fault| failed(fault.within("input").into()))?
        }
    };
    let id: CoreActionId = call.core_action_id.parse().map_err(|_| {
        let message = format!("{:?} is not the id of a core action", call.core_action_id);
        failed(Failure::fatal(Reason::ActionUnavailable, message))
    })?;
    // Actions belong to the organization of the agent, also when another one executes it.
    let org = turn.work().agent_org_id;
    let actions = &turn.core.actions;
    let action = turn.read(|| actions.get(org, id)).await?.map_err(failed)?;
    let retry = Retry::of(call.retry.as_ref(), action.retry.as_ref());
    Ok(StepCall { key: &call.step_key, action, input, retry })
}
