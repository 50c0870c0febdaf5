//! Every table, every verb, every role, over real connections: what the contract says is what the server does.

use freehold_tests::database::TestDatabase;
use shared_db::contract::{Contract, Principal, Table, Verb};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgTransaction, error::DatabaseError};

/// SQLSTATE of a missing privilege.
const DENIED: &str = "42501";

const VERBS: [Verb; 5] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete, Verb::Truncate];

/// A statement that needs the privilege and touches no row.
fn attempt(table: &Table, verb: Verb) -> String {
    let path = table.path();
    let column = if table.scope.has_org_id() { "org_id" } else { "id" };
    match verb {
        Verb::Select => format!("select {column} from {path} limit 1"),
        Verb::Insert => format!("insert into {path} select where false"),
        Verb::Update => format!("update {path} set {column} = {column} where false"),
        Verb::Delete => format!("delete from {path} where false"),
        Verb::Truncate => format!("truncate {path}"),
        Verb::References | Verb::Trigger | Verb::Maintain => unreachable!("not part of the matrix"),
    }
}

/// Connects as the service, and steps into its platform role if that is asked for.
async fn begin(conn: &mut PgConnection, principal: Principal) -> PgTransaction<'_> {
    let mut tx = conn.begin().await.unwrap();
    if principal.platform {
        let sql = format!("set local role {}", principal.role());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    }
    tx
}

async fn outcome(conn: &mut PgConnection, principal: Principal, sql: String) -> Option<String> {
    let mut tx = begin(conn, principal).await;
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await;
    tx.rollback().await.unwrap();
    let error = result.err()?;
    let code = error.as_database_error().and_then(DatabaseError::code);
    Some(code.expect("a SQLSTATE").into_owned())
}

fn url(database: &TestDatabase, principal: Principal) -> String {
    match principal.service {
        shared_db::scope::Service::Web => database.web_url(),
        shared_db::scope::Service::Runtime => database.runtime_url(),
    }
}

#[tokio::test]
async fn each_role_may_do_to_each_table_what_the_contract_says() {
    let database = TestDatabase::create().await;
    let contract = Contract::embedded();
    for principal in Principal::ALL {
        let mut conn = PgConnection::connect(&url(&database, principal)).await.unwrap();
        for table in &contract.tables {
            for verb in VERBS {
                let expected = (!table.may(principal, verb)).then_some(DENIED.to_owned());
                let sql = attempt(table, verb);
                let got = outcome(&mut conn, principal, sql.clone()).await;
                assert_eq!(got, expected, "{}: {sql}", principal.role());
            }
        }
    }
}

#[tokio::test]
async fn secret_columns_are_read_by_their_owner_alone() {
    let database = TestDatabase::create().await;
    for principal in Principal::ALL {
        let mut conn = PgConnection::connect(&url(&database, principal)).await.unwrap();
        for table in &Contract::embedded().tables {
            for column in &table.secret {
                let sql = format!("select {column} from {}", table.path());
                let expected = (table.owner != principal.service).then_some(DENIED.to_owned());
                assert_eq!(
                    outcome(&mut conn, principal, sql).await,
                    expected,
                    "{}",
                    principal.role()
                );
            }
        }
    }
}

/// Said once more without the contract's help, so that a mistake in how it is read shows.
#[tokio::test]
async fn neither_service_writes_the_other_s_schema() {
    let database = TestDatabase::create().await;
    for (url, role, sql) in [
        (database.web_url(), "web_app", "delete from runtime.agents"),
        (database.web_url(), "web_app_platform", "delete from runtime.agents"),
        (database.web_url(), "web_app", "delete from web.activities"),
        (database.web_url(), "web_app_platform", "update web.activities set action = 'x'"),
        (database.web_url(), "web_app", "insert into runtime.execution_queue select where false"),
        (database.runtime_url(), "agent_runtime", "delete from web.users"),
        (database.runtime_url(), "agent_runtime_platform", "delete from web.organizations"),
        (database.runtime_url(), "agent_runtime", "update runtime.execution_events set seq = 1"),
        (database.runtime_url(), "agent_runtime", "select key_hash from web.api_keys"),
        (database.runtime_url(), "agent_runtime", "select * from web.users"),
        (database.runtime_url(), "agent_runtime", "create table runtime.mine (id uuid)"),
        (database.runtime_url(), "agent_runtime", "create table public.mine (id uuid)"),
        (database.web_url(), "web_app", "set local role agent_runtime"),
        (database.web_url(), "web_app", "set local role freehold_owner"),
    ] {
        let principal = Principal::ALL.into_iter().find(|it| it.role() == role).unwrap();
        let mut conn = PgConnection::connect(&url).await.unwrap();
        let got = outcome(&mut conn, principal, sql.to_owned()).await;
        assert_eq!(got.as_deref(), Some(DENIED), "{role}: {sql}");
    }
}
