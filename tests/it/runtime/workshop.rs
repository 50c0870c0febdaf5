//! A place to run engines in: a database, a remote, agents and executions, without the services around them.

pub(super) mod changes;
mod controls;
mod looks;

pub(super) use looks::Standing;

use freehold_tests::{database::TestDatabase, process::filter_runner, remote::Remote};
use runtime_service::{
    engine::{Engine, EngineConfig},
    store::{
        executions::{self, Insistence, Limits, NewExecution},
        queue::{self, Claimed, Seek},
        turns::{self, Change, Changed},
        workers,
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::ClosePolicy,
    ids::{AgentId, CoreActionId, ExecutionId, OrganizationId, WorkerId},
    pool::{Pool, PoolLimits},
    scope::{Db, Scope, Service},
};
use sqlx::PgPool;
use std::{path::PathBuf, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) struct Workshop {
    pub(super) database: TestDatabase,
    pub(super) root: PgPool,
    pub(super) db: Db,
    pub(super) org: OrganizationId,
    pub(super) remote: Remote,
    runner: PathBuf,
}

/// A running engine. Dropped without [`Running::stop`] it dies, as its process would.
pub(super) struct Running {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
    db: Db,
    held: Box<dyn Fn() -> usize + Send + Sync>,
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.expect("the engine does not panic");
        }
        self.db.pool().close().await;
    }

    /// Executions that it holds.
    pub(super) fn held(&self) -> usize {
        (self.held)()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Settings that let nothing take long.
pub(super) fn quick() -> EngineConfig {
    EngineConfig {
        worker_concurrency: 16,
        lease_ttl: Duration::from_millis(900),
        poll_interval: Duration::from_millis(20),
        cancel_interval: Duration::from_millis(50),
        sweep_interval: Duration::from_millis(50),
        drain_limit: Duration::from_secs(5),
        http_allow: vec!["127.0.0.1".to_owned()],
        ..EngineConfig::default()
    }
}

pub(super) fn limits() -> Limits {
    let minute = Duration::from_mins(1);
    Limits { queue: minute, attempt: minute, total: minute }
}

impl Workshop {
    pub(super) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let root = database.superuser();
        let org = OrganizationId::generate();
        sqlx::query(
            "insert into web.organizations (id, slug, name) values ($1, 'workshop', 'Workshop')",
        )
        .bind(org.0)
        .execute(&root)
        .await
        .unwrap();
        let db = runtime_db(&database);
        Self {
            root,
            db,
            org,
            remote: Remote::start().await,
            runner: filter_runner().await,
            database,
        }
    }

    /// An engine of its own pool, as each process has.
    pub(super) fn engine(&self, config: EngineConfig) -> Running {
        self.engine_at(&self.database.runtime_url(), config)
    }

    /// One that reaches its database by this URL.
    pub(super) fn engine_at(&self, url: &str, config: EngineConfig) -> Running {
        let config = EngineConfig { filter_runner: Some(self.runner.clone()), ..config };
        let db = runtime_db_at(url);
        let engine = Engine::new(db.clone(), config).unwrap();
        let held = Box::new(engine.held());
        let stop = CancellationToken::new();
        let task = tokio::spawn(engine.run(stop.clone()));
        Running { stop, task: Some(task), db, held }
    }

    /// A core action that calls `path` of the remote with POST; `config` overrides.
    pub(super) async fn action(
        &self,
        side_effect: &str,
        path: &str,
        config: Value,
    ) -> CoreActionId {
        self.action_with(side_effect, path, config, json!({})).await
    }

    /// The same, with columns such as `retry`, `input_schema`, `output_schema`, `disabled`.
    pub(super) async fn action_with(
        &self,
        side_effect: &str,
        path: &str,
        config: Value,
        columns: Value,
    ) -> CoreActionId {
        let mut http = json!({ "method": "POST", "url": self.remote.url(path) });
        for (key, value) in config.as_object().unwrap() {
            http[key] = value.clone();
        }
        self.action_of("http", side_effect, http, columns).await
    }

    /// A core action of any kind.
    pub(super) async fn action_of(
        &self,
        kind: &str,
        side_effect: &str,
        config: Value,
        columns: Value,
    ) -> CoreActionId {
        let id = CoreActionId::generate();
        sqlx::query(
            "insert into web.core_actions
                (org_id, id, slug, name, kind, config, side_effect, retry, input_schema, output_schema, disabled)
             values ($1, $2, $3, 'An action', $10::web.action_kind, $4, $5::web.side_effect, $6, $7, $8, coalesce($9, false))",
        )
        .bind(self.org.0)
        .bind(id.0)
        .bind(format!("a-{id}"))
        .bind(config)
        .bind(side_effect)
        .bind(columns.get("retry"))
        .bind(columns.get("input_schema"))
        .bind(columns.get("output_schema"))
        .bind(columns.get("disabled").and_then(Value::as_bool))
        .bind(kind)
        .execute(&self.root)
        .await
        .unwrap();
        id
    }

    /// An api agent that makes these calls.
    pub(super) async fn agent(&self, calls: Value) -> AgentId {
        self.agent_with(calls, json!({})).await
    }

    pub(super) async fn agent_with(&self, calls: Value, io_schema: Value) -> AgentId {
        let id = AgentId::generate();
        let endpoint = json!({ "calls": calls });
        sqlx::query(
            "insert into runtime.agents (org_id, id, slug, name, agent_type, endpoint, io_schema)
             values ($1, $2, $3, 'An agent', 'api', $4, $5)",
        )
        .bind(self.org.0)
        .bind(id.0)
        .bind(format!("a-{id}"))
        .bind(&endpoint)
        .bind(&io_schema)
        .execute(&self.root)
        .await
        .unwrap();
        let definition = json!({
            "id": id, "organization_id": self.org, "slug": "agent", "name": "An agent", "type": "AGENT_TYPE_API",
            "endpoint": endpoint, "io_schema": io_schema, "revision": 1,
        });
        sqlx::query(
            "insert into runtime.agent_versions (org_id, agent_id, revision, definition) values ($1, $2, 1, $3)",
        )
        .bind(self.org.0)
        .bind(id.0)
        .bind(definition)
        .execute(&self.root)
        .await
        .unwrap();
        id
    }

    /// An agent of one call of `path`, which is tried once.
    pub(super) async fn simple(&self, side_effect: &str, path: &str) -> AgentId {
        let retry = json!({ "retry": { "attempts_max": 1 } });
        let action = self.action_with(side_effect, path, json!({}), retry).await;
        self.agent(json!([{ "step_key": "only", "core_action_id": action }])).await
    }

    pub(super) fn new_execution(&self, agent: AgentId, input: Value) -> NewExecution {
        NewExecution {
            org: self.org,
            id: ExecutionId::generate(),
            agent_org_id: self.org,
            agent_id: agent,
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
            input,
            priority: 3,
            limits: limits(),
            not_before: None,
            traceparent: None,
            created_by: None,
        }
    }

    pub(super) async fn start(&self, agent: AgentId, input: Value) -> ExecutionId {
        self.start_as(self.new_execution(agent, input)).await
    }

    pub(super) async fn start_limited(&self, agent: AgentId, limits: Limits) -> ExecutionId {
        self.start_as(NewExecution { limits, ..self.new_execution(agent, json!({})) }).await
    }

    pub(super) async fn start_as(&self, new: NewExecution) -> ExecutionId {
        self.start_all(std::slice::from_ref(&new)).await;
        new.id
    }

    pub(super) async fn start_all(&self, new: &[NewExecution]) {
        let mut tx = self.db.begin(Scope::Platform).await.unwrap();
        assert_eq!(executions::start(&mut tx, new, None).await.unwrap().len(), new.len());
        tx.commit().await.unwrap();
    }

    /// A worker that is alive for `ttl`, and takes up to `limit` executions of this organization.
    pub(super) async fn claim(&self, worker: WorkerId, ttl: Duration, limit: i64) -> Vec<Claimed> {
        claim(&self.db, self.org, worker, ttl, limit).await
    }

    /// Writes as a worker does, and sees that it was written.
    pub(super) async fn change(&self, change: Change) {
        let mut tx = self.db.begin(Scope::Platform).await.unwrap();
        let changed = turns::apply(&mut tx, &[change]).await.unwrap().changed;
        tx.commit().await.unwrap();
        assert_eq!(changed, [Changed::Done]);
    }

    pub(super) async fn cancel(
        &self,
        id: ExecutionId,
        reason: &str,
    ) -> shared_db::error::Result<()> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await?;
        let insistence = Insistence { force: false, grace: Duration::from_secs(30) };
        executions::cancel(&mut tx, self.org, id, reason, insistence).await?;
        tx.commit().await
    }
}

/// As an engine claims, but for one organization and in the order of its queue.
pub(super) async fn claim(
    db: &Db,
    org: OrganizationId,
    worker: WorkerId,
    ttl: Duration,
    limit: i64,
) -> Vec<Claimed> {
    let mut tx = db.begin(Scope::Platform).await.unwrap();
    workers::register(&mut tx, worker, ttl).await.unwrap();
    let seek = Seek { org, from_rank: i64::MIN, share: limit };
    let mut claimed = queue::claim(&mut tx, worker, &[seek]).await.unwrap();
    tx.commit().await.unwrap();
    claimed.sort_by_key(|it| it.rank);
    claimed
}

pub(super) fn runtime_db(database: &TestDatabase) -> Db {
    runtime_db_at(&database.runtime_url())
}

pub(super) fn runtime_db_at(url: &str) -> Db {
    let limits = PoolLimits {
        connections_max: 4,
        acquire_timeout: Duration::from_secs(30),
        ..PoolLimits::default()
    };
    Db::new(Pool::new(url.parse().unwrap(), limits), Service::Runtime)
}

/// Waits for what must come, and says what did not.
pub(super) async fn until(what: &str, limit: Duration, done: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(limit, async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {limit:?} for {what}");
}
