//! The table of transitions, tried on rows: every verb from every state.

mod many;
mod turns;

use super::workshop::Workshop;
use runtime_service::{
    engine::state::{Verb, next},
    store::{
        executions::{self, End, Insistence},
        lease::{Lease, WriteError, WriteResult},
        queue::{self, Seek},
        workers,
    },
};
use serde_json::json;
use shared_db::{
    enums::ExecutionState,
    error::{Error, Reason},
    ids::{ExecutionId, WorkerId},
    scope::{Scope, Tx},
};
use std::time::Duration;

/// Puts the execution into a state by force, with what its constraints ask for.
async fn put(workshop: &Workshop, id: ExecutionId, state: ExecutionState) {
    sqlx::query(
        "update runtime.agent_executions
         set state = $2,
             finished_at = case when $3 then now() end,
             error_reason = case when $2 in ('failed', 'cancelled') then 'INTERNAL' end
         where id = $1",
    )
    .bind(id.0)
    .bind(state)
    .bind(state.is_final())
    .execute(&workshop.root)
    .await
    .unwrap();
    let phase = match state {
        ExecutionState::Queued => "ready",
        ExecutionState::Running => "held",
        ExecutionState::Paused => "paused",
        // One that has ended has no row in truth; this one stays, so that there is a lease to try with.
        ExecutionState::WaitingInput
        | ExecutionState::WaitingEffect
        | ExecutionState::WaitingChildren
        | ExecutionState::Sleeping
        | ExecutionState::Succeeded
        | ExecutionState::Failed
        | ExecutionState::Cancelled => "delayed",
    };
    sqlx::query(
        "update runtime.execution_queue
         set phase = $2::runtime.queue_phase, worker_id = case when $2 = 'held' then gen_random_uuid() end,
             attempt = case when $2 = 'delayed' then 1 else 0 end
         where execution_id = $1",
    )
    .bind(id.0)
    .bind(phase)
    .execute(&workshop.root)
    .await
    .unwrap();
}

async fn apply(tx: &mut Tx, lease: &Lease, verb: Verb) -> Option<WriteResult> {
    Some(match verb {
        Verb::Retry
        | Verb::Release
        | Verb::Expire
        | Verb::AwaitInput
        | Verb::AwaitEffect
        | Verb::AwaitChildren
        | Verb::Sleep
        | Verb::Wake
        | Verb::Pause
        | Verb::Resume => executions::requeue(tx, lease, verb).await,
        Verb::Succeed => executions::end(tx, lease, &End::Succeeded { output: json!(1) }).await,
        Verb::Fail => {
            let end =
                End::Failed { reason: Reason::Internal, message: String::new(), step_key: None };
            executions::end(tx, lease, &end).await
        }
        Verb::Cancel => {
            executions::end(tx, lease, &End::Cancelled { message: String::new() }).await
        }
        Verb::Claim => return None,
    })
}

#[tokio::test]
async fn every_verb_from_every_state_does_what_the_table_says() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let id = workshop.start(agent, json!({})).await;
    for from in ExecutionState::ALL {
        put(&workshop, id, *from).await;
        for verb in Verb::ALL {
            let scope = Scope::Tenant(workshop.org, None);
            let mut tx = if *verb == Verb::Claim {
                workshop.db.begin(Scope::Platform).await.unwrap()
            } else {
                workshop.db.begin(scope).await.unwrap()
            };
            let lease = Lease { org: workshop.org, execution: id, token: 0 };
            let moved = match apply(&mut tx, &lease, *verb).await {
                Some(Ok(())) => true,
                Some(Err(WriteError::Store(_))) => false,
                Some(Err(WriteError::Fenced)) => panic!("{from:?} {verb:?} was fenced"),
                None => {
                    let worker = WorkerId::generate();
                    workers::register(&mut tx, worker, Duration::from_secs(30)).await.unwrap();
                    let seek = Seek { org: workshop.org, from_rank: i64::MIN, share: 10 };
                    let claimed = queue::claim(&mut tx, worker, &[seek]).await.unwrap();
                    for one in &claimed {
                        executions::announce(&mut tx, &one.lease).await.unwrap();
                    }
                    !claimed.is_empty()
                }
            };
            assert_eq!(moved, next(*from, *verb).is_some(), "{from:?} {verb:?}");
            if let Some(to) = next(*from, *verb) {
                let state: ExecutionState =
                    sqlx::query_scalar("select state from runtime.agent_executions where id = $1")
                        .bind(id.0)
                        .fetch_one(&mut *tx)
                        .await
                        .unwrap();
                assert_eq!(state, to, "{from:?} {verb:?}");
            }
            if !moved {
                let state: ExecutionState =
                    sqlx::query_scalar("select state from runtime.agent_executions where id = $1")
                        .bind(id.0)
                        .fetch_one(&mut *tx)
                        .await
                        .unwrap();
                assert_eq!(state, *from, "{from:?} {verb:?} says no and changes it all the same");
            }
            tx.rollback().await.unwrap();
        }
    }
}

/// One text for all that is written of an execution: it changes when any of it does.
async fn written(workshop: &Workshop, id: ExecutionId) -> String {
    sqlx::query_scalar(
        "select concat(
            (select jsonb_agg(to_jsonb(e)) from runtime.agent_executions e where e.id = $1),
            (select jsonb_agg(to_jsonb(q)) from runtime.execution_queue q where q.execution_id = $1),
            (select jsonb_agg(to_jsonb(v) order by seq) from runtime.execution_events v where v.execution_id = $1),
            (select jsonb_agg(to_jsonb(d)) from runtime.dead_letters d where d.execution_id = $1))",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap()
}

async fn state_of(workshop: &Workshop, id: ExecutionId) -> ExecutionState {
    sqlx::query_scalar("select state from runtime.agent_executions where id = $1")
        .bind(id.0)
        .fetch_one(&workshop.root)
        .await
        .unwrap()
}

/// What people and the engine do through the store, each in a transaction that is committed only when it succeeds.
async fn ask(workshop: &Workshop, id: ExecutionId, verb: Verb) -> Result<(), Error> {
    let org = workshop.org;
    let mut tx = workshop.db.begin(Scope::Tenant(org, None)).await.unwrap();
    match verb {
        Verb::Pause => executions::pause(&mut tx, org, id).await?,
        Verb::Resume => drop(executions::resume(&mut tx, org, id).await?),
        Verb::Wake => drop(queue::wake(&mut tx, org, id).await?),
        Verb::Claim
        | Verb::Retry
        | Verb::Release
        | Verb::Expire
        | Verb::AwaitInput
        | Verb::AwaitEffect
        | Verb::AwaitChildren
        | Verb::Sleep
        | Verb::Succeed
        | Verb::Fail
        | Verb::Cancel => {
            let force = Insistence { force: true, grace: Duration::ZERO };
            executions::cancel(&mut tx, org, id, "", force).await?;
        }
    }
    tx.commit().await
}

#[tokio::test]
async fn what_is_asked_from_outside_moves_what_may_move_and_changes_nothing_else() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    for from in ExecutionState::ALL {
        for verb in [Verb::Pause, Verb::Resume, Verb::Wake, Verb::Cancel] {
            let id = workshop.start(agent, json!({})).await;
            put(&workshop, id, *from).await;
            if from.is_final() {
                sqlx::query("delete from runtime.execution_queue where execution_id = $1")
                    .bind(id.0)
                    .execute(&workshop.root)
                    .await
                    .unwrap();
            }
            let before = written(&workshop, id).await;
            let asked = ask(&workshop, id, verb).await;
            let to = state_of(&workshop, id).await;
            let pair = format!("{from:?} {verb:?}: {asked:?}");
            match next(*from, verb) {
                // Its holder leaves it; until then it goes on.
                Some(_) if (*from, verb) == (ExecutionState::Running, Verb::Pause) => {
                    assert_eq!((to, asked.is_ok()), (*from, true), "{pair}");
                    assert_eq!(workshop.kinds(id).await, ["execution_queued"], "{pair}");
                }
                Some(target) => {
                    assert_eq!((to, asked.is_ok()), (target, true), "{pair}");
                    assert_eq!(workshop.kinds(id).await.len(), 2, "{pair}");
                    workshop.check(id).await;
                }
                None => assert_eq!(written(&workshop, id).await, before, "{pair}"),
            }
            let refused = asked.err().map(|it| it.kind().1);
            let final_state = from.is_final() && verb != Verb::Wake;
            let again = (*from, verb) == (ExecutionState::Cancelled, Verb::Cancel);
            let expected = (final_state && !again).then_some(Reason::ExecutionState);
            assert_eq!(refused, expected, "{pair}");
        }
    }
}

/// How each state stands in the A2A protocol, and which of them nothing leads out of.
#[rustfmt::skip]
const A2A: [(ExecutionState, &str, bool); 10] = [
    (ExecutionState::Queued,          "submitted",      false),
    (ExecutionState::Running,         "working",        false),
    (ExecutionState::WaitingInput,    "input-required", false),
    (ExecutionState::WaitingEffect,   "working",        false),
    (ExecutionState::WaitingChildren, "working",        false),
    (ExecutionState::Sleeping,        "working",        false),
    (ExecutionState::Paused,          "input-required", false),
    (ExecutionState::Succeeded,       "completed",      true),
    (ExecutionState::Failed,          "failed",         true),
    (ExecutionState::Cancelled,       "canceled",       true),
];

#[test]
fn every_state_has_its_task_state_and_the_final_ones_are_final_there_too() {
    assert_eq!(A2A.map(|it| it.0), ExecutionState::ALL);
    for (state, a2a, is_final) in A2A {
        assert_eq!((state.a2a(), state.is_final()), (a2a, is_final), "{state:?}");
        let ends = ["completed", "failed", "canceled"].contains(&a2a);
        assert_eq!(ends, is_final, "{state:?}");
        let left = Verb::ALL.iter().any(|it| next(state, *it).is_some());
        assert_eq!(left, !is_final, "{state:?}");
    }
}

#[tokio::test]
async fn the_same_start_again_changes_nothing_and_another_under_its_id_is_refused() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let new = workshop.new_execution(agent, json!({ "n": 1 }));
    workshop.start_as(new.clone()).await;
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let mut other = new.clone();
    other.input = json!({ "n": 2 });
    let made = executions::start(&mut tx, &[new.clone(), other.clone()], None).await.unwrap();
    assert!(made.is_empty());
    assert!(executions::is_same(&mut tx, &new).await.unwrap());
    assert!(!executions::is_same(&mut tx, &other).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(workshop.kinds(new.id).await, ["execution_queued"]);
    workshop.check(new.id).await;
}

#[tokio::test]
async fn many_starts_of_one_id_at_once_make_one_execution() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let new = workshop.new_execution(agent, json!({}));
    let starts = (0..8).map(|_| async {
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        let made = executions::start(&mut tx, std::slice::from_ref(&new), None).await.unwrap();
        tx.commit().await.unwrap();
        made.len()
    });
    let made: usize = futures_util::future::join_all(starts).await.into_iter().sum();
    assert_eq!(made, 1);
    workshop.check(new.id).await;
}
