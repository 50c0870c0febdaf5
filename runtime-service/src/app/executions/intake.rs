//! How executions are accepted: those that come at the same moment share a commit. What is due and has a free hand here is begun at once,
//! without a way through the queue.

use crate::{
    engine::{Core, commits::bounded, drive},
    store::{
        executions::{self, Made, NewExecution, Taker},
        lease::Lease,
        queue::{Claimed, Work},
    },
};
use futures_util::future::BoxFuture;
use shared_db::{
    coalesce::{Coalescer, Lanes, Write},
    error::Result,
};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// Executions on their way into the database. The answer is `None` for one that was not made: see [`executions::start`].
pub(crate) type Intake = Coalescer<NewExecution, Option<Made>>;

const LANES: Lanes = Lanes::of(500);

pub(crate) fn open(core: Arc<Core>) -> Intake {
    Coalescer::spawn(LANES, Starts { core })
}

struct Starts {
    core: Arc<Core>,
}

impl Write<NewExecution, Option<Made>> for Starts {
    fn write<'w>(&'w self, batch: &'w [NewExecution]) -> BoxFuture<'w, Result<Vec<Option<Made>>>> {
        self.core.pace.asked();
        Box::pin(start(&self.core, batch))
    }
}

/// Accepts executions in one transaction, and begins what this process may take.
pub(crate) async fn start(core: &Arc<Core>, new: &[NewExecution]) -> Result<Vec<Option<Made>>> {
    let worker = core.identity();
    let hands = worker.and_then(|_| core.hands.take_new(new.iter().map(|it| it.org)));
    let taker = worker.filter(|_| hands.is_some()).map(|worker| Taker { worker });
    let made = bounded(async {
        let mut tx = core.begin_by_key().await?;
        let made = executions::start(&mut tx, new, taker).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await?;
    let mut made: HashMap<_, _> = made.into_iter().map(|it| ((it.org, it.id), it)).collect();
    let mut hands = hands.unwrap_or_default().into_iter();
    // The same id may be there twice; only the first was made.
    Ok(new
        .iter()
        .map(|it| made.remove(&(it.org, it.id)).inspect(|made| begin(core, it, made, &mut hands)))
        .collect())
}

fn begin(
    core: &Arc<Core>,
    new: &NewExecution,
    made: &Made,
    hands: &mut impl Iterator<Item = OwnedSemaphorePermit>,
) {
    if !made.held {
        // One that is due later is found when it is.
        match new.not_before {
            None => core.wake.work_of(made.org),
            Some(_) => core.wake.notify(),
        }
        return;
    }
    let millis = |it: std::time::Duration| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
    let claimed = Claimed {
        lease: Lease { org: made.org, execution: made.id, token: 1 },
        attempt: 1,
        lost_leases: 0,
        claimed_at: made.created_at,
        attempt_ms: millis(new.limits.attempt),
        total_ms: millis(new.limits.total),
        waited_ms: 0,
        rank: 0,
        fresh: true,
        limited: false,
        work: Work {
            agent_org_id: new.agent_org_id,
            agent_id: new.agent_id,
            agent_revision: new.agent_revision,
            input: new.input.clone(),
            initial_prompt: new.initial_prompt.clone(),
            session_id: new.session_id.clone(),
            traceparent: new.traceparent.clone(),
            root: new.root(),
            call_stack: new.call_stack.clone(),
        },
    };
    drive::begin(core, claimed, hands.next());
}
