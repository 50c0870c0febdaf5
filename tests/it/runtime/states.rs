//! The table of transitions, tried on rows: every verb from every state.

use super::workshop::Workshop;
use runtime_service::{
    engine::state::{Verb, next},
    store::{
        executions::{self, End},
        lease::{Lease, WriteError, WriteResult},
        queue,
    },
};
use serde_json::json;
use shared_db::{
    enums::ExecutionState,
    error::Reason,
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
                    let ttl = Duration::from_secs(30);
                    !queue::claim(&mut tx, WorkerId::generate(), ttl, 10).await.unwrap().is_empty()
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
            tx.rollback().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_same_start_again_changes_nothing_and_another_under_its_id_is_refused() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let new = workshop.new_execution(agent, json!({ "n": 1 }));
    workshop.start_as(new.clone()).await;
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    assert!(!executions::start(&mut tx, workshop.org, &new).await.unwrap());
    let mut other = new.clone();
    other.input = json!({ "n": 2 });
    let error = executions::start(&mut tx, workshop.org, &other).await.unwrap_err();
    assert_eq!(error.kind().1, Reason::ResourceAlreadyExists);
    drop(tx);
    assert_eq!(workshop.kinds(new.id).await, ["execution_queued"]);
    workshop.check(new.id).await;
}

#[tokio::test]
async fn many_starts_of_one_id_at_once_make_one_execution() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let new = workshop.new_execution(agent, json!({}));
    let starts = (0..8).map(|_| async {
        let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
        let made = executions::start(&mut tx, workshop.org, &new).await.unwrap();
        tx.commit().await.unwrap();
        usize::from(made)
    });
    let made: usize = futures_util::future::join_all(starts).await.into_iter().sum();
    assert_eq!(made, 1);
    workshop.check(new.id).await;
}
