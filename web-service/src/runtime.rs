//! runtime-service as web sees it: commands, each bounded by the caller's deadline and part of its trace.

mod config;
mod connection;
mod endpoints;
mod purges;
mod refusal;
mod replicas;
mod waits;

pub use config::RuntimeConfig;
pub use purges::Erased;

use common_api::types::{
    Agent, CancelBatch, ConcurrencyLimits, Execution, PurgeBatch, RedriveBatch,
};
use endpoints::Resolver;
use rand::Rng;
use refusal::{refused, unavailable};
use replicas::Replicas;
use runtime_api::v1::{
    self as pb, agent_service_client::AgentServiceClient,
    concurrency_limit_service_client::ConcurrencyLimitServiceClient,
    dead_letter_service_client::DeadLetterServiceClient,
    execution_service_client::ExecutionServiceClient,
};
use shared_db::{
    error::{Error, Result},
    ids::{OrganizationId, UserId},
    service::{Caller, Secret, deadline, trace_context},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
};

/// The longest that a command may take, all attempts together. The sender waits longer than this before it takes one over.
pub const COMMAND_MAX: Duration = Duration::from_secs(8);

/// Attempts of a command that may be repeated.
const ATTEMPTS_MAX: u32 = 4;

/// Delay before the second attempt. It doubles, and the half of it is drawn.
const BACKOFF: Duration = Duration::from_millis(40);

/// For whom a command is given.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    /// None where it is about a person.
    pub org: Option<OrganizationId>,
    pub user: Option<UserId>,
}

impl Actor {
    pub fn of(caller: &Caller) -> Result<Self> {
        Ok(Self { org: Some(caller.org()?), user: caller.user })
    }
}

/// Whether doing a command twice is doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    Freely,
    Never,
}

/// The client. Clones share its connections.
#[derive(Clone)]
pub struct Runtime {
    channel: Replicas,
    resolver: Resolver,
    authorization: Option<MetadataValue<Ascii>>,
}

impl Runtime {
    /// Connects to what [`Runtime::resolve`] finds.
    pub fn new(config: &RuntimeConfig, key: Option<&Secret>) -> anyhow::Result<Self> {
        let resolver = Resolver::new(config)?;
        let authorization = key
            .map(|key| {
                let mut value: MetadataValue<Ascii> = format!("Bearer {}", key.expose())
                    .parse()
                    .map_err(|_| anyhow::anyhow!("--runtime-key is not printable ASCII"))?;
                value.set_sensitive(true);
                anyhow::Ok(value)
            })
            .transpose()?;
        Ok(Self { channel: resolver.replicas(), resolver, authorization })
    }

    /// Keeps the addresses of runtime-service up to date until `stop`.
    pub async fn resolve(self, stop: CancellationToken) -> anyhow::Result<()> {
        self.resolver.run(stop).await
    }

    /// Keeps the certificates of new connections to runtime-service up to date until `stop`.
    pub async fn reload(self, interval: Duration, stop: CancellationToken) -> anyhow::Result<()> {
        self.resolver.reload(interval, stop).await
    }

    pub async fn create_agent(
        &self,
        actor: Actor,
        message: pb::CreateAgentRequest,
    ) -> Result<Agent> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            agents(channel).create_agent(it).await
        })
        .await
    }

    /// Not repeated: a second time would make a second revision.
    pub async fn update_agent(
        &self,
        actor: Actor,
        message: pb::UpdateAgentRequest,
    ) -> Result<Agent> {
        self.call(actor, Repeat::Never, message, |channel, it| async move {
            agents(channel).update_agent(it).await
        })
        .await
    }

    /// Not repeated: a second time would find nothing.
    pub async fn delete_agent(&self, actor: Actor, message: pb::DeleteAgentRequest) -> Result<()> {
        self.call(actor, Repeat::Never, message, |channel, it| async move {
            agents(channel).delete_agent(it).await
        })
        .await
    }

    pub async fn share_agent(&self, actor: Actor, message: pb::ShareAgentRequest) -> Result<()> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            agents(channel).share_agent(it).await
        })
        .await
    }

    pub async fn unshare_agent(
        &self,
        actor: Actor,
        message: pb::UnshareAgentRequest,
    ) -> Result<()> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            agents(channel).unshare_agent(it).await
        })
        .await
    }

    pub async fn start_execution(
        &self,
        actor: Actor,
        message: pb::StartExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).start_execution(it).await
        })
        .await
    }

    pub async fn batch_start_executions(
        &self,
        actor: Actor,
        message: pb::BatchStartExecutionsRequest,
    ) -> Result<pb::BatchStartExecutionsResponse> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).batch_start_executions(it).await
        })
        .await
    }

    pub async fn fork_execution(
        &self,
        actor: Actor,
        message: pb::ForkExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).fork_execution(it).await
        })
        .await
    }

    pub async fn cancel_execution(
        &self,
        actor: Actor,
        message: pb::CancelExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).cancel_execution(it).await
        })
        .await
    }

    /// Not repeated: what a first try has stopped would be missing from the counts of a second.
    pub async fn batch_cancel_executions(
        &self,
        actor: Actor,
        message: pb::BatchCancelExecutionsRequest,
    ) -> Result<CancelBatch> {
        self.call(actor, Repeat::Never, message, |channel, it| async move {
            executions(channel).batch_cancel_executions(it).await
        })
        .await
    }

    pub async fn pause_execution(
        &self,
        actor: Actor,
        message: pb::PauseExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).pause_execution(it).await
        })
        .await
    }

    pub async fn resume_execution(
        &self,
        actor: Actor,
        message: pb::ResumeExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).resume_execution(it).await
        })
        .await
    }

    /// Not repeated here: what a first try has started would be missing from the answer of a second.
    pub async fn redrive_dead_letters(
        &self,
        actor: Actor,
        message: pb::RedriveDeadLettersRequest,
    ) -> Result<RedriveBatch> {
        self.call(actor, Repeat::Never, message, |channel, it| async move {
            dead_letters(channel).redrive_dead_letters(it).await
        })
        .await
    }

    /// Not repeated: what a first try has removed would be missing from the counts of a second.
    pub async fn purge_dead_letters(
        &self,
        actor: Actor,
        message: pb::PurgeDeadLettersRequest,
    ) -> Result<PurgeBatch> {
        self.call(actor, Repeat::Never, message, |channel, it| async move {
            dead_letters(channel).purge_dead_letters(it).await
        })
        .await
    }

    pub async fn set_organization_limit(
        &self,
        actor: Actor,
        message: pb::SetOrganizationLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            limits(channel).set_organization_limit(it).await
        })
        .await
    }

    pub async fn set_concurrency_limit(
        &self,
        actor: Actor,
        message: pb::SetConcurrencyLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            limits(channel).set_concurrency_limit(it).await
        })
        .await
    }

    pub async fn delete_concurrency_limit(
        &self,
        actor: Actor,
        message: pb::DeleteConcurrencyLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            limits(channel).delete_concurrency_limit(it).await
        })
        .await
    }

    /// Gives a command, and gives it again while runtime is unavailable, if there is time and it may be repeated or nobody has seen it.
    async fn call<Q: Clone, A, F>(
        &self,
        actor: Actor,
        repeat: Repeat,
        message: Q,
        send: impl Fn(Replicas, Request<Q>) -> F,
    ) -> Result<A>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let left = deadline::remaining().map_or(COMMAND_MAX, |it| it.min(COMMAND_MAX));
        let until = tokio::time::Instant::now() + left;
        let attempts = async {
            let mut attempt = 1;
            loop {
                let request = self.request(actor, message.clone(), until)?;
                let refusal = match send(self.channel.clone(), request).await {
                    Ok(answer) => return Ok(answer.into_inner()),
                    Err(status) => refused(&status),
                };
                let again = refusal.unsent || (refusal.passes && repeat == Repeat::Freely);
                if !again || attempt == ATTEMPTS_MAX {
                    return Err(refusal.error);
                }
                let delay = BACKOFF * 2_u32.pow(attempt - 1);
                let delay = rand::rng().random_range(delay / 2..=delay);
                tokio::time::sleep(delay).await;
                attempt += 1;
            }
        };
        tokio::time::timeout_at(until, attempts).await.unwrap_or_else(|_| {
            let caller_is_late = deadline::remaining().is_some_and(|it| it.is_zero());
            if caller_is_late { Err(Error::DeadlineExceeded) } else { Err(unavailable()) }
        })
    }

    fn request<Q>(
        &self,
        actor: Actor,
        message: Q,
        until: tokio::time::Instant,
    ) -> Result<Request<Q>> {
        let mut request = Request::new(message);
        request.set_timeout(until.saturating_duration_since(tokio::time::Instant::now()));
        let metadata = request.metadata_mut();
        let text = |it: String| it.parse::<MetadataValue<Ascii>>().map_err(Error::internal);
        if let Some(org) = actor.org {
            metadata.insert("x-freehold-org", text(org.to_string())?);
        }
        if let Some(user) = actor.user {
            metadata.insert("x-freehold-user", text(user.to_string())?);
        }
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        trace_context::inject(metadata);
        Ok(request)
    }
}

fn agents(channel: Replicas) -> AgentServiceClient<Replicas> {
    AgentServiceClient::new(channel).max_decoding_message_size(usize::MAX)
}

fn executions(channel: Replicas) -> ExecutionServiceClient<Replicas> {
    ExecutionServiceClient::new(channel).max_decoding_message_size(usize::MAX)
}

fn dead_letters(channel: Replicas) -> DeadLetterServiceClient<Replicas> {
    DeadLetterServiceClient::new(channel).max_decoding_message_size(usize::MAX)
}

fn limits(channel: Replicas) -> ConcurrencyLimitServiceClient<Replicas> {
    ConcurrencyLimitServiceClient::new(channel).max_decoding_message_size(usize::MAX)
}
