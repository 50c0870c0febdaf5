//! Plans are made when a statement is first sent, often while nothing is queued, and stay. They must be right for a long queue too.

use super::workshop::{
    Workshop,
    changes::{again, change, step},
    runtime_db, until,
};
use chrono::TimeDelta;
use runtime_service::{
    engine::EngineConfig,
    store::{
        executions::NewExecution,
        queue,
        turns::{self, Changed},
        workers,
    },
};
use serde_json::json;
use shared_db::{
    clock::Clock,
    ids::{AgentId, OrganizationId, WorkerId},
    scope::Scope,
};
use sqlx::AssertSqlSafe;
use std::time::Duration;

const QUEUED: usize = 10_000;
const WARM: i64 = 20;
const DONE: i64 = 100;
/// Entries of indexes that may be read for one execution: a few of each table that it is in.
const READ_MAX: i64 = 100;
/// The same where it suspends, is woken and joined: each of these leaves an older version behind, which the next ones step over.
const READ_MAX_IN_A_TREE: i64 = 300;

/// The queue was long once and is known to be empty now, as it is whenever work is done.
#[tokio::test]
async fn what_was_planned_on_an_empty_queue_reads_no_more_when_it_is_long() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await;
    lay(&workshop, agent).await;
    fill(&workshop).await;
    forget(&workshop).await;
    check(&workshop, agent, 1, READ_MAX).await;
}

/// It was never long, so that its indexes are as small as can be, and one looks as good as the other.
#[tokio::test]
async fn what_was_planned_on_a_queue_that_was_always_short_reads_no_more_when_it_is_long() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await;
    lay(&workshop, agent).await;
    forget(&workshop).await;
    check(&workshop, agent, 1, READ_MAX).await;
}

/// Claims within limits count what is under way.
#[tokio::test]
async fn what_was_planned_for_an_organization_with_limits_reads_no_more_when_its_queue_is_long() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await;
    run(&workshop, "insert into runtime.organization_limits (org_id, executions_max) select id, 8 from web.organizations").await;
    lay(&workshop, agent).await;
    forget(&workshop).await;
    check(&workshop, agent, 1, READ_MAX).await;
}

/// Parents, their children, and waits: writes that no commit is shared for.
#[tokio::test]
async fn what_was_planned_for_trees_and_waits_reads_no_more_when_the_queue_is_long() {
    let workshop = Workshop::new().await;
    let child =
        workshop.agent(json!([{ "step_key": "nap", "sleep": { "duration": "0.01s" } }])).await;
    let fan = json!({ "agent_id": child, "for_each": "{{ input.items }}" });
    let parent = workshop.agent(json!([{ "step_key": "fan", "start_children": fan }])).await;
    lay(&workshop, child).await;
    forget(&workshop).await;
    check(&workshop, parent, 3, READ_MAX_IN_A_TREE).await;
}

/// Steps and actions of others that lie beside those that are changed.
const OTHERS: usize = 10_000;

/// A batch of turns looks up the steps and the actions that it changes, in tables that it may have known to have one row.
#[tokio::test]
async fn what_was_planned_for_the_first_step_reads_no_more_when_there_are_many() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let db = runtime_db(&workshop.database);
    for others in [0, OTHERS] {
        workshop.start(agent, json!({})).await;
        let claimed = workshop.claim(WorkerId::generate(), Duration::from_mins(1), 1).await;
        let begun = change(&claimed[0].lease, Some(step("only")));
        workshop.change(begun.clone()).await;
        if others == 0 {
            run(&workshop, "vacuum analyze").await;
        }
        // Of other executions of the same time, so that they lie in the same partition.
        let other = "'execution_id', left(row.execution_id::text, 24) || lpad(to_hex(n), 12, '0')";
        for table in ["execution_steps", "action_executions"] {
            copy(&workshop, table, "created_at desc", other, others).await;
        }
        let mut tx = db.begin_by_primary_key(Scope::Platform).await.unwrap();
        assert_eq!(turns::apply(&mut tx, &[again(begun)]).await.unwrap().changed, [Changed::Done]);
        tx.commit().await.unwrap();
    }
    db.pool().close().await;
    let sql = "select coalesce(sum(idx_tup_read), 0)::bigint
               from pg_stat_user_indexes
               where relname ~ '^(execution_steps|action_executions)_'";
    let read = async || -> i64 { sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap() };
    let known = async || 4 <= read().await;
    until("it to be known what was read", Duration::from_secs(10), known).await;
    let read = read().await;
    assert!(read < 20, "two steps and two actions were changed, {read} entries were read");
}

/// One execution that is not due for long, of which [`fill`] makes many.
async fn lay(workshop: &Workshop, agent: AgentId) {
    let not_before = Some(Clock::System.now() + TimeDelta::days(1));
    let later = NewExecution { not_before, ..workshop.new_execution(agent, json!({})) };
    workshop.start_as(later).await;
}

/// Leaves that one, and lets the planner know that there is nothing else.
async fn forget(workshop: &Workshop) {
    let emptied = "delete from runtime.execution_queue where rank <> (select min(rank) from runtime.execution_queue)";
    run(workshop, emptied).await;
    run(workshop, "vacuum analyze runtime.execution_queue").await;
    run(workshop, "vacuum analyze runtime.agent_executions").await;
}

/// Lets some be done while the queue is short, and more when it is long, and counts what was read for it. Each is `size` executions.
async fn check(workshop: &Workshop, agent: AgentId, size: i64, read_max: i64) {
    // Not the quick looks of other tests: on a busy machine there are more of them for each execution, and what is asked here is what those read.
    let engine = workshop.engine(EngineConfig::default());
    let input = json!({ "items": [1, 2] });
    let done = async || -> i64 {
        let sql = "select count(*) from runtime.agent_executions where state = 'succeeded'";
        sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
    };
    for _ in 0..WARM {
        workshop.start(agent, input.clone()).await;
    }
    let warm = WARM * size;
    until("the first to be done", Duration::from_secs(30), async || done().await == warm).await;
    fill(workshop).await;
    for _ in 0..DONE {
        workshop.start(agent, input.clone()).await;
    }
    let all = (WARM + DONE) * size;
    until("the others to be done", Duration::from_mins(1), async || done().await == all).await;

    // A connection says what it has read when it ends.
    engine.stop().await;
    workshop.db.pool().close().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let read: Vec<(String, i64)> = sqlx::query_as(
        "select indexrelname::text, idx_tup_read
         from pg_stat_user_indexes
         where schemaname = 'runtime' and idx_tup_read > 0
         order by idx_tup_read desc",
    )
    .fetch_all(&workshop.root)
    .await
    .unwrap();
    let total: i64 = read.iter().map(|it| it.1).sum();
    assert!(DONE < total, "it is not known yet what was read: {read:?}");
    assert!(total < all * read_max, "{total} for {all} executions: {read:?}");
}

/// Executions that were taken and are done while a session holds a snapshot.
const KEPT: usize = 3000;

/// What a snapshot keeps, every look at the queue would step over, several times a second.
#[tokio::test]
async fn looks_at_the_queue_step_over_nothing_that_a_snapshot_keeps() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await;
    let mut holder = workshop.root.acquire().await.unwrap();
    let snapshot = "begin isolation level repeatable read; select count(*) from runtime.agents";
    sqlx::raw_sql(snapshot).execute(&mut *holder).await.unwrap();
    let worker = WorkerId::generate();
    let all: Vec<_> = (0..KEPT).map(|_| workshop.new_execution(agent, json!({}))).collect();
    workshop.start_all(&all).await;
    let limit = i64::try_from(KEPT).unwrap();
    let claimed = workshop.claim(worker, Duration::from_mins(5), limit).await;
    assert_eq!(claimed.len(), KEPT);
    let asked = claimed[KEPT - 1].lease.execution;
    sqlx::query("delete from runtime.execution_queue where execution_id <> $1")
        .bind(asked.0)
        .execute(&workshop.root)
        .await
        .unwrap();
    run(&workshop, "update runtime.execution_queue set cancel_requested = true").await;
    workshop.start(agent, json!({})).await;

    // Who does not know that the organization has work finds it behind all that was taken.
    let (heads, read) = look(&workshop, worker, &[]).await;
    assert_eq!(heads, [workshop.org]);
    assert!(limit < read, "the snapshot keeps them: {read} entries were read");
    let (heads, read) = look(&workshop, worker, &[workshop.org]).await;
    assert_eq!(heads, [workshop.org]);
    assert!(read < 20, "{read} entries were read");
    let other = OrganizationId::generate();
    let (heads, _) = look(&workshop, worker, &[workshop.org, other]).await;
    assert_eq!(heads, [workshop.org, other], "they are taken at their word");
}

/// Looks as an engine does that holds one execution, which somebody asked to stop. Returns the organizations with work, and how many entries
/// of the queue's indexes were read.
async fn look(
    workshop: &Workshop,
    worker: WorkerId,
    known: &[OrganizationId],
) -> (Vec<OrganizationId>, i64) {
    let before = entries_read(workshop).await;
    let db = runtime_db(&workshop.database);
    let mut tx = db.begin_planned(Scope::Platform).await.unwrap();
    let nobody = OrganizationId(uuid::Uuid::nil());
    let heads = queue::heads(&mut tx, nobody, known, 1000).await.unwrap();
    assert_eq!(queue::overdue(&mut tx, 100).await.unwrap(), []);
    assert_eq!(queue::rescue(&mut tx, 5, 100).await.unwrap(), []);
    assert_eq!(workers::asked(&mut tx, worker).await.unwrap().len(), 1);
    drop(tx);
    db.pool().close().await;
    until("it to be known what was read", Duration::from_secs(10), async || {
        before < entries_read(workshop).await
    })
    .await;
    (heads.into_iter().map(|it| it.org).collect(), entries_read(workshop).await - before)
}

/// A connection says what it has read when it ends.
async fn entries_read(workshop: &Workshop) -> i64 {
    sqlx::query_scalar(
        "select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'execution_queue'",
    )
    .fetch_one(&workshop.root)
    .await
    .unwrap()
}

/// Queues many that are not due, as copies of the one that is there.
async fn fill(workshop: &Workshop) {
    let other = "'execution_id', gen_random_uuid(), 'rank', row.rank + n";
    copy(workshop, "execution_queue", "rank", other, QUEUED).await;
}

/// Copies the first row of a table, in an order, so many times, but for what is other in the nth.
async fn copy(workshop: &Workshop, table: &str, order: &str, other: &str, count: usize) {
    let sql = format!(
        "insert into runtime.{table}
         select (jsonb_populate_record(null::runtime.{table}, to_jsonb(row) || jsonb_build_object({other}))).*
         from (select * from runtime.{table} order by {order} limit 1) as row, generate_series(1, {count}) as n"
    );
    run(workshop, &sql).await;
}

async fn run(workshop: &Workshop, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&workshop.root).await.unwrap();
}

/// To cut it short takes a lock that nobody can work beside.
#[tokio::test]
async fn vacuum_leaves_an_empty_queue_its_pages() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await;
    workshop.start(agent, json!({})).await;
    fill(&workshop).await;
    sqlx::query("delete from runtime.execution_queue").execute(&workshop.root).await.unwrap();
    let pages = "select pg_relation_size('runtime.execution_queue') / 8192";
    let before: i64 = sqlx::query_scalar(pages).fetch_one(&workshop.root).await.unwrap();
    sqlx::query("vacuum runtime.execution_queue").execute(&workshop.root).await.unwrap();
    let after: i64 = sqlx::query_scalar(pages).fetch_one(&workshop.root).await.unwrap();
    assert!(10 < before && after == before, "{before} pages before, {after} after");
}
