//! Commands that are kept until runtime has answered them.
//!
//! A command is accepted when its row in `web.request_ids` is committed, before runtime hears of it. From then on it is done once
//! whatever dies: the same request sends it again under the id that was chosen first, and so does the [`super::sender`] of any
//! replica. Runtime takes the same id twice as one. What runtime refuses for good leaves the row abandoned: nothing was made, and
//! the caller may mend what was refused and use the request id again.

use crate::{
    app::{App, change::Change},
    runtime::{Actor, Runtime},
    store::identity::request_ids::{self, Claim, NewRequest},
};
use common_api::types::{Agent, Execution};
use prost::Message;
use runtime_api::v1 as pb;
use sha2::{Digest, Sha256};
use shared_db::{
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId},
    scope::Scope,
    service::{Caller, telemetry},
};
use std::time::Duration;
use tonic::Code;
use uuid::Uuid;

/// How long the sender leaves a command to whoever has it: longer than [`crate::runtime::COMMAND_MAX`] and the statements around.
pub const LEASE: Duration = Duration::from_secs(15);

/// When the sender may have a command that this call could not bring to an end.
const HAND_OVER: Duration = Duration::from_secs(1);

/// What runtime is asked to make. The id of it is not part of the command: the row has it.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, in one call")]
pub enum Command {
    StartExecution(pb::StartExecutionRequest),
    CreateAgent(pb::CreateAgentRequest),
}

impl Command {
    /// The method that a caller calls for it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::StartExecution(_) => "StartExecution",
            Self::CreateAgent(_) => "CreateAgent",
        }
    }

    /// The reverse of `encode`; `None` for a method of another release.
    pub fn decode(method: &str, bytes: &[u8]) -> Result<Option<Self>> {
        Ok(match method {
            "StartExecution" => {
                Some(Self::StartExecution(Message::decode(bytes).map_err(Error::internal)?))
            }
            "CreateAgent" => {
                Some(Self::CreateAgent(Message::decode(bytes).map_err(Error::internal)?))
            }
            _ => None,
        })
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::StartExecution(it) => it.encode_to_vec(),
            Self::CreateAgent(it) => it.encode_to_vec(),
        }
    }

    /// Has it made under `id`.
    pub async fn send(self, runtime: &Runtime, actor: Actor, id: Uuid) -> Result<Answer> {
        match self {
            Self::StartExecution(mut request) => {
                request.execution_id = id.to_string();
                runtime.start_execution(actor, request).await.map(Answer::Execution)
            }
            Self::CreateAgent(mut request) => {
                if let Some(agent) = &mut request.agent {
                    agent.id = id.to_string();
                }
                runtime.create_agent(actor, request).await.map(Answer::Agent)
            }
        }
    }
}

/// What runtime has made.
#[derive(Clone, Debug)]
pub enum Answer {
    Execution(Execution),
    Agent(Agent),
}

impl Answer {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Execution(it) => it.encode_to_vec(),
            Self::Agent(it) => it.encode_to_vec(),
        }
    }
}

/// What comes out of [`run`].
pub trait Made: Message + Default {
    fn of(answer: Answer) -> Option<Self>;
}

impl Made for Execution {
    fn of(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Execution(it) => Some(it),
            Answer::Agent(_) => None,
        }
    }
}

impl Made for Agent {
    fn of(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Agent(it) => Some(it),
            Answer::Execution(_) => None,
        }
    }
}

/// Runs a command once under a request id, and answers what it was answered first.
///
/// Two transactions and a call, the first time: begin, claim, commit; command; begin, answer, audit, commit.
pub async fn run<M: Made>(
    app: &App,
    caller: &Caller,
    request_id: &str,
    command: Command,
) -> Result<M> {
    let org = caller.org()?;
    let bytes = command.encode();
    let traceparent = telemetry::current_traceparent();
    let new = NewRequest {
        request_id,
        method: command.method(),
        // Fields of a message are encoded in their order, and those of a Struct in the order of their names.
        payload_hash: Sha256::digest(&bytes).into(),
        resource_id: fresh_id(&command),
        command: Some(&bytes),
        user: caller.user,
        api_key: caller.api_key,
        traceparent: traceparent.as_deref(),
    };
    let mut tx = app.db.begin(caller.scope()?).await?;
    let claim = request_ids::claim(&mut tx, org, &new, LEASE).await?;
    tx.commit().await?;

    let id = match claim {
        Claim::Answered(bytes) => return M::decode(bytes.as_slice()).map_err(Error::internal),
        // The payload is the same, so the command is.
        Claim::Fresh(id) | Claim::Pending { resource_id: id, .. } => id,
    };
    let answer = send(app, caller, request_id, id, command).await?;
    M::of(answer).ok_or_else(|| Error::internal(anyhow::anyhow!("an answer of another command")))
}

/// Sends an accepted command and writes down what came of it.
pub async fn send(
    app: &App,
    caller: &Caller,
    request_id: &str,
    id: Uuid,
    command: Command,
) -> Result<Answer> {
    let org = caller.org()?;
    let change = match &command {
        Command::StartExecution(_) => Change::new(caller, command.method(), ExecutionId(id)),
        Command::CreateAgent(_) => Change::new(caller, command.method(), AgentId(id)),
    };
    match command.send(&app.runtime, Actor::of(caller)?, id).await {
        Ok(answer) => {
            let mut tx = app.db.begin(caller.scope()?).await?;
            if request_ids::answer(&mut tx, org, request_id, id, &answer.encode()).await? {
                change.append(&mut tx).await?;
            }
            tx.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            let settled = settle(app, org, request_id, id, &error).await;
            if let Err(error) = settled {
                tracing::warn!(%error, "what came of a command could not be written down; the sender sends it again");
            }
            Err(error)
        }
    }
}

/// Gives up what was refused for good, and hands the rest over to the sender.
async fn settle(
    app: &App,
    org: OrganizationId,
    request_id: &str,
    id: Uuid,
    error: &Error,
) -> Result<()> {
    let mut tx = app.db.begin(Scope::Tenant(org, None)).await?;
    if is_refusal(error) {
        request_ids::abandon(&mut tx, org, request_id, id).await?;
    } else {
        request_ids::send_after(&mut tx, org, request_id, HAND_OVER).await?;
    }
    tx.commit().await
}

/// Sending it again would bring the same answer.
pub fn is_refusal(error: &Error) -> bool {
    matches!(
        error.kind().0,
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists
    )
}

fn fresh_id(command: &Command) -> Uuid {
    match command {
        Command::StartExecution(_) => ExecutionId::generate().0,
        Command::CreateAgent(_) => AgentId::generate().0,
    }
}
