//! A database of one measurement, new each time, with an organization and an agent that does nothing.

use super::fill::{Filler, Kind};
use crate::engine::Server;
use anyhow::{Context, Result, ensure};
use runtime_service::engine::{Engine, EngineConfig, Wake};
use shared_db::{
    ids::OrganizationId,
    pool::{Pool, PoolLimits},
    scope::{Db, Service},
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A migrated database that nobody is connected to.
pub(crate) const TEMPLATE: &str = "bench_template";
const NAME: &str = "bench_engine";

/// As many as the engine of a service on such a machine has to itself.
const CONNECTIONS: u32 = 8;

/// How often somebody looks whether the queue is empty.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct Bench {
    server: PgConnectOptions,
    runtime: PgConnectOptions,
    pub(super) owner: PgPool,
    pub(super) filler: Filler,
    concurrency: u32,
    /// Transactions of whoever measures, which are not the engine's.
    looks: AtomicU64,
}

/// An engine at work, on connections of its own.
pub(super) struct Running {
    pub(super) wake: Wake,
    stop: CancellationToken,
    task: JoinHandle<()>,
    db: Db,
}

impl Running {
    /// Ends it and its connections, whose statistics are complete from then on.
    pub(super) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?;
        self.db.pool().close().await;
        Ok(())
    }
}

/// Copies a migrated database, so that each measurement can begin with empty tables.
pub(crate) async fn make_template(database_url: &str) -> Result<()> {
    let options: PgConnectOptions = database_url.parse()?;
    let from = options.get_database().unwrap_or("postgres").to_owned();
    let mut conn = PgConnection::connect_with(&options.database("postgres")).await?;
    for sql in [
        format!("drop database if exists {TEMPLATE} with (force)"),
        format!("create database {TEMPLATE} template {from}"),
    ] {
        conn.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}

impl Bench {
    pub(super) async fn prepare(server: &Server<'_>) -> Result<Self> {
        let options: PgConnectOptions = server.database_url.parse()?;
        let runtime: PgConnectOptions = server.runtime_url.parse()?;
        let mut conn =
            PgConnection::connect_with(&options).await.context("DATABASE_URL does not answer")?;
        for sql in [
            format!("drop database if exists {NAME} with (force)"),
            format!("create database {NAME} template {TEMPLATE}"),
            // What the measurement before left to be written is not this one's.
            "checkpoint".to_owned(),
        ] {
            conn.execute(AssertSqlSafe(sql)).await?;
        }
        let options = options.database(NAME);
        // Looks by an index cost the same whatever has been deleted before it.
        let looking = options.clone().options([("enable_seqscan", "off")]);
        let owner = PgPoolOptions::new().max_connections(4).connect_lazy_with(looking);
        let runtime = runtime.database(NAME);
        let filler = Filler::prepare(&owner, db(&runtime), Kind::Noop).await?;
        let concurrency = server.concurrency;
        Ok(Self { server: options, runtime, owner, filler, concurrency, looks: AtomicU64::new(0) })
    }

    /// Another organization, with an agent of its own.
    pub(super) async fn other(&self, kind: Kind) -> Result<Filler> {
        Filler::prepare(&self.owner, db(&self.runtime), kind).await
    }

    pub(super) fn url(&self) -> String {
        self.runtime.to_url_lossy().to_string()
    }

    pub(super) fn start_engine(&self) -> Result<Running> {
        self.start_engine_on(db(&self.runtime))
    }

    pub(super) fn start_engine_on(&self, db: Db) -> Result<Running> {
        let config =
            EngineConfig { worker_concurrency: self.concurrency, ..EngineConfig::default() };
        let engine = Engine::new(db.clone(), config)?;
        let stop = CancellationToken::new();
        let wake = engine.wake();
        let task = tokio::spawn(engine.run(stop.clone()));
        Ok(Running { wake, stop, task, db })
    }

    /// Statistics as a queue in use has them; one that was filled a moment ago has none yet.
    pub(super) async fn analyze(&self) -> Result<()> {
        let tables = "analyze runtime.execution_queue, runtime.agent_executions";
        self.owner.execute(tables).await?;
        Ok(())
    }

    /// Waits until an organization has nothing left to be done.
    pub(super) async fn until_empty(&self, org: OrganizationId) -> Result<()> {
        loop {
            self.looks.fetch_add(1, Ordering::Relaxed);
            // From the end: what was done is stepped over from the beginning on, which took a tenth of a core.
            let sql = "select execution_id from runtime.execution_queue where org_id = $1 order by execution_id desc limit 1";
            let left: Option<Uuid> =
                sqlx::query_scalar(sql).bind(org.0).fetch_optional(&self.owner).await?;
            if left.is_none() {
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Does what is in the queue of the first organization, and says how long it took from the start of the engine.
    pub(super) async fn drain(&self) -> Result<Duration> {
        let began = Instant::now();
        let engine = self.start_engine()?;
        self.until_empty(self.filler.org).await?;
        let took = began.elapsed();
        engine.stop().await?;
        Ok(took)
    }

    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Executions of an organization that have succeeded.
    pub(super) async fn done(&self, org: OrganizationId) -> Result<i64> {
        let sql = "select count(*) from runtime.agent_executions where org_id = $1 and state = 'succeeded'";
        Ok(sqlx::query_scalar(sql).bind(org.0).fetch_one(&self.owner).await?)
    }

    /// Sees that so many executions and their steps have succeeded.
    pub(super) async fn verify(&self, executions: usize) -> Result<()> {
        let org = self.filler.org;
        let sql = "select count(*) from runtime.execution_steps where org_id = $1 and state = 'succeeded'";
        let steps: i64 = sqlx::query_scalar(sql).bind(org.0).fetch_one(&self.owner).await?;
        let (done, expected) = (self.done(org).await?, i64::try_from(executions)?);
        ensure!(
            (done, steps) == (expected, expected),
            "{done} executions and {steps} steps are done, not {expected}"
        );
        Ok(())
    }

    /// A connection of its own, as the superuser.
    pub(super) async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.server).await?)
    }

    pub(super) async fn close(self) -> Result<()> {
        self.filler.close().await;
        self.owner.close().await;
        Ok(())
    }
}

pub(super) fn db(options: &PgConnectOptions) -> Db {
    let limits = PoolLimits { connections_max: CONNECTIONS, ..PoolLimits::default() };
    Db::new(Pool::new(options.clone(), limits), Service::Runtime)
}
