//! The means of breaking things do what they say: a fault that does not happen proves nothing.

use freehold_tests::{
    chaos::schedule::{self, Pace},
    database::{
        CLUSTER_VARIABLE, TestDatabase,
        server::{Server, Stop},
    },
    proxy::{Proxy, Wire},
    remote::{Mood, Remote},
};
use sqlx::{Connection, PgConnection, postgres::PgListener};
use std::{
    collections::BTreeSet,
    env,
    mem::discriminant,
    time::{Duration, Instant},
};
use tokio::time::timeout;

async fn took(conn: &mut PgConnection) -> Duration {
    let begun = Instant::now();
    let text: String =
        sqlx::query_scalar("select repeat('x', 1000)").fetch_one(conn).await.unwrap();
    assert_eq!(text.len(), 1000);
    begun.elapsed()
}

#[tokio::test]
async fn a_wire_is_late_or_trickles_and_then_whole_again() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let mut conn = PgConnection::connect(&proxy.url(&database.web_url())).await.unwrap();
    took(&mut conn).await;
    proxy.set(Wire::Late(Duration::from_millis(100)));
    assert!(took(&mut conn).await >= Duration::from_millis(200), "there and back");
    proxy.set(Wire::Trickle);
    assert!(
        took(&mut conn).await >= Duration::from_millis(80),
        "a thousand bytes, a few at a time"
    );
    proxy.mend();
    took(&mut conn).await;
}

#[tokio::test]
async fn a_deaf_wire_loses_notifications_and_nothing_else() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let mut listener = PgListener::connect(&proxy.url(&database.web_url())).await.unwrap();
    listener.listen("told").await.unwrap();
    let root = database.superuser();
    let tell = async |text: &str| {
        sqlx::query("select pg_notify('told', $1)").bind(text).execute(&root).await.unwrap();
    };
    tell("one").await;
    assert_eq!(listener.recv().await.unwrap().payload(), "one");
    proxy.set(Wire::Deaf);
    tell("two").await;
    assert!(timeout(Duration::from_millis(300), listener.recv()).await.is_err(), "it heard");
    proxy.mend();
    tell("three").await;
    assert_eq!(listener.recv().await.unwrap().payload(), "three");
}

#[tokio::test]
async fn a_broken_wire_is_reset_or_silent() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let url = proxy.url(&database.web_url());
    let connect = || PgConnection::connect(&url);
    let mut conn = connect().await.unwrap();
    proxy.set(Wire::Silent);
    assert!(timeout(Duration::from_millis(200), conn.ping()).await.is_err(), "it was answered");
    proxy.set(Wire::Reset);
    assert!(conn.ping().await.is_err(), "it lives");
    assert!(connect().await.is_err(), "a new one can be had");
    proxy.mend();
    connect().await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_server_of_ones_own_is_stopped_and_started() {
    let url = env::var(CLUSTER_VARIABLE).unwrap();
    let server = match Server::beside(&url, &["fsync = off"]).await {
        Ok(server) => server,
        Err(error) => return eprintln!("left out: {error:#}"),
    };
    for how in [Stop::Fast, Stop::Immediate] {
        PgConnection::connect(&server.superuser_url).await.unwrap();
        server.stop(how).unwrap();
        assert!(PgConnection::connect(&server.superuser_url).await.is_err());
        server.start().unwrap();
    }
    PgConnection::connect(&server.superuser_url).await.unwrap();
}

#[tokio::test]
async fn a_remote_has_its_moods_and_notes_who_has_left() {
    // Whoever is first installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let remote = Remote::start().await;
    let http = reqwest::Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
    let work = async || http.get(remote.url("/work?ms=1")).send().await;
    assert_eq!(work().await.unwrap().status().as_u16(), 200);
    remote.set_mood(Mood::Failing);
    assert_eq!(work().await.unwrap().status().as_u16(), 503);
    remote.set_mood(Mood::Resetting);
    assert!(!work().await.unwrap_err().is_timeout());
    for mood in [Mood::Hanging, Mood::Slow] {
        remote.set_mood(mood);
        assert!(work().await.unwrap_err().is_timeout());
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let seen = remote.requests();
    let answered: Vec<_> = seen.iter().map(|it| it.answered.map(|(status, _)| status)).collect();
    assert_eq!(answered, [Some(200), Some(503), None, None, None]);
    let cut: Vec<_> = seen.iter().map(|it| it.cut.is_some()).collect();
    assert_eq!(cut, [false, false, false, true, true]);
}

#[test]
fn a_long_schedule_has_every_fault_and_is_the_same_for_the_same_seed() {
    let [lease, calm, recovery] = [3, 7, 14].map(Duration::from_secs);
    let pace = Pace { lease, calm, recovery };
    let length = Duration::from_mins(10);
    let acts = |seed| schedule::long(seed, length, pace);
    let told = |seed| format!("{:?}", acts(seed));
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
    let kinds: BTreeSet<_> =
        acts(1).iter().map(|it| format!("{:?}", discriminant(&it.fault))).collect();
    assert_eq!(kinds.len(), 12, "{kinds:?}");
    let total: Duration = acts(1).iter().map(|it| it.calm + it.lasts).sum();
    assert!(total <= length && length < total + Duration::from_mins(1), "{total:?}");
}
