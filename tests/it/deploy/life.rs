//! Beginning and end of a pod: what probes ask, and that a drain is not cut short.

use super::{
    objects::{Objects, SERVICES, overlays, text},
    workloads::{Workload, workload},
};
use clap::CommandFactory;
use serde_json::{Value, json};
use shared_db::service::config::duration;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// After the grace: the pool is closed, traces and metrics are sent, threads are waited for (`service::{boot, telemetry, shutdown}`).
const TAIL: Duration = Duration::from_secs(2 + 3 + 3 + 1);
/// What handing work back may take beyond the drain limit (`engine::drain`).
const HANDING_BACK: Duration = Duration::from_secs(5);

fn problems(objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for name in ["web", "runtime"] {
        let workload = workload(objects, name);
        let environment = workload.environment(objects);
        let wrong = probes(workload, &environment).into_iter().chain(end(workload, &environment));
        problems.extend(wrong.map(|it| format!("{name}: {it}")));
    }
    problems
}

fn probes(workload: Workload<'_>, environment: &BTreeMap<String, String>) -> Vec<String> {
    let listen: SocketAddr = environment["FREEHOLD_HEALTH_LISTEN"].parse().unwrap();
    let mut problems = Vec::new();
    for (probe, service) in
        [("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", "")]
    {
        let grpc = &workload.container()[probe]["grpc"];
        if grpc["port"] != json!(listen.port()) {
            problems.push(format!("{probe} does not ask where health listens"));
        }
        if text(grpc, "/service") != service {
            problems.push(format!("{probe} asks for the wrong service"));
        }
    }
    if listen.ip().is_loopback() {
        problems.push("health listens where no probe comes".to_owned());
    }
    problems
}

/// A setting's value, or what it is when nobody sets it.
fn span(name: &str, variable: &str, environment: &BTreeMap<String, String>) -> Duration {
    let command = match name {
        "web" => web_service::Config::command(),
        _ => runtime_service::Config::command(),
    };
    let argument = command.get_arguments().find(|it| it.get_env().is_some_and(|it| it == variable));
    let default = argument.unwrap().get_default_values()[0].to_str().unwrap().to_owned();
    duration(environment.get(variable).unwrap_or(&default)).unwrap()
}

fn end(workload: Workload<'_>, environment: &BTreeMap<String, String>) -> Vec<String> {
    let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap_or_default());
    let name = workload.name();
    let pre_stop = seconds(&workload.container()["lifecycle"]["preStop"]["sleep"]["seconds"]);
    let given = seconds(&workload.pod()["terminationGracePeriodSeconds"]);
    let delay = span(name, "FREEHOLD_DRAIN_DELAY", environment);
    let grace = span(name, "FREEHOLD_SHUTDOWN_GRACE", environment);
    let needed = pre_stop + delay + grace + TAIL;
    let mut problems = Vec::new();
    if given <= needed {
        problems.push(format!("is killed after {given:?}, and may need {needed:?}"));
    }
    if pre_stop.is_zero() {
        problems.push("stops while Services still name it".to_owned());
    }
    if name == "web" {
        return problems;
    }
    let drain = span(name, "FREEHOLD_DRAIN_LIMIT", environment) + HANDING_BACK;
    if grace < drain {
        problems.push(format!("gives {grace:?} to work that may take {drain:?} to hand back"));
    }
    problems
}

/// web finds a replica that is gone no later than the replica stops to accept.
fn is_left_in_time(objects: &Objects) -> bool {
    let web = workload(objects, "web").environment(objects);
    let runtime = workload(objects, "runtime");
    let environment = runtime.environment(objects);
    let pre_stop = &runtime.container()["lifecycle"]["preStop"]["sleep"]["seconds"];
    // A name server keeps its answers for this long.
    let remembered = Duration::from_secs(5);
    let open = Duration::from_secs(pre_stop.as_u64().unwrap())
        + span("runtime", "FREEHOLD_DRAIN_DELAY", &environment);
    span("web", "FREEHOLD_RUNTIME_RESOLVE_INTERVAL", &web) + remembered < open
}

#[test]
fn probes_ask_health_and_a_drain_is_not_cut_short() {
    let Some(overlays) = overlays() else { return };
    for overlay in SERVICES {
        assert_eq!(problems(&overlays[overlay]), Vec::<String>::new(), "{overlay}");
        assert!(is_left_in_time(&overlays[overlay]), "{overlay}");
    }
}

#[test]
fn a_probe_or_an_end_that_is_wrong_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["dev"];
    let container = "/spec/template/spec/containers/0";
    for (at, value, wrong) in [
        ("/livenessProbe/grpc/service", Value::Null, "livenessProbe asks for the wrong service"),
        ("/readinessProbe/grpc/service", json!("liveness"), "readinessProbe asks for the wrong"),
        ("/startupProbe/grpc/port", json!(50052), "startupProbe does not ask where"),
        ("/readinessProbe", Value::Null, "readinessProbe does not ask where"),
        ("/lifecycle", Value::Null, "stops while Services still name it"),
        ("/env/-", json!({ "name": "FREEHOLD_SHUTDOWN_GRACE", "value": "60s" }), "is killed after"),
        ("/env/-", json!({ "name": "FREEHOLD_DRAIN_DELAY", "value": "20s" }), "is killed after"),
        ("/env/-", json!({ "name": "FREEHOLD_DRAIN_LIMIT", "value": "1m" }), "to hand back"),
        (
            "/env/-",
            json!({ "name": "FREEHOLD_HEALTH_LISTEN", "value": "127.0.0.1:50062" }),
            "no probe",
        ),
    ] {
        let planted = objects.with("Deployment", "runtime", &format!("{container}{at}"), value);
        let problems = problems(&planted);
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
    let at = "/spec/template/spec/terminationGracePeriodSeconds";
    assert!(!problems(&objects.with("Deployment", "web", at, json!(30))).is_empty());
    let at = format!("{container}/lifecycle/preStop/sleep/seconds");
    assert!(!is_left_in_time(&objects.with("Deployment", "runtime", &at, json!(1))));
}
