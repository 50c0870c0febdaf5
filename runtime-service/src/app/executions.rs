//! Executions as commands start and stop them.

mod limits;

use crate::{
    engine::Wake,
    store::executions::{self, NewExecution},
};
use action_rules::schema::{self, Schema};
use common_api::types::{Agent, AgentType, Execution, IoSchema};
use moka::future::Cache;
use runtime_api::v1 as pb;
use serde_json::Value;
use shared_db::{
    clock::Clock,
    error::{Error, Reason, Result, Violation},
    ids::{AgentId, ExecutionId, OrganizationId},
    json, read,
    scope::{Db, Scope, Tx},
    service::{caller::Caller, id, telemetry},
};
use tonic::Code;

/// Compiled input schemas that are kept, each of one revision of an agent.
const SCHEMAS_MAX: u64 = 1000;

const PRIORITY_DEFAULT: i16 = 3;

#[derive(Clone)]
pub struct Executions {
    db: Db,
    clock: Clock,
    wake: Wake,
    schemas: Cache<(OrganizationId, AgentId, i32), Schema>,
}

impl Executions {
    pub fn new(db: Db, clock: Clock, wake: Wake) -> Self {
        Self { db, clock, wake, schemas: Cache::new(SCHEMAS_MAX) }
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
                let mut tx = self.db.begin(caller.scope()?).await?;
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
        let limits = limits::read(request.time_limits)?;
        let not_before = limits::not_before(self.clock.now(), request.not_before)?;
        let input = json::from_struct(request.input.unwrap_or_default());
        json::check_size("input", &input, read::executions::INPUT_BYTES_MAX)?;

        let (mut tx, agent) = self.agent(caller, id("agent_id", &request.agent_id)?).await?;
        self.check_input(&agent, &input).await?;
        let new = NewExecution {
            id: execution,
            agent_org_id: id("agent.organization_id", &agent.organization_id)?,
            agent_id: id("agent_id", &agent.id)?,
            agent_revision: agent.revision,
            session_id: request.session_id,
            parent_execution_id: None,
            call_stack: Vec::new(),
            initial_prompt: request.initial_prompt,
            input,
            priority: match i16::try_from(request.priority) {
                Ok(priority @ 1..) => priority,
                _ => PRIORITY_DEFAULT,
            },
            limits,
            not_before,
            traceparent: telemetry::current_traceparent(),
            created_by: caller.user,
        };
        executions::start(&mut tx, org, &new).await.map_err(|error| {
            error.on_constraint("agent_executions_input_check", || {
                Error::invalid("input", "is too long once its numbers are written out")
            })
        })?;
        let execution = read::executions::get(&mut tx, org, execution).await?;
        tx.commit().await?;
        self.wake.notify();
        Ok(execution)
    }

    pub async fn get(&self, caller: &Caller, id: ExecutionId) -> Result<Execution> {
        let mut tx = self.db.begin(caller.scope()?).await?;
        read::executions::get(&mut tx, caller.org()?, id).await
    }

    pub async fn cancel(
        &self,
        caller: &Caller,
        id: ExecutionId,
        reason: &str,
    ) -> Result<Execution> {
        let org = caller.org()?;
        let mut tx = self.db.begin(caller.scope()?).await?;
        executions::cancel(&mut tx, org, id, reason).await?;
        let execution = read::executions::get(&mut tx, org, id).await?;
        tx.commit().await?;
        Ok(execution)
    }

    /// The agent to execute, and the caller's transaction. The row of a shared agent belongs to another organization, so it takes
    /// a look of its own; no second connection is held meanwhile.
    async fn agent(&self, caller: &Caller, id: AgentId) -> Result<(Tx, Agent)> {
        let org = caller.org()?;
        let mut tx = self.db.begin(caller.scope()?).await?;
        if let Some(agent) = read::agents::find(&mut tx, org, id).await? {
            return Ok((tx, agent));
        }
        drop(tx);
        let mut platform = self.db.begin(Scope::Platform).await?;
        let shared = read::agents::find_shared(&mut platform, org, id).await?;
        drop(platform);
        let agent = shared.ok_or_else(|| Error::not_found("agent", id))?;
        Ok((self.db.begin(caller.scope()?).await?, agent))
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
        let violations: Vec<_> = (schema.mismatches(input).into_iter())
            .map(|it| Violation { field: format!("input{}", it.path), problem: it.problem })
            .collect();
        if violations.is_empty() {
            return Ok(());
        }
        Err(Error::Invalid { reason: Reason::SchemaMismatch, violations })
    }
}

/// Repeating the command would bring the same answer.
fn is_refusal(error: &Error) -> bool {
    let (code, _) = error.kind();
    matches!(code, Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition)
}
