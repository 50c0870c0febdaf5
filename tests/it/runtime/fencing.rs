//! Every statement of a worker, sent again with a token that is no longer good: nothing may change.

use super::workshop::Workshop;
use runtime_service::{
    engine::state::Verb,
    store::{
        actions::{self, Evidence, NewActionExecution},
        events::{self, NewEvent},
        executions::{self, End},
        lease::{Lease, WriteError, WriteResult},
        queue, steps,
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, SideEffect, StepState, StepType},
    error::Reason,
    ids::{ActionExecutionId, CoreActionId, ExecutionId, StepId, WorkerId},
    scope::{Scope, Tx},
};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(30);

struct Ids {
    step: StepId,
    action: ActionExecutionId,
}

async fn claim(workshop: &Workshop) -> Lease {
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let claimed = queue::claim(&mut tx, WorkerId::generate(), TTL, 1).await.unwrap();
    tx.commit().await.unwrap();
    claimed[0].lease
}

fn new_step(id: StepId, key: &str) -> steps::NewStep {
    steps::NewStep {
        id,
        step_key: key.to_owned(),
        sequence: if key == "first" { 1 } else { 2 },
        step_type: StepType::Http,
        side_effect: SideEffect::Pure,
        input_hash: [7; 32],
        input: json!({}),
    }
}

fn new_action(id: ActionExecutionId) -> NewActionExecution {
    NewActionExecution {
        id,
        core_action_id: CoreActionId::generate(),
        core_action_version: 1,
        idempotency_key: String::new(),
        request: None,
    }
}

fn event() -> NewEvent<'static> {
    NewEvent { event_type: EventType::StepStarted, step_key: None, payload: json!({}) }
}

/// All statements that a worker has. `close_open` counts rows instead of failing.
async fn statement(number: usize, tx: &mut Tx, lease: &Lease, ids: &Ids) -> Option<WriteResult> {
    let evidence = Evidence::default();
    let zero = |count: u64| if count == 0 { Err(WriteError::Fenced) } else { Ok(()) };
    let failed = StepState::Failed;
    Some(match number {
        0 => events::append(tx, lease, event()).await.map(drop),
        1 => steps::begin(tx, lease, &new_step(StepId::generate(), "second")).await,
        2 => steps::again(tx, lease, ids.step, 2).await,
        3 => steps::succeed(tx, lease, ids.step, &json!(1)).await.map(drop),
        4 => steps::fail(tx, lease, ids.step, true, "INTERNAL", "").await,
        5 => steps::fail(tx, lease, ids.step, false, "INTERNAL", "").await,
        6 => steps::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero),
        7 => {
            let new = new_action(ActionExecutionId::generate());
            actions::begin(tx, lease, ids.step, 2, &new).await
        }
        8 => actions::finish(tx, lease, ids.action, &evidence, None).await,
        9 => actions::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero),
        10 => executions::requeue(tx, lease, Verb::Retry).await,
        11 => executions::end(tx, lease, &End::Succeeded { output: json!(1) }).await,
        12 => {
            let (reason, message) = (Reason::Internal, String::new());
            executions::end(tx, lease, &End::Failed { reason, message, step_key: None }).await
        }
        13 => executions::end(tx, lease, &End::Cancelled { message: String::new() }).await,
        14 => queue::release(tx, lease, Duration::ZERO, false).await,
        15 => queue::request_cancel(tx, lease).await,
        16 => queue::lock_held(tx, lease).await.map(drop),
        _ => return None,
    })
}

/// Everything that the database knows of the execution.
async fn picture(workshop: &Workshop, id: ExecutionId) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'execution', (select to_jsonb(it) from runtime.agent_executions it where id = $1),
            'queue', (select to_jsonb(it) from runtime.execution_queue it where execution_id = $1),
            'steps', (select jsonb_agg(it order by sequence) from runtime.execution_steps it where execution_id = $1),
            'actions', (select jsonb_agg(it order by id) from runtime.action_executions it where execution_id = $1),
            'events', (select jsonb_agg(it order by seq) from runtime.execution_events it where execution_id = $1))",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap()
}

/// An execution under way: claimed, with a step and an action.
async fn under_way(workshop: &Workshop) -> (Lease, Ids) {
    let agent = workshop.agent(json!([])).await;
    workshop.start(agent, json!({})).await;
    let lease = claim(workshop).await;
    let ids = Ids { step: StepId::generate(), action: ActionExecutionId::generate() };
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    steps::begin(&mut tx, &lease, &new_step(ids.step, "first")).await.unwrap();
    actions::begin(&mut tx, &lease, ids.step, 1, &new_action(ids.action)).await.unwrap();
    tx.commit().await.unwrap();
    (lease, ids)
}

/// Sends every statement with `lease` and commits whatever it did.
async fn replay(workshop: &Workshop, lease: &Lease, ids: &Ids, how: &str) {
    let before = picture(workshop, lease.execution).await;
    for number in 0.. {
        let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
        let Some(result) = statement(number, &mut tx, lease, ids).await else { break };
        tx.commit().await.unwrap();
        assert!(matches!(result, Err(WriteError::Fenced)), "{how}: statement {number}: {result:?}");
        assert_eq!(picture(workshop, lease.execution).await, before, "{how}: statement {number}");
    }
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let renewed = queue::renew(&mut tx, WorkerId::generate(), TTL, &[*lease]).await.unwrap();
    assert!(renewed.is_empty(), "{how}: renewal");
}

#[tokio::test]
async fn every_statement_works_under_a_good_token() {
    let workshop = Workshop::new().await;
    let (lease, ids) = under_way(&workshop).await;
    for number in 0.. {
        let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
        // A step that waits is the one that can be begun again; an action is finished before its step is tried once more.
        if number == 7 {
            steps::again(&mut tx, &lease, ids.step, 2).await.unwrap();
        }
        let Some(result) = statement(number, &mut tx, &lease, &ids).await else { break };
        assert!(result.is_ok(), "statement {number}: {result:?}");
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_release_and_take_over() {
    let workshop = Workshop::new().await;
    let (lease, ids) = under_way(&workshop).await;
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    executions::requeue(&mut tx, &lease, Verb::Release).await.unwrap();
    queue::release(&mut tx, &lease, Duration::ZERO, false).await.unwrap();
    tx.commit().await.unwrap();
    replay(&workshop, &lease, &ids, "released").await;
    let taken = claim(&workshop).await;
    assert_eq!((taken.execution, taken.token), (lease.execution, lease.token + 2));
    replay(&workshop, &lease, &ids, "taken over").await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_the_end() {
    for end in [
        End::Succeeded { output: json!(1) },
        End::Failed { reason: Reason::Internal, message: String::new(), step_key: None },
        End::Cancelled { message: String::new() },
    ] {
        let workshop = Workshop::new().await;
        let (lease, ids) = under_way(&workshop).await;
        let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
        executions::end(&mut tx, &lease, &end).await.unwrap();
        tx.commit().await.unwrap();
        replay(&workshop, &lease, &ids, &format!("{end:?}")).await;
    }
}

#[tokio::test]
async fn a_token_of_another_execution_or_organization_opens_nothing() {
    let workshop = Workshop::new().await;
    let (lease, ids) = under_way(&workshop).await;
    let ahead = Lease { token: lease.token + 1, ..lease };
    replay(&workshop, &ahead, &ids, "a token that was not given out").await;
    let elsewhere = Lease { org: shared_db::ids::OrganizationId::generate(), ..lease };
    replay(&workshop, &elsewhere, &ids, "another organization").await;
}
