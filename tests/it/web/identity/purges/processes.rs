//! Purges while processes die: whoever comes back goes on where the other was, and the receipt is exact.

use super::{finished, places, receipt, rows, until};
use freehold_tests::{
    database::TestDatabase,
    process::{Layout, Processes},
    settings::Settings,
    stack::Org,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

async fn purge(org: &Org) -> Value {
    let request = json!({ "id": org.id, "confirm_slug": org.slug });
    org.owner().call("OrganizationService/PurgeOrganization", request).await.unwrap()
}

/// Enough of what nobody may delete for many transactions, in both schemas.
async fn fill(pool: &PgPool, org: &str, rows: u32) {
    for sql in [
        format!(
            "insert into web.activities (org_id, id, action, resource_type, resource_id)
             select '{org}', gen_random_uuid(), 'Test', 'test', gen_random_uuid() from generate_series(1, {rows})"
        ),
        format!(
            "insert into runtime.execution_events (org_id, execution_id, seq, event_type)
             select '{org}', gen_random_uuid(), n, 'execution_queued' from generate_series(1, {rows}) as n"
        ),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }
}

/// Enough that is a person's own, and that tells of them, for many transactions.
async fn fill_with(pool: &PgPool, org: &str, user: &str, rows: u32) {
    for sql in [
        format!(
            "insert into web.emails (org_id, user_id, id)
             select '{org}', '{user}', gen_random_uuid() from generate_series(1, {rows})"
        ),
        format!(
            "insert into web.activities (org_id, id, actor_user_id, action, resource_type, resource_id)
             select '{org}', gen_random_uuid(), '{user}', 'Test', 'test', gen_random_uuid() from generate_series(1, {rows})"
        ),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }
}

/// So many processes are killed while rows are erased.
const KILLS: usize = 12;
/// Killed processes are back within this, also on a busy machine.
const ERASING_WITHIN: Duration = Duration::from_mins(1);

/// Waits until rows are being erased; false when that is over already.
async fn until_erasing(pool: &PgPool) -> bool {
    let give_up = tokio::time::Instant::now() + ERASING_WITHIN;
    loop {
        let sql = "select state::text from web.purges where finished_at is null";
        let state: Option<String> = sqlx::query_scalar(sql).fetch_optional(pool).await.unwrap();
        match state.as_deref() {
            None => return false,
            Some("erasing") => return true,
            Some(_) => assert!(tokio::time::Instant::now() < give_up, "nothing is erased"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Kills one process after the other, of both services.
async fn kill_while_erasing(all: &mut Processes, pool: &PgPool) {
    let mut kills = 0;
    while kills < KILLS && until_erasing(pool).await {
        match kills % 3 {
            0 => all.webs[0].restart(),
            1 => all.runtimes[0].restart(),
            _ => all.webs[1].restart(),
        }
        kills += 1;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(2 < kills, "{kills} kills while rows were erased: more rows are needed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_whose_processes_are_killed_again_and_again_comes_to_its_end() {
    let layout = Layout { webs: 2, runtimes: 1, ..Layout::default() };
    let database = TestDatabase::create().await;
    let mut all = Processes::start_on(database, &layout, &Settings::default()).await;
    let (org, other) = (all.organization().await, all.organization().await);
    let pool = all.database.superuser();
    fill(&pool, &org.id, 40_000).await;
    fill(&pool, &other.id, 10).await;
    let (before, theirs) = (rows(&pool, &org.id).await, rows(&pool, &other.id).await);
    let asked = purge(&org).await;

    kill_while_erasing(&mut all, &pool).await;
    let done = finished(&all, &asked["id"]).await;
    assert_eq!(places(&pool, &org.id).await, [""; 0]);
    let receipt = receipt(&done);
    for (table, count) in before {
        assert_eq!(receipt.get(&table).map_or(0, |it| it.0), count, "{table}");
    }
    assert_eq!(rows(&pool, &other.id).await, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_purge_whose_processes_are_killed_again_and_again_comes_to_its_end() {
    const ROWS: u32 = 30_000;
    let layout = Layout { webs: 2, runtimes: 1, ..Layout::default() };
    let database = TestDatabase::create().await;
    let mut all = Processes::start_on(database, &layout, &Settings::default()).await;
    let org = all.organization().await;
    let pool = all.database.superuser();
    fill_with(&pool, &org.id, &org.viewer.user_id, ROWS).await;
    fill_with(&pool, &org.id, &org.developer.user_id, 10).await;
    let before = rows(&pool, &org.id).await;
    // A row that names them in two columns counts twice.
    let telling = "
        select count(*) filter (where actor_user_id::text = $1) + count(*) filter (where resource_id::text = $1)
        from web.activities";
    let told: i64 =
        sqlx::query_scalar(telling).bind(&org.viewer.user_id).fetch_one(&pool).await.unwrap();
    assert!(i64::from(ROWS) <= told);
    let person = json!({ "id": org.viewer.user_id });
    let asked = org.viewer().call("UserService/PurgeUser", person).await.unwrap();

    kill_while_erasing(&mut all, &pool).await;
    let done = finished(&all, &asked["id"]).await;
    assert_eq!(places(&pool, &org.viewer.user_id).await, [""; 0]);
    let receipt = receipt(&done);
    assert_eq!(receipt["web.emails"].0, i64::from(ROWS));
    // So does the line of the purge: it is by them, and about them.
    assert_eq!(receipt["web.activities"], (0, told + 2));
    let after = rows(&pool, &org.id).await;
    assert_eq!(after["web.emails"], 10, "those of the others");
    assert_eq!(after["web.activities"], before["web.activities"] + 1, "what they did stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_waits_for_a_runtime_that_is_away() {
    let mut all = Processes::start(1, Settings::default()).await;
    let org = all.organization().await;
    let agent = org.agent(&["https://example.test/"]).await;
    all.runtimes[0].kill9();
    // Accepted and not sent: nobody sends it any more.
    let start = json!({ "agent_id": agent, "request_id": "late" });
    org.developer().call("ExecutionService/StartExecution", start).await.unwrap_err();
    let asked = purge(&org).await;
    let held = until(&all, &asked["id"], |it| it["error"] != "").await;
    assert_eq!(held["state"], "PURGE_STATE_STOPPING", "{held:#}");
    let pool = all.database.superuser();
    assert!(!places(&pool, &agent).await.is_empty());
    all.runtimes[0].restart();
    let done = finished(&all, &asked["id"]).await;
    assert_eq!(done["error"], "");
    assert!(!receipt(&done).contains_key("runtime.agent_executions"), "it was started: {done:#}");
    for id in [&org.id, &agent] {
        assert_eq!(places(&pool, id).await, [""; 0]);
    }
}
