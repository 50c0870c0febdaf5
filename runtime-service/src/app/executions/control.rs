//! What people do to executions that are on their way: stop, pause, resume; one of them or many.

use super::Executions;
use crate::{
    app::{deadline_near, selection},
    store::executions::{self, Cancelled, Insistence},
};
use common_api::types::{CancelBatch, Execution};
use runtime_api::v1 as pb;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{ExecutionId, OrganizationId},
    read,
    service::Caller,
};
use uuid::Uuid;

/// Most that a dry run counts.
const COUNTED_MAX: i64 = 100_000;

/// Ids that are read at a time.
const BATCH: i64 = 200;

impl Executions {
    pub async fn cancel(
        &self,
        caller: &Caller,
        id: ExecutionId,
        reason: &str,
        force: bool,
    ) -> Result<Execution> {
        let org = caller.org()?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        executions::cancel(&mut tx, org, id, reason, self.insistence(force)).await?;
        let execution = read::executions::get(&mut tx, org, id).await?;
        tx.commit().await?;
        self.core.follow.tell((org, id));
        self.core.wake.events_of(id);
        Ok(execution)
    }

    pub async fn pause(&self, caller: &Caller, id: ExecutionId) -> Result<Execution> {
        let org = caller.org()?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        executions::pause(&mut tx, org, id).await?;
        let execution = read::executions::get(&mut tx, org, id).await?;
        tx.commit().await?;
        self.core.wake.events_of(id);
        Ok(execution)
    }

    pub async fn resume(&self, caller: &Caller, id: ExecutionId) -> Result<Execution> {
        let org = caller.org()?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let ready = executions::resume(&mut tx, org, id).await?;
        let execution = read::executions::get(&mut tx, org, id).await?;
        tx.commit().await?;
        if ready {
            self.core.wake.work_of(org);
        }
        Ok(execution)
    }

    /// Asks what matches to stop, each in a transaction of its own, until all is gone through or the time is nearly over.
    pub async fn batch_cancel(
        &self,
        caller: &Caller,
        mut request: pb::BatchCancelExecutionsRequest,
    ) -> Result<CancelBatch> {
        let org = caller.org()?;
        let selection = selection::executions(request.selection.take())?;
        if request.dry_run {
            let mut tx = self.core.db.begin(caller.scope()?).await?;
            let matched = executions::count(&mut tx, org, &selection, COUNTED_MAX).await?;
            return Ok(CancelBatch { matched, done: matched < COUNTED_MAX, ..Default::default() });
        }
        let mut batch = CancelBatch::default();
        let mut after = ExecutionId(Uuid::nil());
        loop {
            let mut tx = self.core.db.begin(caller.scope()?).await?;
            let ids = executions::select(&mut tx, org, &selection, after, BATCH).await?;
            drop(tx);
            let Some(last) = ids.last() else {
                batch.done = true;
                return Ok(batch);
            };
            after = *last;
            for id in ids {
                if deadline_near() {
                    return Ok(batch);
                }
                match self.cancel_one(caller, org, id, &request).await {
                    Ok(Cancelled::Ended) => batch.cancelled += 1,
                    Ok(Cancelled::Requested) => batch.requested += 1,
                    // It has ended in the meantime.
                    Err(error) if error.kind().1 == Reason::ExecutionState => continue,
                    Err(error) => return part(batch, error),
                }
                batch.matched += 1;
            }
        }
    }

    async fn cancel_one(
        &self,
        caller: &Caller,
        org: OrganizationId,
        id: ExecutionId,
        request: &pb::BatchCancelExecutionsRequest,
    ) -> Result<Cancelled> {
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let insistence = self.insistence(request.force);
        let cancelled = executions::cancel(&mut tx, org, id, &request.reason, insistence).await?;
        tx.commit().await?;
        self.core.follow.tell((org, id));
        self.core.wake.events_of(id);
        Ok(cancelled)
    }

    fn insistence(&self, force: bool) -> Insistence {
        Insistence { force, grace: self.core.config.cancel_grace }
    }
}

/// What was done is told, unless nothing was.
fn part(batch: CancelBatch, error: Error) -> Result<CancelBatch> {
    if batch.matched == 0 {
        return Err(error);
    }
    tracing::warn!(error = %shared_db::error::chain(&error), "a batch was left undone");
    Ok(batch)
}
