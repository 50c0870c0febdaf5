//! Commits that the turns of this process share: what they write at the same moment goes into one transaction.

use super::{follow::Follow, pace::Pace};
use crate::store::turns::{self, Change, Changed};
use futures_util::future::BoxFuture;
use shared_db::{
    coalesce::{Coalescer, Lanes, Write},
    error::{Error, Result},
    scope::{Db, Scope},
    service::deadline,
};
use tokio::time::Instant;

/// Changes of turns on their way into the database.
pub(crate) type Commits = Coalescer<Change, Changed>;

const LANES: Lanes = Lanes::of(500);

/// Starts to gather changes.
pub(super) fn start(db: Db, follow: Follow, pace: Pace) -> Commits {
    Coalescer::spawn(LANES, Changes { db, follow, pace })
}

struct Changes {
    db: Db,
    follow: Follow,
    pace: Pace,
}

impl Write<Change, Changed> for Changes {
    fn write<'w>(&'w self, batch: &'w [Change]) -> BoxFuture<'w, Result<Vec<Changed>>> {
        let work = async move {
            let _turn = self.pace.turn(batch.len()).await;
            let mut tx = self.db.begin_by_primary_key(Scope::Platform).await?;
            let applied = turns::apply(&mut tx, batch).await?;
            tx.commit().await?;
            applied.tied.into_iter().for_each(|it| self.follow.tell(it));
            Ok(applied.changed)
        };
        Box::pin(bounded(work))
    }
}

/// Bounds a transaction: by a statement timeout, and by the clock of this process for when the database does not answer at all.
pub(crate) fn bounded<T>(work: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    // On the heap, at once: what waits for a transaction does so in many places.
    let work = Box::pin(work);
    async move {
        let until = Instant::now() + super::TRANSACTION_LIMIT;
        let slack = std::time::Duration::from_secs(1);
        match tokio::time::timeout_at(until + slack, deadline::with(Some(until), work)).await {
            Ok(result) => result,
            Err(_) => Err(Error::DeadlineExceeded),
        }
    }
}
