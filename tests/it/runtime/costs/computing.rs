//! CPU, which goes by the machine: it is told in units of what the same machine takes, in the same test, for something that stays as it is.

use super::{noop, service, start, until_done};
use crate::runtime::workshop::Workshop;
use freehold_tests::{kernel, process::Process, wire::Meter};
use serde_json::{Value, json};
use shared_db::ids::AgentId;
use sqlx::{Connection, PgConnection};
use std::{process, time::Duration};

/// Of which the CPU is taken; and others before, so that connections have been made and statements planned.
const EXECUTIONS: usize = 4000;
const ROWS: u32 = 100_000;
const DOCUMENTS: u32 = 40_000;

/// Most that an execution may take of the database, in rows that are inserted into a table with one index, and of the service, in small JSON
/// documents that are read and written, by a build without optimization as it is itself. These are half above the most that was measured.
const DATABASE_MAX: f64 = 26.0;
const SERVICE_MAX: f64 = 39.0;

/// What was computed for something, in microseconds.
#[derive(Debug)]
struct Computed {
    service: f64,
    database: f64,
}

#[tokio::test]
async fn an_execution_computes_no_more_than_it_did() {
    let workshop = Workshop::new().await;
    let mut conn = PgConnection::connect(&workshop.database.superuser_url()).await.unwrap();
    if !is_here(&mut conn).await {
        return println!("the server is not on this machine: its CPU is not counted");
    }
    let agent = noop(&workshop).await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();
    let service = service(&workshop, 1000).await;
    work(&workshop, &meter, agent).await;
    let before = taken(&service, &mut conn).await;
    work(&workshop, &meter, agent).await;
    let after = taken(&service, &mut conn).await;

    let each = Computed {
        service: (after.service - before.service) / EXECUTIONS as f64,
        database: (after.database - before.database) / EXECUTIONS as f64,
    };
    let unit = Computed { service: document(), database: row(&mut conn).await };
    println!("an execution took {each:?} µs, a document and a row {unit:?}");
    let (database, documents) = (each.database / unit.database, each.service / unit.service);
    println!(
        "of the database as much as {database} rows, of the service as much as {documents} documents"
    );
    let within = |value: f64, most: f64| 0.0 < value && value <= most;
    assert!(within(database, DATABASE_MAX), "{database} rows, at most {DATABASE_MAX}");
    assert!(within(documents, SERVICE_MAX), "{documents} documents, at most {SERVICE_MAX}");
}

/// Starts as many and waits until they are done.
async fn work(workshop: &Workshop, meter: &Meter, agent: AgentId) {
    start(workshop, meter, agent, EXECUTIONS).await;
    until_done(workshop).await;
}

/// Whoever starts executions has gone by then, so all connections of the role are the service's.
async fn taken(service: &Process, conn: &mut PgConnection) -> Computed {
    Computed {
        service: cpu(service.id()),
        database: micros(kernel::backends_cpu(conn, "agent_runtime").await.unwrap()),
    }
}

/// Whether the process behind a connection is one of this machine.
async fn is_here(conn: &mut PgConnection) -> bool {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(conn).await.unwrap();
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|it| it.trim() == "postgres")
}

/// CPU of a row, in batches as executions come.
async fn row(conn: &mut PgConnection) -> f64 {
    let table = "create table yardstick (org_id uuid, id uuid, payload jsonb, created_at timestamptz, primary key (org_id, id))";
    sqlx::query(table).execute(&mut *conn).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *conn).await.unwrap();
    let before = cpu(pid.unsigned_abs());
    for _ in 0..ROWS / 500 {
        let sql = "insert into yardstick select $1, gen_random_uuid(), '{}', now() from generate_series(1, 500)";
        sqlx::query(sql).bind(uuid::Uuid::nil()).execute(&mut *conn).await.unwrap();
    }
    (cpu(pid.unsigned_abs()) - before) / f64::from(ROWS)
}

/// CPU of a document.
fn document() -> f64 {
    let text = json!({ "numbers": [1, 2.5, -3], "text": "as an execution may have", "nested": { "deep": [true, null] } }).to_string();
    let before = cpu(process::id());
    for _ in 0..DOCUMENTS {
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.to_string().len(), text.len());
    }
    (cpu(process::id()) - before) / f64::from(DOCUMENTS)
}

fn cpu(process: u32) -> f64 {
    micros(kernel::cpu(process).unwrap())
}

fn micros(it: Duration) -> f64 {
    it.as_secs_f64() * 1e6
}
