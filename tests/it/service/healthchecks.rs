//! The subcommand that asks a service of the same container how it is.

use freehold_tests::{
    doors::until_health,
    process::{Process, Processes, output},
    settings::Settings,
};
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tonic_health::pb::health_check_response::ServingStatus::NotServing;

/// What it answers to: the exit status, and what it says on standard error.
async fn ask(binary: &str, address: SocketAddr, more: &[&str]) -> (Option<i32>, String) {
    let address = address.to_string();
    // Settings that the service could not start with are none of its business.
    let environment = [
        ("FREEHOLD_HEALTH_LISTEN", address.as_str()),
        ("FREEHOLD_LISTEN", "nowhere"),
        ("FREEHOLD_TLS_CERT", "/without/a/key"),
    ];
    let output = output(binary, &[&["healthcheck"], more].concat(), &environment).await;
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn of(process: &Process) -> (&'static str, SocketAddr) {
    (process.name, process.health)
}

#[tokio::test]
async fn it_says_whether_a_service_is_ready_and_whether_it_lives() {
    let both = vec![("PROBE_INTERVAL", "200ms".to_owned())];
    let processes = Processes::start(1, Settings { both, ..Settings::default() }).await;
    let all = [of(&processes.webs[0]), of(&processes.runtimes[0])];
    // On a busy machine as well.
    let patient = ["--timeout", "30s"];
    let liveness = [&patient[..], &["--service", "liveness"]].concat();
    for (name, address) in all {
        assert_eq!(ask(name, address, &patient).await, (Some(0), String::new()));
        assert_eq!(ask(name, address, &liveness).await, (Some(0), String::new()));
        let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        assert_eq!(ask(name, everywhere, &patient).await, (Some(0), String::new()));
        let unknown = [&patient[..], &["--service", "freehold.web.v1.Nothing"]].concat();
        let (code, problem) = ask(name, address, &unknown).await;
        assert_eq!(code, Some(1));
        assert_eq!(problem, format!("{address}: there is no service freehold.web.v1.Nothing\n"));
    }

    let superuser = processes.database.superuser();
    for (role, table) in [("web_app", "runtime.agents"), ("agent_runtime", "web.notes")] {
        let grant = format!("grant insert on {table} to {role}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(grant)).execute(&superuser).await.unwrap();
    }
    for (name, address) in all {
        until_health(address, NotServing, Duration::from_secs(30)).await.unwrap();
        let said = (Some(1), format!("{address}: NOT_SERVING\n"));
        assert_eq!(ask(name, address, &patient).await, said);
        assert_eq!(ask(name, address, &liveness).await, (Some(0), String::new()));
    }
}

#[tokio::test]
async fn it_says_that_nobody_is_there_and_that_nobody_answers() {
    for binary in ["web-service", "runtime-service"] {
        // Port 1 refuses.
        let (code, problem) = ask(binary, ([127, 0, 0, 1], 1).into(), &[]).await;
        assert_eq!((code, problem.lines().count()), (Some(1), 1), "{problem}");
        assert!(problem.starts_with("127.0.0.1:1: ") && problem.contains("refused"), "{problem}");

        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let said = ask(binary, address, &["--timeout", "200ms"]).await;
        assert_eq!(said, (Some(1), format!("{address}: no answer within 200ms\n")));

        let (code, problem) = ask(binary, address, &["--tomorrow"]).await;
        assert_eq!(code, Some(1), "{problem}");
    }
}
