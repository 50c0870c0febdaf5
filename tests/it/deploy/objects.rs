//! What `kubectl kustomize` makes of deploy/.

use super::yaml;
use serde_json::{Value, json};
use shared_db::ids::WorkerId;
use std::{
    collections::BTreeMap,
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Those with the services in them.
pub(super) const SERVICES: [&str; 3] = ["dev", "production", "production-cnpg"];
const ALL: [&str; 4] = ["dev", "production", "production-cnpg", "observability"];

/// Kinds that the rules know. Another one might carry pods or secrets past them.
const KINDS: [&str; 21] = [
    "Certificate",
    "Cluster",
    "ConfigMap",
    "CronJob",
    "Database",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Issuer",
    "Job",
    "Namespace",
    "NetworkPolicy",
    "ObjectStore",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "ScheduledBackup",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

#[derive(Clone, Debug, Default)]
pub(super) struct Objects(pub(super) Vec<Value>);

pub(super) type Overlays = BTreeMap<&'static str, Objects>;

impl Objects {
    pub(super) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |it| text(it, "/kind") == kind)
    }

    pub(super) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.iter().find(|it| is(it, kind, name))
    }

    /// The same objects, one of them with another value at a place; null takes it away.
    pub(super) fn with(&self, kind: &str, name: &str, at: &str, value: Value) -> Self {
        let mut objects = self.clone();
        let object = objects.0.iter_mut().find(|it| is(it, kind, name));
        set(object.unwrap_or_else(|| panic!("there is a {kind} {name}")), at, value);
        objects
    }

    pub(super) fn without(&self, kind: &str, name: &str) -> Self {
        let mut objects = self.clone();
        objects.0.retain(|it| !is(it, kind, name));
        assert_eq!(objects.0.len() + 1, self.0.len(), "there is one {kind} {name}");
        objects
    }

    pub(super) fn and(&self, more: &Self) -> Self {
        Self(self.0.iter().chain(&more.0).cloned().collect())
    }
}

fn is(object: &Value, kind: &str, name: &str) -> bool {
    text(object, "/kind") == kind && text(object, "/metadata/name") == name
}

/// The text at a place; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

/// The items at a place; none where there is no list.
pub(super) fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Sets what is at a place, and makes what leads there. `-` adds to a list.
pub(super) fn set(value: &mut Value, at: &str, new: Value) {
    let (parent, last) = at.rsplit_once('/').expect("a place begins with a slash");
    let mut here = value;
    for step in parent.split('/').skip(1) {
        let step = unescaped(step);
        here = if here.is_array() {
            here.get_mut(step.parse::<usize>().unwrap()).unwrap()
        } else {
            if here.get(&step).is_none() {
                here[&step] = json!({});
            }
            &mut here[&step]
        };
    }
    if let Value::Array(items) = here {
        if last == "-" {
            items.push(new);
        } else {
            items[last.parse::<usize>().unwrap()] = new;
        }
    } else if new.is_null() {
        here.as_object_mut().unwrap().remove(&unescaped(last));
    } else {
        here[unescaped(last)] = new;
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

pub(super) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// Every overlay, rendered once; `None`, with the reason printed, where there is no kubectl.
pub(super) fn overlays() -> Option<&'static Overlays> {
    static RENDERED: OnceLock<Option<Overlays>> = OnceLock::new();
    RENDERED.get_or_init(|| Some(ALL.into_iter().zip(render(&ALL)?).collect())).as_ref()
}

/// The variant of the autoscaler of runtime that production does not use.
pub(super) fn by_cpu() -> Option<Objects> {
    render(&["../components/runtime-by-cpu"])?.pop()
}

/// Renders from a copy, with secrets that are made for it.
fn render(overlays: &[&'static str]) -> Option<Vec<Objects>> {
    let copy = env::temp_dir().join(format!("freehold-test-{}", WorkerId::generate()));
    run(Command::new("cp").arg("-r").arg(deploy()).arg(&copy)).expect("there is cp");
    let secrets = copy.join("overlays/dev/secrets");
    run(Command::new(copy.join("make-secrets")).arg(secrets)).expect("it can be run");
    let kustomize = |overlay: &&str| {
        let path = copy.join("overlays").join(overlay);
        Some(Objects(yaml::documents(&run(Command::new("kubectl").arg("kustomize").arg(path))?)))
    };
    let rendered = overlays.iter().map(kustomize).collect();
    // What can not be removed is in the folder for temporary files.
    drop(fs::remove_dir_all(copy));
    rendered
}

/// What a command says; `None`, and why, when there is no such command.
fn run(command: &mut Command) -> Option<String> {
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: {} is not on this machine", command.get_program().display());
            return None;
        }
        output => output.unwrap(),
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_overlay_is_rendered_and_of_kinds_that_the_rules_know() {
    let Some(overlays) = overlays() else { return };
    for (overlay, objects) in overlays {
        assert!(objects.0.len() > 10, "{overlay}");
        for object in &objects.0 {
            let kind = text(object, "/kind");
            assert!(KINDS.contains(&kind), "{overlay} has a {kind}");
            let namespace = text(object, "/metadata/namespace");
            let own = if kind == "Namespace" { "" } else { "freehold" };
            assert_eq!(namespace, own, "{overlay}: {kind} {}", text(object, "/metadata/name"));
        }
    }
}

#[test]
fn a_planted_value_is_where_it_was_planted() {
    let mut value = json!({ "a": [{ "b": 1 }] });
    set(&mut value, "/a/0/c/d~1e", json!(true));
    set(&mut value, "/a/-", json!(2));
    set(&mut value, "/a/0/b", Value::Null);
    assert_eq!(value, json!({ "a": [{ "c": { "d/e": true } }, 2] }));
}
