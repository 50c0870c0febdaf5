//! What turns write: it moves what a worker holds, and that is running, or queued where its claim was not told yet.

use super::{apply, ask, state_of, written};
use crate::runtime::workshop::{Workshop, changes};
use runtime_service::{
    engine::state::{Verb, next, target},
    store::{
        executions::{self, End},
        lease::Lease,
        queue::{self, Leave},
        turns::{self, Change, Changed, Fate},
    },
};
use serde_json::json;
use shared_db::{
    enums::ExecutionState,
    error::Reason,
    ids::{AgentId, WorkerId},
    scope::Scope,
};
use std::time::Duration;

/// What a turn may want of its execution, and the state that it leaves it in.
fn fates() -> Vec<(Fate, ExecutionState)> {
    let failed = End::Failed { reason: Reason::Internal, message: "no".to_owned(), step_key: None };
    vec![
        (Fate::Keep, ExecutionState::Running),
        (Fate::KeepUnlessAsked, ExecutionState::Running),
        (Fate::Leave(Duration::ZERO), ExecutionState::Queued),
        (Fate::Leave(Duration::from_mins(1)), ExecutionState::Queued),
        (Fate::End(End::Succeeded { output: json!(1) }), ExecutionState::Succeeded),
        (Fate::End(failed), ExecutionState::Failed),
        (Fate::End(End::Cancelled { message: "no".to_owned() }), ExecutionState::Cancelled),
    ]
}

async fn change(workshop: &Workshop, lease: &Lease, fate: Fate) -> Changed {
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let change = Change { fate, ..changes::change(lease, None) };
    let changed = turns::apply(&mut tx, &[change]).await.unwrap().changed[0];
    tx.commit().await.unwrap();
    changed
}

/// An execution in the hands of a worker, which has told so or not.
async fn held(workshop: &Workshop, agent: AgentId, told: bool) -> Lease {
    let id = workshop.start(agent, json!({})).await;
    let claimed = workshop.claim(WorkerId::generate(), Duration::from_mins(1), 10).await;
    let lease = claimed.iter().find(|it| it.lease.execution == id).unwrap().lease;
    if told {
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        executions::announce(&mut tx, &lease).await.unwrap();
        tx.commit().await.unwrap();
    }
    lease
}

#[tokio::test]
async fn what_a_turn_writes_moves_what_its_worker_holds_and_that_runs_or_was_not_told_to() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    for (told, from) in [(false, ExecutionState::Queued), (true, ExecutionState::Running)] {
        for (fate, to) in fates() {
            let pair = format!("{from:?} {fate:?}");
            let lease = held(&workshop, agent, told).await;
            assert_eq!(state_of(&workshop, lease.execution).await, from, "{pair}");
            assert_eq!(change(&workshop, &lease, fate).await, Changed::Done, "{pair}");
            assert_eq!(state_of(&workshop, lease.execution).await, to, "{pair}");
            let gone = "delete from runtime.execution_queue where execution_id = $1";
            sqlx::query(gone).bind(lease.execution.0).execute(&workshop.root).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_a_turn_writes_after_its_worker_let_go_is_fenced_in_every_state() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let mut seen = Vec::new();
    for verb in Verb::ALL.iter().filter(|it| next(ExecutionState::Running, **it).is_some()) {
        let lease = held(&workshop, agent, true).await;
        let id = lease.execution;
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        apply(&mut tx, &lease, *verb).await.unwrap().unwrap();
        if !target(*verb).is_final() {
            let delay = (target(*verb) == ExecutionState::Queued).then_some(Duration::ZERO);
            let paused = *verb == Verb::Pause;
            let how = Leave { delay, paused, ..Leave::AT_ONCE };
            queue::release(&mut tx, &lease, how).await.unwrap();
        }
        tx.commit().await.unwrap();
        // As it stands, and as it stands after what may come from outside.
        for then in [None, Some(Verb::Wake), Some(Verb::Resume), Some(Verb::Cancel)] {
            if let Some(then) = then {
                drop(ask(&workshop, id, then).await);
            }
            let (state, before) = (state_of(&workshop, id).await, written(&workshop, id).await);
            seen.push(state);
            for (fate, _) in fates() {
                let pair = format!("{verb:?} {then:?} {state:?} {fate:?}");
                assert_eq!(change(&workshop, &lease, fate).await, Changed::Fenced, "{pair}");
                assert_eq!(written(&workshop, id).await, before, "{pair}");
            }
        }
    }
    let missed: Vec<_> = (ExecutionState::ALL.iter())
        .filter(|it| **it != ExecutionState::Running && !seen.contains(it))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}
