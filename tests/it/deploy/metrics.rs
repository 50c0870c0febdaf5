//! What alerts, the dashboard and the autoscaler ask for is what the processes say at /metrics.

mod promql;

use super::objects::{Objects, deploy, list, overlays, text};
use freehold_tests::{doors, process::Processes, remote::Remote, settings::Settings, stack::Stack};
use promql::{Asked, asked};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

/// Of Prometheus, cert-manager and kube-state-metrics.
const OTHERS: [&str; 3] = [
    "certmanager_certificate_expiration_timestamp_seconds",
    "kube_cronjob_status_last_successful_time",
    "up",
];
/// Labels that Prometheus adds, or that others' metrics have.
const LABELS: [&str; 5] = ["cronjob", "job", "name", "namespace", "pod"];

/// Names and labels on the pages of both services, after everything that an alert asks for has happened once.
async fn told() -> Asked {
    let processes = Processes::start(1, Settings::default()).await;
    let remote = Remote::start().await;
    let org = processes.organization().await;
    let agent = org.agent(&[&remote.url("/echo")]).await;
    let execution = org.start(&agent, json!({})).await;
    org.watch(&execution).await;
    until(&processes, "\nfreehold_engine_queue_age_seconds").await;
    let stack = Stack::builder().mutual_tls().start().await;
    let certificates = doors::metrics(stack.web.metrics).await;
    // The engine's rounds fail from here on.
    let away = "alter table runtime.execution_queue rename to execution_queue_away";
    sqlx::raw_sql(away).execute(&processes.database.superuser()).await.unwrap();
    read(&(until(&processes, "\nfreehold_engine_faults_total").await + &certificates))
}

/// The pages of both services when they say `what`.
async fn until(processes: &Processes, what: &str) -> String {
    let give_up = Instant::now() + Duration::from_mins(1);
    loop {
        let pages = doors::metrics(processes.webs[0].metrics).await
            + &doors::metrics(processes.runtimes[0].metrics).await;
        if pages.contains(what) {
            return pages;
        }
        assert!(Instant::now() < give_up, "nobody says {what}: {pages}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn read(pages: &str) -> Asked {
    let mut told = Asked::default();
    for line in pages.lines().filter(|it| !it.starts_with('#') && it.contains(' ')) {
        let (name, labels) = line.split_once('{').unwrap_or_else(|| line.split_once(' ').unwrap());
        told.metrics.insert(name.to_owned());
        for label in labels.split(&[',', '{'][..]).filter_map(|it| it.split_once("=\"")) {
            told.labels.insert(label.0.to_owned());
        }
    }
    told
}

/// Every expression, with where it stands.
fn expressions(observability: &Objects) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for group in observability.of("PrometheusRule").flat_map(|it| list(it, "/spec/groups")) {
        for rule in list(group, "/rules") {
            found.push((text(rule, "/alert").to_owned(), text(rule, "/expr").to_owned()));
        }
    }
    let map = observability.get("ConfigMap", "grafana-freehold").unwrap();
    let dashboard: Value = serde_json::from_str(text(map, "/data/freehold.json")).unwrap();
    for panel in list(&dashboard, "/panels") {
        for target in list(panel, "/targets") {
            let title = format!("panel {}", text(panel, "/title"));
            found.push((title, text(target, "/expr").to_owned()));
        }
    }
    found
}

fn problems(expressions: &[(String, String)], told: &Asked) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, expression) in expressions {
        let Asked { metrics, labels } = asked(expression);
        if metrics.is_empty() {
            problems.push(format!("{place} asks for nothing"));
        }
        let unknown = |it: &&String, told: &BTreeSet<String>, others: &[&str]| {
            !told.contains(*it) && !others.contains(&it.as_str())
        };
        let metrics = metrics.iter().filter(|it| unknown(it, &told.metrics, &OTHERS));
        let labels = labels.iter().filter(|it| unknown(it, &told.labels, &LABELS));
        problems.extend(metrics.chain(labels).map(|it| format!("{place}: nobody tells {it}")));
    }
    problems
}

/// The series that the adapter makes the external metrics of, by their names.
fn adapted(observability: &Objects) -> Vec<(String, String)> {
    let map = observability.get("ConfigMap", "adapter-rules").unwrap();
    let [rules] = &super::yaml::documents(text(map, "/data/adapter-rules.yaml"))[..] else {
        panic!("it is one document")
    };
    let rules = list(rules, "/externalRules").iter();
    rules.map(|it| (text(it, "/name/as").to_owned(), text(it, "/seriesQuery").to_owned())).collect()
}

#[tokio::test]
async fn what_is_asked_for_is_told() {
    let Some(overlays) = overlays() else { return };
    let observability = &overlays["observability"];
    let told = told().await;
    let expressions = expressions(observability);
    assert!(expressions.len() > 30, "{}", expressions.len());
    assert_eq!(problems(&expressions, &told), Vec::<String>::new());
    for (wrong, seen) in [
        ("freehold_engine_queue_age > 1", "nobody tells freehold_engine_queue_age"),
        ("sum by (methods) (rpc_server_call_duration_seconds_count)", "nobody tells methods"),
        ("freehold_engine_queue_due{grpc_code=\"OK\"}", "nobody tells grpc_code"),
        ("time() > 1", "asks for nothing"),
    ] {
        let problems = problems(&[(String::new(), wrong.to_owned())], &told);
        assert!(problems.iter().any(|it| it.contains(seen)), "{wrong}: {problems:?}");
    }
    for (name, series) in adapted(observability) {
        assert!(asked(&series).metrics.iter().all(|it| told.metrics.contains(it)), "{name}");
    }
}

#[test]
fn the_autoscalers_metric_is_one_that_the_adapter_makes() {
    let Some(overlays) = overlays() else { return };
    let names: Vec<_> = adapted(&overlays["observability"]).into_iter().map(|it| it.0).collect();
    for overlay in ["production", "production-cnpg"] {
        let scaler = overlays[overlay].get("HorizontalPodAutoscaler", "runtime").unwrap();
        let metric = text(scaler, "/spec/metrics/0/external/metric/name");
        assert!(names.iter().any(|it| it == metric), "{metric}");
    }
}

/// Pods are found by what they are labelled with, and asked where they listen.
#[test]
fn prometheus_asks_where_metrics_are() {
    let Some(overlays) = overlays() else { return };
    for name in ["web", "runtime"] {
        let monitor = overlays["observability"].get("PodMonitor", name).unwrap();
        let workload = super::workloads::workload(&overlays["production"], name);
        let label = text(monitor, "/spec/jobLabel");
        assert_eq!(workload.labels()[label], name, "alerts ask for job={name}");
        assert_eq!(monitor["spec"]["selector"]["matchLabels"][label], name);
        let port = text(monitor, "/spec/podMetricsEndpoints/0/port");
        let mut ports = list(workload.container(), "/ports").iter();
        let number = ports.find(|it| text(it, "/name") == port).unwrap();
        let listen = &workload.environment(&overlays["production"])["FREEHOLD_METRICS_LISTEN"];
        assert!(listen.ends_with(&format!(":{}", number["containerPort"])), "{listen}");
    }
}

/// The alert on connections says in a number what is a setting.
#[test]
fn the_alert_on_connections_knows_how_many_there_are() {
    let Some(overlays) = overlays() else { return };
    let of = super::workloads::workload(&overlays["production"], "web");
    let most = &of.environment(&overlays["production"])["FREEHOLD_DATABASE_CONNECTIONS_MAX"];
    let alerts = fs::read_to_string(deploy().join("overlays/observability/alerts.yaml")).unwrap();
    let line = alerts.lines().find(|it| it.contains("db_client_connection_count")).unwrap();
    assert!(line.ends_with(&format!(">= {most}")), "{line}");
}
