//! The holes in append-only, and that no table is forgotten.

use freehold_tests::database::TestDatabase;
use shared_db::{
    contract::Contract,
    enums::PurgeSubject,
    error::Result,
    ids::{OrganizationId, PurgeId},
    purge::{self, Book, Ledger, Order, What},
    scope::Service,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, error::DatabaseError};
use std::collections::BTreeSet;

/// SQLSTATEs: the role may not do it.
const DENIED: &str = "42501";
/// There is no such table.
const NO_TABLE: &str = "42P01";
/// Nobody has asked for it.
const NOT_ASKED: &str = "55000";

async fn run(conn: &mut PgConnection, sql: &str) -> Result<i64, String> {
    let mut tx = conn.begin().await.unwrap();
    let result = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await;
    let code = |error: sqlx::Error| {
        error.as_database_error().and_then(DatabaseError::code).unwrap().into_owned()
    };
    let result = result.map_err(code);
    tx.rollback().await.unwrap();
    result
}

async fn connect(url: &str, role: &str) -> PgConnection {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("set role {role}"))).execute(&mut conn).await.unwrap();
    conn
}

/// An organization with a line in its trail and an event, and a purge of it in this state.
async fn prepare(pool: &PgPool, state: &str) -> (OrganizationId, PurgeId) {
    let (org, purge) = (OrganizationId::generate(), PurgeId::generate());
    let sql = format!(
        "insert into web.organizations (id, slug, name) values ('{org}', 's{simple}', 'Test');
         insert into web.activities (org_id, id, action, resource_type, resource_id)
         values ('{org}', '{org}', 'Test', 'test', '{org}');
         insert into runtime.execution_events (org_id, execution_id, seq, event_type) values ('{org}', '{org}', 1, 'execution_queued');
         insert into web.core_actions (org_id, id, slug, name, kind, config) values ('{org}', '{org}', 'a', 'A', 'http', '{{}}');
         insert into web.purges (id, subject, subject_id, state, erase_after) values ('{purge}', 'organization', '{org}', '{state}', now())",
        simple = org.0.simple(),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    (org, purge)
}

#[tokio::test]
async fn what_is_append_only_goes_by_a_purge_under_way_and_by_nothing_else() {
    let database = TestDatabase::create().await;
    let pool = database.superuser();
    let (_, stopping) = prepare(&pool, "stopping").await;
    let (org, erasing) = prepare(&pool, "erasing").await;
    let erase = |owner: &str, table: &str, purge: PurgeId| {
        format!("select freehold.purge_{owner}_rows('{table}', '{purge}', 1000)")
    };
    let mut conns = [
        connect(&database.web_url(), "web_app_platform").await,
        connect(&database.runtime_url(), "agent_runtime_platform").await,
    ];
    for (at, sql, expected) in [
        (0, erase("web", "web.activities", erasing), Ok(1)),
        (1, erase("runtime", "runtime.execution_events", erasing), Ok(1)),
        (
            0,
            format!(
                "select freehold.has_rows('web.core_actions', 'org_id = $1', '{org}')::int::bigint"
            ),
            Ok(1),
        ),
        // It is not the time yet, or nobody has asked.
        (0, erase("web", "web.activities", stopping), Err(NOT_ASKED)),
        (0, erase("web", "web.activities", PurgeId::generate()), Err(NOT_ASKED)),
        // A table of the other, or none, or a part of one.
        (0, erase("web", "runtime.execution_events", erasing), Err(NO_TABLE)),
        (1, erase("runtime", "web.activities", erasing), Err(NO_TABLE)),
        (1, erase("runtime", "runtime.execution_events_default", erasing), Err(NO_TABLE)),
        (0, erase("web", "web.nothing", erasing), Err(NO_TABLE)),
        // What the platform role may delete by itself the owner does not even see.
        (0, erase("web", "web.core_actions", erasing), Ok(0)),
        (0, erase("web", "web.organization_members", erasing), Ok(0)),
        (0, erase("runtime", "runtime.execution_events", erasing), Err(DENIED)),
        (1, erase("web", "web.activities", erasing), Err(DENIED)),
        (
            0,
            format!("select freehold.erase_rows('web.activities', 'true', '{org}', 9)"),
            Err(DENIED),
        ),
        (
            1,
            format!("select freehold.erase_rows('web.core_actions', 'true', '{org}', 9)"),
            Err(DENIED),
        ),
    ] {
        assert_eq!(run(&mut conns[at], &sql).await, expected.map_err(str::to_owned), "{sql}");
    }
    let ids = format!(
        "select replaced from freehold.purge_web_ids('web.activities', 'resource_id', '{erasing}', null, 9)"
    );
    assert_eq!(run(&mut conns[0], &ids).await, Ok(1), "it names the organization");
    let stopped = ids.replace(&erasing.to_string(), &stopping.to_string());
    assert_eq!(run(&mut conns[0], &stopped).await, Err(NOT_ASKED.to_owned()));
    // The roles that act in one organization can not even ask.
    let mut conns = [
        connect(&database.web_url(), "web_app").await,
        connect(&database.runtime_url(), "agent_runtime").await,
    ];
    for (at, sql) in [
        (0, erase("web", "web.activities", erasing)),
        (1, erase("runtime", "runtime.execution_events", erasing)),
    ] {
        assert_eq!(run(&mut conns[at], &sql).await, Err(DENIED.to_owned()), "{sql}");
    }
}

/// Notes nothing.
struct NoLedger;

impl Ledger for NoLedger {
    async fn open(&self, _: &mut PgConnection, _: PurgeId) -> Result<Option<Book>> {
        Ok(Some(Book::default()))
    }

    async fn note(&self, _: &mut PgConnection, _: PurgeId, _: Book) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_table_of_the_contract_is_in_the_plan_and_every_step_can_be_taken() {
    let database = TestDatabase::create().await;
    let pool = database.superuser();
    let (org, of_org) = prepare(&pool, "erasing").await;
    let (user, of_user) = (OrganizationId::generate(), PurgeId::generate());
    let sql = format!(
        "insert into web.purges (id, subject, subject_id, state, erase_after) values ('{of_user}', 'user', '{user}', 'erasing', now())"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    let mut planned = BTreeSet::new();
    let services = [database.db(Service::Runtime), database.db(Service::Web)];
    for db in &services {
        for (subject, id, purge) in
            [(PurgeSubject::Organization, org, of_org), (PurgeSubject::User, user, of_user)]
        {
            let mut conn = pool.acquire().await.unwrap();
            for step in purge::plan(&mut conn, db.service(), subject).await.unwrap() {
                assert!(step.table.starts_with(db.service().schema()), "{step:?}");
                match step.what {
                    What::Rows(condition) | What::Awaited(condition) => {
                        planned.insert((subject as u8, step.table, condition))
                    }
                    What::Ids(column) => planned.insert((subject as u8, step.table, column)),
                };
            }
            let order = Order { purge, subject, id: id.0 };
            let passed = purge::pass(db, &NoLedger, order, || false).await.unwrap();
            assert!(passed.is_finished(), "{passed:?}");
        }
    }
    let (of_org, of_user) = (PurgeSubject::Organization as u8, PurgeSubject::User as u8);
    for table in &Contract::embedded().tables {
        let has = |of: u8, what: &str| planned.contains(&(of, table.path(), what.to_owned()));
        assert!(!table.scope.has_org_id() || has(of_org, "org_id = $1"), "{}", table.path());
        for column in &table.cross_tenant {
            let gone = has(of_org, column) || has(of_org, &format!("{column} = $1"));
            assert!(gone, "{}.{column}", table.path());
        }
        for column in &table.organizations {
            assert!(has(of_org, column), "{}.{column}", table.path());
        }
        for column in &table.users {
            assert!(has(of_user, column), "{}.{column}", table.path());
        }
    }
    let of_members = "(org_id, user_id) in (select org_id, user_id from web.organization_members where user_id = $1)";
    for (of, table, what) in [
        (of_org, "web.organizations", "id = $1"),
        (of_org, "web.users", "current_org_id"),
        (of_org, "runtime.agent_organizations", "agent_org_id = $1"),
        (of_user, "web.users", "id = $1"),
        (of_user, "web.organization_members", "user_id = $1"),
        (of_user, "web.api_keys", of_members),
        (of_user, "web.organizations", "created_by"),
    ] {
        assert!(planned.contains(&(of, table.to_owned(), what.to_owned())), "{table} {what}");
    }
}

/// Rows that refer to others of their table, whichever was made first; and a foreign key across the two owners.
#[tokio::test]
async fn references_that_no_table_has_yet_do_not_stand_in_the_way() {
    let database = TestDatabase::create().await;
    let pool = database.superuser();
    let (org, purge) = prepare(&pool, "erasing").await;
    let sql = format!(
        "alter table web.core_actions add column parent_id uuid, add column agent_id uuid,
             add foreign key (org_id, parent_id) references web.core_actions (org_id, id),
             add foreign key (org_id, agent_id) references runtime.agents (org_id, id);
         insert into runtime.agents (org_id, id, slug, name, agent_type, endpoint) values ('{org}', '{org}', 'a', 'A', 'api', '{{}}');
         insert into web.core_actions (org_id, id, slug, name, kind, config, agent_id)
         select '{org}', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 's' || n, 'S', 'http', '{{}}', '{org}'
         from generate_series(1, 500) as n;
         -- Older ones belong to newer ones, so that no part of them can go by itself.
         update web.core_actions set parent_id = ('00000000-0000-7000-8000-' || lpad((substr(slug, 2)::int % 500 + 1)::text, 12, '0'))::uuid
         where slug like 's%'"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    let order = Order { purge, subject: PurgeSubject::Organization, id: org.0 };
    let web = database.db(Service::Web);
    let runtime = database.db(Service::Runtime);
    let first = purge::pass(&runtime, &NoLedger, order, || false).await.unwrap();
    assert_eq!(first.blocked, ["runtime.agents"], "web's rows refer to it: {first:?}");
    let second = purge::pass(&web, &NoLedger, order, || false).await.unwrap();
    assert_eq!(second.blocked, ["web.organizations"], "the runtime's refer to it: {second:?}");
    for db in [&runtime, &web] {
        let passed = purge::pass(db, &NoLedger, order, || false).await.unwrap();
        assert!(passed.is_finished() && 0 < passed.rows, "{passed:?}");
    }
    for table in ["web.core_actions", "web.activities", "runtime.agents"] {
        let sql = format!("select count(*) from {table} where org_id = '{org}'");
        let left: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
}
