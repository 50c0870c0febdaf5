//! Mending and removing what failed for good.

use super::{deadline_near, selection};
use crate::{
    engine::Wake,
    store::dead_letters::{self, Selection},
};
use common_api::types::{PurgeBatch, RedriveBatch};
use runtime_api::v1 as pb;
use shared_db::{
    error::Result,
    ids::ExecutionId,
    scope::Db,
    service::{Caller, trace_context},
};

/// Most that a dry run counts.
const COUNTED_MAX: i64 = 100_000;

/// Letters that one transaction works on.
const BATCH: i64 = 100;

/// Executions that one call starts.
const REDRIVEN_MAX: usize = 1000;

#[derive(Clone)]
pub struct DeadLetters {
    pub(crate) db: Db,
    pub(crate) wake: Wake,
}

impl DeadLetters {
    pub async fn redrive(
        &self,
        caller: &Caller,
        request: pb::RedriveDeadLettersRequest,
    ) -> Result<RedriveBatch> {
        let selection = selection::dead_letters(request.selection)?;
        if request.dry_run {
            let matched = self.count(caller, &selection, true).await?;
            return Ok(RedriveBatch { matched, done: matched < COUNTED_MAX, ..Default::default() });
        }
        let mut batch = RedriveBatch::default();
        while !deadline_near() && batch.execution_ids.len() < REDRIVEN_MAX {
            let started = self.redrive_some(caller, &selection).await?;
            batch.matched += i64::try_from(started.len()).unwrap_or(i64::MAX);
            batch.redriven = batch.matched;
            batch.execution_ids.extend(started.iter().map(ToString::to_string));
            if i64::try_from(started.len()).unwrap_or(BATCH) < BATCH {
                batch.done = true;
                break;
            }
        }
        if batch.redriven > 0 {
            self.wake.work_of(caller.org()?);
        }
        Ok(batch)
    }

    async fn redrive_some(
        &self,
        caller: &Caller,
        selection: &Selection,
    ) -> Result<Vec<ExecutionId>> {
        let org = caller.org()?;
        let traceparent = trace_context::current_traceparent();
        let mut tx = self.db.begin(caller.scope()?).await?;
        let mut started = Vec::new();
        for old in dead_letters::take(&mut tx, org, selection, BATCH).await? {
            let new = ExecutionId::generate();
            let trace = traceparent.as_deref();
            dead_letters::redrive(&mut tx, org, old, new, caller.user, trace).await?;
            started.push(new);
        }
        tx.commit().await?;
        Ok(started)
    }

    pub async fn purge(
        &self,
        caller: &Caller,
        request: pb::PurgeDeadLettersRequest,
    ) -> Result<PurgeBatch> {
        let org = caller.org()?;
        let selection = selection::dead_letters(request.selection)?;
        if request.dry_run {
            let matched = self.count(caller, &selection, false).await?;
            return Ok(PurgeBatch { matched, done: matched < COUNTED_MAX, purged: 0 });
        }
        let mut batch = PurgeBatch::default();
        while !deadline_near() {
            let mut tx = self.db.begin(caller.scope()?).await?;
            let purged = dead_letters::purge(&mut tx, org, &selection, BATCH).await?;
            tx.commit().await?;
            let purged = i64::try_from(purged).unwrap_or(i64::MAX);
            batch.purged += purged;
            batch.matched = batch.purged;
            if purged < BATCH {
                batch.done = true;
                break;
            }
        }
        Ok(batch)
    }

    async fn count(&self, caller: &Caller, selection: &Selection, open: bool) -> Result<i64> {
        let mut tx = self.db.begin(caller.scope()?).await?;
        dead_letters::count(&mut tx, caller.org()?, selection, open, COUNTED_MAX).await
    }
}
