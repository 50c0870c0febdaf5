//! Every statement of a worker, sent again with a token that is no longer good: nothing may change.

use super::workshop::{Workshop, changes};
use runtime_service::{
    engine::state::Verb,
    store::{
        actions,
        events::{self, NewEvent},
        executions::{self, End},
        lease::{Lease, WriteError, WriteResult},
        queue::{self, Leave},
        steps,
        turns::{self, Change, Changed, Fate, StepRow},
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, StepState},
    error::Reason,
    ids::{ExecutionId, WorkerId},
    scope::{Scope, Tx},
};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(30);

async fn claim(workshop: &Workshop) -> Lease {
    workshop.claim(WorkerId::generate(), TTL, 1).await[0].lease
}

/// A change of every fate, with a new step, and with one that is there.
fn change(number: usize, lease: &Lease, step: &StepRow) -> Option<Change> {
    let second = StepRow { sequence: 2, ..changes::step("second") };
    let done =
        StepRow { state: StepState::Succeeded, output: Some(json!(1)), new: false, ..step.clone() };
    let again = StepRow { attempt: 2, new: false, ..step.clone() };
    let (step, fate) = match number {
        0 => (None, Fate::Keep),
        1 => (Some(second), Fate::Keep),
        2 => (Some(done), Fate::Keep),
        3 => (Some(again), Fate::Leave(Duration::from_secs(1))),
        4 => (Some(done), Fate::End(End::Succeeded { output: json!(1) })),
        5 => {
            let (reason, message) = (Reason::AttemptsExhausted, String::new());
            (None, Fate::End(End::Failed { reason, message, step_key: None }))
        }
        6 => (None, Fate::End(End::Cancelled { message: String::new() })),
        _ => return None,
    };
    let change = changes::change(lease, step);
    // The first attempt of its action is noted already.
    let actions = if matches!(number, 1 | 3) { change.actions } else { Vec::new() };
    Some(Change { fate, actions, ..change })
}

/// All statements that a worker has. `close_open` counts rows instead of failing.
async fn statement(
    number: usize,
    tx: &mut Tx,
    lease: &Lease,
    step: &StepRow,
) -> Option<WriteResult> {
    let zero = |count: u64| if count == 0 { Err(WriteError::Fenced) } else { Ok(()) };
    let failed = StepState::Failed;
    let event = NewEvent { event_type: EventType::StepStarted, step_key: None, payload: json!({}) };
    if let Some(change) = change(number, lease, step) {
        let changed = turns::apply(tx, &[change]).await.unwrap().changed;
        return Some(if changed == [Changed::Done] { Ok(()) } else { Err(WriteError::Fenced) });
    }
    Some(match number {
        7 => events::append(tx, lease, event).await.map(drop),
        8 => steps::open(tx, lease, &StepRow { sequence: 2, ..changes::step("wait") }, None)
            .await
            .map(drop),
        9 => steps::close(tx, lease, "waits", Ok(&json!(1))).await,
        10 => steps::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero),
        11 => actions::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero),
        12 => executions::announce(tx, lease).await,
        13 => executions::requeue(tx, lease, Verb::Retry).await,
        14 => executions::end(tx, lease, &End::Succeeded { output: json!(1) }).await,
        15 => {
            let (reason, message) = (Reason::AttemptsExhausted, String::new());
            executions::end(tx, lease, &End::Failed { reason, message, step_key: None }).await
        }
        16 => executions::end(tx, lease, &End::Cancelled { message: String::new() }).await,
        17 => queue::release(tx, lease, Leave::AT_ONCE).await,
        18 => queue::request_cancel(tx, lease, TTL).await,
        19 => queue::lock_held(tx, lease).await.map(drop),
        20 => executions::leave_paused(tx, lease, false).await,
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
            'events', (select jsonb_agg(it order by seq) from runtime.execution_events it where execution_id = $1),
            'letters', (select jsonb_agg(it) from runtime.dead_letters it where execution_id = $1))",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap()
}

/// An execution under way: claimed, with a step and an action, and a step that waits.
async fn under_way(workshop: &Workshop) -> (Lease, StepRow) {
    let agent = workshop.agent(json!([])).await;
    workshop.start(agent, json!({})).await;
    let lease = claim(workshop).await;
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    executions::announce(&mut tx, &lease).await.unwrap();
    let waits = StepRow { sequence: 3, ..changes::step("waits") };
    steps::open(&mut tx, &lease, &waits, None).await.unwrap();
    tx.commit().await.unwrap();
    let step = changes::step("first");
    workshop.change(changes::change(&lease, Some(step.clone()))).await;
    (lease, step)
}

/// Sends every statement with `lease` and commits whatever it did.
async fn replay(workshop: &Workshop, lease: &Lease, step: &StepRow, how: &str) {
    let before = picture(workshop, lease.execution).await;
    for number in 0.. {
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        let Some(result) = statement(number, &mut tx, lease, step).await else { break };
        tx.commit().await.unwrap();
        assert!(matches!(result, Err(WriteError::Fenced)), "{how}: statement {number}: {result:?}");
        assert_eq!(picture(workshop, lease.execution).await, before, "{how}: statement {number}");
    }
}

#[tokio::test]
async fn every_statement_works_under_a_good_token() {
    let workshop = Workshop::new().await;
    let (lease, step) = under_way(&workshop).await;
    for number in 0.. {
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        let Some(result) = statement(number, &mut tx, &lease, &step).await else { break };
        assert!(result.is_ok(), "statement {number}: {result:?}");
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_bad_token_in_a_batch_does_not_touch_the_good_ones() {
    let workshop = Workshop::new().await;
    let (good, step) = under_way(&workshop).await;
    let bad = Lease { token: good.token + 1, ..good };
    let changes: Vec<_> = [&bad, &good, &bad].map(|it| change(2, it, &step).unwrap()).into();
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let came_to = turns::apply(&mut tx, &changes).await.unwrap().changed;
    tx.commit().await.unwrap();
    assert_eq!(came_to, [Changed::Fenced, Changed::Done, Changed::Fenced]);
    workshop.check(good.execution).await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_release_and_take_over() {
    let workshop = Workshop::new().await;
    let (lease, step) = under_way(&workshop).await;
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    executions::requeue(&mut tx, &lease, Verb::Release).await.unwrap();
    queue::release(&mut tx, &lease, Leave::AT_ONCE).await.unwrap();
    tx.commit().await.unwrap();
    replay(&workshop, &lease, &step, "released").await;
    let taken = claim(&workshop).await;
    assert_eq!((taken.execution, taken.token), (lease.execution, lease.token + 2));
    replay(&workshop, &lease, &step, "taken over").await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_after_the_end() {
    for end in [
        End::Succeeded { output: json!(1) },
        End::Failed { reason: Reason::Internal, message: String::new(), step_key: None },
        End::Cancelled { message: String::new() },
    ] {
        let workshop = Workshop::new().await;
        let (lease, step) = under_way(&workshop).await;
        let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
        executions::end(&mut tx, &lease, &end).await.unwrap();
        tx.commit().await.unwrap();
        replay(&workshop, &lease, &step, &format!("{end:?}")).await;
    }
}

#[tokio::test]
async fn a_token_of_another_execution_or_organization_opens_nothing() {
    let workshop = Workshop::new().await;
    let (lease, step) = under_way(&workshop).await;
    let ahead = Lease { token: lease.token + 1, ..lease };
    replay(&workshop, &ahead, &step, "a token that was not given out").await;
    let elsewhere = Lease { org: shared_db::ids::OrganizationId::generate(), ..lease };
    replay(&workshop, &elsewhere, &step, "another organization").await;
}
