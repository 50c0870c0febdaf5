//! A row is found by its primary key, also while nothing is known of its table.

use freehold_tests::database::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Statements are planned when a table is empty, and the plan stays: it must be the one that is right when the table is long.
#[tokio::test]
async fn on_an_empty_table_the_primary_key_is_preferred_to_what_lists_read() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let keys: Vec<(String, String, String)> = sqlx::query_as(
        "select p.conrelid::regclass::text, p.conname::text,
            (select string_agg(format('%I = null::%s', a.attname, format_type(a.atttypid, a.atttypmod)), ' and ')
             from pg_attribute as a
             where a.attrelid = p.conrelid and a.attnum = any(p.conkey))
         from pg_constraint as p
         join pg_class as c on c.oid = p.conrelid
         where p.contype = 'p' and c.relkind = 'r' and not c.relispartition
           and c.relnamespace in ('web'::regnamespace, 'runtime'::regnamespace)",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(20 < keys.len(), "{keys:?}");
    let settings = "set enable_seqscan = off; set enable_bitmapscan = off; set plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(settings).execute(&mut conn).await.unwrap();
    let mut others = Vec::new();
    for (table, key, condition) in keys {
        // A parameter, since nothing is looked up for a null.
        let mut parameters = 0;
        let condition: Vec<_> = condition
            .split(" and ")
            .map(|it| {
                parameters += 1;
                it.replace("null::", &format!("${parameters}::"))
            })
            .collect();
        let condition = condition.join(" and ");
        let nulls = vec!["null"; parameters].join(", ");
        let sql = format!(
            "prepare lookup as select from {table} where {condition}; explain (costs off) execute lookup({nulls}); deallocate lookup"
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|it| sqlx::Row::get(it, 0)).collect();
        if !plan.iter().any(|it| it.contains(&format!(" using {key} "))) {
            others.push(format!("{table}: {plan:?}"));
        }
    }
    assert!(
        others.is_empty(),
        "make the primary key of a new table after its other indexes, as migration 0011 says: {others:#?}"
    );
}
