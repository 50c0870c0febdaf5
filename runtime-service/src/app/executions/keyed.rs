//! Starting under a key: no two executions of an organization run under one. What a start comes to is decided under the lock of the key.

use crate::{
    engine::Core,
    store::{
        executions::{self, Insistence, Made, NewExecution},
        keys,
        queue::follow,
    },
};
use common_api::types::{ConflictPolicy, ReusePolicy};
use shared_db::{
    enums::ExecutionState,
    error::{Error, Reason, Result},
    ids::ExecutionId,
};
use sqlx::PgConnection;

/// Executions that have one key or wait for it.
const LIVE_MAX: i64 = 1001;

/// What a call says of its key.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Policies {
    pub(in crate::app) reuse: ReusePolicy,
    pub(in crate::app) conflict: ConflictPolicy,
}

/// What becomes of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Start,
    Wait,
    Replace,
    Refuse,
}

impl Policies {
    /// `last`: how the last one under the key ended, unless one is live. `None` when nobody ever was.
    fn decide(self, live: bool, last: Option<ExecutionState>) -> Decision {
        if live {
            return match self.conflict {
                ConflictPolicy::Enqueue => Decision::Wait,
                ConflictPolicy::CancelPrevious => Decision::Replace,
                ConflictPolicy::Unspecified | ConflictPolicy::Reject => Decision::Refuse,
            };
        }
        match (last, self.reuse) {
            (None, _) | (Some(_), ReusePolicy::Unspecified | ReusePolicy::Allow) => Decision::Start,
            (Some(last), ReusePolicy::OnlyIfFailed) if last != ExecutionState::Succeeded => {
                Decision::Start
            }
            (Some(_), ReusePolicy::OnlyIfFailed | ReusePolicy::Reject) => Decision::Refuse,
        }
    }
}

/// Accepts an execution under its key. `None`: it was not made, as in [`executions::start`].
pub(super) async fn start(
    core: &Core,
    new: &NewExecution,
    key: &str,
    policies: Policies,
) -> Result<Option<Made>> {
    let (made, cancelled) = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            let mut cancelled = Vec::new();
            let grace = core.config.cancel_grace;
            let insistence = Insistence { force: false, grace };
            let made = decide(&mut tx, new, key, policies, insistence, &mut cancelled).await?;
            if made.is_some() {
                tx.commit().await?;
            }
            Ok((made, cancelled))
        })
        .await?;
    if made.is_some() {
        for it in cancelled {
            core.follow.tell((new.org, it));
        }
        core.wake.work_of(new.org);
    }
    Ok(made)
}

/// Locks the key, and starts `new` under it if its policies allow that, with whom it has `cancelled` for it.
pub(in crate::app) async fn decide(
    conn: &mut PgConnection,
    new: &NewExecution,
    key: &str,
    policies: Policies,
    insistence: Insistence,
    cancelled: &mut Vec<ExecutionId>,
) -> Result<Option<Made>> {
    let org = new.org;
    // Whoever has waited longest comes before this one, also when nobody has told it yet.
    follow::pass_key(conn, org, key).await?;
    let holder = keys::lock(conn, org, key, new.id).await?;
    if keys::state(conn, org, new.id).await?.is_some() {
        return Ok(None);
    }
    let mut live = keys::live(conn, org, key, LIVE_MAX).await?;
    let last = if holder == new.id { None } else { keys::state(conn, org, holder).await? };
    let mut decision = policies.decide(!live.is_empty(), last);
    if decision == Decision::Replace {
        for id in live {
            cancel(conn, new, id, insistence).await?;
            cancelled.push(id);
        }
        live = keys::live(conn, org, key, LIVE_MAX).await?;
        decision = if live.is_empty() { Decision::Start } else { Decision::Wait };
    }
    if decision == Decision::Refuse {
        return Err(Error::ExecutionKeyTaken { key: key.to_owned(), holder: holder.to_string() });
    }
    if decision == Decision::Wait && i64::try_from(live.len()).is_ok_and(|it| LIVE_MAX <= it) {
        let problem = "as many executions wait for the key as may";
        return Err(Error::precondition(Reason::ExecutionKeyBusy, format!("key/{key}"), problem));
    }
    let made = executions::start(conn, std::slice::from_ref(new), None).await?;
    let Some(made) = made.into_iter().next() else { return Ok(None) };
    if decision == Decision::Wait {
        keys::park(conn, org, new.id).await?;
    } else {
        keys::give(conn, org, key, new.id).await?;
    }
    Ok(Some(made))
}

async fn cancel(
    conn: &mut PgConnection,
    new: &NewExecution,
    id: ExecutionId,
    insistence: Insistence,
) -> Result<()> {
    let reason = format!("execution {} takes its place under the key", new.id);
    match executions::cancel(conn, new.org, id, &reason, insistence).await {
        // It has ended in this moment.
        Err(Error::ExecutionState { .. }) => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_live_is_a_matter_of_the_conflict_policy_alone() {
        for reuse in [ReusePolicy::Allow, ReusePolicy::OnlyIfFailed, ReusePolicy::Reject] {
            for (conflict, expected) in [
                (ConflictPolicy::Unspecified, Decision::Refuse),
                (ConflictPolicy::Reject, Decision::Refuse),
                (ConflictPolicy::Enqueue, Decision::Wait),
                (ConflictPolicy::CancelPrevious, Decision::Replace),
            ] {
                let decided =
                    Policies { reuse, conflict }.decide(true, Some(ExecutionState::Running));
                assert_eq!(decided, expected, "{reuse:?} {conflict:?}");
            }
        }
    }

    #[test]
    fn one_that_has_ended_is_a_matter_of_the_reuse_policy() {
        use ExecutionState::{Cancelled, Failed, Succeeded};
        let decide =
            |reuse, last| Policies { reuse, conflict: ConflictPolicy::Reject }.decide(false, last);
        for reuse in [ReusePolicy::Allow, ReusePolicy::OnlyIfFailed, ReusePolicy::Reject] {
            assert_eq!(decide(reuse, None), Decision::Start, "nobody was there before");
        }
        for last in [Succeeded, Failed, Cancelled] {
            assert_eq!(decide(ReusePolicy::Allow, Some(last)), Decision::Start);
            assert_eq!(decide(ReusePolicy::Unspecified, Some(last)), Decision::Start);
            assert_eq!(decide(ReusePolicy::Reject, Some(last)), Decision::Refuse);
        }
        assert_eq!(decide(ReusePolicy::OnlyIfFailed, Some(Succeeded)), Decision::Refuse);
        assert_eq!(decide(ReusePolicy::OnlyIfFailed, Some(Failed)), Decision::Start);
        assert_eq!(decide(ReusePolicy::OnlyIfFailed, Some(Cancelled)), Decision::Start);
    }
}
