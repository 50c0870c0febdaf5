//! Every statement of a worker, sent again with a token that is no longer good: nothing may change.

mod statements;

use super::workshop::{Workshop, changes};
use runtime_service::{
    engine::state::Verb,
    store::{
        executions::{self, End},
        input_requests,
        lease::{Lease, WriteError},
        queue::{self, Leave},
        signals, steps,
        turns::{self, Changed, StepRow},
        workflow_data,
    },
};
use serde_json::{Value, json};
use shared_db::{
    error::Reason,
    ids::{ExecutionId, OrganizationId, SignalId, WorkerId},
    scope::{Scope, Tx},
};
use sqlx::PgConnection;
use statements::{
    CHANGES_NOTHING, KEY, NAME, SAYS_NOTHING, STATEMENTS, change, question, statement,
};
use std::time::Duration;

const TTL: Duration = Duration::from_secs(30);

async fn claim(workshop: &Workshop) -> Lease {
    workshop.claim(WorkerId::generate(), TTL, 1).await[0].lease
}

/// Everything that the database knows of the execution.
async fn picture(conn: &mut PgConnection, id: ExecutionId) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'execution', (select to_jsonb(it) from runtime.agent_executions it where id = $1),
            'queue', (select to_jsonb(it) from runtime.execution_queue it where execution_id = $1),
            'steps', (select jsonb_agg(it order by sequence) from runtime.execution_steps it where execution_id = $1),
            'actions', (select jsonb_agg(it order by id) from runtime.action_executions it where execution_id = $1),
            'events', (select jsonb_agg(it order by seq) from runtime.execution_events it where execution_id = $1),
            'signals', (select jsonb_agg(it order by id) from runtime.execution_signals it where execution_id = $1),
            'questions', (select jsonb_agg(it order by id) from runtime.input_requests it where execution_id = $1),
            'data', (select jsonb_agg(it order by key) from runtime.workflow_data it where execution_id = $1 or root_execution_id = $1),
            'data_waits', (select jsonb_agg(it order by step_key) from runtime.data_waits it where execution_id = $1),
            'letters', (select jsonb_agg(it) from runtime.dead_letters it where execution_id = $1))",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await
    .unwrap()
}

/// An execution under way: claimed, with a step and an action, a step that waits, has asked and waits for data, one whose outcome nobody
/// knows, one that may ask, and a signal that nobody has taken.
async fn under_way(workshop: &Workshop) -> (Lease, StepRow) {
    let agent = workshop.agent(json!([])).await;
    workshop.start(agent, json!({})).await;
    let lease = claim(workshop).await;
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    executions::announce(&mut tx, &lease).await.unwrap();
    for (sequence, key) in [(3, "waits"), (4, "asked"), (5, "asks")] {
        let step = StepRow { sequence, ..changes::step(key) };
        steps::open(&mut tx, &lease, &step, None).await.unwrap();
    }
    input_requests::open(&mut tx, &lease, &question("waits")).await.unwrap();
    workflow_data::await_key(&mut tx, &lease, lease.execution, KEY, "waits").await.unwrap();
    let payload = json!({});
    let signal = signals::NewSignal {
        id: SignalId::generate(),
        name: NAME,
        payload: &payload,
        sent_by: None,
    };
    signals::send(&mut tx, &lease, &signal).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query(
        "update runtime.execution_steps set error_reason = 'STEP_OUTCOME_UNKNOWN', side_effect = 'at_most_once'
         where execution_id = $1 and step_key = 'asked'",
    )
    .bind(lease.execution.0)
    .execute(&workshop.root)
    .await
    .unwrap();
    let step = changes::step("first");
    workshop.change(changes::change(&lease, Some(step.clone()))).await;
    (lease, step)
}

/// Sends every statement with `lease` and commits whatever it did.
async fn replay(workshop: &Workshop, lease: &Lease, step: &StepRow, how: &str) {
    let mut root = workshop.root.acquire().await.unwrap();
    let before = picture(&mut root, lease.execution).await;
    for (name, variants) in STATEMENTS {
        for variant in 0..variants {
            let what = format!("{how}: {name} {variant}");
            let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
            let result = statement(name, variant, &mut tx, lease, step).await;
            tx.commit().await.unwrap();
            let fenced = matches!(result, Err(WriteError::Fenced));
            assert!(fenced || SAYS_NOTHING.contains(&name) && result.is_ok(), "{what}: {result:?}");
            assert_eq!(picture(&mut root, lease.execution).await, before, "{what}");
        }
    }
}

/// What a statement needs before it can work: only what is paused goes on, and a beginning is told once.
async fn prepare(tx: &mut Tx, name: &str, lease: Lease) -> Lease {
    match name {
        "executions::pauses::ready" => {
            executions::leave_paused(tx, &lease, false).await.unwrap();
            Lease { token: lease.token + 1, ..lease }
        }
        "executions::announce" => {
            let untold =
                "update runtime.agent_executions set state = 'queued', attempt = 0 where id = $1";
            sqlx::query(untold).bind(lease.execution.0).execute(&mut **tx).await.unwrap();
            lease
        }
        _ => lease,
    }
}

#[tokio::test]
async fn every_statement_works_under_a_good_token() {
    let workshop = Workshop::new().await;
    let (lease, step) = under_way(&workshop).await;
    for (name, variants) in STATEMENTS {
        for variant in 0..variants {
            let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
            let lease = prepare(&mut tx, name, lease).await;
            let before = picture(&mut tx, lease.execution).await;
            let result = statement(name, variant, &mut tx, &lease, &step).await;
            assert!(result.is_ok(), "{name} {variant}: {result:?}");
            let changed = picture(&mut tx, lease.execution).await != before;
            assert_eq!(changed, !CHANGES_NOTHING.contains(&name), "{name} {variant}");
            tx.rollback().await.unwrap();
        }
    }
}

#[test]
fn every_statement_of_the_source_that_a_token_fences_is_tried_here() {
    let mut listed: Vec<_> = STATEMENTS.iter().map(|it| it.0.to_owned()).collect();
    listed.sort_unstable();
    assert_eq!(listed, statements::in_the_source());
}

#[tokio::test]
async fn a_bad_token_in_a_batch_does_not_touch_the_good_ones() {
    let workshop = Workshop::new().await;
    let (good, step) = under_way(&workshop).await;
    let bad = Lease { token: good.token + 1, ..good };
    let changes: Vec<_> = [&bad, &good, &bad].map(|it| change(2, it, &step)).into();
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
    let elsewhere = Lease { org: OrganizationId::generate(), ..lease };
    replay(&workshop, &elsewhere, &step, "another organization").await;
}
