//! What people do to executions: pause, resume, force, limit.

use super::Workshop;
use runtime_service::store::{
    executions::{self, Insistence},
    limits,
};
use serde_json::{Value, json};
use shared_db::{
    enums::LimitSubject,
    error::Result,
    ids::{AgentId, ExecutionId},
    scope::Scope,
};
use std::time::Duration;
use uuid::Uuid;

impl Workshop {
    pub(in super::super) async fn pause(&self, id: ExecutionId) -> Result<()> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await?;
        executions::pause(&mut tx, self.org, id).await?;
        tx.commit().await
    }

    pub(in super::super) async fn resume(&self, id: ExecutionId) -> Result<()> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await?;
        executions::resume(&mut tx, self.org, id).await?;
        tx.commit().await
    }

    pub(in super::super) async fn cancel_as(
        &self,
        id: ExecutionId,
        reason: &str,
        insistence: Insistence,
    ) -> Result<()> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await?;
        executions::cancel(&mut tx, self.org, id, reason, insistence).await?;
        tx.commit().await
    }

    pub(in super::super) async fn cancel_by_force(&self, id: ExecutionId) -> Result<()> {
        let insistence = Insistence { force: true, grace: Duration::from_secs(30) };
        self.cancel_as(id, "by force", insistence).await
    }

    /// Sets the limit of the organization.
    pub(in super::super) async fn limit_all(&self, max: Option<i32>) {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await.unwrap();
        limits::put_organization(&mut tx, self.org, max).await.unwrap();
        limits::tidy(&mut tx, self.org).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Sets the limit of an agent or a platform.
    pub(in super::super) async fn limit(&self, subject: LimitSubject, id: Uuid, max: i32) {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await.unwrap();
        limits::lock(&mut tx, self.org).await.unwrap();
        limits::put(&mut tx, self.org, (subject, id), max).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// An agent of one step that sleeps.
    pub(in super::super) async fn sleeper(&self, duration: &str) -> AgentId {
        self.agent(json!([{ "step_key": "nap", "sleep": { "duration": duration } }])).await
    }

    /// An agent whose calls are `paths`, one after the other, in steps `s0`, `s1` …
    pub(in super::super) async fn chain(&self, paths: &[&str]) -> AgentId {
        let mut calls = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            let retry = json!({ "retry": { "attempts_max": 1 } });
            let action = self.action_with("pure", path, json!({}), retry).await;
            calls.push(json!({ "step_key": format!("s{index}"), "core_action_id": action }));
        }
        self.agent(Value::Array(calls)).await
    }

    /// `(phase, state, pause_requested of both)` of an execution that has not ended.
    pub(in super::super) async fn place(&self, id: ExecutionId) -> (String, String, bool, bool) {
        sqlx::query_as(
            "select q.phase::text, e.state::text, q.pause_requested, e.pause_requested
             from runtime.execution_queue q join runtime.agent_executions e on e.id = q.execution_id
             where e.id = $1",
        )
        .bind(id.0)
        .fetch_one(&self.root)
        .await
        .unwrap()
    }
}
