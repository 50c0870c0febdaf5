//! Purges: what is left of whom, and what stands in their way.

mod organizations;
mod processes;
mod users;

use freehold_tests::doors::Doors;
use serde_json::{Value, json};
use shared_db::contract::Contract;
use sqlx::{AssertSqlSafe, PgPool, Row};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a purge is finished, and returns it.
pub(crate) async fn finished(doors: &Doors, id: &Value) -> Value {
    until(doors, id, |it| it["state"] == "PURGE_STATE_FINISHED").await
}

/// Waits until a purge is as it has to be.
async fn until(doors: &Doors, id: &Value, is: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let purge = doors.platform().call("PurgeService/GetPurge", json!({ "id": id })).await;
        match purge {
            Ok(purge) if is(&purge) => return purge,
            // Whoever would answer may have been killed.
            purge => assert!(begun.elapsed() < PATIENCE, "{purge:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a receipt says of each table: rows that are gone, and rows that were changed.
fn receipt(purge: &Value) -> BTreeMap<String, (i64, i64)> {
    let number = |it: &Value| it.as_str().map_or(0, |it| it.parse::<i64>().unwrap());
    let of = |it: &Value| {
        let counts = (number(&it["erased"]), number(&it["replaced"]));
        (it["table"].as_str().unwrap().to_owned(), counts)
    };
    purge["tables"].as_array().unwrap().iter().map(of).collect()
}

/// Every column of every table, partitions and the boundary's own included, in which an id stands, in whatever form; but for the
/// purges that are about it.
async fn places(pool: &PgPool, id: &str) -> Vec<String> {
    let columns = "
        select c.oid::regclass::text as path, quote_ident(a.attname) as name, format_type(a.atttypid, null) as type
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname in ('web', 'runtime', 'freehold') and c.relkind = 'r'
            and (c.relname, a.attname) <> ('purges', 'subject_id')
        order by 1, 2";
    let columns = sqlx::query(columns).fetch_all(pool).await.unwrap();
    assert!(200 < columns.len());
    let mut places = Vec::new();
    for column in columns {
        let (path, name): (String, String) = (column.get("path"), column.get("name"));
        let holds = match column.get::<&str, _>("type") {
            "uuid" => format!("{name} = '{id}'"),
            "bytea" => format!("position(convert_to('{id}', 'UTF8') in {name}) > 0"),
            _ => format!("position('{id}' in {name}::text) > 0"),
        };
        let sql = format!("select exists (select from {path} where {holds})");
        if sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap() {
            places.push(format!("{path}.{name}"));
        }
    }
    places
}

/// How many rows each table has of an organization.
async fn rows(pool: &PgPool, org: &str) -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for table in Contract::embedded().tables.iter().filter(|it| it.scope.has_org_id()) {
        let sql = format!("select count(*) from {} where org_id = '{org}'", table.path());
        let count = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
        all.insert(table.path(), count);
    }
    all
}
