//! Executions that wait for people, signals and data: what comes is never missed, whatever happens in the same moment.

mod data;
mod inputs;
mod signals;
mod sleeps;

use super::workshop::{Workshop, quick, runtime_db};
use common_api::{options::Role, types};
use runtime_api::v1 as pb;
use runtime_service::{
    app::{dead_letters::DeadLetters, executions::Executions, input_requests::InputRequests},
    engine::Engine,
    store::queue,
};
use serde_json::Value;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{AgentId, ExecutionId, InputRequestId, OrganizationId, SignalId, UserId},
    json as wire,
    scope::Scope,
    service::Caller,
};
use std::sync::Arc;
use tonic::Code;

/// Where commands are given, as a replica does that claims nothing.
pub(super) struct Desk {
    inputs: InputRequests,
    executions: Executions,
    letters: DeadLetters,
    org: OrganizationId,
}

impl Desk {
    pub(super) fn of(workshop: &Workshop) -> Self {
        let engine = Engine::new(runtime_db(&workshop.database), quick()).unwrap();
        Self::at(workshop, &engine)
    }

    /// That of a replica whose engine this is.
    pub(super) fn at(workshop: &Workshop, engine: &Engine) -> Self {
        Self {
            inputs: InputRequests::of(engine),
            executions: Executions::of(engine),
            letters: DeadLetters::of(engine),
            org: workshop.org,
        }
    }

    fn caller(&self, user: Option<UserId>) -> Caller {
        Caller {
            org: Some(self.org),
            user,
            api_key: None,
            role: Role::WebService,
            permissions: Arc::default(),
        }
    }

    pub(super) async fn start(&self, id: ExecutionId, agent: AgentId) -> Result<types::Execution> {
        let request = pb::StartExecutionRequest {
            execution_id: id.to_string(),
            agent_id: agent.to_string(),
            ..Default::default()
        };
        self.executions.start(&self.caller(None), request).await
    }

    pub(super) async fn fork(&self, from: ExecutionId, step: &str) -> ExecutionId {
        let id = ExecutionId::generate();
        self.try_fork(id, from, step).await.unwrap();
        id
    }

    pub(super) async fn try_fork(
        &self,
        id: ExecutionId,
        from: ExecutionId,
        step: &str,
    ) -> Result<types::Execution> {
        let request = pb::ForkExecutionRequest {
            execution_id: id.to_string(),
            id: from.to_string(),
            from_step: step.to_owned(),
            input: None,
        };
        self.executions.fork(&self.caller(None), request).await
    }

    /// Redrives the letters of these executions.
    pub(super) async fn redrive(&self, ids: &[ExecutionId]) -> types::RedriveBatch {
        let selection = types::DeadLetterSelection {
            execution_ids: ids.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        self.redrive_after(selection, None).await
    }

    /// Redrives the letters that match, of those behind one.
    pub(super) async fn redrive_after(
        &self,
        selection: types::DeadLetterSelection,
        after: Option<types::LetterPlace>,
    ) -> types::RedriveBatch {
        let selection = Some(selection);
        let request = pb::RedriveDeadLettersRequest { selection, dry_run: false, after };
        self.letters.redrive(&self.caller(None), request).await.unwrap()
    }

    pub(super) async fn answer(
        &self,
        user: Option<UserId>,
        role: Role,
        id: InputRequestId,
        response: Value,
    ) -> Result<types::InputRequest> {
        self.inputs.answer(&self.caller(user), role, id, &response).await
    }

    pub(super) async fn signal(
        &self,
        execution: ExecutionId,
        id: SignalId,
        name: &str,
        payload: Value,
    ) -> Result<types::Execution> {
        let request = pb::SignalExecutionRequest {
            id: execution.to_string(),
            signal_id: id.to_string(),
            name: name.to_owned(),
            payload: Some(wire::to_value(payload)),
        };
        self.executions.signal(&self.caller(None), request).await
    }

    pub(super) async fn decide(
        &self,
        execution: ExecutionId,
        key: &str,
        decision: types::StepDecision,
        output: Value,
        attempt: i32,
    ) -> Result<types::ExecutionStep> {
        let request = pb::DecideStepRequest {
            execution_id: execution.to_string(),
            step_key: key.to_owned(),
            decision: decision.into(),
            output: Some(wire::to_value(output)),
            attempt,
        };
        self.executions.decide(&self.caller(None), request).await
    }
}

/// Asserts that a command was refused so.
pub(super) fn assert_refused<T: std::fmt::Debug>(result: Result<T>, code: Code, reason: Reason) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), (code, reason), "{error}");
}

impl Workshop {
    /// The open or closed question of an execution, once it is there.
    async fn question(&self, id: ExecutionId) -> InputRequestId {
        let found = async || {
            sqlx::query_scalar::<_, uuid::Uuid>(
                "select id from runtime.input_requests where execution_id = $1",
            )
            .bind(id.0)
            .fetch_optional(&self.root)
            .await
            .unwrap()
        };
        super::workshop::until("a question", std::time::Duration::from_secs(15), async || {
            found().await.is_some()
        })
        .await;
        InputRequestId(found().await.unwrap())
    }

    async fn question_state(&self, id: InputRequestId) -> String {
        sqlx::query_scalar("select state::text from runtime.input_requests where id = $1")
            .bind(id.0)
            .fetch_one(&self.root)
            .await
            .unwrap()
    }

    /// Has a worker look at what an execution waits for, as if it might have come.
    async fn nudge(&self, id: ExecutionId) -> bool {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await.unwrap();
        let woken = queue::wake(&mut tx, self.org, id).await.unwrap();
        tx.commit().await.unwrap();
        woken
    }
}
