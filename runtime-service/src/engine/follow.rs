//! What follows from the end of an execution, for others: its parent may go on, its children have their close policies, its key passes to
//! who waits for it. All of that is done after the end is committed, for many at once, so that no child ever waits for its parent's row.
//!
//! A process that dies in between loses no more than time: the sweep finds what should have followed.

use super::{Core, rounds::forever};
use crate::store::queue::follow::{self, Closed, Cursors, Passed, Ties, Who};
use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as Turns, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Ends that are looked at together.
const BATCH_MAX: usize = 500;

/// Ends that are remembered; the sweep finds those beyond.
const REMEMBERED_MAX: usize = 20_000;

/// Children that one transaction closes.
const CLOSED_MAX: i64 = 200;

/// How often children that somebody else has locked are tried again before they are left to the sweep.
const LOCKED_MAX: u32 = 50;
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

/// How many sweeps for what is overdue there are for one of these.
const SWEEP_FACTOR: u32 = 4;

/// Rows of each kind that one sweep looks at.
const SWEPT_MAX: i64 = 5000;

/// Takes word of ends.
#[derive(Clone, Debug)]
pub(crate) struct Follow {
    word: mpsc::Sender<Who>,
    heard: Arc<Turns<mpsc::Receiver<Who>>>,
}

impl Default for Follow {
    fn default() -> Self {
        let (word, heard) = mpsc::channel(REMEMBERED_MAX);
        Self { word, heard: Arc::new(Turns::new(heard)) }
    }
}

impl Follow {
    /// Something may follow from where this execution stands now: it has ended, or has begun to wait for its children.
    pub(crate) fn tell(&self, who: Who) {
        if self.word.try_send(who).is_err() {
            tracing::debug!(execution = %who.1, "what follows from its end is left to the sweep");
        }
    }

    async fn hear(&self) -> Vec<Who> {
        let mut batch = Vec::new();
        self.heard.lock().await.recv_many(&mut batch, BATCH_MAX).await;
        batch
    }
}

pub(super) fn spawn(core: &Arc<Core>, loops: &TaskTracker, stop: &CancellationToken) {
    let (following, sweeping) = (core.clone(), core.clone());
    let (metrics, stopped) = (&core.metrics, stop.clone());
    loops.spawn(forever("follow", metrics.clone(), Duration::ZERO, stop.clone(), move || {
        let (core, stop) = (following.clone(), stopped.clone());
        async move {
            tokio::select! {
                // What was told before the stop is still followed.
                biased;
                told = core.follow.hear() => follow_all(&core, &told).await,
                () = stop.cancelled() => Ok(()),
            }
        }
    }));
    let every = core.config.sweep_interval * SWEEP_FACTOR;
    let cursors = Arc::new(Mutex::new(Cursors::default()));
    loops.spawn(forever("follow_sweep", metrics.clone(), every, stop.clone(), move || {
        sweep(sweeping.clone(), cursors.clone())
    }));
}

async fn follow_all(core: &Core, told: &[Who]) -> Result<()> {
    let ties = core
        .bounded(async {
            let mut tx = core.begin_by_key().await?;
            follow::ties(&mut tx, told).await
        })
        .await?;
    let (live, ended): (Vec<&Ties>, Vec<_>) = ties.iter().partition(|it| it.live);
    let mut joins: Vec<Who> = live.iter().map(|it| (it.org, it.id)).collect();
    joins.extend(ended.iter().filter_map(|it| Some((it.org, it.parent?))));
    join(core, &joins).await?;
    let parents: Vec<Who> =
        ended.iter().filter(|it| it.children).map(|it| (it.org, it.id)).collect();
    close(core, &parents).await?;
    for it in ended {
        if let Some(key) = &it.key {
            pass(core, it.org, key).await?;
        }
    }
    Ok(())
}

/// Lets parents go on that waited for the last of their children.
async fn join(core: &Core, parents: &[Who]) -> Result<()> {
    if parents.is_empty() {
        return Ok(());
    }
    let woken = core
        .bounded(async {
            let mut tx = core.begin_by_key().await?;
            let woken = follow::join(&mut tx, parents).await?;
            if !woken.is_empty() {
                tx.commit().await?;
            }
            Ok(woken)
        })
        .await?;
    for org in woken {
        core.wake.work_of(org);
    }
    Ok(())
}

/// Carries out the close policies of the children of `parents`. Those that end with it are told of, and so the tree is closed level by level.
async fn close(core: &Core, parents: &[Who]) -> Result<()> {
    if parents.is_empty() {
        return Ok(());
    }
    let mut locked = 0;
    while locked < LOCKED_MAX {
        let Closed { ended, left } = core
            .bounded(async {
                let mut tx = core.begin_by_key().await?;
                let grace = core.config.cancel_grace;
                let closed = follow::close_children(&mut tx, parents, grace, CLOSED_MAX).await?;
                tx.commit().await?;
                Ok(closed)
            })
            .await?;
        let count = ended.len() + left;
        for who in ended {
            core.metrics.finished(ExecutionState::Cancelled);
            core.follow.tell(who);
        }
        if count == 0 {
            if !remain(core, parents).await? {
                return Ok(());
            }
            locked += 1;
            tokio::time::sleep(LOCKED_PAUSE).await;
        }
    }
    Ok(())
}

/// Whether somebody else has locked children that are to be closed.
async fn remain(core: &Core, parents: &[Who]) -> Result<bool> {
    let ties = core
        .bounded(async {
            let mut tx = core.begin_by_key().await?;
            follow::ties(&mut tx, parents).await
        })
        .await?;
    Ok(ties.iter().any(|it| it.children && !it.live))
}

async fn pass(core: &Core, org: OrganizationId, key: &str) -> Result<()> {
    let passed = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            let passed = follow::pass_key(&mut tx, org, key).await?;
            tx.commit().await?;
            Ok(passed)
        })
        .await?;
    if let Passed::To(ExecutionId(id)) = passed {
        tracing::debug!(execution = %id, key, "it has the key now");
        core.wake.work_of(org);
    }
    Ok(())
}

/// Finds what should have followed and did not.
async fn sweep(core: Arc<Core>, cursors: Arc<Mutex<Cursors>>) -> Result<()> {
    let mut at = cursors.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (lost, at) = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            let lost = follow::lost(&mut tx, &mut at, SWEPT_MAX).await?;
            Ok((lost, at))
        })
        .await?;
    *cursors.lock().unwrap_or_else(PoisonError::into_inner) = at;
    join(&core, &lost.joins).await?;
    close(&core, &lost.parents).await?;
    for (org, key) in &lost.keys {
        pass(&core, *org, key).await?;
    }
    Ok(())
}
