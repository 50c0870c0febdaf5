//! Callers that were found good a moment ago. Secrets are kept as their hashes.

use super::Hash;
use chrono::{DateTime, Utc};
use moka::future::Cache as Entries;
use shared_db::{ids::OrganizationId, service::Caller};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const CALLERS_MAX: u64 = 10_000;

/// A caller, for as long as what it came with is good.
#[derive(Debug)]
pub struct Known {
    pub caller: Caller,
    pub expires_at: Option<DateTime<Utc>>,
    /// Its organization takes no calls any more.
    pub being_purged: bool,
}

/// What a caller came with, as it was at a time.
pub type Entry = (u64, Hash, Option<OrganizationId>);

#[derive(Clone)]
pub struct Cache {
    /// `None`: turned off.
    entries: Option<Entries<Entry, Arc<Known>>>,
    /// Grows when something is taken from a caller. It is part of the key, so that a look-up that began before can't be
    /// remembered after.
    generation: Arc<AtomicU64>,
}

impl Cache {
    pub fn new(ttl: Duration) -> Self {
        let entries = (!ttl.is_zero())
            .then(|| Entries::builder().max_capacity(CALLERS_MAX).time_to_live(ttl).build());
        Self { entries, generation: Arc::default() }
    }

    pub(super) fn entry(&self, secret: Hash, org: Option<OrganizationId>) -> Entry {
        (self.generation.load(Ordering::Acquire), secret, org)
    }

    pub(super) async fn get(&self, entry: &Entry) -> Option<Arc<Known>> {
        self.entries.as_ref()?.get(entry).await
    }

    pub(super) async fn put(&self, entry: Entry, known: Arc<Known>) {
        if let Some(entries) = &self.entries {
            entries.insert(entry, known).await;
        }
    }

    /// Looks everyone up again, after something was taken from one of them. Other replicas do so when their entries expire.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
