//! Several replicas, apart from one another, that are not all taken away at once and become more under load.

use super::{
    objects::{Objects, by_cpu, list, overlays, text},
    workloads::{Workload, workload, workloads},
};
use serde_json::{Value, json};

const SERVICES: [&str; 2] = ["web", "runtime"];
const PLACES: [&str; 2] = ["topology.kubernetes.io/zone", "kubernetes.io/hostname"];

fn number(value: &Value, at: &str) -> u64 {
    value.pointer(at).and_then(Value::as_u64).unwrap_or_default()
}

fn autoscaler<'a>(objects: &'a Objects, name: &str) -> Option<&'a Value> {
    objects.of("HorizontalPodAutoscaler").find(|it| text(it, "/spec/scaleTargetRef/name") == name)
}

/// Rules for every Deployment that is run more than once.
fn apart(workload: Workload<'_>, objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for place in PLACES {
        let spread = list(workload.pod(), "/topologySpreadConstraints").iter().any(|it| {
            it["topologyKey"] == place && it["labelSelector"]["matchLabels"] == selector(workload)
        });
        if !spread {
            problems.push(format!("is not spread by {place}"));
        }
    }
    let budgets: Vec<_> = objects
        .of("PodDisruptionBudget")
        .filter(|it| it["spec"]["selector"]["matchLabels"] == selector(workload))
        .collect();
    if budgets.len() != 1 || budgets[0]["spec"]["maxUnavailable"] != json!(1) {
        problems.push("has no budget of one replica".to_owned());
    }
    problems
}

/// What tells the pods of a Deployment from others; it is among their labels.
fn selector(workload: Workload<'_>) -> Value {
    let selector = &workload.object["spec"]["selector"]["matchLabels"];
    let labels = workload.labels();
    let of_its_pods =
        selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value);
    assert!(of_its_pods, "{}", workload.name());
    selector.clone()
}

fn problems(objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for name in SERVICES {
        let workload = workload(objects, name);
        let mut wrong = apart(workload, objects);
        let Some(autoscaler) = autoscaler(objects, name) else {
            problems.push(format!("{name} is not scaled"));
            continue;
        };
        let (least, most) =
            (number(autoscaler, "/spec/minReplicas"), number(autoscaler, "/spec/maxReplicas"));
        if least < 3 || most <= least {
            wrong.push(format!("has {least} to {most} replicas"));
        }
        if !workload.object["spec"]["replicas"].is_null() {
            wrong.push("is set back by each apply".to_owned());
        }
        let strict = list(workload.pod(), "/topologySpreadConstraints");
        if !strict
            .iter()
            .any(|it| it["topologyKey"] == PLACES[0] && it["whenUnsatisfiable"] == "DoNotSchedule")
        {
            wrong.push("may be in one zone".to_owned());
        }
        if workload.object["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != json!(0) {
            wrong.push("loses replicas while it is rolled out".to_owned());
        }
        problems.extend(wrong.into_iter().map(|it| format!("{name} {it}")));
    }
    problems.extend(metrics(objects));
    problems
}

/// web by its CPU, runtime by the age of its queue.
fn metrics(objects: &Objects) -> Vec<String> {
    let metric = |name, at| autoscaler(objects, name).map(|it| text(it, at)).unwrap_or_default();
    let mut problems = Vec::new();
    if metric("web", "/spec/metrics/0/resource/name") != "cpu" {
        problems.push("web is not scaled by its CPU".to_owned());
    }
    let age = "freehold_engine_queue_age_seconds";
    if metric("runtime", "/spec/metrics/0/external/metric/name") != age {
        problems.push("runtime is not scaled by the age of its queue".to_owned());
    }
    problems
}

/// Connections that all replicas may open while a release is rolled out: as many new ones as there are.
fn connections(objects: &Objects) -> u64 {
    let of = |name| {
        let environment = workload(objects, name).environment(objects);
        let each: u64 = environment["FREEHOLD_DATABASE_CONNECTIONS_MAX"].parse().unwrap();
        2 * each * number(autoscaler(objects, name).unwrap(), "/spec/maxReplicas")
    };
    of("web") + of("runtime")
}

#[test]
fn production_runs_three_of_each_apart_and_more_under_load() {
    let Some(overlays) = overlays() else { return };
    for overlay in ["production", "production-cnpg"] {
        assert_eq!(problems(&overlays[overlay]), Vec::<String>::new(), "{overlay}");
    }
    let observability = &overlays["observability"];
    for it in workloads(observability) {
        assert_eq!(apart(it, observability), Vec::<String>::new(), "{}", it.name());
    }
}

#[test]
fn dev_runs_one_of_each() {
    let Some(overlays) = overlays() else { return };
    for name in SERVICES {
        assert_eq!(number(workload(&overlays["dev"], name).object, "/spec/replicas"), 1, "{name}");
    }
    assert_eq!(overlays["dev"].of("HorizontalPodAutoscaler").count(), 0);
}

#[test]
fn the_variant_by_cpu_takes_the_place_of_the_one_by_age() {
    let (Some(overlays), Some(by_cpu)) = (overlays(), by_cpu()) else { return };
    let [it] = &by_cpu.0[..] else { panic!("{by_cpu:?}") };
    assert_eq!(text(it, "/spec/metrics/0/resource/name"), "cpu");
    let by_age = autoscaler(&overlays["production"], "runtime").unwrap();
    for at in ["/metadata/name", "/spec/scaleTargetRef", "/spec/minReplicas", "/spec/maxReplicas"] {
        assert_eq!(it.pointer(at), by_age.pointer(at), "{at}");
    }
}

#[test]
fn the_database_takes_the_connections_of_all_replicas() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production-cnpg"];
    let parameters = "/spec/postgresql/parameters/max_connections";
    let most: u64 = text(objects.get("Cluster", "postgres").unwrap(), parameters).parse().unwrap();
    // Some are the operator's, the migration's and yours.
    assert!(connections(objects) + 50 <= most, "{} of {most}", connections(objects));
    let more = json!(50);
    let planted = objects.with("HorizontalPodAutoscaler", "web", "/spec/maxReplicas", more);
    assert!(connections(&planted) + 50 > most);
}

#[test]
fn what_is_not_apart_or_not_scaled_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let spread = "/spec/template/spec/topologySpreadConstraints";
    let [when, key, selector] = ["0/whenUnsatisfiable", "1/topologyKey", "1/labelSelector"]
        .map(|it| format!("{spread}/{it}"));
    for (kind, name, at, value, wrong) in [
        ("Deployment", "web", "/spec/replicas", json!(3), "is set back"),
        ("Deployment", "web", when.as_str(), json!("ScheduleAnyway"), "in one zone"),
        ("Deployment", "web", key.as_str(), json!("x"), "hostname"),
        ("Deployment", "web", selector.as_str(), json!({}), "hostname"),
        ("Deployment", "web", "/spec/strategy", Value::Null, "while it is rolled out"),
        ("PodDisruptionBudget", "web", "/spec/selector/matchLabels", json!({ "a": "b" }), "budget"),
        ("PodDisruptionBudget", "web", "/spec/maxUnavailable", json!(0), "budget"),
        ("HorizontalPodAutoscaler", "web", "/spec/minReplicas", json!(1), "has 1 to 8"),
        (
            "HorizontalPodAutoscaler",
            "web",
            "/spec/scaleTargetRef/name",
            json!("x"),
            "is not scaled",
        ),
        (
            "HorizontalPodAutoscaler",
            "web",
            "/spec/metrics/0/resource/name",
            json!("memory"),
            "by its CPU",
        ),
        ("HorizontalPodAutoscaler", "runtime", "/spec/metrics/0", json!({}), "by the age"),
    ] {
        let problems = problems(&objects.with(kind, name, at, value));
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
}
