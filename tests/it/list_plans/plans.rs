//! Statements that a service has sent, and how PostgreSQL would do them.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Row};

/// A statement that the connection has prepared.
pub(super) struct Prepared {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) types: Vec<String>,
}

/// The one that was prepared last.
pub(super) async fn newest(conn: &mut PgConnection) -> Prepared {
    let sql = "select name, statement, parameter_types::text[] as types
        from pg_prepared_statements
        where statement like '%order by%limit%' and statement not like '%pg_prepared_statements%'
        order by prepare_time desc
        limit 1";
    let row = sqlx::query(sql).fetch_one(conn).await.unwrap();
    Prepared { name: row.get("name"), text: row.get("statement"), types: row.get("types") }
}

impl Prepared {
    /// The value of a parameter with which its condition holds for all rows.
    pub(super) fn neutral(&self, at: usize) -> String {
        let number = at + 1;
        let flag = [
            format!("or not ${number})"),
            format!("(not ${number} or"),
            format!("deleted_at is null or ${number})"),
            format!("(${number} or deleted_at is null)"),
        ];
        let is_flag = flag.iter().any(|it| self.text.contains(it));
        let is_set = self.text.contains(&format!("${number}::text[] = '{{}}'"));
        match (is_flag, is_set) {
            (true, _) => "false".to_owned(),
            (_, true) => "'{}'".to_owned(),
            _ => "null".to_owned(),
        }
    }
}

/// What a plan does that it should not.
pub(super) fn faults(table: &str, sorted_max: f64, plan: &Value, faults: &mut Vec<String>) {
    let rows = plan["Plan Rows"].as_f64().unwrap_or_default();
    match plan["Node Type"].as_str().unwrap_or_default() {
        "Seq Scan" if plan["Relation Name"] == table => {
            faults.push("reads all of its table".to_owned());
        }
        // What comes in is what is sorted; what a limit above takes out says nothing.
        "Sort" if sorted_max < rows => faults.push(format!("sorts {rows} rows")),
        _ => {}
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        self::faults(table, sorted_max, below, faults);
    }
}

pub(super) async fn explain(
    conn: &mut PgConnection,
    statement: &Prepared,
    arguments: &[String],
) -> Value {
    let (name, arguments) = (&statement.name, arguments.join(", "));
    let sql = format!("explain (format json) execute {name}({arguments})");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await.unwrap();
    rows[0].get::<Value, _>(0)[0]["Plan"].take()
}
