//! Puts executions into the queue: in batches, as bulk starts do.

use anyhow::{Result, ensure};
use runtime_service::store::executions::{self, Limits, NewExecution};
use serde_json::json;
use shared_db::{
    enums::ClosePolicy,
    ids::{AgentId, ExecutionId, OrganizationId},
    scope::{Db, Scope},
};
use sqlx::PgPool;
use std::time::Duration;

const BATCH: usize = 500;

/// What the agent does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// One step that computes a value.
    Noop,
    /// One step that waits for an hour.
    Sleep,
}

/// An organization with one agent, and connections of the runtime's role.
#[derive(Clone)]
pub(crate) struct Filler {
    db: Db,
    pub(super) org: OrganizationId,
    pub(super) agent: AgentId,
}

impl Filler {
    pub(crate) async fn prepare(owner: &PgPool, db: Db, kind: Kind) -> Result<Self> {
        let (org, agent) = (OrganizationId::generate(), AgentId::generate());
        let call = match kind {
            Kind::Noop => json!({ "step_key": "noop", "value": {} }),
            Kind::Sleep => json!({ "step_key": "nap", "sleep": { "duration": "3600s" } }),
        };
        let endpoint = json!({ "calls": [call] });
        let definition = json!({
            "id": agent, "organization_id": org, "slug": "noop", "name": "Does nothing", "type": "AGENT_TYPE_API",
            "endpoint": endpoint, "revision": 1,
        });
        sqlx::query("insert into web.organizations (id, slug, name) values ($1, $2, 'Bench')")
            .bind(org.0)
            .bind(format!("bench-{}", org.0.simple()))
            .execute(owner)
            .await?;
        sqlx::query(
            "insert into runtime.agents (org_id, id, slug, name, agent_type, endpoint)
             values ($1, $2, 'noop', 'Does nothing', 'api', $3)",
        )
        .bind(org.0)
        .bind(agent.0)
        .bind(&endpoint)
        .execute(owner)
        .await?;
        sqlx::query(
            "insert into runtime.agent_versions (org_id, agent_id, revision, definition) values ($1, $2, 1, $3)",
        )
        .bind(org.0)
        .bind(agent.0)
        .bind(definition)
        .execute(owner)
        .await?;
        Ok(Self { db, org, agent })
    }

    /// On two connections, each batch in a transaction of its own.
    pub(crate) async fn fill(&self, executions: usize) -> Result<()> {
        let half = async |count: usize| -> Result<()> {
            let mut left = count;
            while left > 0 {
                let count = left.min(BATCH);
                let mut tx = self.db.begin_by_key(Scope::Platform).await?;
                let made = executions::start(&mut tx, &self.batch(count), None).await?;
                ensure!(made.len() == count, "some executions were not accepted");
                tx.commit().await?;
                left -= count;
            }
            Ok(())
        };
        tokio::try_join!(half(executions / 2), half(executions - executions / 2))?;
        Ok(())
    }

    /// All of them in one transaction, so that nobody sees any before this returns.
    pub(super) async fn fill_at_once(&self, executions: usize) -> Result<()> {
        let mut tx = self.db.begin_by_key(Scope::Platform).await?;
        let mut left = executions;
        while left > 0 {
            let count = left.min(BATCH);
            executions::start(&mut tx, &self.batch(count), None).await?;
            left -= count;
        }
        Ok(tx.commit().await?)
    }

    fn batch(&self, count: usize) -> Vec<NewExecution> {
        (0..count).map(|_| self.new_execution()).collect()
    }

    fn new_execution(&self) -> NewExecution {
        let day = Duration::from_hours(24);
        NewExecution {
            org: self.org,
            id: ExecutionId::generate(),
            agent_org_id: self.org,
            agent_id: self.agent,
            agent_revision: 1,
            session_id: String::new(),
            parent_execution_id: None,
            call_stack: Vec::new(),
            close_policy: ClosePolicy::Terminate,
            execution_key: None,
            platforms: Vec::new(),
            forked_from: None,
            forked_from_step: None,
            initial_prompt: String::new(),
            input: json!({}),
            priority: 3,
            limits: Limits { queue: day, attempt: day, total: day },
            not_before: None,
            traceparent: None,
            created_by: None,
        }
    }

    pub(crate) fn org(&self) -> OrganizationId {
        self.org
    }

    pub(crate) async fn close(&self) {
        self.db.pool().close().await;
    }
}
