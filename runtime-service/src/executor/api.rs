//! Agents of type api: their steps in order, most of them calls of core actions. The last one's output is the execution's.

use super::{
    Failure, legible,
    waits::{
        children::Children,
        data::{Get, Put},
        input::Input,
        signal::Signal,
        sleep::Sleep,
    },
};
use crate::{
    engine::{
        Retry,
        turn::{Finish, Found, StepCall, Stop, Turn},
    },
    store::{agents, executions::End, steps::Limit},
};
use action_rules::{schema, values};
use chrono::DateTime;
use common_api::types::{ActionCall, Agent, SleepStep, action_call::Builtin};
use serde_json::{Map, Value, json};
use shared_db::{
    enums::StepType,
    error::{Reason, Result},
    ids::{AgentId, CoreActionId, OrganizationId},
    json as wire,
    scope::{Db, Scope},
};
use std::{sync::Arc, time::Duration};

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
        let output = perform(turn, call, &outputs, None).await?;
        outputs.insert(call.step_key.clone(), output);
    }
    perform(turn, last, &outputs, Some(&finish)).await.map(drop)
}

/// Does one step: a call of an action, or one of the others.
async fn perform(
    turn: &Turn,
    call: &ActionCall,
    outputs: &Map<String, Value>,
    finish: Option<Finish<'_>>,
) -> Result<Value, Stop> {
    let key = call.step_key.as_str();
    let context = Context { turn, call, outputs };
    let due = match turn.look_up(key, context.input()?, finish).await? {
        Found::Output(output) => return Ok(output),
        Found::Due(due) => due,
    };
    match &call.builtin {
        None => turn.step(due, prepare(&context).await?, finish).await,
        Some(Builtin::Value(_)) => turn.compute(due, StepType::Value, finish).await,
        Some(Builtin::Sleep(step)) => {
            let sleep = Sleep { until: sleep_until(&context, step, due.input())? };
            turn.wait(due, &sleep, finish).await
        }
        Some(Builtin::RequestInput(step)) => {
            let asked = Input::of(&context, step)?;
            turn.wait(due, &asked, finish).await
        }
        Some(Builtin::WaitSignal(step)) => turn.wait(due, &Signal::of(step), finish).await,
        Some(Builtin::PutData(step)) => {
            let put = Put::of(&context, step)?;
            turn.wait(due, &put, finish).await
        }
        Some(Builtin::GetData(step)) => {
            let get = Get::of(&context, step)?;
            turn.wait(due, &get, finish).await
        }
        Some(Builtin::StartChildren(step)) => {
            let children = Children::of(&context, step, due.input())?;
            let waited = turn.wait(due, &children, finish).await;
            turn.core.wake.work_of(turn.lease().org);
            waited
        }
    }
}

/// What a step is made from.
pub(crate) struct Context<'c> {
    pub(crate) turn: &'c Turn,
    pub(crate) call: &'c ActionCall,
    /// Of the steps before, by their keys.
    pub(crate) outputs: &'c Map<String, Value>,
}

impl Context<'_> {
    /// The step's input, with its templates filled in.
    fn input(&self) -> Result<Value, Stop> {
        match &self.call.input {
            None => Ok(self.turn.input().clone()),
            Some(template) => self.render(&wire::from_value(template.clone()), "input"),
        }
    }

    /// Fills in the templates of a value. `field` is named in errors.
    pub(crate) fn render(&self, template: &Value, field: &str) -> Result<Value, Stop> {
        let context = json!({ "input": self.turn.input(), "steps": self.outputs });
        values::render(template, &context).map_err(|fault| self.failed(fault.within(field).into()))
    }

    /// Fills in a template that makes text of `chars_min` to `chars_max` characters.
    pub(crate) fn text(
        &self,
        template: &str,
        field: &str,
        (chars_min, chars_max): (usize, usize),
    ) -> Result<String, Stop> {
        let text = match self.render(&Value::String(template.to_owned()), field)? {
            Value::String(it) => it.replace('\0', "\u{fffd}"),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => other.to_string(),
        };
        let chars = text.chars().count();
        if (chars_min..=chars_max).contains(&chars) {
            return Ok(text);
        }
        let message =
            format!("{field} must be {chars_min} to {chars_max} characters long, and is {chars}");
        Err(self.failed(Failure::fatal(Reason::InvalidField, message)))
    }

    /// The execution fails, at this step.
    pub(crate) fn failed(&self, failure: Failure) -> Stop {
        Stop::Fail(failure.reason, failure.message, Some(self.call.step_key.clone()))
    }
}

fn sleep_until(context: &Context<'_>, step: &SleepStep, input: &Value) -> Result<Limit, Stop> {
    if let Some(until) = input.get("until").and_then(Value::as_str) {
        let until = DateTime::parse_from_rfc3339(until).map_err(|problem| {
            let message = format!("input.until is not an RFC 3339 time: {problem}");
            context.failed(Failure::fatal(Reason::InvalidField, message))
        })?;
        return Ok(Limit::At(until.to_utc()));
    }
    let duration = step.duration.and_then(|it| Duration::try_from(it).ok());
    duration.map(Limit::After).ok_or_else(|| {
        let message = "a sleep needs a duration, or a time in input.until";
        context.failed(Failure::fatal(Reason::InvalidField, message))
    })
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

/// Finds the action of a call.
async fn prepare(context: &Context<'_>) -> Result<StepCall, Stop> {
    let Context { turn, call, .. } = context;
    let id: CoreActionId = call.core_action_id.parse().map_err(|_| {
        let message = format!("{:?} is not the id of a core action", call.core_action_id);
        context.failed(Failure::fatal(Reason::ActionUnavailable, message))
    })?;
    // Actions belong to the organization of the agent, also when another one executes it.
    let org = turn.work().agent_org_id;
    let actions = &turn.core.actions;
    let action = turn.read(|| actions.get(org, id)).await?.map_err(|it| context.failed(it))?;
    let retry = Retry::of(call.retry.as_ref(), action.retry.as_ref());
    Ok(StepCall { action, retry })
}
