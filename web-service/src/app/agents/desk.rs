//! Where commands are accepted and their answers kept: those that come at the same moment share a commit, whichever they are.

use super::commands::LEASE;
use crate::store::identity::request_ids::{self, Acceptance, Answered};
use futures_util::future::BoxFuture;
use shared_db::{
    coalesce::{Coalescer, Lanes, Write},
    error::Result,
    scope::{Db, Scope},
};

const LANES: Lanes = Lanes::of(200);

/// Clones share it.
#[derive(Clone)]
pub struct Desk(Coalescer<Paper, bool>);

/// What lies on the desk.
enum Paper {
    Acceptance(Acceptance),
    Answer(Answered),
}

impl Desk {
    pub fn open(db: &Db) -> Self {
        Self(Coalescer::spawn(LANES, Papers { db: db.clone() }))
    }

    /// Accepts a command under a request id that nobody has used. False when somebody has.
    pub(super) async fn accept(&self, new: Acceptance) -> Result<bool> {
        self.0.submit(Paper::Acceptance(new)).await
    }

    /// Keeps an answer, with its line in the audit trail.
    pub(super) async fn answer(&self, answered: Answered) -> Result<()> {
        self.0.submit(Paper::Answer(answered)).await.map(drop)
    }
}

struct Papers {
    db: Db,
}

impl Write<Paper, bool> for Papers {
    fn write<'w>(&'w self, batch: &'w [Paper]) -> BoxFuture<'w, Result<Vec<bool>>> {
        Box::pin(async move {
            let (mut new, mut answered) = (Vec::new(), Vec::new());
            for it in batch {
                match it {
                    Paper::Acceptance(it) => new.push(it),
                    Paper::Answer(it) => answered.push(it),
                }
            }
            let mut tx = self.db.begin_by_key(Scope::Platform).await?;
            let mut accepted = Vec::new();
            if !new.is_empty() {
                accepted = request_ids::accept(&mut tx, &new, LEASE).await?;
            }
            if !answered.is_empty() {
                request_ids::answer_all(&mut tx, &answered).await?;
            }
            tx.commit().await?;
            let mut accepted = accepted.into_iter();
            let outcome = |it: &Paper| match it {
                Paper::Acceptance(_) => accepted.next().unwrap_or(false),
                Paper::Answer(_) => true,
            };
            Ok(batch.iter().map(outcome).collect())
        })
    }
}
