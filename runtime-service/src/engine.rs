//! The engine: claims work, does it under a lease, and recovers what others dropped.
//!
//! - [`claim`] takes work from the queue as [`hands`] are free; [`drive`] does one execution; [`turn`] gives an agent its steps;
//!   [`mod@write`] is all that a worker writes, and [`commits`] lets turns share their commits.
//! - [`held`] keeps this worker alive and passes on who is to stop; [`sweep`] ends what nobody ends; [`wake`] hints at new work;
//!   [`follow`] does for others what follows from an end; [`pace`] makes room for what somebody waits for.
//! - [`state`] is the table of what leads where; [`retry`] says when a failure is tried again.

#[doc(hidden)]
pub mod backlog;
#[doc(hidden)]
pub mod claim;
pub(crate) mod commits;
mod config;
pub(crate) mod drive;
pub(crate) mod follow;
pub(crate) mod hands;
mod held;
mod metrics;
mod pace;
mod retry;
mod rounds;
pub mod state;
mod sweep;
pub(crate) mod turn;
mod wake;
pub(crate) mod write;

pub use config::EngineConfig;
pub use retry::Retry;
pub use wake::Wake;

use crate::executor::{Executors, action::Actions, api::Agents, http::address::AddressRules};
use backlog::Backlog;
use commits::Commits;
use follow::Follow;
use hands::Hands;
use held::Held;
use metrics::Metrics;
use pace::Pace;
use shared_db::{error::Result, scope::Db};
use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One worker process.
pub struct Engine {
    core: Arc<Core>,
}

/// What all parts of a worker share.
pub(crate) struct Core {
    pub(crate) config: EngineConfig,
    pub(crate) db: Db,
    pub(crate) wake: Wake,
    pub(crate) hands: Hands,
    backlog: Backlog,
    pub(crate) pace: Pace,
    held: Held,
    metrics: Metrics,
    commits: Commits,
    pub(crate) follow: Follow,
    pub(crate) actions: Actions,
    pub(crate) agents: Agents,
    pub(crate) executors: Executors,
    work: TaskTracker,
}

impl Engine {
    pub fn new(db: Db, config: EngineConfig) -> anyhow::Result<Self> {
        let rules = AddressRules::new(&config.http_allow)
            .map_err(|problem| anyhow::anyhow!("--http-allow: {problem}"))?;
        let (follow, pace, backlog) = (Follow::default(), Pace::new(), Backlog::default());
        let core = Core {
            db: db.clone(),
            wake: Wake::new(&db),
            hands: Hands::new(config.worker_concurrency, backlog.clone()),
            backlog,
            held: Held::default(),
            commits: commits::start(db.clone(), follow.clone(), pace.clone()),
            pace,
            follow,
            metrics: Metrics::new(),
            actions: Actions::new(db.clone()),
            agents: Agents::new(db),
            executors: Executors::new(rules, config.filter_runner.clone())?,
            work: TaskTracker::new(),
            config,
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// To tell of new work.
    pub fn wake(&self) -> Wake {
        self.core.wake.clone()
    }

    /// Tells how many executions this process has at work.
    pub fn held(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let core = self.core.clone();
        move || core.held.count()
    }

    /// To take work that this process has accepted.
    pub(crate) fn core(&self) -> Arc<Core> {
        self.core.clone()
    }

    /// Works until `stop`, then hands its leases back. Faults of the database never end it.
    pub async fn run(self, stop: CancellationToken) {
        let core = self.core;
        tracing::info!(concurrency = core.config.worker_concurrency, "the engine runs");
        // Leases are kept alive for as long as work is being handed back.
        let background = CancellationToken::new();
        let loops = TaskTracker::new();
        let _ends_with_this = background.clone().drop_guard();
        wake::spawn(&core.wake, &core.db, &loops, &background);
        held::spawn(&core, &loops, &background);
        sweep::spawn(&core, &loops, &background);
        follow::spawn(&core, &loops, &background);
        claim::run(&core, &stop).await;
        drain(&core).await;
        background.cancel();
        loops.close();
        loops.wait().await;
        core.wake.flush().await;
        held::forget(&core).await;
        tracing::info!("the engine has stopped");
    }
}

/// Hands back what can be repeated at once, and what must not be when its call has ended, or `drain_limit` has passed.
async fn drain(core: &Arc<Core>) {
    // Nothing that is accepted from now on is begun here.
    core.backlog.close();
    core.held.drain();
    core.work.close();
    // Handing back takes a write; beyond this the leases end by themselves.
    let limit = core.config.drain_limit + Duration::from_secs(5);
    let handed_back = async {
        core.work.wait().await;
        // Calls that took hands before, for what they start, may not have begun it yet.
        let _hands = core.hands.all().await;
        core.work.wait().await;
    };
    if tokio::time::timeout(limit, handed_back).await.is_err() {
        tracing::warn!(held = core.held.count(), "work was left behind; its leases will expire");
        core.held.lose_all();
    }
}

/// Longest that one transaction of the engine may take.
pub(crate) const TRANSACTION_LIMIT: Duration = Duration::from_secs(10);

impl Core {
    /// Bounds a transaction, as [`commits::bounded`] does.
    #[expect(clippy::unused_self, reason = "it is said of the worker")]
    pub(crate) fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        commits::bounded(work)
    }
}
