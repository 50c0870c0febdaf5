//! What an agent must be before it is kept: of one kind, with schemas and templates that compile and actions that exist. What is
//! found here would otherwise be found by its first execution.

mod waits;

use crate::store::agents;
use action_rules::{Fault, schema, values};
use common_api::types::{
    ActionCall, Agent, AgentEndpoint, AgentType, IoSchema, action_call::Builtin,
};
use prost_types::Struct;
use serde_json::Value;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{CoreActionId, OrganizationId},
    json,
};
use sqlx::PgConnection;
use std::collections::HashSet;

/// Calls of one api agent.
const CALLS_MAX: usize = 50;

/// Bytes of the metadata as JSON.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// What can be told from the definition alone.
pub(super) fn definition(agent: &Agent) -> Result<()> {
    shape(agent)?;
    if let Some(io) = &agent.io_schema {
        schemas(io)?;
    }
    if let Some(metadata) = agent.metadata.clone() {
        json::check_size("agent.metadata", &json::from_struct(metadata), METADATA_BYTES_MAX)?;
    }
    agent.endpoint.as_ref().map_or(Ok(()), endpoint)
}

/// Every core action that a call names, in the organization of the agent.
pub(super) async fn actions(
    conn: &mut PgConnection,
    org: OrganizationId,
    agent: &Agent,
) -> Result<()> {
    let calls = agent.endpoint.as_ref().map_or(&[][..], |it| &it.calls);
    let mut ids = Vec::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate().filter(|it| it.1.builtin.is_none()) {
        let id: CoreActionId = call
            .core_action_id
            .parse()
            .map_err(|_| Error::invalid(action_field(index), "must be a UUID"))?;
        ids.push((index, id));
    }
    if ids.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = ids.iter().map(|it| it.1).collect();
    let known = agents::known_actions(conn, org, &named).await?;
    match ids.into_iter().find(|it| !known.contains(&it.1)) {
        Some((index, _)) => {
            let problem = "is not a core action of this organization; create it first";
            Err(Error::invalid(action_field(index), problem))
        }
        None => Ok(()),
    }
}

/// Each type has its own way to do its work, and not another's.
fn shape(agent: &Agent) -> Result<()> {
    let refuse = |field: &str, problem: &str| Err(Error::invalid(field, problem));
    match agent.r#type() {
        AgentType::Unspecified => refuse("agent.type", "is required"),
        AgentType::Context if agent.endpoint.is_some() => {
            refuse("agent.endpoint", "must be absent: a context agent has an llm_config instead")
        }
        AgentType::Context if agent.llm_config.is_none() => {
            refuse("agent.llm_config", "is required for a context agent")
        }
        AgentType::Api | AgentType::External if agent.llm_config.is_some() => {
            refuse("agent.llm_config", "must be absent: only context agents have one")
        }
        AgentType::Api | AgentType::External if agent.endpoint.is_none() => {
            refuse("agent.endpoint", "is required for an api or external agent")
        }
        AgentType::Api => calls(agent.endpoint.as_ref()),
        AgentType::External if agent.endpoint.as_ref().is_some_and(|it| !it.calls.is_empty()) => {
            refuse("agent.endpoint.calls", "must be empty: only api agents make calls")
        }
        AgentType::Context | AgentType::External => Ok(()),
    }
}

fn calls(endpoint: Option<&AgentEndpoint>) -> Result<()> {
    match endpoint.map_or(0, |it| it.calls.len()) {
        1..=CALLS_MAX => Ok(()),
        count => {
            let problem = format!("must be 1 to {CALLS_MAX} calls, not {count}");
            Err(Error::invalid("agent.endpoint.calls", problem))
        }
    }
}

fn schemas(io: &IoSchema) -> Result<()> {
    let compile = |field: &str, it: &Struct| {
        schema::compile(&json::from_struct(it.clone()))
            .map(drop)
            .map_err(|fault| refused(fault, field))
    };
    io.input.as_ref().map_or(Ok(()), |it| compile("agent.io_schema.input", it))?;
    io.output.as_ref().map_or(Ok(()), |it| compile("agent.io_schema.output", it))
}

fn endpoint(endpoint: &AgentEndpoint) -> Result<()> {
    let mut keys = HashSet::new();
    for (index, call) in endpoint.calls.iter().enumerate() {
        let ActionCall { step_key, core_action_id, input, retry, builtin } = call;
        if !keys.insert(step_key) {
            let field = format!("agent.endpoint.calls[{index}].step_key");
            let problem =
                format!("{step_key:?} names an earlier call too; each call needs its own");
            return Err(Error::invalid(field, problem));
        }
        if core_action_id.is_empty() == builtin.is_none() {
            let problem = "set exactly one of core_action_id, value, sleep, request_input, wait_signal, start_children, put_data and get_data";
            return Err(Error::invalid(format!("agent.endpoint.calls[{index}]"), problem));
        }
        if retry.is_some() && builtin.is_some() {
            let field = format!("agent.endpoint.calls[{index}].retry");
            return Err(Error::invalid(
                field,
                "must be absent: only calls of actions are tried again",
            ));
        }
        if let Some(builtin) = builtin {
            waits::step(&format!("agent.endpoint.calls[{index}]"), builtin)?;
        }
        if let Some(Builtin::StartChildren(step)) = builtin {
            let field = format!("agent.endpoint.calls[{index}].start_children.for_each");
            let list = Value::String(step.for_each.clone());
            values::check(&list).map_err(|fault| refused(fault, &field))?;
        }
        if let Some(input) = input {
            let field = format!("agent.endpoint.calls[{index}].input");
            let input = json::from_value(input.clone());
            values::check(&input).map_err(|fault| refused(fault, &field))?;
        }
    }
    Ok(())
}

fn action_field(index: usize) -> String {
    format!("agent.endpoint.calls[{index}].core_action_id")
}

fn refused(fault: Fault, field: &str) -> Error {
    let Fault { reason, field, problem } = fault.within(field);
    let reason: Reason = reason;
    Error::invalid_as(reason, field, problem)
}
