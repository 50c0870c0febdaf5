//! The engine: claims work, does it under a lease, and recovers what others dropped.
//!
//! - [`claim`] takes work from the queue; [`drive`] does one execution; [`turn`] gives an agent its steps; [`write`] is all that a
//!   worker writes.
//! - [`held`] keeps leases alive and passes on who is to stop; [`sweep`] ends what nobody ends.
//! - [`state`] is the table of what leads where; [`retry`] says when a failure is tried again.

mod claim;
mod config;
mod drive;
mod held;
mod metrics;
mod retry;
mod rounds;
pub mod state;
mod sweep;
pub(crate) mod turn;
mod write;

pub use config::EngineConfig;
pub use retry::Retry;

use crate::executor::{
    action::Actions, api::Agents, http::HttpExecutor, http::address::AddressRules,
};
use held::Held;
use metrics::Metrics;
use shared_db::{
    error::{Error, Result},
    ids::WorkerId,
    scope::Db,
    service::deadline,
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tells the engine of this process that there is new work. A hint: polling finds it as well.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn notify(&self) {
        self.0.notify_one();
    }
}

/// One worker process.
pub struct Engine {
    core: Arc<Core>,
}

/// What all parts of a worker share.
pub(crate) struct Core {
    config: EngineConfig,
    db: Db,
    worker: WorkerId,
    wake: Wake,
    held: Held,
    metrics: Metrics,
    pub(crate) actions: Actions,
    pub(crate) agents: Agents,
    pub(crate) http: HttpExecutor,
    work: TaskTracker,
}

impl Engine {
    pub fn new(db: Db, config: EngineConfig) -> anyhow::Result<Self> {
        let rules = AddressRules::new(&config.http_allow)
            .map_err(|problem| anyhow::anyhow!("--http-allow: {problem}"))?;
        let core = Core {
            db: db.clone(),
            worker: WorkerId::generate(),
            wake: Wake::default(),
            held: Held::default(),
            metrics: Metrics::new(),
            actions: Actions::new(db.clone()),
            agents: Agents::new(db),
            http: HttpExecutor::new(rules, config.filter_runner.clone())?,
            work: TaskTracker::new(),
            config,
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// To be told of work that this process has accepted.
    pub fn wake(&self) -> Wake {
        self.core.wake.clone()
    }

    /// Works until `stop`, then hands its leases back. Faults of the database never end it.
    pub async fn run(self, stop: CancellationToken) {
        let core = self.core;
        tracing::info!(worker = %core.worker, concurrency = core.config.worker_concurrency, "the engine runs");
        // Leases are kept alive for as long as work is being handed back.
        let background = CancellationToken::new();
        let loops = TaskTracker::new();
        let _ends_with_this = background.clone().drop_guard();
        held::spawn(&core, &loops, &background);
        sweep::spawn(&core, &loops, &background);
        claim::run(&core, &stop).await;
        drain(&core).await;
        background.cancel();
        loops.close();
        loops.wait().await;
        tracing::info!(worker = %core.worker, "the engine has stopped");
    }
}

/// Hands back what can be repeated at once, and what must not be when its call has ended, or `drain_limit` has passed.
async fn drain(core: &Arc<Core>) {
    core.held.drain();
    core.work.close();
    // Handing back takes a write; beyond this the leases end by themselves.
    let limit = core.config.drain_limit + Duration::from_secs(5);
    if tokio::time::timeout(limit, core.work.wait()).await.is_err() {
        tracing::warn!(held = core.held.count(), "work was left behind; its leases will expire");
        core.held.lose_all();
    }
}

/// Longest that one transaction of the engine may take.
const TRANSACTION_LIMIT: Duration = Duration::from_secs(10);

impl Core {
    /// Bounds a transaction: by a statement timeout, and by the clock of this process for when the database does not answer at all.
    pub(crate) async fn bounded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let until = Instant::now() + TRANSACTION_LIMIT;
        let slack = Duration::from_secs(1);
        match tokio::time::timeout_at(until + slack, deadline::with(Some(until), work)).await {
            Ok(result) => result,
            Err(_) => Err(Error::DeadlineExceeded),
        }
    }
}
