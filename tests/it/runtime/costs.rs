//! What work costs, counted: statements, round trips, rows and bytes of the log. Time moves with the neighbours' load; these do not, and
//! whoever makes them grow has to say so here. Each figure is about a quarter above what was measured; but how many executions share a
//! statement depends on how fast this process fills the next batch while one is written, so those figures leave more room: without any
//! sharing they would be more than three times as high.

#![expect(clippy::cast_precision_loss, reason = "counts of a test are small")]

mod computing;

use super::workshop::{Workshop, runtime_db_at, until};
use freehold_tests::{
    process::{Process, filter_runner},
    settings::{self, Settings},
    wire::{Meter, Reading},
};
use runtime_service::engine::EngineConfig;
use serde_json::json;
use shared_db::{ids::AgentId, scope::Scope};
use std::time::Duration;

const EXECUTIONS: usize = 2000;
/// As bulk starts come.
const BATCH: usize = 500;

#[derive(Debug)]
struct Cost {
    statements: f64,
    round_trips: f64,
    rows: f64,
    /// Absent where the server can not tell whose bytes they are.
    wal_bytes: Option<f64>,
}

/// Most that an execution may cost.
struct Most {
    statements: f64,
    round_trips: f64,
    rows: f64,
    wal_bytes: f64,
}

const START: Most = Most { statements: 0.010, round_trips: 0.015, rows: 3.1, wal_bytes: 1800.0 };
const WORK: Most = Most { statements: 1.3, round_trips: 2.2, rows: 7.2, wal_bytes: 2900.0 };
/// Executions whose end is written on another page than their start, which writes the indexes again and has each vacuum read them whole. A
/// vacuum minds no less than two pages in a hundred, and there are some twenty executions on each.
const MOVED_MAX: f64 = 0.001;
const IDLE_STATEMENTS_PER_SECOND: f64 = 27.0;

#[tokio::test]
async fn an_execution_that_does_nothing_costs_no_more_than_it_did() {
    let workshop = Workshop::new().await;
    let agent = noop(&workshop).await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();

    let before = Account::open(&workshop, &meter).await;
    start(&workshop, &meter, agent, EXECUTIONS).await;
    let started = before.close(&workshop, &meter).await;

    let before = Account::open(&workshop, &meter).await;
    let config = EngineConfig { worker_concurrency: 1000, ..EngineConfig::default() };
    let engine = workshop.engine_at(&meter.url(&workshop.database.runtime_url()), config);
    until_done(&workshop).await;
    engine.stop().await;
    let worked = before.close(&workshop, &meter).await;

    assert_eq!(usize::try_from(done(&workshop).await).unwrap(), EXECUTIONS);
    println!("start: {started:?}\nwork: {worked:?}");
    within(&started, &START, "to be started");
    within(&worked, &WORK, "to be done");
    let moved = each(moved(&workshop).await as f64);
    println!("{moved} of the rows of executions found no room on their page");
    assert!(moved < MOVED_MAX, "{moved} of the rows of executions found no room on their page");
}

#[tokio::test]
async fn ends_that_find_no_room_are_counted() {
    let workshop = Workshop::new().await;
    let full = "alter table runtime.agent_executions set (fillfactor = 100)";
    sqlx::query(full).execute(&workshop.root).await.unwrap();
    let agent = noop(&workshop).await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();
    start(&workshop, &meter, agent, BATCH).await;
    let engine = workshop.engine_at(&workshop.database.runtime_url(), EngineConfig::default());
    until_done(&workshop).await;
    engine.stop().await;
    let moved = moved(&workshop).await;
    assert!(MOVED_MAX < moved as f64 / BATCH as f64, "{moved} of {BATCH}");
}

#[tokio::test]
async fn an_engine_without_work_asks_little() {
    let workshop = Workshop::new().await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();
    let url = meter.url(&workshop.database.runtime_url());
    let engine = workshop.engine_at(&url, EngineConfig::default());
    // Its first rounds come thick and fast.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = meter.read();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = meter.read() - before;
    engine.stop().await;
    let per_second = asked.statements as f64 / 3.0;
    println!("idle: {per_second} statements a second");
    assert!(0.0 < per_second, "an engine that asks nothing sees no work");
    assert!(per_second < IDLE_STATEMENTS_PER_SECOND, "{per_second} statements a second");
}

#[tokio::test]
async fn ten_thousand_waiting_executions_hold_no_slot() {
    let workshop = Workshop::new().await;
    let sleep = json!([{ "step_key": "nap", "sleep": { "duration": "3600s" } }]);
    let sleeper = workshop.agent(sleep).await;
    let noop = noop(&workshop).await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();
    start(&workshop, &meter, sleeper, 10_000).await;
    let config = EngineConfig { worker_concurrency: 64, ..EngineConfig::default() };
    let engine = workshop.engine_at(&workshop.database.runtime_url(), config);
    let asleep = async || {
        let sql =
            "select not exists (select from runtime.execution_queue where phase <> 'delayed')";
        sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
    };
    until("all of them to sleep", Duration::from_mins(2), asleep).await;
    until("the last to be let go", Duration::from_secs(5), async || engine.held() == 0).await;
    let one = workshop.start(noop, json!({})).await;
    assert_eq!(workshop.ended(one).await.state, "succeeded");
    let sql = "select count(*) from runtime.execution_queue";
    let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap();
    assert_eq!(waiting, 10_000);
    assert_eq!(engine.held(), 0);
    engine.stop().await;
}

/// Executions that wait cost the process nothing: what is allowed for each is what is not theirs, divided by them. A task of its own for
/// each would be some thousands.
const WAITING_BYTES_MAX: u64 = 1000;

#[tokio::test]
async fn waiting_executions_cost_the_process_no_memory() {
    const WARM: usize = 2000;
    const WAITING: usize = 6000;
    let workshop = Workshop::new().await;
    let sleep = json!([{ "step_key": "nap", "sleep": { "duration": "3600s" } }]);
    let sleeper = workshop.agent(sleep).await;
    let meter = Meter::before(&workshop.database.runtime_url()).await.unwrap();
    start(&workshop, &meter, sleeper, WARM).await;
    let process = service(&workshop, 64).await;
    let before = memory_when_all_sleep(&workshop, &process, WARM).await;
    start(&workshop, &meter, sleeper, WAITING).await;
    let after = memory_when_all_sleep(&workshop, &process, WARM + WAITING).await;
    let each = after.saturating_sub(before) / WAITING as u64;
    println!("{before} bytes, and {each} for each of {WAITING} more that wait");
    assert!(each <= WAITING_BYTES_MAX, "{each} bytes for each that waits, {before} before");
}

/// What the real process holds when so many wait and it has nothing to do.
async fn memory_when_all_sleep(workshop: &Workshop, process: &Process, count: usize) -> u64 {
    let asleep = async || {
        let sql = "select count(*) filter (where phase = 'delayed') = $1 and count(*) = $1 from runtime.execution_queue";
        let count = i64::try_from(count).unwrap();
        sqlx::query_scalar(sql).bind(count).fetch_one(&workshop.root).await.unwrap()
    };
    until("all of them to sleep", Duration::from_mins(2), asleep).await;
    // What the last of them took is given back.
    tokio::time::sleep(Duration::from_secs(1)).await;
    process.memory()
}

/// The real binary at work.
async fn service(workshop: &Workshop, concurrency: u32) -> Process {
    let settings = settings::runtime(
        &Settings::default(),
        &[
            ("DATABASE_URL", workshop.database.runtime_url()),
            ("WORKER_CONCURRENCY", concurrency.to_string()),
        ],
    );
    filter_runner().await;
    let mut process = Process::spawn("runtime-service", settings);
    process.until_serving().await;
    process
}

/// In batches, through the meter.
async fn start(workshop: &Workshop, meter: &Meter, agent: AgentId, count: usize) {
    let db = runtime_db_at(&meter.url(&workshop.database.runtime_url()));
    for _ in 0..count / BATCH {
        let new: Vec<_> = (0..BATCH).map(|_| workshop.new_execution(agent, json!({}))).collect();
        let mut tx = db.begin_by_key(Scope::Platform).await.unwrap();
        let made = runtime_service::store::executions::start(&mut tx, &new, None).await.unwrap();
        assert_eq!(made.len(), BATCH);
        tx.commit().await.unwrap();
    }
    db.pool().close().await;
}

/// An agent that does nothing.
async fn noop(workshop: &Workshop) -> AgentId {
    workshop.agent(json!([{ "step_key": "noop", "value": {} }])).await
}

async fn until_done(workshop: &Workshop) {
    until("the queue to be empty", Duration::from_mins(1), async || !queued(workshop).await).await;
}

async fn queued(workshop: &Workshop) -> bool {
    let sql = "select exists (select from runtime.execution_queue)";
    sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
}

async fn done(workshop: &Workshop) -> i64 {
    let sql = "select count(*) from runtime.agent_executions where state = 'succeeded'";
    sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
}

fn within(cost: &Cost, most: &Most, what: &str) {
    let beyond = beyond(cost, most);
    assert!(beyond.is_empty(), "an execution {what} costs more than it did: {}", beyond.join(", "));
}

/// What is more than it may be, or was not counted at all.
fn beyond(cost: &Cost, most: &Most) -> Vec<String> {
    let counts = [
        ("statements", cost.statements, most.statements),
        ("round trips", cost.round_trips, most.round_trips),
        ("rows", cost.rows, most.rows),
        ("bytes of WAL", cost.wal_bytes.unwrap_or(most.wal_bytes), most.wal_bytes),
    ];
    let over = counts.iter().filter(|(_, value, limit)| *value <= 0.0 || limit < value);
    over.map(|(name, value, limit)| format!("{value} {name}, at most {limit}")).collect()
}

#[test]
fn each_figure_can_be_exceeded() {
    let fair = Cost { statements: 1.0, round_trips: 1.0, rows: 7.0, wal_bytes: Some(2000.0) };
    assert_eq!(beyond(&fair, &WORK), Vec::<String>::new());
    let more = Cost { statements: 1.31, round_trips: 2.21, rows: 7.3, wal_bytes: Some(2901.0) };
    assert_eq!(beyond(&more, &WORK).len(), 4);
    let nothing = Cost { statements: 0.0, round_trips: 0.0, rows: 0.0, wal_bytes: Some(0.0) };
    assert_eq!(beyond(&nothing, &WORK).len(), 4);
}

/// What was counted when something began.
struct Account {
    wire: Reading,
    rows: i64,
    lsn: Option<String>,
}

impl Account {
    async fn open(workshop: &Workshop, meter: &Meter) -> Self {
        let lsn =
            if can_tell_wal(workshop).await { Some(end_of_wal(workshop).await) } else { None };
        Self { wire: meter.read(), rows: rows_written(workshop).await, lsn }
    }

    async fn close(self, workshop: &Workshop, meter: &Meter) -> Cost {
        let wire = meter.read() - self.wire;
        println!("on the wire: {wire:?}");
        let rows = rows_written(workshop).await - self.rows;
        let mut wal_bytes = None;
        if let Some(from) = self.lsn {
            let to = end_of_wal(workshop).await;
            let bytes: i64 = sqlx::query_scalar(
                "select coalesce(sum(record_length - fpi_length), 0)::bigint
                 from pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn)
                 where block_ref like '%/' || (select oid from pg_database where datname = current_database()) || '/%'",
            )
            .bind(from)
            .bind(to)
            .fetch_one(&workshop.root)
            .await
            .unwrap();
            wal_bytes = Some(each(bytes as f64));
        }
        Cost {
            statements: each(wire.statements as f64),
            round_trips: each(wire.round_trips as f64),
            rows: each(rows as f64),
            wal_bytes,
        }
    }
}

fn each(count: f64) -> f64 {
    count / EXECUTIONS as f64
}

/// The log is the whole cluster's, where other tests write too: this extension says which database a record belongs to. Images of whole
/// pages depend on when the last checkpoint was, and are not counted.
async fn can_tell_wal(workshop: &Workshop) -> bool {
    let sql = "select exists (select from pg_available_extensions where name = 'pg_walinspect')";
    let there: bool = sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap();
    if there {
        let sql = "create extension if not exists pg_walinspect";
        sqlx::raw_sql(sql).execute(&workshop.root).await.unwrap();
    } else {
        println!("this server has no pg_walinspect: bytes are not counted");
    }
    there
}

async fn end_of_wal(workshop: &Workshop) -> String {
    let sql = "select pg_current_wal_lsn()::text";
    sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
}

/// A connection adds what it has counted when it ends, a little after it was closed.
async fn all_is_counted() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// Rows of the runtime that were inserted, updated and deleted.
async fn rows_written(workshop: &Workshop) -> i64 {
    all_is_counted().await;
    let sql = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
               from pg_stat_user_tables where schemaname = 'runtime'";
    sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
}

async fn moved(workshop: &Workshop) -> i64 {
    all_is_counted().await;
    let sql = "select n_tup_upd - n_tup_hot_upd from pg_stat_user_tables where relid = 'runtime.agent_executions'::regclass";
    sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap()
}
