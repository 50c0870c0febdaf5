//! What is committed about the schema is what the schema is.

use freehold_tests::database::TestDatabase;
use shared_db::{
    contract::Contract,
    explain,
    snapshot::{Kind, Snapshot},
    verify,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

#[tokio::test]
async fn schema_sql_is_the_schema() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let text = Snapshot::take(&mut conn).await.unwrap().text();
    let committed = include_str!("../../../shared-db/schema.sql");
    assert!(text == committed, "shared-db/schema.sql is not the schema; ./dev prepare writes it");
}

#[test]
fn the_reference_page_is_the_contract() {
    let page = explain::markdown(Contract::embedded());
    let committed = include_str!("../../../shared-db/REFERENCE.md");
    assert!(
        page == committed,
        "shared-db/REFERENCE.md is not the contract; ./dev prepare writes it"
    );
}

#[test]
fn a_table_explains_who_may_do_what() {
    let table = Contract::embedded().table("web", "api_keys").unwrap();
    let text = explain::table(table);
    assert!(text.contains("by policy web_app_update: org_id = (select"), "{text}");
    assert!(text.contains("not of key_hash"), "{text}");
}

/// Whoever restores a dump makes the schema from text, and must not be told that it drifted.
#[tokio::test]
async fn a_schema_that_was_made_from_its_text_has_not_drifted() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.superuser_url()).await.unwrap();
    let snapshot = Snapshot::take(&mut conn).await.unwrap();
    let mut remade = 0;
    for it in &snapshot.objects {
        let sql = match it.kind {
            Kind::Constraint if it.sql.starts_with("CHECK") => format!(
                "alter table {} drop constraint {}, add constraint {} {}",
                it.of, it.name, it.name, it.sql
            ),
            Kind::Index => {
                let schema = it.of.split('.').next().unwrap();
                format!("drop index {schema}.{}; {}", it.name, it.sql)
            }
            Kind::Trigger => format!("drop trigger {} on {}; {}", it.name, it.of, it.sql),
            Kind::Type
            | Kind::Function
            | Kind::Table
            | Kind::Column
            | Kind::Constraint
            | Kind::View => continue,
        };
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        remade += 1;
    }
    assert!(100 < remade, "{remade}");
    assert_eq!(verify::drift::check(&mut conn).await.unwrap(), []);
}
