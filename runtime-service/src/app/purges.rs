//! Erasing what is kept here of an organization or of a person, when web has ordered it.

use super::deadline_near;
use crate::{
    engine::{Core, Engine},
    store::{
        executions::{self, Insistence},
        purges::{self, Ordered, Receipts},
    },
};
use runtime_api::v1::Erasure;
use shared_db::{
    enums::{PurgeState, PurgeSubject},
    error::{Reason, Result},
    ids::{ExecutionId, OrganizationId, PurgeId},
    purge::{self, Ledger},
    scope::Scope,
    service::Caller,
};
use std::{sync::Arc, time::Duration};

/// Executions that are read at a time.
const BATCH: i64 = 200;

/// What is done in one call, so that it is answered long before its caller gives up.
const WORK_MAX: Duration = Duration::from_secs(4);

/// What executions are told that are stopped.
const STOPPED: &str = "the organization is being purged";

#[derive(Clone)]
pub struct Purges {
    core: Arc<Core>,
}

impl Purges {
    pub fn of(engine: &Engine) -> Self {
        Self { core: engine.core() }
    }

    /// Lets nothing start any more, and ends what is under way. Returns how much still is.
    pub async fn stop(&self, caller: &Caller, id: PurgeId) -> Result<i64> {
        let org = caller.org()?;
        let ordered = self.ordered(id, PurgeSubject::Organization, caller).await?;
        if ordered.state == PurgeState::Finished {
            return Ok(0);
        }
        self.disable(org, id).await?;
        loop {
            let mut tx = self.core.db.begin(Scope::Platform).await?;
            let live = purges::live(&mut tx, org, BATCH).await?;
            drop(tx);
            let count = i64::try_from(live.len()).unwrap_or(i64::MAX);
            for (org, execution) in live {
                if deadline_near() {
                    return Ok(count);
                }
                self.cancel(org, execution).await?;
            }
            if count < BATCH {
                // Whatever was there has ended; the next call says whether more has come.
                return Ok(count);
            }
        }
    }

    async fn disable(&self, org: OrganizationId, id: PurgeId) -> Result<()> {
        let mut tx = self.core.db.begin(Scope::Platform).await?;
        let mut book = Receipts.open(&mut tx, id).await?.unwrap_or_default();
        let erased = purges::disable(&mut tx, org).await?;
        if 0 < erased {
            book.add("runtime.agent_organizations", erased, 0);
            Receipts.note(&mut tx, id, book).await?;
        }
        tx.commit().await
    }

    /// At once, whatever its worker does.
    async fn cancel(&self, org: OrganizationId, id: ExecutionId) -> Result<()> {
        let mut tx = self.core.db.begin(Scope::Tenant(org, None)).await?;
        let insistence = Insistence { force: true, grace: Duration::ZERO };
        match executions::cancel(&mut tx, org, id, STOPPED, insistence).await {
            Ok(_) => tx.commit().await?,
            // It has ended in the meantime.
            Err(error) if error.kind().1 == Reason::ExecutionState => return Ok(()),
            Err(error) => return Err(error),
        }
        self.core.follow.tell((org, id));
        self.core.wake.events_of(id);
        Ok(())
    }

    pub async fn erase(
        &self,
        caller: &Caller,
        id: PurgeId,
        subject: PurgeSubject,
    ) -> Result<Erasure> {
        let ordered = self.ordered(id, subject, caller).await?;
        let begun = tokio::time::Instant::now();
        let passed = match ordered.state {
            PurgeState::Erasing => {
                let enough = || deadline_near() || WORK_MAX < begun.elapsed();
                purge::pass(&self.core.db, &Receipts, ordered.order, enough).await?
            }
            // Web has not come that far, or further.
            PurgeState::Stopping | PurgeState::Finished => purge::Passed::default(),
        };
        let finished = passed.is_finished() || ordered.state == PurgeState::Finished;
        let mut tx = self.core.db.begin(Scope::Platform).await?;
        let tables = purges::tables(&mut tx, id).await?;
        Ok(Erasure { finished, rows: passed.rows, blocked: passed.blocked, tables })
    }

    /// The purge, if it is about whom the call names.
    async fn ordered(
        &self,
        id: PurgeId,
        subject: PurgeSubject,
        caller: &Caller,
    ) -> Result<Ordered> {
        let about = match subject {
            PurgeSubject::Organization => Some(caller.org()?.0),
            PurgeSubject::User => caller.user.map(|it| it.0),
        };
        let mut tx = self.core.db.begin(Scope::Platform).await?;
        purges::ordered(&mut tx, id, subject, about).await
    }
}
