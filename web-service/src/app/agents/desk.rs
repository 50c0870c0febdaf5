//! Where commands are accepted and their answers kept: those that come at the same moment share a commit.

use super::commands::LEASE;
use crate::store::identity::request_ids::{self, Acceptance, Answered};
use futures_util::future::BoxFuture;
use shared_db::{
    coalesce::{Coalescer, Lanes, Write},
    error::Result,
    scope::{Db, Scope},
};

const LANES: Lanes = Lanes { lanes: 2, batch_max: 200 };

/// Handles of both. Clones share them.
#[derive(Clone)]
pub struct Desk {
    accepts: Coalescer<Acceptance, bool>,
    answers: Coalescer<Answered, ()>,
}

impl Desk {
    pub fn open(db: &Db) -> Self {
        Self {
            accepts: Coalescer::spawn(LANES, Accepts { db: db.clone() }),
            answers: Coalescer::spawn(LANES, Answers { db: db.clone() }),
        }
    }

    /// Accepts a command under a request id that nobody has used. False when somebody has.
    pub(super) async fn accept(&self, new: Acceptance) -> Result<bool> {
        self.accepts.submit(new).await
    }

    /// Keeps an answer, with its line in the audit trail.
    pub(super) async fn answer(&self, answered: Answered) -> Result<()> {
        self.answers.submit(answered).await
    }
}

struct Accepts {
    db: Db,
}

impl Write<Acceptance, bool> for Accepts {
    fn write<'w>(&'w self, batch: &'w [Acceptance]) -> BoxFuture<'w, Result<Vec<bool>>> {
        Box::pin(async {
            let mut tx = self.db.begin_planned(Scope::Platform).await?;
            let accepted = request_ids::accept(&mut tx, batch, LEASE).await?;
            tx.commit().await?;
            Ok(accepted)
        })
    }
}

struct Answers {
    db: Db,
}

impl Write<Answered, ()> for Answers {
    fn write<'w>(&'w self, batch: &'w [Answered]) -> BoxFuture<'w, Result<Vec<()>>> {
        Box::pin(async {
            let mut tx = self.db.begin_planned(Scope::Platform).await?;
            request_ids::answer_all(&mut tx, batch).await?;
            tx.commit().await?;
            Ok(vec![(); batch.len()])
        })
    }
}
