//! Starting under keys: no two executions of an organization run under one.

use super::{fresh, later, start, until, world};
use freehold_tests::{
    errors::{assert_fails, reason},
    remote::Remote,
    stack::{Org, Stack},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::sync::Arc;
use tonic::{Code, Status};
use tonic_types::StatusExt;

struct Place {
    stack: Arc<Stack>,
    org: Org,
    remote: Remote,
}

async fn place() -> Place {
    let (stack, org) = world().await;
    Place { stack, org, remote: Remote::start().await }
}

impl Place {
    async fn agent(&self, path: &str) -> String {
        self.org.agent(&[&self.remote.url(path)]).await
    }

    /// How many pairs of executions under one key were at work at the same moment.
    async fn overlaps(&self) -> i64 {
        let sql = "select count(*)
            from runtime.agent_executions as a
            join runtime.agent_executions as b on b.org_id = a.org_id and b.execution_key = a.execution_key and a.id < b.id
            where a.org_id = $1::uuid and a.started_at < b.finished_at and b.started_at < a.finished_at";
        sqlx::query_scalar(sql)
            .bind(&self.org.id)
            .fetch_one(&self.stack.database.superuser())
            .await
            .unwrap()
    }

    /// Fifty starts of `agent` under one key at the same moment.
    async fn fifty(&self, agent: &str, conflict: &str) -> Vec<Result<Value, Status>> {
        let starts = (0..50).map(|_| {
            start(
                &self.org,
                json!({
                    "agent_id": agent, "request_id": fresh(), "execution_key": "one",
                    "conflict_policy": conflict, "reuse_policy": "REUSE_POLICY_ALLOW",
                }),
            )
        });
        join_all(starts).await
    }

    async fn states(&self, started: &[Value]) -> Vec<String> {
        let ended = started.iter().map(|it| self.org.finish(it["id"].as_str().unwrap()));
        let ended = join_all(ended).await;
        ended.iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect()
    }
}

fn accepted(answers: Vec<Result<Value, Status>>) -> Vec<Value> {
    answers.into_iter().map(|it| it.unwrap_or_else(|status| panic!("{status:?}"))).collect()
}

#[tokio::test]
async fn one_of_fifty_starts_and_the_others_are_told_which() {
    let place = place().await;
    let agent = place.agent("/hang").await;
    let answers = place.fifty(&agent, "CONFLICT_POLICY_REJECT").await;
    let (started, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((started.len(), refused.len()), (1, 49));
    let holder = started[0].as_ref().unwrap()["id"].as_str().unwrap();
    for status in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!(
            (status.code(), &*reason(&status)),
            (Code::AlreadyExists, "EXECUTION_KEY_TAKEN")
        );
        let named = status.get_details_resource_info().unwrap();
        assert_eq!((&*named.resource_type, &*named.resource_name), ("execution", holder));
    }
}

#[tokio::test]
async fn fifty_that_wait_for_one_key_run_one_after_the_other() {
    let place = place().await;
    let agent = place.agent("/slow?ms=20").await;
    let started = accepted(place.fifty(&agent, "CONFLICT_POLICY_ENQUEUE").await);
    let states = place.states(&started).await;
    assert!(states.iter().all(|it| it == "EXECUTION_STATE_SUCCEEDED"), "{states:?}");
    assert_eq!(place.overlaps().await, 0);
    assert_eq!(place.remote.requests_to("/slow").len(), 50);
}

#[tokio::test]
async fn of_fifty_that_replace_each_other_the_last_remains() {
    let place = place().await;
    let agent = place.agent("/slow?ms=300").await;
    let started = accepted(place.fifty(&agent, "CONFLICT_POLICY_CANCEL_PREVIOUS").await);
    let states = place.states(&started).await;
    let succeeded = states.iter().filter(|it| *it == "EXECUTION_STATE_SUCCEEDED").count();
    let cancelled = states.iter().filter(|it| *it == "EXECUTION_STATE_CANCELLED").count();
    assert!(1 <= succeeded && succeeded + cancelled == 50, "{states:?}");
    assert_eq!(place.overlaps().await, 0);
}

#[tokio::test]
async fn a_key_may_be_used_again_as_the_call_says() {
    let place = place().await;
    let (good, bad) = (place.agent("/echo").await, place.agent("/status/404").await);
    let under = async |agent: &str, key: &str, reuse: &str| {
        let request = json!({
            "agent_id": agent, "request_id": fresh(), "execution_key": key, "reuse_policy": reuse,
        });
        let started = start(&place.org, request).await?;
        Ok::<_, Status>(place.org.finish(started["id"].as_str().unwrap()).await)
    };
    let first = under(&good, "good", "REUSE_POLICY_ALLOW").await.unwrap();
    assert_eq!(first["execution_key"], "good");
    for policy in ["REUSE_POLICY_REJECT", "REUSE_POLICY_ONLY_IF_FAILED"] {
        let refused = under(&good, "good", policy).await;
        let status = assert_fails(refused, Code::AlreadyExists, Reason::ExecutionKeyTaken, None);
        assert!(status.message().contains(first["id"].as_str().unwrap()), "{status:?}");
    }
    under(&good, "good", "REUSE_POLICY_ALLOW").await.unwrap();
    under(&bad, "bad", "REUSE_POLICY_ALLOW").await.unwrap();
    let refused = under(&bad, "bad", "REUSE_POLICY_REJECT").await;
    assert_fails(refused, Code::AlreadyExists, Reason::ExecutionKeyTaken, None);
    under(&good, "bad", "REUSE_POLICY_ONLY_IF_FAILED").await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_key_can_be_cancelled_and_a_lost_key_is_found() {
    let place = place().await;
    let agent = place.agent("/echo").await;
    let request = |conflict: &str| {
        json!({
            "agent_id": agent, "request_id": fresh(), "execution_key": "k", "conflict_policy": conflict,
        })
    };
    let mut holder = request("CONFLICT_POLICY_REJECT");
    holder["not_before"] = later();
    let holder = start(&place.org, holder).await.unwrap();
    let (second, third) = (
        start(&place.org, request("CONFLICT_POLICY_ENQUEUE")).await.unwrap(),
        start(&place.org, request("CONFLICT_POLICY_ENQUEUE")).await.unwrap(),
    );
    let cancel = json!({ "id": second["id"] });
    let second =
        place.org.developer().call("ExecutionService/CancelExecution", cancel).await.unwrap();
    assert_eq!(second["state"], "EXECUTION_STATE_CANCELLED");
    // Nobody is told that the holder ends.
    let root = place.stack.database.superuser();
    for sql in [
        "update runtime.agent_executions set state = 'succeeded', finished_at = now() where id = $1::uuid",
        "delete from runtime.execution_queue where execution_id = $1::uuid",
    ] {
        sqlx::query(sql).bind(holder["id"].as_str()).execute(&root).await.unwrap();
    }
    let succeeded = async || {
        let id = json!({ "id": third["id"] });
        let it = place.org.viewer().call("ExecutionService/GetExecution", id).await.unwrap();
        (it["state"] == "EXECUTION_STATE_SUCCEEDED").then_some(())
    };
    until("the third", succeeded).await;
}
