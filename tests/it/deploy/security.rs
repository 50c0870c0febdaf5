//! Pods keep to the standard `restricted` of Kubernetes, field by field, and to a little more.

use super::{
    objects::{Objects, list, overlays, text},
    workloads::{Workload, workloads},
};
use serde_json::{Value, json};

const VOLUMES: [&str; 5] =
    ["configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"];
const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];

fn problems(objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for workload in workloads(objects) {
        let mut wrong = pod(workload.pod());
        wrong.extend(account(workload, objects));
        wrong.extend(workload.containers().flat_map(|it| container(it, workload.pod())));
        problems.extend(wrong.into_iter().map(|it| format!("{} {it}", workload.name())));
    }
    for namespace in objects.of("Namespace") {
        let labels = &namespace["metadata"]["labels"];
        if labels["pod-security.kubernetes.io/enforce"] != "restricted" {
            problems.push("the namespace does not enforce the standard".to_owned());
        }
    }
    problems
}

/// What is wrong, of rules that are kept or not.
fn broken<const N: usize>(rules: [(bool, &'static str); N]) -> Vec<&'static str> {
    rules.into_iter().filter(|(kept, _)| !kept).map(|(_, wrong)| wrong).collect()
}

fn is_off(value: &Value, at: &str) -> bool {
    value.pointer(at).is_none_or(|it| *it == json!(false))
}

fn is_empty(value: &Value, at: &str) -> bool {
    list(value, at).is_empty()
}

fn pod(pod: &Value) -> Vec<&'static str> {
    let volumes = list(pod, "/volumes");
    let known = |it: &Value| VOLUMES.iter().any(|kind| it.get(kind).is_some());
    broken([
        (is_off(pod, "/hostNetwork"), "is on the host's network"),
        (is_off(pod, "/hostPID"), "sees the host's processes"),
        (is_off(pod, "/hostIPC"), "shares the host's memory"),
        (is_empty(pod, "/securityContext/sysctls"), "sets parameters of the kernel"),
        (is_empty(pod, "/ephemeralContainers"), "has ephemeral containers"),
        (volumes.iter().all(known), "has a volume of a kind that is not allowed"),
        (
            pod["enableServiceLinks"] == json!(false),
            "has the addresses of services in its variables",
        ),
    ])
}

/// Each has an account of its own, and none has its token.
fn account(workload: Workload<'_>, objects: &Objects) -> Vec<&'static str> {
    let pod = workload.pod();
    let account = objects.get("ServiceAccount", text(pod, "/serviceAccountName"));
    let no_token = |it: &Value| it["automountServiceAccountToken"] == json!(false);
    broken([
        (text(pod, "/serviceAccountName") == workload.name(), "has no account of its own"),
        (account.is_some_and(no_token), "has an account whose token is mounted"),
        (no_token(pod), "mounts the token of its account"),
    ])
}

/// What stands in the container, or else in its pod.
fn effective<'a>(container: &'a Value, pod: &'a Value, field: &str) -> &'a Value {
    let own = &container["securityContext"][field];
    if own.is_null() { &pod["securityContext"][field] } else { own }
}

fn container(it: &Value, pod: &Value) -> Vec<&'static str> {
    let context = &it["securityContext"];
    let quantity =
        |kind: &str, what: &str| !text(&it["resources"], &format!("/{kind}/{what}")).is_empty();
    let bounded =
        ["requests", "limits"].iter().all(|it| quantity(it, "cpu") && quantity(it, "memory"));
    let profile = text(effective(it, pod, "seccompProfile"), "/type");
    let ports = list(it, "/ports");
    let asks_elsewhere = |probe: &&str| {
        let probe = &it[*probe];
        !text(probe, "/httpGet/host").is_empty() || !text(probe, "/tcpSocket/host").is_empty()
    };
    broken([
        (is_off(context, "/privileged"), "is privileged"),
        (context["allowPrivilegeEscalation"] == json!(false), "may gain privileges"),
        (list(context, "/capabilities/drop").contains(&json!("ALL")), "keeps capabilities"),
        (is_empty(context, "/capabilities/add"), "adds capabilities"),
        (effective(it, pod, "runAsNonRoot") == &json!(true), "may be root"),
        (effective(it, pod, "runAsUser").as_u64().is_some_and(|it| it > 0), "is root"),
        (profile == "RuntimeDefault", "may make any system call"),
        (effective(it, pod, "seLinuxOptions").is_null(), "chooses its SELinux label"),
        (context["procMount"].is_null(), "sees all of /proc"),
        (context["readOnlyRootFilesystem"] == json!(true), "may write to its image"),
        (ports.iter().all(|it| it["hostPort"].is_null()), "takes a port of the host"),
        (!PROBES.iter().any(asks_elsewhere), "is probed at another host"),
        (bounded, "does not say what it needs and what it may have"),
    ])
}

#[test]
fn every_pod_keeps_to_the_restricted_standard() {
    let Some(overlays) = overlays() else { return };
    for (overlay, objects) in overlays {
        assert_eq!(problems(objects), Vec::<String>::new(), "{overlay}");
    }
}

/// Fields of the pod of web, what is planted there, and what is said of it.
fn plants() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("/hostNetwork", json!(true), "is on the host's network"),
        ("/hostPID", json!(true), "sees the host's processes"),
        ("/hostIPC", json!(true), "shares the host's memory"),
        ("/securityContext/sysctls", json!([{ "name": "a", "value": "b" }]), "sets parameters"),
        ("/volumes/-", json!({ "name": "x", "hostPath": { "path": "/" } }), "a kind that is not"),
        ("/enableServiceLinks", Value::Null, "has the addresses of services"),
        ("/serviceAccountName", json!("runtime"), "has no account of its own"),
        ("/automountServiceAccountToken", json!(true), "mounts the token"),
        ("/securityContext/runAsUser", json!(0), "is root"),
        ("/securityContext/runAsNonRoot", Value::Null, "may be root"),
        ("/securityContext/seccompProfile", Value::Null, "may make any system call"),
        ("/securityContext/seLinuxOptions", json!({ "type": "x" }), "chooses its SELinux label"),
        ("/containers/0/securityContext/runAsUser", json!(0), "is root"),
        ("/containers/0/securityContext/privileged", json!(true), "is privileged"),
        ("/containers/0/securityContext/allowPrivilegeEscalation", Value::Null, "may gain"),
        (
            "/containers/0/securityContext/capabilities/drop",
            json!(["NET_RAW"]),
            "keeps capabilities",
        ),
        (
            "/containers/0/securityContext/capabilities/add",
            json!(["NET_ADMIN"]),
            "adds capabilities",
        ),
        ("/containers/0/securityContext/procMount", json!("Unmasked"), "sees all of /proc"),
        ("/containers/0/securityContext/readOnlyRootFilesystem", json!(false), "may write"),
        ("/containers/0/ports/0/hostPort", json!(80), "takes a port of the host"),
        ("/containers/0/livenessProbe/tcpSocket", json!({ "host": "x" }), "at another host"),
        ("/containers/0/resources/limits/memory", Value::Null, "does not say what it needs"),
        ("/containers/0/resources/requests/cpu", Value::Null, "does not say what it needs"),
        ("/initContainers", json!([{ "name": "x", "image": "x" }]), "may gain privileges"),
    ]
}

#[test]
fn every_field_of_the_standard_is_looked_at() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let mut planted: Vec<_> = plants()
        .into_iter()
        .map(|(at, value, wrong)| {
            let at = format!("/spec/template/spec{at}");
            (objects.with("Deployment", "web", &at, value), wrong)
        })
        .collect();
    let at = "/automountServiceAccountToken";
    planted
        .push((objects.with("ServiceAccount", "web", at, json!(true)), "whose token is mounted"));
    let at = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    planted
        .push((objects.with("Namespace", "freehold", at, json!("baseline")), "does not enforce"));
    for (objects, wrong) in planted {
        let problems = problems(&objects);
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
}
