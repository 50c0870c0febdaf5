//! Ends what nobody ends: leases whose worker is gone and executions past their limits. Every replica sweeps; rows that another one
//! has locked are left to it.

use super::{Core, drive, rounds::forever, state::Verb, write::leave};
use crate::store::{
    executions::{self, End},
    lease::{WriteError, WriteResult},
    queue::{self, Leave, Standing},
    workers,
};
use shared_db::{
    enums::QueuePhase,
    error::{Reason, Result},
    ids::{ExecutionId, OrganizationId},
};
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most that one round looks at; what is left is for the next.
const BATCH_MAX: i64 = 200;

/// Rows that are counted to say how much is due.
const BACKLOG_MAX: i64 = 10_000;

/// How often that is measured.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(5);

pub(super) fn spawn(core: &Arc<Core>, loops: &TaskTracker, stop: &CancellationToken) {
    let (sweeping, counting) = (core.clone(), core.clone());
    let metrics = &core.metrics;
    let every = core.config.sweep_interval;
    loops.spawn(forever("sweep", metrics.clone(), every, stop.clone(), move || {
        sweep(sweeping.clone())
    }));
    loops.spawn(forever("backlog", metrics.clone(), BACKLOG_INTERVAL, stop.clone(), move || {
        backlog(counting.clone())
    }));
}

async fn sweep(core: Arc<Core>) -> Result<()> {
    rescue(&core).await?;
    let overdue = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            queue::overdue(&mut tx, BATCH_MAX).await
        })
        .await?;
    let mut failed = None;
    for (org, execution) in overdue {
        // Each in a transaction of its own: one that can not be ended does not keep the others from it.
        if let Err(error) = core.bounded(settle(&core, org, execution)).await {
            tracing::error!(%execution, error = %shared_db::error::chain(&error), "it could not be settled");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Puts back what dead workers held, all of it.
async fn rescue(core: &Core) -> Result<()> {
    loop {
        let (dead, rescued) = core
            .bounded(async {
                let mut tx = core.begin_in_order().await?;
                let dead = workers::expire(&mut tx).await?;
                let lost_max = core.config.lost_leases_max;
                let rescued = queue::rescue(&mut tx, lost_max, BATCH_MAX).await?;
                if dead > 0 || !rescued.is_empty() {
                    tx.commit().await?;
                }
                Ok((dead, rescued))
            })
            .await?;
        if dead > 0 {
            tracing::warn!(dead, "workers have not renewed their lease");
        }
        for org in &rescued {
            core.metrics.lease_lost();
            core.wake.work_of(*org);
        }
        if i64::try_from(rescued.len()).unwrap_or(BATCH_MAX) < BATCH_MAX {
            return Ok(());
        }
    }
}

async fn settle(core: &Core, org: OrganizationId, execution: ExecutionId) -> Result<()> {
    let mut tx = core.begin_by_key().await?;
    let Some(standing) = queue::lock(&mut tx, org, execution, false).await? else { return Ok(()) };
    let Some(sentence) = Sentence::of(&standing, core.config.lost_leases_max) else {
        return Ok(());
    };
    match carry_out(&mut tx, &standing, &sentence).await {
        Ok(()) => {}
        // It is locked, so its token can not have changed; and if it had, there would be nothing to do.
        Err(WriteError::Fenced) => return Ok(()),
        Err(WriteError::Store(error)) => return Err(error),
    }
    tx.commit().await?;
    tracing::info!(%execution, ?sentence, "swept");
    if standing.orphaned {
        core.metrics.lease_lost();
    }
    if let Some(verb) = sentence.ends() {
        core.follow.tell((org, execution));
        core.metrics.finished(super::state::target(verb));
    }
    // It is to be done, or leaves room within a limit for others.
    core.wake.work_of(org);
    Ok(())
}

/// What becomes of an execution that is overdue.
#[derive(Debug, PartialEq, Eq)]
enum Sentence {
    Cancel,
    Fail(Reason, String),
    /// Its worker was to leave it paused, and is gone.
    Pause,
    Requeue,
}

impl Sentence {
    fn of(it: &Standing, lost_leases_max: i32) -> Option<Self> {
        let held = it.phase == QueuePhase::Held;
        let unattended = !held || it.orphaned;
        let limit = |message: &str| Some(Self::Fail(Reason::TimeLimit, message.to_owned()));
        if it.cancel_requested && (unattended || it.deadline_over) {
            Some(Self::Cancel)
        } else if it.total_over {
            limit(drive::TOTAL_OVER)
        } else if it.queue_over {
            limit(drive::QUEUE_OVER)
        } else if held && it.deadline_over {
            limit(drive::ATTEMPT_OVER)
        } else if it.orphaned && it.lost_leases >= lost_leases_max {
            let lost = it.lost_leases + 1;
            let message = format!("{lost} workers were lost while they did it");
            Some(Self::Fail(Reason::WorkerLost, message))
        } else if it.orphaned && it.pause_requested {
            Some(Self::Pause)
        } else if it.orphaned {
            Some(Self::Requeue)
        } else {
            None
        }
    }

    fn ends(&self) -> Option<Verb> {
        match self {
            Self::Cancel => Some(Verb::Cancel),
            Self::Fail(..) => Some(Verb::Fail),
            Self::Pause | Self::Requeue => None,
        }
    }
}

async fn carry_out(
    conn: &mut sqlx::PgConnection,
    standing: &Standing,
    sentence: &Sentence,
) -> WriteResult {
    let lease = &standing.lease;
    match sentence {
        Sentence::Cancel => {
            let end = executions::cancelled(conn, lease).await?;
            executions::end(conn, lease, &end).await
        }
        Sentence::Fail(reason, message) => {
            let end = End::Failed { reason: *reason, message: message.clone(), step_key: None };
            executions::end(conn, lease, &end).await
        }
        Sentence::Pause => {
            executions::announce(conn, lease).await?;
            executions::leave_paused(conn, lease, true).await
        }
        Sentence::Requeue => {
            leave(conn, lease, Verb::Expire, Leave { lost: true, ..Leave::AT_ONCE }).await
        }
    }
}

async fn backlog(core: Arc<Core>) -> Result<()> {
    let (due, age_ms) = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            queue::backlog(&mut tx, BACKLOG_MAX).await
        })
        .await?;
    core.metrics.backlog(due, age_ms);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lease::Lease;

    fn standing() -> Standing {
        let (org, execution) = (OrganizationId::generate(), ExecutionId::generate());
        Standing {
            lease: Lease { org, execution, token: 1 },
            phase: QueuePhase::Held,
            lost_leases: 0,
            cancel_requested: false,
            pause_requested: false,
            queue_over: false,
            deadline_over: false,
            total_over: false,
            orphaned: false,
        }
    }

    fn reason(it: &Standing) -> Option<Reason> {
        match Sentence::of(it, 5) {
            Some(Sentence::Fail(reason, _)) => Some(reason),
            Some(Sentence::Cancel) => Some(Reason::Cancelled),
            Some(Sentence::Pause | Sentence::Requeue) | None => None,
        }
    }

    #[test]
    fn work_in_good_hands_is_left_alone() {
        assert_eq!(Sentence::of(&standing(), 5), None);
        let asked = Standing { cancel_requested: true, ..standing() };
        assert_eq!(Sentence::of(&asked, 5), None);
    }

    #[test]
    fn an_orphan_goes_back_until_its_worker_was_lost_too_often() {
        let lost = |lost_leases| Standing { orphaned: true, lost_leases, ..standing() };
        assert_eq!(Sentence::of(&lost(4), 5), Some(Sentence::Requeue));
        assert_eq!(reason(&lost(5)), Some(Reason::WorkerLost));
    }

    #[test]
    fn an_orphan_that_was_to_be_paused_is_paused_and_nothing_else_is() {
        let asked = Standing { pause_requested: true, ..standing() };
        assert_eq!(Sentence::of(&asked, 5), None);
        let orphan = Standing { orphaned: true, ..asked.clone() };
        assert_eq!(Sentence::of(&orphan, 5), Some(Sentence::Pause));
        let stopped = Standing { cancel_requested: true, ..orphan.clone() };
        assert_eq!(Sentence::of(&stopped, 5), Some(Sentence::Cancel));
        let lost = Standing { lost_leases: 5, ..orphan };
        assert_eq!(reason(&lost), Some(Reason::WorkerLost));
    }

    #[test]
    fn a_person_who_asked_to_stop_comes_before_every_limit() {
        let it = Standing {
            cancel_requested: true,
            orphaned: true,
            total_over: true,
            deadline_over: true,
            lost_leases: 9,
            ..standing()
        };
        assert_eq!(reason(&it), Some(Reason::Cancelled));
    }

    #[test]
    fn who_was_asked_to_stop_and_does_not_is_stopped_by_force() {
        let it = Standing { cancel_requested: true, deadline_over: true, ..standing() };
        assert_eq!(reason(&it), Some(Reason::Cancelled));
    }

    #[test]
    fn each_limit_fails_what_passed_it() {
        for it in [
            Standing { total_over: true, deadline_over: true, ..standing() },
            Standing { deadline_over: true, orphaned: true, ..standing() },
            Standing { queue_over: true, phase: QueuePhase::Ready, ..standing() },
        ] {
            assert_eq!(reason(&it), Some(Reason::TimeLimit));
        }
    }
}
