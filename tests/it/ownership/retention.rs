//! Retention: partitions ahead, old ones dropped, nothing that lives touched, and nobody else at it.

use freehold_tests::database::TestDatabase;
use shared_db::{
    ids::{ExecutionId, OrganizationId},
    maintain::{self, Options, Step},
    migrate, verify,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, error::DatabaseError};
use std::time::Duration;
use uuid::Uuid;

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    result.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn count(conn: &mut PgConnection, from: &str) -> i64 {
    let sql = AssertSqlSafe(format!("select count(*) from {from}"));
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

/// An id as one made so many days ago; `tail` tells those of one moment apart.
async fn id_of(conn: &mut PgConnection, days_ago: i32, tail: u128) -> ExecutionId {
    let sql = "select freehold.first_id(now() - make_interval(days => $1))";
    let first: ExecutionId = sqlx::query_scalar(sql).bind(days_ago).fetch_one(conn).await.unwrap();
    let low = (0x7000_u128 << 64) | (0x8000_u128 << 48) | tail;
    ExecutionId(Uuid::from_u128(first.0.as_u128() | low))
}

/// One event of an execution, whose row says that it was written at its birth.
async fn event(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) {
    let sql = "
        insert into runtime.execution_events (org_id, execution_id, seq, event_type, created_at)
        values ($1, $2, 1, 'execution_queued', freehold.time_of_id($2))";
    sqlx::query(sql).bind(org).bind(id).execute(conn).await.unwrap();
}

async fn partition_of(conn: &mut PgConnection, id: ExecutionId) -> String {
    let sql =
        "select tableoid::regclass::text from runtime.execution_events where execution_id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(conn).await.unwrap()
}

async fn lives(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) {
    let sql = "
        insert into runtime.execution_queue
            (org_id, execution_id, phase, available_at, rank, deadline, total_deadline, attempt_limit_ms, agent_id)
        values ($1, $2, 'delayed', 'infinity', 0, now() + interval '1 day', now() + interval '1 day', 1000, $2)";
    sqlx::query(sql).bind(org).bind(id).execute(conn).await.unwrap();
}

async fn maintain(conn: &mut PgConnection) -> Vec<Step> {
    let mut steps = Vec::new();
    maintain::run(conn, Options::default(), &mut |it| steps.push(it)).await.unwrap();
    steps
}

#[tokio::test]
async fn a_fresh_database_has_the_partitions_of_its_next_days() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let org = OrganizationId::generate();
    for days_ago in [0, -6] {
        let id = id_of(&mut conn, days_ago, 1).await;
        event(&mut conn, org, id).await;
        let partition = partition_of(&mut conn, id).await;
        assert_ne!(partition, "runtime.execution_events_default");
    }
    let again = migrate::run(&mut conn, &migrate::Options::default()).await.unwrap();
    assert_eq!(again.partitions, Vec::<String>::new());
    let mut maintenance = connect(&database.maintenance_url()).await;
    assert_eq!(maintain(&mut maintenance).await, []);
}

/// The tables whose rows lie in partitions of a week each.
const TABLES: [&str; 3] =
    ["runtime.execution_events", "runtime.execution_steps", "runtime.action_executions"];

/// How many weeks begin between now and so many days ahead. They begin on Monday, in UTC.
async fn weeks_ahead(conn: &mut PgConnection, days: i32) -> usize {
    let sql = "
        select count(*)
        from generate_series(now(), now() + make_interval(days => $1), interval '1 hour') as t
        where extract(isodow from t at time zone 'UTC') = 1
          and extract(hour from t at time zone 'UTC') = 0";
    let weeks: i64 = sqlx::query_scalar(sql).bind(days).fetch_one(conn).await.unwrap();
    weeks.try_into().unwrap()
}

#[tokio::test]
async fn new_partitions_pass_verify_and_are_reached_through_their_root_alone() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let mut maintenance = connect(&database.maintenance_url()).await;
    let options = Options { ahead_days: 60, ..Options::default() };
    let weeks = weeks_ahead(&mut conn, 60).await - weeks_ahead(&mut conn, 7).await;
    let mut made = Vec::new();
    maintain::run(&mut maintenance, options, &mut |it| made.push(it)).await.unwrap();
    assert_eq!(made.len(), TABLES.len() * weeks, "{made:?}");
    for table in TABLES {
        let of_it = |it: &&Step| matches!(it, Step::Made { partition, moved: 0 } if partition.starts_with(table));
        assert_eq!(made.iter().filter(of_it).count(), weeks, "{table} in {made:?}");
    }
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
    let Step::Made { partition, .. } = &made[0] else { panic!("{made:?}") };
    for url in [database.web_url(), database.runtime_url(), database.maintenance_url()] {
        let mut conn = connect(&url).await;
        for sql in [format!("select count(*) from {partition}"), format!("drop table {partition}")]
        {
            assert_eq!(denied(&mut conn, &sql).await, "42501", "{sql}");
        }
    }
    run(&mut conn, &format!("grant select on {partition} to freehold_maintenance")).await;
    let found = verify::run(&mut conn).await.unwrap();
    assert!(found.iter().any(|it| it.kind == verify::Kind::Partition && it.object == *partition));
}

async fn denied(conn: &mut PgConnection, sql: &str) -> String {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    let error = result.expect_err(sql);
    error.as_database_error().and_then(DatabaseError::code).expect("a SQLSTATE").into_owned()
}

#[tokio::test]
async fn the_services_can_not_maintain() {
    let database = TestDatabase::create().await;
    for url in [database.web_url(), database.runtime_url()] {
        let mut conn = connect(&url).await;
        for sql in [
            "select freehold.make_partitions()",
            "select freehold.drop_partitions('runtime.execution_events', '90 days')",
            "select freehold.drop_rows('runtime.agent_executions', '400 days')",
            "set role freehold_maintenance",
            "drop table runtime.execution_events_default",
        ] {
            assert_eq!(denied(&mut conn, sql).await, "42501", "{sql}");
        }
        let error = maintain::run(&mut conn, Options::default(), &mut |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("name freehold_maintenance"), "{error:#}");
    }
}

#[tokio::test]
async fn rows_of_the_default_partition_move_into_that_of_their_week() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let (org, id) = (OrganizationId::generate(), id_of(&mut conn, 10, 1).await);
    event(&mut conn, org, id).await;
    assert_eq!(partition_of(&mut conn, id).await, "runtime.execution_events_default");
    let mut maintenance = connect(&database.maintenance_url()).await;
    let steps = maintain(&mut maintenance).await;
    let partition = partition_of(&mut conn, id).await;
    assert_ne!(partition, "runtime.execution_events_default");
    assert_eq!(steps, [Step::Made { partition, moved: 1 }]);
}

#[tokio::test]
async fn what_is_past_its_retention_goes_unless_it_lives() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let org = OrganizationId::generate();
    let [old, live, young] = [
        id_of(&mut conn, 150, 1).await,
        id_of(&mut conn, 120, 2).await,
        id_of(&mut conn, 80, 3).await,
    ];
    for id in [old, live, young] {
        event(&mut conn, org, id).await;
        let sql = "
            insert into runtime.execution_signals (org_id, execution_id, id, name)
            values ($1, $2, $2, 'go')";
        sqlx::query(sql).bind(org).bind(id).execute(&mut conn).await.unwrap();
    }
    lives(&mut conn, org, live).await;
    let mut maintenance = connect(&database.maintenance_url()).await;
    let steps = maintain(&mut maintenance).await;
    let dropped = steps.iter().filter(|it| matches!(it, Step::Dropped { .. })).count();
    assert_eq!(dropped, 1, "{steps:?}");
    let kept = Step::Kept {
        partition: partition_of(&mut conn, live).await,
        live: 1,
        example: Some(live.0),
    };
    assert!(steps.contains(&kept), "{steps:?}");
    let removed = Step::Removed { table: "runtime.execution_signals".to_owned(), rows: 1 };
    assert!(steps.contains(&removed), "{steps:?}");
    for (id, rows) in [(old, 0), (live, 1), (young, 1)] {
        for table in ["runtime.execution_events", "runtime.execution_signals"] {
            let from = format!("{table} where execution_id = '{id}'");
            assert_eq!(count(&mut conn, &from).await, rows, "{from}");
        }
    }
    // What stood in its way has ended: now it goes.
    run(&mut conn, "delete from runtime.execution_queue").await;
    let steps = maintain(&mut maintenance).await;
    assert!(steps.iter().any(|it| matches!(it, Step::Dropped { .. })), "{steps:?}");
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
}

/// An execution of the tree of `root` that has ended when that was past its retention, or that goes on.
async fn execution(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
    root: ExecutionId,
    lives: bool,
) {
    let sql = "
        insert into runtime.agent_executions
            (org_id, id, agent_org_id, agent_id, agent_revision, root_execution_id, parent_execution_id, state, finished_at,
             queue_limit_ms, attempt_limit_ms, total_limit_ms)
        values ($1, $2, $1, $2, 1, $3, nullif($3, $2),
            (case when $4 then 'running' else 'succeeded' end)::runtime.execution_state,
            case when not $4 then now() - interval '401 days' end, 1, 1, 1)";
    sqlx::query(sql).bind(org).bind(id).bind(root).bind(lives).execute(&mut *conn).await.unwrap();
    if lives {
        self::lives(conn, org, id).await;
    }
}

#[tokio::test]
async fn what_a_tree_has_left_stays_for_as_long_as_one_of_it_lives() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let org = OrganizationId::generate();
    let mut trees = Vec::new();
    // Who lives: nobody, the root, and one of its two children.
    for (number, [root_lives, child_lives]) in
        [[false, false], [true, false], [false, true]].into_iter().enumerate()
    {
        let tail = 10 * number as u128;
        let root = id_of(&mut conn, 500, tail).await;
        execution(&mut conn, org, root, root, root_lives).await;
        for (more, lives) in [(1, child_lives), (2, false)] {
            let child = id_of(&mut conn, 450, tail + more).await;
            execution(&mut conn, org, child, root, lives).await;
        }
        let sql = "
            insert into runtime.workflow_data (org_id, root_execution_id, key, value, execution_id, step_key, created_by_agent)
            values ($1, $2, 'key', '1', $2, 'put', $2)";
        sqlx::query(sql).bind(org).bind(root).execute(&mut conn).await.unwrap();
        trees.push((root, root_lives || child_lives));
    }
    let mut maintenance = connect(&database.maintenance_url()).await;
    let removed = |table: &str, rows| Step::Removed { table: format!("runtime.{table}"), rows };
    let steps = maintain(&mut maintenance).await;
    for step in [removed("agent_executions", 3), removed("workflow_data", 1)] {
        assert!(steps.contains(&step), "{steps:?}");
    }
    for (root, lives) in trees {
        let left = async |conn: &mut PgConnection, table: &str| {
            count(conn, &format!("runtime.{table} where root_execution_id = '{root}'")).await
        };
        let all =
            (left(&mut conn, "agent_executions").await, left(&mut conn, "workflow_data").await);
        assert_eq!(all, if lives { (3, 1) } else { (0, 0) }, "{root}");
    }
    // Nobody lives any more.
    run(&mut conn, "delete from runtime.execution_queue").await;
    let ended = "update runtime.agent_executions set state = 'succeeded', finished_at = now() - interval '401 days'
                 where finished_at is null";
    run(&mut conn, ended).await;
    let steps = maintain(&mut maintenance).await;
    for step in [removed("agent_executions", 6), removed("workflow_data", 2)] {
        assert!(steps.contains(&step), "{steps:?}");
    }
}

#[tokio::test]
async fn a_day_is_the_least_that_is_kept() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.maintenance_url()).await;
    for sql in [
        "select freehold.drop_partitions('runtime.execution_events', '0 days')",
        "select freehold.drop_rows('runtime.agent_executions', '23 hours')",
    ] {
        assert_eq!(denied(&mut conn, sql).await, "22023", "{sql}");
    }
    assert_eq!(
        denied(&mut conn, "select freehold.drop_rows('web.users', '90 days')").await,
        "42P01"
    );
}

#[tokio::test]
async fn who_writes_while_partitions_are_made_waits_and_succeeds() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let org = OrganizationId::generate();
    // This week's partition is gone, so that everything falls into the default one until it is made.
    let id = id_of(&mut conn, 0, 1).await;
    event(&mut conn, org, id).await;
    let partition = partition_of(&mut conn, id).await;
    run(&mut conn, &format!("drop table {partition}")).await;
    let writers: Vec<_> = (0..3_u128)
        .map(|writer| {
            let url = database.superuser_url();
            tokio::spawn(async move {
                let mut conn = connect(&url).await;
                let ids =
                    async |conn: &mut PgConnection| id_of(conn, 0, writer << 32).await.0.as_u128();
                let first = ids(&mut conn).await;
                for n in 1..=200 {
                    event(&mut conn, org, ExecutionId(Uuid::from_u128(first + n))).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut maintenance = connect(&database.maintenance_url()).await;
    let steps = maintain(&mut maintenance).await;
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(matches!(&steps[0], Step::Made { partition: it, .. } if *it == partition), "{steps:?}");
    assert_eq!(count(&mut conn, &partition).await, 600);
    assert_eq!(count(&mut conn, "runtime.execution_events_default").await, 0);
}

#[tokio::test]
async fn what_belongs_to_one_execution_is_looked_for_in_one_partition() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database.superuser_url()).await;
    let id = id_of(&mut conn, 0, 1).await;
    for table in ["execution_events", "execution_steps", "action_executions"] {
        let sql = format!(
            "explain (costs off) select 1 from runtime.{table} where org_id = '{id}' and execution_id = '{id}'"
        );
        let plan: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
        let plan = plan.join("\n");
        assert_eq!(plan.matches(&format!(" on {table}_")).count(), 1, "{plan}");
        assert!(!plan.contains("Append") && !plan.contains("_default"), "{plan}");
    }
}
