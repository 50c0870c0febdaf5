//! Works purges off, in any replica and without a leader: a row is claimed by putting off when the next may have it. That two work on one
//! purge does no harm: each transaction locks its row, erases some rows, and says so.
//!
//! Web erases its own tables and commands the runtime to erase its own. Where a foreign key across the two stands in the way of one, the
//! other goes first. It is over when a round through both finds nothing.

use crate::{
    app::App,
    runtime::{Actor, Erased},
    store::identity::purges::{self, Purge, Receipts},
};
use anyhow::Result;
use shared_db::{
    enums::{PurgeState, PurgeSubject},
    error::{self, Error, Reason},
    ids::{OrganizationId, UserId},
    purge,
    scope::Scope,
};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long a purge is left to who has claimed it.
const LEASE: Duration = Duration::from_secs(15);
/// A turn ends after this, and a command that is under way then has until the lease ends.
const TURN_MAX: Duration = Duration::from_secs(5);
/// No purge waits longer for its next turn.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Works until `stop`. An error of the database ends it; it is started again.
pub async fn run(app: App, stop: CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        if turn(&app, &stop).await? {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(app.purge.purge_interval) => {}
        }
    }
    Ok(())
}

/// Works on one purge for a while, if there is one to work on.
async fn turn(app: &App, stop: &CancellationToken) -> error::Result<bool> {
    let mut tx = app.db.begin(Scope::Platform).await?;
    let claimed = purges::claim(&mut tx, LEASE).await?;
    tx.commit().await?;
    let Some(purge) = claimed else { return Ok(false) };
    let span = tracing::info_span!("purge.turn", id = %purge.id, subject = ?purge.subject);
    let turn = Turn { app, stop, purge: &purge, until: Instant::now() + TURN_MAX };
    async {
        let (delay, problem) = match turn.work().await {
            Ok(Came::ToItsEnd) => {
                tracing::info!("a purge is finished");
                return Ok(());
            }
            Ok(Came::Further) => (Duration::ZERO, None),
            Ok(Came::Early) => (app.purge.purge_interval, None),
            Err(error) => {
                let problem = error.to_string();
                tracing::warn!(error = %error::chain(&error), "a purge does not go on; it is tried again");
                (backoff(app, &purge), Some(problem))
            }
        };
        let mut tx = app.db.begin(Scope::Platform).await?;
        purges::put_off(&mut tx, purge.id, delay, problem.as_deref()).await?;
        tx.commit().await
    }
    .instrument(span)
    .await?;
    Ok(true)
}

/// The more often it has failed, the longer it waits.
fn backoff(app: &App, purge: &Purge) -> Duration {
    let doublings = u32::try_from(purge.failures).unwrap_or(0).min(6);
    (app.purge.purge_interval * 2_u32.pow(doublings)).min(BACKOFF_MAX)
}

/// How far a turn came.
enum Came {
    ToItsEnd,
    Further,
    /// What was accepted before may still be under way.
    Early,
}

struct Turn<'a> {
    app: &'a App,
    stop: &'a CancellationToken,
    purge: &'a Purge,
    until: Instant,
}

impl Turn<'_> {
    fn is_over(&self) -> bool {
        self.until <= Instant::now() || self.stop.is_cancelled()
    }

    async fn work(&self) -> error::Result<Came> {
        if self.purge.state == PurgeState::Stopping {
            if !self.bring_to_an_end().await? {
                return Ok(Came::Further);
            }
            let mut tx = self.app.db.begin(Scope::Platform).await?;
            let begun = purges::begin_erasing(&mut tx, self.purge.id).await?;
            tx.commit().await?;
            if !begun {
                return Ok(Came::Early);
            }
        }
        self.erase().await
    }

    /// Stops what the runtime does for an organization. Returns whether all of it has ended.
    async fn bring_to_an_end(&self) -> error::Result<bool> {
        if self.purge.subject == PurgeSubject::User {
            return Ok(true);
        }
        loop {
            let live = self.app.runtime.stop_organization(self.actor(), self.purge.id).await?;
            if live == 0 || self.is_over() {
                return Ok(live == 0);
            }
        }
    }

    async fn erase(&self) -> error::Result<Came> {
        loop {
            let order = self.purge.order();
            let web = purge::pass(&self.app.db, &Receipts, order, || self.is_over()).await?;
            if !web.complete {
                return Ok(Came::Further);
            }
            let Some(runtime) = self.erase_runtime().await? else { return Ok(Came::Further) };
            let rows = web.rows + runtime.rows;
            if rows == 0 && web.is_finished() && runtime.finished {
                let mut tx = self.app.db.begin(Scope::Platform).await?;
                purges::finish(&mut tx, self.purge.id).await?;
                tx.commit().await?;
                self.app.callers.forget();
                return Ok(Came::ToItsEnd);
            }
            if rows == 0 {
                let held: Vec<_> = web.blocked.into_iter().chain(runtime.blocked).collect();
                let problem = format!(
                    "{} can not be erased yet: other rows refer to it, or it stands for what is still there",
                    held.join(", ")
                );
                let subject = format!("purge/{}", self.purge.id);
                return Err(Error::precondition(Reason::ResourceInUse, subject, problem));
            }
        }
    }

    /// Commands until the runtime has nothing left or can not go on; `None` when the turn is over first.
    async fn erase_runtime(&self) -> error::Result<Option<Erased>> {
        let (actor, mut rows) = (self.actor(), 0);
        loop {
            let runtime = &self.app.runtime;
            let erased = runtime.purge(actor, self.purge.subject, self.purge.id).await?;
            rows += erased.rows;
            if erased.finished || !erased.blocked.is_empty() {
                return Ok(Some(Erased { rows, ..erased }));
            }
            if self.is_over() {
                return Ok(None);
            }
        }
    }

    /// Whom the runtime is told that it is about.
    fn actor(&self) -> Actor {
        let id = self.purge.subject_id;
        match self.purge.subject {
            PurgeSubject::Organization => Actor { org: Some(OrganizationId(id)), user: None },
            PurgeSubject::User => Actor { org: None, user: Some(UserId(id)) },
        }
    }
}
