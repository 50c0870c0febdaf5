//! Commands that are kept until runtime has answered them.
//!
//! A command is accepted when its row in `web.request_ids` is committed, before runtime hears of it. From then on it is done once
//! whatever dies: the same request sends it again under the id that was chosen first, and so does the [`super::sender`] of any
//! replica. Runtime takes the same id twice as one. What runtime refuses for good leaves the row abandoned: nothing was made, and
//! the caller may mend what was refused and use the request id again.

use crate::{
    app::{App, change::Subject},
    runtime::{Actor, Runtime},
    store::identity::request_ids::{self, Acceptance, Answered, Claim},
};
use common_api::types::{Agent, Execution, InputRequest, RedriveBatch};
use prost::Message;
use runtime_api::v1 as pb;
use sha2::{Digest, Sha256};
use shared_db::{
    error::{Error, Reason, Result, reason_name},
    ids::{ActivityId, AgentId, ExecutionId, InputRequestId, OrganizationId, SignalId},
    scope::Scope,
    service::{Caller, trace_context},
};
use std::time::Duration;
use tonic::Code;
use tonic_types::StatusExt;
use uuid::Uuid;
use web_api::v1::BatchStartExecutionsResponse;

/// How long the sender leaves a command to whoever has it: longer than [`crate::runtime::COMMAND_MAX`] and the statements around.
pub const LEASE: Duration = Duration::from_secs(15);

/// When the sender may have a command that this call could not bring to an end.
const HAND_OVER: Duration = Duration::from_secs(1);

/// What runtime is asked to make. The id of it is not part of the command: the row has it.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, in one call")]
pub enum Command {
    StartExecution(pb::StartExecutionRequest),
    BatchStartExecutions(pb::BatchStartExecutionsRequest),
    ForkExecution(pb::ForkExecutionRequest),
    CreateAgent(pb::CreateAgentRequest),
    RedriveDeadLetters(pb::RedriveDeadLettersRequest),
    SignalExecution(pb::SignalExecutionRequest),
    AnswerInputRequest(pb::AnswerInputRequestRequest),
}

impl Command {
    /// The method that a caller calls for it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::StartExecution(_) => "StartExecution",
            Self::BatchStartExecutions(_) => "BatchStartExecutions",
            Self::ForkExecution(_) => "ForkExecution",
            Self::CreateAgent(_) => "CreateAgent",
            Self::RedriveDeadLetters(_) => "RedriveDeadLetters",
            Self::SignalExecution(_) => "SignalExecution",
            Self::AnswerInputRequest(_) => "AnswerInputRequest",
        }
    }

    /// The reverse of `encode`; `None` for a method of another release.
    pub fn decode(method: &str, bytes: &[u8]) -> Result<Option<Self>> {
        macro_rules! decoded {
            ($command:ident) => {
                Some(Self::$command(Message::decode(bytes).map_err(Error::internal)?))
            };
        }
        Ok(match method {
            "StartExecution" => decoded!(StartExecution),
            "BatchStartExecutions" => decoded!(BatchStartExecutions),
            "ForkExecution" => decoded!(ForkExecution),
            "CreateAgent" => decoded!(CreateAgent),
            "RedriveDeadLetters" => decoded!(RedriveDeadLetters),
            "SignalExecution" => decoded!(SignalExecution),
            "AnswerInputRequest" => decoded!(AnswerInputRequest),
            _ => None,
        })
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::StartExecution(it) => it.encode_to_vec(),
            Self::BatchStartExecutions(it) => it.encode_to_vec(),
            Self::ForkExecution(it) => it.encode_to_vec(),
            Self::CreateAgent(it) => it.encode_to_vec(),
            Self::RedriveDeadLetters(it) => it.encode_to_vec(),
            Self::SignalExecution(it) => it.encode_to_vec(),
            Self::AnswerInputRequest(it) => it.encode_to_vec(),
        }
    }

    /// What the trail says was changed: what was made, or what it was about.
    fn subject(&self, id: Uuid) -> Result<Subject> {
        Ok(match self {
            Self::StartExecution(_) | Self::ForkExecution(_) => ExecutionId(id).into(),
            Self::BatchStartExecutions(_) => Subject { kind: "execution_batch", id },
            Self::CreateAgent(_) => AgentId(id).into(),
            Self::SignalExecution(it) => {
                it.id.parse::<ExecutionId>().map_err(Error::internal)?.into()
            }
            Self::AnswerInputRequest(_) => InputRequestId(id).into(),
            Self::RedriveDeadLetters(_) => Subject::batch(id),
        })
    }

    /// Has it made under `id`.
    pub async fn send(self, runtime: &Runtime, actor: Actor, id: Uuid) -> Result<Answer> {
        match self {
            Self::StartExecution(mut request) => {
                request.execution_id = id.to_string();
                runtime.start_execution(actor, request).await.map(Answer::Execution)
            }
            Self::BatchStartExecutions(mut request) => {
                for (index, it) in (0..).zip(&mut request.requests) {
                    it.execution_id = ExecutionId::derived(id, index).to_string();
                }
                let answer = runtime.batch_start_executions(actor, request).await?;
                Ok(Answer::Batch(BatchStartExecutionsResponse { results: answer.results }))
            }
            Self::ForkExecution(mut request) => {
                request.execution_id = id.to_string();
                runtime.fork_execution(actor, request).await.map(Answer::Execution)
            }
            Self::CreateAgent(mut request) => {
                if let Some(agent) = &mut request.agent {
                    agent.id = id.to_string();
                }
                runtime.create_agent(actor, request).await.map(Answer::Agent)
            }
            // Sent twice, it starts nothing twice: a letter that was redriven is not redriven again.
            Self::RedriveDeadLetters(request) => {
                runtime.redrive_dead_letters(actor, request).await.map(Answer::Redriven)
            }
            Self::SignalExecution(mut request) => {
                request.signal_id = id.to_string();
                runtime.signal_execution(actor, request).await.map(Answer::Execution)
            }
            Self::AnswerInputRequest(request) => {
                runtime.answer_input_request(actor, request).await.map(Answer::InputRequest)
            }
        }
    }
}

/// What runtime has made.
#[derive(Clone, Debug)]
pub enum Answer {
    Execution(Execution),
    Batch(BatchStartExecutionsResponse),
    Agent(Agent),
    Redriven(RedriveBatch),
    InputRequest(InputRequest),
}

impl Answer {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Execution(it) => it.encode_to_vec(),
            Self::Batch(it) => it.encode_to_vec(),
            Self::Agent(it) => it.encode_to_vec(),
            Self::Redriven(it) => it.encode_to_vec(),
            Self::InputRequest(it) => it.encode_to_vec(),
        }
    }
}

/// What comes out of [`run`].
pub trait Made: Message + Default {
    fn of(answer: Answer) -> Option<Self>;
}

macro_rules! made {
    ($($message:ident in $variant:ident,)*) => {$(
        impl Made for $message {
            fn of(answer: Answer) -> Option<Self> {
                if let Answer::$variant(it) = answer { Some(it) } else { None }
            }
        }
    )*};
}

made! {
    Execution in Execution,
    Agent in Agent,
    RedriveBatch in Redriven,
    InputRequest in InputRequest,
    BatchStartExecutionsResponse in Batch,
}

/// Runs a command once under a request id, and answers what it was answered first.
///
/// Two transactions and a call, the first time: accept; command; answer and audit. Both transactions are shared with other calls.
pub async fn run<M: Made>(
    app: &App,
    caller: &Caller,
    request_id: &str,
    command: Command,
) -> Result<M> {
    let org = caller.org()?;
    let bytes = command.encode();
    let new = Acceptance {
        org,
        request_id: request_id.to_owned(),
        method: command.method(),
        // Fields of a message are encoded in their order, and those of a Struct in the order of their names.
        payload_hash: Sha256::digest(&bytes).into(),
        resource_id: resource_id(&command)?,
        command: bytes,
        user: caller.user,
        api_key: caller.api_key,
        traceparent: trace_context::current_traceparent(),
    };
    let id = if app.desk.accept(new.clone()).await? {
        new.resource_id
    } else {
        let mut tx = app.db.begin(caller.scope()?).await?;
        let claim = request_ids::claim(&mut tx, org, &new.as_new(), LEASE).await?;
        tx.commit().await?;
        match claim {
            Claim::Answered(bytes) => return M::decode(bytes.as_slice()).map_err(Error::internal),
            // The payload is the same, so the command is.
            Claim::Fresh(id) | Claim::Pending { resource_id: id, .. } => id,
        }
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
    let subject = command.subject(id)?;
    let method = command.method();
    match command.send(&app.runtime, Actor::of(caller)?, id).await {
        Ok(answer) => {
            let answered = Answered {
                org,
                request_id: request_id.to_owned(),
                resource_id: id,
                response: answer.encode(),
                activity: ActivityId::generate(),
                user: caller.user,
                api_key: caller.api_key,
                action: method,
                subject_type: subject.kind,
                subject_id: subject.id,
                trace_id: trace_context::trace_id(),
            };
            app.desk.answer(answered).await?;
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
    let refusal = matches!(
        error.kind().0,
        Code::InvalidArgument
            | Code::NotFound
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::PermissionDenied
    );
    refusal || is_full(error)
}

/// There is no room for it, as against a service that is overloaded for a moment.
fn is_full(error: &Error) -> bool {
    let Error::Status(status) = error else { return false };
    let info = status.get_details_error_info();
    info.is_some_and(|it| it.reason == reason_name(Reason::TooManySignals))
}

/// A fresh id for what is made, and its own for what is there.
fn resource_id(command: &Command) -> Result<Uuid> {
    Ok(match command {
        // Of a batch only the trail speaks of it.
        Command::StartExecution(_)
        | Command::BatchStartExecutions(_)
        | Command::ForkExecution(_)
        | Command::RedriveDeadLetters(_) => ExecutionId::generate().0,
        Command::CreateAgent(_) => AgentId::generate().0,
        Command::SignalExecution(_) => SignalId::generate().0,
        Command::AnswerInputRequest(it) => it.id.parse().map_err(Error::internal)?,
    })
}
