//! The `shared-db` command: what it prints, and the exit status that scripts rely on.

use freehold_tests::{database::TestDatabase, process};
use sqlx::AssertSqlSafe;
use std::time::Duration;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines},
    process::{Child, Command},
    time::timeout,
};

/// The exit status, what was printed, and what was complained of.
async fn shared_db(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = process::output("shared-db", arguments, &[("DATABASE_URL", url)]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn verify_says_with_its_exit_status_what_it_found() {
    let database = TestDatabase::create().await;
    let url = database.owner_url();
    assert_eq!(shared_db(&url, &["verify"]).await, (0, String::new(), String::new()));
    let grant =
        "grant insert on runtime.agents to web_app; create policy open on web.users using (true)";
    sqlx::raw_sql(AssertSqlSafe(grant)).execute(&database.superuser()).await.unwrap();

    let (status, lines, _) = shared_db(&url, &["verify"]).await;
    assert_eq!((status, lines.lines().count()), (1, 2), "{lines}");
    let line = lines.lines().next().unwrap();
    assert!(line.starts_with("table-privilege  runtime.agents  web_app may insert it"), "{line}");
    assert!(
        line.ends_with("mend: revoke insert on runtime.agents from public, web_app;"),
        "{line}"
    );

    let (status, json, _) = shared_db(&url, &["verify", "--format", "json"]).await;
    let findings: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, findings[1]["kind"].as_str()), (1, Some("policy-extra")), "{json}");
    assert_eq!(findings[1]["object"], "open on web.users");
    assert_eq!(findings[1]["mend"], "drop policy open on web.users");
}

#[tokio::test]
async fn verify_that_can_t_look_says_so() {
    let (status, lines, complaint) =
        shared_db("postgres://nobody@127.0.0.1:1/none", &["verify"]).await;
    assert_eq!((status, lines.as_str()), (2, ""));
    assert!(complaint.starts_with("shared-db: can't connect to DATABASE_URL"), "{complaint}");
    let database = TestDatabase::empty().await;
    let (status, _, complaint) = shared_db(&database.superuser_url(), &["verify"]).await;
    assert_eq!(status, 2);
    assert!(complaint.contains("not migrated yet"), "{complaint}");
}

#[tokio::test]
async fn an_operator_migrates_looks_and_seeds() {
    let database = TestDatabase::empty().await;
    let url = database.superuser_url();
    let (_, before, _) = shared_db(&url, &["status"]).await;
    assert!(before.starts_with("pending 0001_schemas"), "{before}");
    let (status, lines, complaint) = shared_db(&url, &["migrate"]).await;
    assert_eq!((status, complaint.as_str()), (0, ""));
    assert!(lines.starts_with("applied 0001_schemas"), "{lines}");
    let (_, after, _) = shared_db(&url, &["status"]).await;
    assert!(after.starts_with("applied 0001_schemas") && after.ends_with("drift no\n"), "{after}");
    let (status, seeded, _) = shared_db(&url, &["seed"]).await;
    assert_eq!(status, 0);
    assert!(seeded.contains("\nkey fh_"), "{seeded}");
    let (_, schema, _) = shared_db(&url, &["snapshot"]).await;
    assert!(schema.contains("create table web.users ("), "{schema}");
}

#[tokio::test]
async fn explain_needs_no_database_and_names_what_it_does_not_know() {
    let (status, text, _) = shared_db("", &["explain", "web.users"]).await;
    assert_eq!(status, 0);
    assert!(text.contains("web_app_update"), "{text}");
    let (status, _, complaint) = shared_db("", &["explain", "web.nothing"]).await;
    assert_eq!(status, 2);
    assert!(complaint.contains("web.nothing is not in the contract"), "{complaint}");
}

/// The next line that says `what`.
async fn until(lines: &mut Lines<impl AsyncBufRead + Unpin>, what: &str) {
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(what) {
            return;
        }
    }
    panic!("it ended before it said {what:?}");
}

/// Sends SIGTERM and waits for the end, which is a good one.
async fn stop(mut child: Child) {
    let kill = format!("kill -s TERM {}", child.id().unwrap());
    let sent = Command::new("sh").args(["-c", &kill]).status().await.unwrap();
    assert!(sent.success());
    let status = timeout(Duration::from_secs(30), child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}

#[tokio::test]
async fn maintenance_goes_on_until_it_is_asked_to_stop() {
    let database = TestDatabase::create().await;
    let url = database.maintenance_url();
    let arguments = ["maintain", "--every", "50ms"];
    let mut child = process::start("shared-db", &arguments, &[("DATABASE_URL", &url)]).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        until(&mut lines, "nothing to do").await;
    }
    stop(child).await;
}

#[tokio::test]
async fn maintenance_that_fails_says_so_and_tries_again() {
    let url = "postgres://nobody@127.0.0.1:1/none";
    let arguments = ["maintain", "--every", "50ms"];
    let mut child = process::start("shared-db", &arguments, &[("DATABASE_URL", url)]).await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for _ in 0..3 {
        until(&mut lines, "can't connect to DATABASE_URL").await;
    }
    stop(child).await;
}

#[tokio::test]
async fn maintenance_that_waits_for_its_next_round_stops_at_once() {
    let database = TestDatabase::create().await;
    let url = database.maintenance_url();
    let arguments = ["maintain", "--every", "24h"];
    let mut child = process::start("shared-db", &arguments, &[("DATABASE_URL", &url)]).await;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    until(&mut lines, "nothing to do").await;
    stop(child).await;
}
