//! Looking for executions: filters, counts, and that each finds its rows by an index.

use super::{fresh, idle_agent, later, start, world};
use freehold_tests::{
    database::TestDatabase,
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{
    enums::ExecutionState,
    error::Reason,
    ids::OrganizationId,
    page::PageRequest,
    read::executions::lists::{self, ExecutionFilter},
    scope::{Scope, Service},
};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tonic::Code;

/// Ids of those that are listed, and what is counted with the same filters.
async fn found(org: &Org, filter: Value) -> (Vec<String>, Value) {
    let ask = async |method: &str| org.viewer().call(method, filter.clone()).await.unwrap();
    let list = ask("ExecutionService/ListExecutions").await;
    let ids = list["executions"].as_array().unwrap().iter();
    let ids = ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let count = ask("ExecutionService/CountExecutions").await;
    assert_eq!(count["total"], ids.len().to_string(), "{filter}");
    assert_eq!(count["capped"], false);
    (ids, count["counts"].clone())
}

#[tokio::test]
async fn lists_and_counts_are_narrowed_alike() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
        made.push(start(&org, request).await.unwrap());
    }
    let id = |at: usize| made[at]["id"].as_str().unwrap().to_owned();
    let [a, b, c, d] = [0, 1, 2, 3].map(id);
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": a })).await.unwrap();
    let set = async |id: &str, what: &str| {
        let sql = format!("update runtime.agent_executions set {what} where id = '{id}'");
        let superuser = stack.database.superuser();
        sqlx::query(AssertSqlSafe(sql)).execute(&superuser).await.unwrap();
    };
    set(&b, "state = 'failed', error_reason = 'REMOTE_TIMEOUT', finished_at = now()").await;
    set(&d, &format!("parent_execution_id = '{c}'")).await;
    let finds = async |filter: Value, expected: &[&String]| {
        let (ids, counts) = found(&org, filter.clone()).await;
        assert_eq!(ids.iter().collect::<Vec<_>>(), expected, "{filter}");
        counts
    };

    let state = |it: &str| format!("EXECUTION_STATE_{it}");
    let counts = finds(json!({}), &[&d, &c, &b, &a]).await;
    let count = |of: &str, count: &str| json!({ "state": state(of), "count": count });
    let all = json!([count("QUEUED", "2"), count("FAILED", "1"), count("CANCELLED", "1")]);
    assert_eq!(counts, all, "in the order of the states");
    finds(json!({ "states": [state("FAILED"), state("CANCELLED")] }), &[&b, &a]).await;
    finds(json!({ "states": [state("QUEUED"), state("RUNNING")] }), &[&d, &c]).await;
    finds(json!({ "states": [state("FAILED"), state("QUEUED")] }), &[&d, &c, &b]).await;
    finds(json!({ "error_reason": "REMOTE_TIMEOUT" }), &[&b]).await;
    finds(json!({ "error_reason": "CANCELLED", "agent_id": agent }), &[&a]).await;
    finds(json!({ "parent_execution_id": c }), &[&d]).await;
    let (from, before) = (&made[1]["create_time"], &made[3]["create_time"]);
    let range = json!({ "create_time_from": from, "create_time_before": before });
    finds(range, &[&c, &b]).await;
    finds(json!({ "create_time_before": from, "session_id": "none" }), &[]).await;

    // `state` goes on to work, alone and as one of several.
    let both = json!({ "state": state("FAILED"), "states": [state("CANCELLED")] });
    let list = org.viewer().call("ExecutionService/ListExecutions", both).await.unwrap();
    assert_eq!(list["executions"].as_array().unwrap().len(), 2);
    for (filter, field) in [
        (json!({ "states": [77] }), "states[0]"),
        (json!({ "parent_execution_id": "x" }), "parent_execution_id"),
        (json!({ "error_reason": "X".repeat(101) }), "error_reason"),
    ] {
        for method in ["ListExecutions", "CountExecutions"] {
            let method = format!("ExecutionService/{method}");
            let refused = org.viewer().call(&method, filter.clone()).await;
            assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field);
        }
    }
}

#[tokio::test]
async fn a_page_token_is_bound_to_the_new_filters_too() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    for _ in 0..2 {
        let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
        start(&org, request).await.unwrap();
    }
    let list =
        async |request: Value| org.viewer().call("ExecutionService/ListExecutions", request).await;
    let queued = json!(["EXECUTION_STATE_RUNNING", "EXECUTION_STATE_QUEUED"]);
    let page = list(json!({ "page_size": 1, "states": queued })).await.unwrap();
    let token = &page["next_page_token"];
    let same = json!(["EXECUTION_STATE_QUEUED", "EXECUTION_STATE_RUNNING"]);
    list(json!({ "page_size": 1, "states": same, "page_token": token })).await.unwrap();
    let other =
        json!({ "page_size": 1, "states": ["EXECUTION_STATE_QUEUED"], "page_token": token });
    let reason = Reason::InvalidPageToken;
    assert_fails(list(other).await, Code::InvalidArgument, reason, "page_token");
}

/// Of one organization; and more than are counted, of another.
const SOME: i32 = 20_000;
const MANY: i32 = 100_050;

/// Fills the table: of `org`, every 1,000th failed, every 2,000th has not ended, and a hundred are children of the first.
async fn fill(database: &TestDatabase, org: OrganizationId, count: i32) {
    let mut tx = database.superuser().begin().await.unwrap();
    sqlx::query(
        "insert into runtime.agent_executions
             (org_id, id, root_execution_id, agent_org_id, agent_id, agent_revision, session_id, state, error_reason, finished_at, created_at,
              queue_limit_ms, attempt_limit_ms, total_limit_ms)
         select $1, id, id, $1, lpad((n % 50)::text, 32, '0')::uuid, 1, (n % 3000)::text, state,
             case when state = 'failed' then 'REMOTE_STATUS' end, case when state <> 'running' then now() end,
             now() - make_interval(secs => n), 1, 1, 1
         from (select n, gen_random_uuid() as id from generate_series(1, $2) n offset 0) as new,
             lateral (select (case when n % 1000 = 0 then 'failed' when n % 2000 = 1 then 'running' else 'succeeded' end)
                 ::runtime.execution_state as state) s",
    )
    .bind(org)
    .bind(count)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into runtime.execution_queue
             (org_id, execution_id, phase, available_at, rank, deadline, total_deadline, attempt_limit_ms, agent_id)
         select org_id, id, 'delayed', 'infinity', 0, 'infinity', 'infinity', 1, agent_id
         from runtime.agent_executions
         where org_id = $1 and finished_at is null",
    )
    .bind(org)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "update runtime.agent_executions c set parent_execution_id = p.id
         from (select id from runtime.agent_executions where org_id = $1 order by created_at limit 1) p
         where c.org_id = $1 and c.id in (select id from runtime.agent_executions where org_id = $1 order by id limit 100)",
    )
    .bind(org)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// The plan of the statement about executions that this connection has prepared with so many values.
async fn plan(conn: &mut PgConnection, values: &[String]) -> String {
    let name = format!(
        "select name from pg_prepared_statements
         where statement like '%runtime.agent_executions%' and cardinality(parameter_types) = {}",
        values.len()
    );
    let name = sqlx::raw_sql(AssertSqlSafe(name)).fetch_one(&mut *conn).await.unwrap();
    let name: String = name.get(0);
    let sql = format!("explain execute {name} ({})", values.join(", "));
    let lines = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await.unwrap();
    lines.iter().map(|it| it.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

/// A filter as the values of the statements, up to the tenth.
fn values(org: OrganizationId, filter: &ExecutionFilter) -> Vec<String> {
    let quoted = |it: Option<String>| it.map_or("null".to_owned(), |it| format!("'{it}'"));
    let states: Vec<_> = filter.states.iter().map(|it| it.name().to_lowercase()).collect();
    let states = (!states.is_empty()).then(|| format!("{{{}}}", states.join(",")));
    let only = |fits: fn(&ExecutionState) -> bool| {
        (!filter.states.is_empty() && filter.states.iter().all(fits)).to_string()
    };
    vec![
        quoted(Some(org.to_string())),
        quoted(states),
        quoted(filter.agent.map(|it| it.to_string())),
        quoted(filter.session.clone()),
        quoted(filter.parent.map(|it| it.to_string())),
        quoted(filter.created_from.map(|it| it.to_rfc3339())),
        quoted(filter.created_before.map(|it| it.to_rfc3339())),
        quoted(filter.error_reason.clone()),
        only(|it| !it.is_final()),
        only(|it| matches!(it, ExecutionState::Failed | ExecutionState::Cancelled)),
    ]
}

#[tokio::test]
async fn every_filter_finds_its_rows_by_an_index() {
    let stack = Stack::builder().without_runtime().start().await;
    let (org, database) = (OrganizationId::generate(), &stack.database);
    fill(database, org, SOME).await;
    let large = stack.organization().await;
    fill(database, large.id.parse().unwrap(), MANY).await;
    // A queue in which one organization is not all there is: the whole of it is worth an index.
    sqlx::query(
        "insert into runtime.execution_queue
             (org_id, execution_id, phase, available_at, rank, deadline, total_deadline, attempt_limit_ms, agent_id)
         select gen_random_uuid(), gen_random_uuid(), 'delayed', 'infinity', 0, 'infinity', 'infinity', 1, gen_random_uuid()
         from generate_series(1, 20000)",
    )
    .execute(&database.superuser())
    .await
    .unwrap();
    sqlx::query("vacuum analyze runtime.agent_executions, runtime.execution_queue")
        .execute(&database.superuser())
        .await
        .unwrap();

    let db = database.db(Service::Web);
    let now = shared_db::clock::Clock::System.now();
    let hours = |it: u64| Some(now - std::time::Duration::from_hours(it));
    let any = ExecutionFilter::default;
    let states = |them: &[ExecutionState]| ExecutionFilter { states: them.to_vec(), ..any() };
    let parent: uuid::Uuid = sqlx::query_scalar(
        "select parent_execution_id from runtime.agent_executions where org_id = $1 and parent_execution_id is not null limit 1",
    )
    .bind(org)
    .fetch_one(&database.superuser())
    .await
    .unwrap();
    let agent = "00000000-0000-0000-0000-000000000007".parse().unwrap();
    let cases = [
        (any(), "newest"),
        (states(&[ExecutionState::Succeeded]), "newest"),
        (states(&[ExecutionState::Running, ExecutionState::Queued]), "execution_queue"),
        (states(&[ExecutionState::Failed]), "by_error"),
        (ExecutionFilter { error_reason: Some("REMOTE_STATUS".to_owned()), ..any() }, "by_error"),
        (ExecutionFilter { agent: Some(agent), ..any() }, "by_agent"),
        (ExecutionFilter { session: Some("77".to_owned()), ..any() }, "by_session"),
        (ExecutionFilter { parent: Some(parent.into()), ..any() }, "by_parent"),
        (ExecutionFilter { created_from: hours(2), created_before: hours(1), ..any() }, "newest"),
    ];
    for (filter, index) in cases {
        let mut tx = db.begin_search(Scope::Tenant(org, None)).await.unwrap();
        let page = PageRequest { size: 50, after: None };
        let list = lists::list(&mut tx, org, &filter, &page).await.unwrap();
        assert!(!list.items.is_empty(), "{filter:?}");
        let mut listed = values(org, &filter);
        let mut counted = listed.clone();
        listed.extend(["null", "null", "51"].map(str::to_owned));
        let listing = plan(&mut tx, &listed).await;
        lists::count(&mut tx, org, &filter).await.unwrap();
        counted.push(lists::COUNT_MAX.to_string());
        let counting = plan(&mut tx, &counted).await;
        for plan in [listing, counting] {
            assert!(!plan.contains("Seq Scan"), "{filter:?}\n{plan}");
            let index = match index {
                "execution_queue" => index.to_owned(),
                of_executions => format!("agent_executions_{of_executions}"),
            };
            assert!(plan.contains(&index), "{index} for {filter:?}\n{plan}");
        }
    }

    // Counting stops, and says so.
    let count = async |request: Value| {
        large.viewer().call("ExecutionService/CountExecutions", request).await.unwrap()
    };
    let all = count(json!({})).await;
    assert_eq!((&all["total"], &all["capped"]), (&json!("100000"), &json!(true)));
    let failed = count(json!({ "states": ["EXECUTION_STATE_FAILED"] })).await;
    assert_eq!((&failed["total"], &failed["capped"]), (&json!("100"), &json!(false)));
}
