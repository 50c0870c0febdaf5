//! Does one execution, from its claim to its end or to the moment at which somebody else must go on.

use super::{
    Core,
    held::{Holding, Word},
    turn::{Stop, Turn},
};
use crate::{
    executor::{api, legible},
    store::{executions::End, queue::Claimed, steps},
};
use common_api::types::AgentType;
use futures_util::FutureExt;
use shared_db::{
    enums::ExecutionState,
    error::{Reason, Result},
    scope::Scope,
    service::trace_context,
};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use tracing::Instrument;

/// Begins an execution that was claimed, in a task of its own. Without a hand it waits for one, under its lease.
pub(crate) fn begin(core: &Arc<Core>, claimed: Claimed, hand: Option<OwnedSemaphorePermit>) {
    core.metrics.claimed(claimed.waited_ms);
    let heard = core.held.add(claimed.lease);
    let holding = Holding { core: core.clone(), lease: claimed.lease };
    core.work.spawn(async move {
        let _hand = match hand {
            Some(hand) => Some(hand),
            None => holding.core.hands.one().await,
        };
        let Claimed { lease, limited, .. } = claimed;
        Box::pin(run(&holding.core, claimed, heard)).await;
        if limited {
            holding.core.wake.work_of(lease.org);
        }
    });
}

async fn run(core: &Arc<Core>, claimed: Claimed, heard: watch::Receiver<Word>) {
    let known = match core.insist(|| steps_of(core, &claimed)).await {
        Ok(known) => known,
        Err(stop) => {
            // Nothing was begun: the row is found to be nobody's, and somebody tries again.
            tracing::warn!(execution = %claimed.lease.execution, ?stop, "loading failed");
            return;
        }
    };
    let span = tracing::info_span!(
        "execution",
        otel.kind = "consumer",
        execution = %claimed.lease.execution,
        organization = %claimed.lease.org,
        agent = %claimed.work.agent_id,
        attempt = claimed.attempt,
    );
    trace_context::continue_from(&span, claimed.work.traceparent.as_deref());
    let limit = Limit::of(&claimed);
    let turn = Turn::new(core.clone(), claimed, known);
    // On the heap: what a program awaits inside is large.
    Box::pin(take(core, limit, &turn, heard)).instrument(span).await;
}

async fn steps_of(core: &Core, claimed: &Claimed) -> Result<Vec<steps::Step>> {
    if claimed.fresh {
        return Ok(Vec::new());
    }
    let lease = claimed.lease;
    let mut tx = core.db.begin(Scope::Tenant(lease.org, None)).await?;
    steps::list(&mut tx, lease.org, lease.execution).await
}

/// One turn: the agent's program, against the limits and against the word from outside.
async fn take(core: &Core, limit: Limit, turn: &Turn, heard: watch::Receiver<Word>) {
    // It came while the process stops: nothing of it is begun.
    let late = *heard.borrow() == Word::Drain;
    let stop = if late {
        Some(Stop::Release)
    } else {
        let program = survived(program(turn));
        tokio::select! {
            // A program that is through is through, whatever else has happened in the same moment.
            biased;
            done = program => done,
            word = told(core, turn, heard) => Some(match word {
                Word::Cancel => Stop::Cancel,
                Word::Drain | Word::Pause | Word::GoOn => Stop::Release,
                Word::Lost => Stop::Quiet,
            }),
            () = tokio::time::sleep_until(limit.at) => {
                Some(Stop::Fail(Reason::TimeLimit, limit.message.to_owned(), turn.current_step()))
            }
        }
    };
    let Some(stop) = stop else { return core.metrics.finished(ExecutionState::Succeeded) };
    leave(core, turn, stop).await;
}

/// The program of the agent. `None`: it has succeeded, and that is written.
async fn program(turn: &Turn) -> Option<Stop> {
    let agent = match turn.agent().await {
        Ok(agent) => agent,
        Err(stop) => return Some(stop),
    };
    let done = match agent.r#type() {
        AgentType::Api => api::run(turn, &agent).await,
        other @ (AgentType::Context | AgentType::External | AgentType::Unspecified) => {
            let message = format!("agents of type {} can not be executed yet", other.as_str_name());
            Err(Stop::Fail(Reason::AgentTypeUnsupported, message, None))
        }
    };
    done.err()
}

/// A program that panics fails its own execution and nothing else.
async fn survived(program: impl Future<Output = Option<Stop>>) -> Option<Stop> {
    let broke_down = |_| {
        let message = "the worker broke down on it; the log says where".to_owned();
        Some(Stop::Fail(Reason::Internal, message, None))
    };
    AssertUnwindSafe(program).catch_unwind().await.unwrap_or_else(broke_down)
}

/// Waits for a word that ends the turn. A call that must not be repeated is waited for before the execution is handed back.
async fn told(core: &Core, turn: &Turn, mut heard: watch::Receiver<Word>) -> Word {
    let mut patience = None;
    loop {
        let said = *heard.borrow_and_update();
        match said {
            Word::Cancel | Word::Lost => return said,
            // What is under way goes on; the next step does not begin.
            Word::Pause | Word::GoOn => {}
            Word::Drain if !turn.is_unrepeatable() => return said,
            Word::Drain => {
                patience.get_or_insert_with(|| Instant::now() + core.config.drain_limit);
            }
        }
        let changed = async {
            if heard.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        match patience {
            None => changed.await,
            Some(until) if until <= Instant::now() => return Word::Drain,
            Some(_) => {
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        }
    }
}

/// Writes what the end of the turn asks for.
async fn leave(core: &Core, turn: &Turn, stop: Stop) {
    let (state, written) = match stop {
        Stop::Quiet | Stop::Left => return,
        Stop::Ended(state) => return core.metrics.finished(state),
        Stop::Release => return drop(turn.release().await),
        Stop::Cancel => (ExecutionState::Cancelled, turn.cancel().await),
        Stop::Fail(reason, message, step_key) => {
            let end = End::Failed { reason, message: legible(message), step_key };
            (ExecutionState::Failed, turn.end(end).await)
        }
        Stop::Broken(problem) => {
            tracing::error!(problem, "the work can not be written down");
            let message = "the service could not write the work down".to_owned();
            let end =
                End::Failed { reason: Reason::Internal, message, step_key: turn.current_step() };
            (ExecutionState::Failed, turn.end(end).await)
        }
    };
    match written {
        Ok(()) => core.metrics.finished(state),
        // Fenced: somebody else ended it. Otherwise the lease expires, and whoever takes over ends it.
        Err(stop) => tracing::info!(?stop, "the end of the turn was not written"),
    }
}

/// The nearer of the two limits that bound a turn.
struct Limit {
    at: Instant,
    message: &'static str,
}

impl Limit {
    fn of(claimed: &Claimed) -> Self {
        let total = claimed.total_ms <= claimed.attempt_ms;
        let millis = claimed.total_ms.min(claimed.attempt_ms).max(0).unsigned_abs();
        Self {
            at: Instant::now() + Duration::from_millis(millis),
            message: if total { TOTAL_OVER } else { ATTEMPT_OVER },
        }
    }
}

pub(super) const QUEUE_OVER: &str = "no worker began it within its queue limit";
pub(super) const ATTEMPT_OVER: &str = "it did not end within its attempt limit";
pub(super) const TOTAL_OVER: &str = "it did not end within its total limit";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_panics_fails_its_execution_as_internal() {
        let stop = survived(async { panic!("on purpose") }).await;
        assert!(matches!(stop, Some(Stop::Fail(Reason::Internal, ..))), "{stop:?}");
        assert!(survived(async { None }).await.is_none());
    }
}
