//! Hints from one process to another: they arrive, they are few, and losing them loses nothing but time.

use freehold_tests::{
    database::{TestDatabase, db},
    proxy::{Proxy, Wire},
};
use shared_db::{
    ids::{ExecutionId, OrganizationId},
    scope::{Db, Service},
    wake::{Listener, Notifier, Wake},
};
use sqlx::postgres::PgListener;
use std::{collections::HashSet, future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

/// Runs in the background until this is dropped.
struct Running {
    _stop: DropGuard,
    _task: AbortOnDropHandle<anyhow::Result<()>>,
}

fn run<F>(work: impl FnOnce(CancellationToken) -> F) -> Running
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let stop = CancellationToken::new();
    let task = AbortOnDropHandle::new(tokio::spawn(work(stop.clone())));
    Running { _stop: stop.drop_guard(), _task: task }
}

fn hasty(db: &Db) -> Listener<ExecutionId> {
    let listener = Listener::new(db.clone());
    listener.with_echo(Duration::from_millis(200), Duration::from_millis(400))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a hint that names `id` comes through.
async fn arrives(notifier: &Notifier<ExecutionId>, listener: &Listener<ExecutionId>) {
    let id = ExecutionId::generate();
    notifier.notify(id);
    let heard = async {
        loop {
            match listener.next().await {
                Wake::These(ids) if ids.contains(&id) => return,
                Wake::These(_) | Wake::Everything => {}
            }
        }
    };
    timeout(Duration::from_secs(10), heard).await.expect("the hint arrives");
}

#[tokio::test]
async fn a_hint_arrives_between_roles_that_were_granted_nothing_for_it() {
    let database = TestDatabase::create().await;
    for (from, to) in [
        (database.db(Service::Runtime), database.db(Service::Web)),
        (database.db(Service::Web), database.db(Service::Runtime)),
    ] {
        let (notifier, listener) = (Notifier::new(from.clone()), Listener::new(to));
        let _running = (run(|it| notifier.clone().run(it)), run(|it| listener.clone().run(it)));
        until("it hears itself", || listener.is_live()).await;
        arrives(&notifier, &listener).await;
        // Organizations have a channel of their own, which nobody listens to here.
        let others = Notifier::new(from);
        others.notify(OrganizationId::generate());
        others.flush().await;
        assert!(timeout(Duration::from_millis(300), listener.next()).await.is_err());
    }
}

#[tokio::test]
async fn a_thousand_hints_in_a_burst_are_a_handful_of_notifications() {
    let database = TestDatabase::create().await;
    let notifier = Notifier::new(database.db(Service::Runtime));
    let _running = run(|it| notifier.clone().run(it));
    let mut raw = PgListener::connect_with(&database.web()).await.unwrap();
    raw.listen("freehold_events").await.unwrap();
    let few: HashSet<_> = (0..100).map(|_| ExecutionId::generate()).collect();
    let begun = Instant::now();
    let ids: Vec<_> = few.iter().copied().collect();
    for ten in ids.chunks(10).cycle().take(100) {
        notifier.notify_all(ten.iter().copied());
        sleep(Duration::from_millis(1)).await;
    }
    // At most one every ten milliseconds, one at the beginning and one at the end.
    let count_max = begun.elapsed().as_millis() / 10 + 2;
    let (mut count, mut named) = (0, HashSet::new());
    while let Ok(it) = timeout(Duration::from_millis(500), raw.recv()).await {
        let payload = it.unwrap().payload().to_owned();
        assert!(payload.len() <= 7500);
        named.extend(payload.split(',').map(|it| it.parse::<ExecutionId>().unwrap()));
        count += 1;
    }
    assert_eq!(named, few, "none of them is lost");
    assert!((1..=count_max).contains(&count), "{count} notifications, not {count_max} at most");

    // More than fit into a payload mean everything.
    notifier.notify_all((0..1000).map(|_| ExecutionId::generate()));
    let it = timeout(Duration::from_secs(5), raw.recv()).await.unwrap().unwrap();
    assert_eq!(it.payload(), "");
}

#[tokio::test]
async fn a_connection_that_was_lost_is_made_anew_and_everything_is_looked_at() {
    let database = TestDatabase::create().await;
    let db = database.db(Service::Web);
    let (notifier, listener) = (Notifier::new(db.clone()), hasty(&db));
    let _running = (run(|it| notifier.clone().run(it)), run(|it| listener.clone().run(it)));
    until("it hears itself", || listener.is_live()).await;
    assert_eq!(listener.next().await, Wake::Everything);

    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and application_name like '%freehold_events'";
    let killed: i64 = sqlx::query_scalar(kill).fetch_one(&database.superuser()).await.unwrap();
    assert_eq!(killed, 1);
    let heard = timeout(Duration::from_secs(10), listener.next()).await;
    assert_eq!(heard.expect("it is back"), Wake::Everything, "what came meanwhile was missed");
    arrives(&notifier, &listener).await;
}

#[tokio::test]
async fn a_silent_connection_is_noticed_and_made_anew() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let db = db(&proxy.url(&database.web_url()), Service::Web);
    let listener = hasty(&db);
    let _running = run(|it| listener.clone().run(it));
    until("it hears itself", || listener.is_live()).await;
    proxy.silence();
    until("it notices", || !listener.is_live()).await;
    proxy.mend();
    until("it is back", || listener.is_live()).await;
}

#[tokio::test]
async fn a_listener_to_whom_nothing_is_passed_on_does_not_take_itself_for_live() {
    // As behind a transaction pooler: LISTEN succeeds, and what is notified goes elsewhere.
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    proxy.set(Wire::Deaf);
    let listener = hasty(&db(&proxy.url(&database.web_url()), Service::Web));
    let _running = run(|it| listener.clone().run(it));
    let listens = "select count(*) from pg_stat_activity
                   where datname = current_database() and query ilike 'listen%'";
    let superuser = database.superuser();
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(listens).fetch_one(&superuser).await.unwrap() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it listens");
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert!(!listener.is_live());
}
