//! Mending and removing what failed for good.

mod redrive;

use super::{deadline_near, selection};
use crate::{
    engine::{Core, Engine},
    store::dead_letters::{self, Selection},
};
use common_api::types::PurgeBatch;
use runtime_api::v1 as pb;
use shared_db::{error::Result, service::Caller};
use std::sync::Arc;

/// Most that a dry run counts.
const COUNTED_MAX: i64 = 100_000;

/// Letters that are looked at or removed together.
const BATCH: i64 = 100;

#[derive(Clone)]
pub struct DeadLetters {
    core: Arc<Core>,
}

impl DeadLetters {
    pub fn of(engine: &Engine) -> Self {
        Self { core: engine.core() }
    }

    pub async fn purge(
        &self,
        caller: &Caller,
        request: pb::PurgeDeadLettersRequest,
    ) -> Result<PurgeBatch> {
        let org = caller.org()?;
        let selection = selection::dead_letters(request.selection, None)?;
        if request.dry_run {
            let matched = self.count(caller, &selection, false).await?;
            return Ok(PurgeBatch { matched, done: matched < COUNTED_MAX, purged: 0 });
        }
        let mut batch = PurgeBatch::default();
        while !deadline_near() {
            let mut tx = self.core.db.begin(caller.scope()?).await?;
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
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        dead_letters::count(&mut tx, caller.org()?, selection, open, COUNTED_MAX).await
    }
}
