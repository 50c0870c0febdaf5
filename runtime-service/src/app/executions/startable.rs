//! Agents as executions are started with them: the newest definition, kept for a moment. That it is still the newest is checked by the
//! statement that starts.

use crate::store::usable::{self, Usable};
use moka::future::Cache;
use shared_db::{
    error::{Error, Result},
    ids::{AgentId, OrganizationId},
    scope::{Db, Scope},
};
use std::{sync::Arc, time::Duration};

/// Definitions that are kept, each for one organization that executes it.
const KEPT_MAX: u64 = 1000;
const KEPT_FOR: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(super) struct Startable {
    db: Db,
    kept: Cache<(OrganizationId, AgentId), Arc<Usable>>,
}

impl Startable {
    pub(super) fn new(db: Db) -> Self {
        Self { db, kept: Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT_FOR).build() }
    }

    pub(super) async fn forget(&self, org: OrganizationId, agent: AgentId) {
        self.kept.invalidate(&(org, agent)).await;
    }

    pub(super) async fn get(&self, org: OrganizationId, agent: AgentId) -> Result<Arc<Usable>> {
        if let Some(known) = self.kept.get(&(org, agent)).await {
            return Ok(known);
        }
        let known = Arc::new(self.read(org, agent).await?);
        self.kept.insert((org, agent), known.clone()).await;
        Ok(known)
    }

    async fn read(&self, org: OrganizationId, agent: AgentId) -> Result<Usable> {
        let mut tx = self.db.begin(Scope::Platform).await?;
        let found = usable::find(&mut tx, org, agent).await?;
        found.ok_or_else(|| Error::not_found("agent", agent))
    }
}
