//! Redriving: an execution in the place of each letter, which does again what had not finished. Each letter is a transaction of its own.

use super::{BATCH, COUNTED_MAX, DeadLetters, deadline_near, selection};
use crate::{
    app::executions::keyed::{self, Policies},
    store::{
        dead_letters::{self, Selection},
        executions::{self, Insistence, NewExecution, forks},
        steps::{self, Step},
    },
};
use common_api::types::{ConflictPolicy, LetterPlace, RedriveBatch, ReusePolicy, SkippedLetter};
use runtime_api::v1 as pb;
use shared_db::{
    contract::Contract,
    enums::StepState,
    error::{Error, Reason, Result, reason_name},
    ids::ExecutionId,
    service::{Caller, trace_context},
    wire,
};
use sqlx::PgConnection;
use std::time::Duration;
use tonic::Code;

/// Executions that one call starts, and letters that one call leaves alone and tells of.
const TOLD_MAX: usize = 1000;

impl DeadLetters {
    pub async fn redrive(
        &self,
        caller: &Caller,
        request: pb::RedriveDeadLettersRequest,
    ) -> Result<RedriveBatch> {
        let selection = selection::dead_letters(request.selection, request.after)?;
        if request.dry_run {
            let matched = self.count(caller, &selection, true).await?;
            return Ok(RedriveBatch { matched, done: matched < COUNTED_MAX, ..Default::default() });
        }
        let mut batch = RedriveBatch::default();
        let redriven = self.redrive_all(caller, selection, &mut batch).await;
        if batch.redriven > 0 {
            self.core.wake.work_of(caller.org()?);
        }
        match redriven {
            // What is started is started, and is told.
            Err(error) if batch.matched > 0 => {
                tracing::warn!(error = %shared_db::error::chain(&error), "redriving was broken off");
            }
            other => other?,
        }
        Ok(batch)
    }

    async fn redrive_all(
        &self,
        caller: &Caller,
        mut selection: Selection,
        batch: &mut RedriveBatch,
    ) -> Result<()> {
        loop {
            let mut tx = self.core.db.begin_search(caller.scope()?).await?;
            let letters = dead_letters::open(&mut tx, caller.org()?, &selection, BATCH).await?;
            drop(tx);
            selection.after = letters.last().copied().or(selection.after);
            for letter in &letters {
                let told = batch.execution_ids.len().max(batch.skipped.len());
                if deadline_near() || TOLD_MAX <= told {
                    return Ok(());
                }
                self.redrive_one(caller, letter.execution, batch).await?;
                batch.last = Some(LetterPlace {
                    create_time: Some(wire::timestamp(letter.created_at)),
                    execution_id: letter.execution.to_string(),
                });
            }
            if i64::try_from(letters.len()).unwrap_or(BATCH) < BATCH {
                batch.done = true;
                return Ok(());
            }
        }
    }

    async fn redrive_one(
        &self,
        caller: &Caller,
        old: ExecutionId,
        batch: &mut RedriveBatch,
    ) -> Result<()> {
        let core = &self.core;
        let redriven = core.bounded(async {
            let mut tx = core.begin_in_order().await?;
            let new = redrive(&mut tx, caller, old).await?;
            tx.commit().await?;
            Ok(new)
        });
        match redriven.await {
            Ok(Some(new)) => {
                batch.redriven += 1;
                batch.execution_ids.push(new.to_string());
            }
            // Another call is at it, or was.
            Ok(None) => return Ok(()),
            Err(refusal) if is_refusal(&refusal) => batch.skipped.push(SkippedLetter {
                execution_id: old.to_string(),
                reason: reason_name(refusal.kind().1).to_owned(),
                message: refusal.to_string(),
            }),
            Err(error) => return Err(error),
        }
        batch.matched += 1;
        Ok(())
    }
}

/// Starts an execution in the place of `old`: as a start would, and with its steps.
async fn redrive(
    conn: &mut PgConnection,
    caller: &Caller,
    old: ExecutionId,
) -> Result<Option<ExecutionId>> {
    let org = caller.org()?;
    let Some(age_days) = dead_letters::lock(conn, org, old).await? else { return Ok(None) };
    let original = forks::original(conn, org, old).await?;
    let done = steps::list(conn, org, old).await?;
    // Of an execution all steps are dropped or none: partitions go whole.
    if done.is_empty() && steps_kept_days() <= age_days {
        return Err(steps_gone(old));
    }
    let keys: Vec<_> = done.into_iter().filter(is_taken_over).map(|it| it.step_key).collect();
    let mut new = original.again(org, old, ExecutionId::generate(), caller.user);
    new.forked_from_step = original.error_step_key;
    new.execution_key = original.execution_key;
    new.traceparent = trace_context::current_traceparent();
    if !start(conn, &new).await? {
        let (subject, agent) = (format!("agent/{}", new.agent_id), new.agent_id);
        let problem = format!("agent {agent} is gone, or not shared any more");
        return Err(Error::precondition(Reason::ResourceNotFound, subject, problem));
    }
    let taken = forks::take_over(conn, org, old, new.id, &keys, false).await?;
    if usize::try_from(taken) != Ok(keys.len()) {
        return Err(steps_gone(old));
    }
    dead_letters::redriven(conn, org, old, new.id).await?;
    Ok(Some(new.id))
}

/// Under its key, if it has one: not beside another. False when its agent may not be executed any more.
async fn start(conn: &mut PgConnection, new: &NewExecution) -> Result<bool> {
    let Some(key) = &new.execution_key else {
        return Ok(!executions::start(conn, std::slice::from_ref(new), None).await?.is_empty());
    };
    let policies = Policies { reuse: ReusePolicy::Allow, conflict: ConflictPolicy::Reject };
    // Nobody is cancelled for it.
    let insistence = Insistence { force: false, grace: Duration::ZERO };
    let made = keyed::decide(conn, new, key, policies, insistence, &mut Vec::new()).await?;
    Ok(made.is_some())
}

/// What has succeeded; and what must not be repeated and may have taken effect, which is left to a person.
fn is_taken_over(step: &Step) -> bool {
    step.state == StepState::Succeeded || step.is_unknown()
}

/// For how long steps are kept at the least, from the birth of their execution on.
fn steps_kept_days() -> i64 {
    let table = Contract::embedded().table("runtime", "execution_steps");
    table.and_then(|it| it.retention).map_or(i64::MAX, |it| it.days.into())
}

fn steps_gone(id: ExecutionId) -> Error {
    let problem = format!("execution {id} can not be redriven: its steps are not kept any more");
    Error::precondition(Reason::ForkImpossible, format!("execution/{id}"), problem)
}

/// The letter is left alone; nothing is wrong with the others.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind().0, Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists)
}
