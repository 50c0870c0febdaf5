//! Every way around the boundary that verify knows is planted, found by name, and mended by the statement that it offers.
//!
//! Each is planted in a transaction that is rolled back: roles belong to the cluster, and other tests live in it.

mod code;
mod drift;
mod foreign_keys;
mod privileges;
mod roles;
mod row_security;
mod tables;

use freehold_tests::database::TestDatabase;
use shared_db::verify::{self, Finding, Kind};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::BTreeSet;

/// Mending what was planted may leave more to mend: a table made anew has no owner, grants or policies yet.
const ROUNDS_MAX: usize = 40;

/// Something that must not be, and what verify calls it. `{database}` in its statement is the database's name.
pub(super) struct Plant {
    sql: &'static str,
    kind: Kind,
    object: &'static str,
    /// Whether the statement that is offered, and those offered after it, take everything back.
    mended: bool,
}

/// What is mended by the statements that verify offers.
const fn plant(sql: &'static str, kind: Kind, object: &'static str) -> Plant {
    Plant { sql, kind, object, mended: true }
}

/// What no statement takes back entirely.
const fn lasting(sql: &'static str, kind: Kind, object: &'static str) -> Plant {
    Plant { sql, kind, object, mended: false }
}

/// Plants each in a migrated database, sees it found, and mends it.
async fn are_found(plants: &[Plant]) {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.superuser_url()).await.unwrap();
    for plant in plants {
        let mut tx = conn.begin().await.unwrap();
        run(&mut tx, &plant.sql.replace("{database}", &database.name)).await;
        let findings = verify::run(&mut tx).await.unwrap();
        let object = plant.object.replace("{database}", &database.name);
        let is_it = |it: &Finding| it.kind == plant.kind && it.object == object;
        let found = findings.iter().find(|it| is_it(it)).cloned();
        let found = found.unwrap_or_else(|| panic!("{}: not in {findings:#?}", plant.sql));
        assert!(!found.why.is_empty() && !found.to_string().contains('\n'), "{found}");
        run(&mut tx, &found.mend).await;
        let mut left = verify::run(&mut tx).await.unwrap();
        if plant.mended {
            assert!(!left.contains(&found), "{}: mended by {} to {left:#?}", plant.sql, found.mend);
            for _ in 0..ROUNDS_MAX {
                let Some(next) = left.first() else { break };
                run(&mut tx, &next.mend).await;
                left = verify::run(&mut tx).await.unwrap();
            }
            assert_eq!(left, [], "{}", plant.sql);
        }
        tx.rollback().await.unwrap();
    }
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    result.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn server_version() -> i32 {
    let database = TestDatabase::empty().await;
    let mut conn = PgConnection::connect(&database.superuser_url()).await.unwrap();
    let sql = "select current_setting('server_version_num')::int4";
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_migrated_database_has_no_finding() {
    let database = TestDatabase::create().await;
    for url in [database.superuser_url(), database.owner_url()] {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        assert_eq!(verify::run(&mut conn).await.unwrap(), []);
    }
}

#[test]
fn every_kind_of_finding_is_planted() {
    let all = [
        code::PLANTS,
        drift::PLANTS,
        foreign_keys::PLANTS,
        privileges::PLANTS,
        roles::PLANTS,
        row_security::PLANTS,
        tables::PLANTS,
    ];
    let planted: BTreeSet<_> = all.into_iter().flatten().map(|it| it.kind).collect();
    let all: BTreeSet<_> = Kind::ALL.iter().copied().collect();
    assert_eq!(planted, all);
}
