//! Many who watch: what is read, is read once for all of them.

use super::{add_events, rest, waiting, watch};
use freehold_tests::{
    client::Caller,
    database::TestDatabase,
    doors::{channel, metrics},
    process::Processes,
    proxy::Proxy,
    settings::Settings,
    stack::Stack,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use shared_db::{
    ids::ExecutionId,
    scope::Service,
    wake::{Listener, Notifier},
};
use sqlx::PgPool;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use web_api::v1::WatchExecutionRequest;

const WATCHERS: usize = 10_000;

/// A connection takes 1,024 streams.
const WATCHERS_OF_A_CONNECTION: usize = 1000;

/// What a watcher that waits may cost the service.
const WATCHER_BYTES_MAX: u64 = 64 << 10;

/// Reads for those who watch, by what was read, as web-service counts them.
async fn reads(address: SocketAddr) -> BTreeMap<String, u64> {
    let page = metrics(address).await;
    let of = |what: &str| {
        let label = format!("what=\"{what}\"");
        let mut lines = page.lines().filter(|it| it.starts_with("freehold_watch_reads_total{"));
        let line = lines.find(|it| it.contains(&label))?;
        Some((what.to_owned(), line.rsplit(' ').next()?.parse().ok()?))
    };
    ["look", "batch", "news"].into_iter().filter_map(of).collect()
}

/// How often the events of executions have been looked up since [`forget_looks`], as PostgreSQL counts it: a second witness, who
/// is some seconds late.
async fn looks(superuser: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select sum(seq_scan + coalesce(idx_scan, 0))::bigint from pg_stat_user_tables
         where schemaname = 'runtime' and relname like 'execution\\_events\\_%'",
    )
    .fetch_one(superuser)
    .await
    .unwrap()
}

async fn forget_looks(superuser: &PgPool) {
    // What its sessions have not told yet would be counted later.
    sleep(Duration::from_secs(12)).await;
    sqlx::query("select pg_stat_reset()").execute(superuser).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_watchers_of_one_execution_are_served_from_one_read() {
    let web = [("STREAMS_MAX", "20000"), ("AUTH_CACHE_TTL", "1h")];
    let web = web.map(|(name, value)| (name, value.to_owned())).to_vec();
    let processes = Processes::start(1, Settings { web, ..Settings::default() }).await;
    let (org, superuser) = (processes.organization().await, processes.database.superuser());
    let id = waiting(&org).await;
    forget_looks(&superuser).await;
    let memory = processes.webs[0].memory();

    let callers: Vec<_> = (0..WATCHERS / WATCHERS_OF_A_CONNECTION)
        .map(|_| Caller { channel: channel(processes.webs[0].grpc), ..org.viewer() })
        .collect();
    let callers = callers.iter().flat_map(|it| vec![it; WATCHERS_OF_A_CONNECTION]);
    let watch = async |caller: &Caller| {
        let request = WatchExecutionRequest { id: id.clone(), from_seq: 0 };
        let mut events = caller.executions().watch_execution(request).await?.into_inner();
        let first = events.message().await?.and_then(|it| it.event);
        assert_eq!(first.map(|it| it.seq), Some(1));
        Ok::<_, tonic::Status>(events)
    };
    let begun = Instant::now();
    let watches = stream::iter(callers.map(watch)).buffer_unordered(100);
    let mut watches: Vec<_> = watches.try_collect().await.unwrap();
    assert_eq!(watches.len(), WATCHERS);
    let grown = processes.webs[0].memory().saturating_sub(memory);
    let each = grown / WATCHERS as u64;
    println!("{WATCHERS} watchers in {:?}, {grown} bytes, {each} for each", begun.elapsed());
    assert!(each < WATCHER_BYTES_MAX, "{each} bytes a watcher");
    let before = reads(processes.webs[0].metrics).await;
    let expected = [("look", 1), ("batch", 1)].map(|(what, n)| (what.to_owned(), n));
    assert_eq!(before, expected.into(), "the first event was read once for all of them");

    let begun = Instant::now();
    add_events(&superuser, &id, 1, 10).await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    for events in &mut watches {
        let (seen, end) = timeout(Duration::from_mins(1), rest(events)).await.unwrap();
        assert!(end.is_none(), "{end:?}");
        assert_eq!(seen, [2, 3]);
    }
    println!("two events for each in {:?}", begun.elapsed());
    let after = reads(processes.webs[0].metrics).await;
    assert_eq!((after["look"], after["batch"]), (1, 1));
    // One for each of the two events, if they were seen one after the other.
    assert!((1..=2).contains(&after["news"]), "{after:?}");
    sleep(Duration::from_secs(12)).await;
    let looks = looks(&superuser).await;
    assert!((2..=3).contains(&looks), "{looks} look-ups for {} events", 3 * WATCHERS);
}

#[tokio::test]
async fn those_who_are_behind_share_what_is_read_for_them() {
    let stack = Stack::builder().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let (org, superuser) = (stack.organization().await, stack.database.superuser());
    let id = waiting(&org).await;
    add_events(&superuser, &id, 499, 10).await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    forget_looks(&superuser).await;
    let follow = async |_| {
        let mut events = watch(&org, &id, 0).await.unwrap();
        let (seen, end) = rest(&mut events).await;
        assert!(end.is_none(), "{end:?}");
        assert_eq!(seen, (1..=501).collect::<Vec<_>>());
    };
    // All of them at once, so that the batches are at hand for as long as they are wanted.
    stream::iter(0..200).map(follow).buffer_unordered(200).collect::<Vec<_>>().await;
    sleep(Duration::from_secs(12)).await;
    let looks = looks(&superuser).await;
    // 501 events are six batches; 200 who read alone would make 1,200 look-ups.
    assert!((6..=60).contains(&looks), "{looks} look-ups");
}

#[tokio::test]
async fn a_thousand_watched_executions_are_asked_about_together() {
    let stack = Stack::builder().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let (org, superuser) = (stack.organization().await, stack.database.superuser());
    let first = waiting(&org).await;
    let ids: Vec<String> = sqlx::query_scalar(
        "insert into runtime.agent_executions
             (org_id, id, root_execution_id, agent_org_id, agent_id, agent_revision, queue_limit_ms, attempt_limit_ms, total_limit_ms)
         select e.org_id, new.id, new.id, e.agent_org_id, e.agent_id, 1, 1, 1, 1
         from runtime.agent_executions as e,
             (select gen_random_uuid() as id from generate_series(1, 1000) offset 0) as new
         where e.id = $1::uuid
         returning id::text",
    )
    .bind(&first)
    .fetch_all(&superuser)
    .await
    .unwrap();
    let watches = ids.iter().map(|id| watch(&org, id, 1));
    let mut watches: Vec<_> = stream::iter(watches).buffered(50).try_collect().await.unwrap();
    // By now nothing comes, and each is asked about four times a second at most.
    sleep(Duration::from_secs(3)).await;
    let transactions = "select (xact_commit + xact_rollback)::bigint from pg_stat_database
                        where datname = current_database()";
    let count =
        async || -> i64 { sqlx::query_scalar(transactions).fetch_one(&superuser).await.unwrap() };
    sleep(Duration::from_secs(12)).await;
    let before = count().await;
    sleep(Duration::from_secs(12)).await;
    let a_second = (count().await - before) / 12;
    println!("{a_second} transactions a second for {} watched executions", ids.len());
    assert!(a_second < 200, "{a_second} transactions a second");
    add_events(&superuser, &ids[7], 1, 1).await;
    let event = timeout(Duration::from_secs(5), watches[7].message()).await.unwrap();
    assert_eq!(event.unwrap().unwrap().event.unwrap().seq, 1);
}

#[tokio::test]
async fn a_hint_is_followed_at_once() {
    let stack = Stack::start().await;
    let (org, superuser) = (stack.organization().await, stack.database.superuser());
    let id = waiting(&org).await;
    let mut events = watch(&org, &id, 2).await.unwrap();
    let notifier = Notifier::<ExecutionId>::new(stack.database.db(Service::Runtime));
    let run = notifier.clone().run(CancellationToken::new());
    let _running = AbortOnDropHandle::new(tokio::spawn(run));
    // Somebody who hears what web-service hears.
    let listener = Listener::<ExecutionId>::new(stack.database.db(Service::Web));
    let run = listener.clone().run(CancellationToken::new());
    let _listening = AbortOnDropHandle::new(tokio::spawn(run));
    while !listener.is_live() {
        sleep(Duration::from_millis(10)).await;
    }
    let mut waits = Vec::new();
    for seq in 2..8 {
        // Longer than the longest pause between two looks, so that the next look is far away more often than not.
        sleep(Duration::from_millis(2500)).await;
        add_events(&superuser, &id, 1, 1).await;
        let begun = Instant::now();
        notifier.notify(id.parse().unwrap());
        assert_eq!(events.message().await.unwrap().unwrap().event.unwrap().seq, seq);
        waits.push(begun.elapsed());
    }
    waits.sort();
    println!("from hint to event: {waits:?}");
    assert!(waits[2] < Duration::from_millis(150), "{waits:?}");
}

#[tokio::test]
async fn those_who_wait_sit_through_a_short_absence_of_the_database_and_are_told_of_a_long_one() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let builder = Stack::builder().set_web("DATABASE_URL", &proxy.url(&database.web_url()));
    let stack = builder.set("DATABASE_ACQUIRE_TIMEOUT", "1s").on(database).await;
    let (org, superuser) = (stack.organization().await, stack.database.superuser());
    let id = waiting(&org).await;
    let mut events = watch(&org, &id, 2).await.unwrap();
    proxy.cut();
    sleep(Duration::from_secs(3)).await;
    add_events(&superuser, &id, 1, 1).await;
    proxy.mend();
    let event = timeout(Duration::from_secs(10), events.message()).await.expect("it goes on");
    assert_eq!(event.unwrap().unwrap().event.unwrap().seq, 2);

    proxy.cut();
    let (seen, end) = timeout(Duration::from_secs(30), rest(&mut events)).await.unwrap();
    assert!(seen.is_empty());
    let reason = shared_db::error::Reason::DatabaseUnavailable;
    freehold_tests::errors::assert_error(&end.unwrap(), tonic::Code::Unavailable, reason, None);
}
