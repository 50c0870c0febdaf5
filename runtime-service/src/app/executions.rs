//! Executions as commands start and stop them.

mod batch;
mod control;
mod decisions;
mod fork;
pub(crate) mod intake;
pub(super) mod keyed;
mod limits;
mod signals;
mod startable;

use super::check_against;
use crate::{
    engine::{Core, Engine},
    store::executions::{self, Made, NewExecution},
};
use action_rules::schema::{self, Schema};
use common_api::types::{Agent, AgentType, Execution, IoSchema};
use intake::Intake;
use keyed::Policies;
use moka::future::Cache;
use runtime_api::v1 as pb;
use serde_json::Value;
use shared_db::{
    clock::Clock,
    enums::{ClosePolicy, ExecutionState},
    error::{Error, Reason, Result},
    ids::{AgentId, ExecutionId, OrganizationId},
    json, read,
    service::{caller::Caller, id, trace_context},
};
use startable::Startable;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::Code;

/// Compiled input schemas that are kept, each of one revision of an agent.
const SCHEMAS_MAX: u64 = 1000;

/// Starts under keys that are under way at once in this process.
const KEYED_MAX: usize = 4;

const PRIORITY_DEFAULT: i16 = 3;

#[derive(Clone)]
pub struct Executions {
    core: Arc<Core>,
    clock: Clock,
    intake: Intake,
    agents: Startable,
    keyed: Arc<Semaphore>,
    schemas: Cache<(OrganizationId, AgentId, i32), Schema>,
}

impl Executions {
    /// For the engine that performs what it accepts.
    pub fn of(engine: &Engine) -> Self {
        Self::new(engine.core(), Clock::System)
    }

    fn new(core: Arc<Core>, clock: Clock) -> Self {
        Self {
            clock,
            intake: intake::open(core.clone()),
            agents: Startable::new(core.db.clone()),
            keyed: Arc::new(Semaphore::new(KEYED_MAX)),
            schemas: Cache::new(SCHEMAS_MAX),
            core,
        }
    }

    /// Accepts an execution under the id that web chose. The same again returns what is there, also when its agent has changed
    /// or gone since, so that a command which is sent twice is answered the same way twice.
    pub async fn start(
        &self,
        caller: &Caller,
        request: pb::StartExecutionRequest,
    ) -> Result<Execution> {
        let id: ExecutionId = id("execution_id", &request.execution_id)?;
        let agent = request.agent_id.clone();
        match self.accept(caller, id, request).await {
            Ok(execution) => Ok(execution),
            Err(refusal) if is_refusal(&refusal) => {
                let mut tx = self.core.db.begin(caller.scope()?).await?;
                let there = read::executions::find(&mut tx, caller.org()?, id).await?;
                there.filter(|it| it.agent_id == agent).ok_or(refusal)
            }
            Err(error) => Err(error),
        }
    }

    async fn accept(
        &self,
        caller: &Caller,
        execution: ExecutionId,
        request: pb::StartExecutionRequest,
    ) -> Result<Execution> {
        let org = caller.org()?;
        let policies =
            Policies { reuse: request.reuse_policy(), conflict: request.conflict_policy() };
        let limits = limits::read(request.time_limits)?;
        let not_before = limits::not_before(self.clock.now(), request.not_before)?;
        let input = json::from_struct(request.input.unwrap_or_default());
        json::check_size("input", &input, read::executions::INPUT_BYTES_MAX)?;

        let agent: AgentId = id("agent_id", &request.agent_id)?;
        let known = self.agents.get(org, agent).await?;
        self.check_input(&known.agent, &input).await?;
        let mut new = NewExecution {
            org,
            id: execution,
            agent_org_id: known.org,
            agent_id: agent,
            agent_revision: known.agent.revision,
            session_id: request.session_id,
            parent_execution_id: None,
            call_stack: Vec::new(),
            close_policy: ClosePolicy::Terminate,
            execution_key: Some(request.execution_key).filter(|it| !it.is_empty()),
            platforms: known.platforms.clone(),
            forked_from: None,
            forked_from_step: None,
            initial_prompt: request.initial_prompt,
            input,
            priority: match i16::try_from(request.priority) {
                Ok(priority @ 1..) => priority,
                _ => PRIORITY_DEFAULT,
            },
            limits,
            not_before,
            traceparent: trace_context::current_traceparent(),
            created_by: caller.user,
        };
        if let Some(made) = self.hand_in(&new, policies).await? {
            return Ok(accepted(&new, &made));
        }
        // It is there already, or the agent has changed since it was read.
        if let Some(there) = self.there(caller, &new).await? {
            return Ok(there);
        }
        self.agents.forget(org, agent).await;
        let known = self.agents.get(org, agent).await?;
        self.check_input(&known.agent, &new.input).await?;
        new.agent_org_id = known.org;
        new.agent_revision = known.agent.revision;
        new.platforms.clone_from(&known.platforms);
        if let Some(made) = self.hand_in(&new, policies).await? {
            return Ok(accepted(&new, &made));
        }
        self.there(caller, &new).await?.ok_or_else(|| Error::not_found("agent", agent))
    }

    async fn hand_in(&self, new: &NewExecution, policies: Policies) -> Result<Option<Made>> {
        let made = match &new.execution_key {
            Some(key) => {
                // Those that wait for one key do not take all connections.
                let _turn = self.keyed.acquire().await.map_err(Error::internal)?;
                keyed::start(&self.core, new, key, policies).await
            }
            None => self.intake.submit(new.clone()).await,
        };
        made.map_err(|error| {
            error.on_constraint("agent_executions_input_check", || {
                Error::invalid("input", "is too long once its numbers are written out")
            })
        })
    }

    /// The execution that is there under this id, if it was started by the same command.
    async fn there(&self, caller: &Caller, new: &NewExecution) -> Result<Option<Execution>> {
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let Some(there) = read::executions::find(&mut tx, new.org, new.id).await? else {
            return Ok(None);
        };
        if executions::is_same(&mut tx, new).await? {
            return Ok(Some(there));
        }
        Err(Error::AlreadyExists { resource: "execution", key: "id" })
    }

    pub async fn get(&self, caller: &Caller, id: ExecutionId) -> Result<Execution> {
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        read::executions::get(&mut tx, caller.org()?, id).await
    }

    /// Whether the agent can be executed, with this input.
    async fn check_input(&self, agent: &Agent, input: &Value) -> Result<()> {
        if agent.r#type() != AgentType::Api {
            let problem = "only agents of type api can be executed so far";
            let subject = format!("agent/{}", agent.id);
            return Err(Error::precondition(Reason::AgentTypeUnsupported, subject, problem));
        }
        let Some(IoSchema { input: Some(schema), .. }) = &agent.io_schema else { return Ok(()) };
        let key =
            (id("organization_id", &agent.organization_id)?, id("id", &agent.id)?, agent.revision);
        let schema = if let Some(schema) = self.schemas.get(&key).await {
            schema
        } else {
            // It compiled when the agent was written.
            let value = json::from_struct(schema.clone());
            let compiled = schema::compile(&value).map_err(Error::internal)?;
            self.schemas.insert(key, compiled.clone()).await;
            compiled
        };
        check_against("input", &schema, input)
    }
}

/// Repeating the command would bring the same answer.
fn is_refusal(error: &Error) -> bool {
    let (code, _) = error.kind();
    matches!(code, Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition)
}

/// An execution as it is when it was just accepted.
fn accepted(new: &NewExecution, made: &Made) -> Execution {
    read::executions::Execution {
        org_id: new.org,
        id: new.id,
        agent_org_id: new.agent_org_id,
        agent_id: new.agent_id,
        agent_revision: new.agent_revision,
        session_id: new.session_id.clone(),
        parent_execution_id: new.parent_execution_id,
        root_execution_id: new.root(),
        call_stack: new.call_stack.clone(),
        close_policy: new.close_policy,
        execution_key: new.execution_key.clone(),
        forked_from: new.forked_from,
        forked_from_step: new.forked_from_step.clone(),
        initial_prompt: new.initial_prompt.clone(),
        input: new.input.clone(),
        output: None,
        state: ExecutionState::Queued,
        error_reason: None,
        error_message: None,
        error_step_key: None,
        attempt: 0,
        last_event_seq: 1,
        priority: new.priority,
        cancel_requested: false,
        pause_requested: false,
        queue_limit_ms: executions::millis(new.limits.queue),
        attempt_limit_ms: executions::millis(new.limits.attempt),
        total_limit_ms: executions::millis(new.limits.total),
        not_before: new.not_before.unwrap_or(made.created_at),
        created_by: new.created_by,
        created_at: made.created_at,
        updated_at: made.created_at,
        started_at: None,
        finished_at: None,
    }
    .into()
}
