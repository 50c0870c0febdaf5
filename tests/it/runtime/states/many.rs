//! What moves many executions at once, from every state.

use super::{put, state_of};
use crate::runtime::workshop::Workshop;
use runtime_service::{
    engine::state::{Verb, next},
    store::queue::{self, follow},
};
use serde_json::json;
use shared_db::{enums::ExecutionState, ids::ExecutionId, scope::Scope};
use std::time::Duration;

/// What the engine does to many at once.
#[derive(Clone, Copy, Debug)]
enum ToMany {
    Promote,
    Join,
    Rescue,
    Close,
}

#[tokio::test]
async fn what_moves_many_at_once_moves_what_the_table_lets_it() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let nobody = ExecutionId::generate();
    for (what, verb) in [
        (ToMany::Promote, Verb::Wake),
        (ToMany::Join, Verb::Wake),
        (ToMany::Rescue, Verb::Expire),
        (ToMany::Close, Verb::Cancel),
    ] {
        for from in ExecutionState::ALL {
            let pair = format!("{from:?} {what:?}");
            let id = workshop.start(agent, json!({})).await;
            put(&workshop, id, *from).await;
            // Due, waiting for children if it waits for any, and left behind by a parent.
            sqlx::query(
                "update runtime.execution_queue set available_at = now(), parent_execution_id = $2, joins = $3
                 where execution_id = $1",
            )
            .bind(id.0)
            .bind(nobody.0)
            .bind(*from == ExecutionState::WaitingChildren)
            .execute(&workshop.root)
            .await
            .unwrap();
            if from.is_final() {
                sqlx::query("delete from runtime.execution_queue")
                    .execute(&workshop.root)
                    .await
                    .unwrap();
            }
            let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
            let org = workshop.org;
            match what {
                ToMany::Promote => drop(queue::promote(&mut tx, 100).await.unwrap()),
                ToMany::Join => drop(follow::join(&mut tx, &[(org, id)]).await.unwrap()),
                ToMany::Rescue => drop(queue::rescue(&mut tx, 5, 100).await.unwrap()),
                ToMany::Close => {
                    let parents = [(org, nobody)];
                    follow::close_children(&mut tx, &parents, Duration::ZERO, 100).await.unwrap();
                }
            }
            tx.commit().await.unwrap();
            let waits = *from == ExecutionState::WaitingChildren;
            let may = next(*from, verb).filter(|_| waits || !matches!(what, ToMany::Join));
            assert_eq!(state_of(&workshop, id).await, may.unwrap_or(*from), "{pair}");
            sqlx::query("delete from runtime.execution_queue")
                .execute(&workshop.root)
                .await
                .unwrap();
        }
    }
}
