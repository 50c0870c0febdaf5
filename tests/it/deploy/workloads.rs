//! Whatever makes pods, and the environment of their containers.

use super::objects::{Objects, list, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// The services and what is run for them: what the rules about settings and secrets are about.
pub(super) const OURS: [&str; 4] = ["maintain", "migrate", "runtime", "web"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Workload<'a> {
    pub(super) object: &'a Value,
    template: &'a Value,
}

pub(super) fn workloads(objects: &Objects) -> Vec<Workload<'_>> {
    let workload = |object| {
        let template = match text(object, "/kind") {
            "Deployment" | "StatefulSet" | "Job" => "/spec/template",
            "CronJob" => "/spec/jobTemplate/spec/template",
            _ => return None,
        };
        Some(Workload { object, template: object.pointer(template)? })
    };
    objects.0.iter().filter_map(workload).collect()
}

pub(super) fn workload<'a>(objects: &'a Objects, name: &str) -> Workload<'a> {
    let found = workloads(objects).into_iter().find(|it| it.name() == name);
    found.unwrap_or_else(|| panic!("there is a workload {name}"))
}

impl<'a> Workload<'a> {
    pub(super) fn name(self) -> &'a str {
        text(self.object, "/metadata/name")
    }

    pub(super) fn labels(self) -> &'a Value {
        &self.template["metadata"]["labels"]
    }

    pub(super) fn pod(self) -> &'a Value {
        &self.template["spec"]
    }

    pub(super) fn containers(self) -> impl Iterator<Item = &'a Value> {
        list(self.pod(), "/initContainers").iter().chain(list(self.pod(), "/containers"))
    }

    /// The only container.
    pub(super) fn container(self) -> &'a Value {
        let [container] = list(self.pod(), "/containers") else {
            panic!("{} has one container", self.name())
        };
        container
    }

    /// Names and values of its variables. One that is taken from elsewhere has no value.
    pub(super) fn environment(self, objects: &Objects) -> BTreeMap<String, String> {
        let container = self.container();
        let mut variables = BTreeMap::new();
        for source in list(container, "/envFrom") {
            let map = objects.get("ConfigMap", text(source, "/configMapRef/name"));
            for (name, value) in map.and_then(|it| it["data"].as_object()).into_iter().flatten() {
                variables.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
        }
        for variable in list(container, "/env") {
            variables.insert(text(variable, "/name").into(), text(variable, "/value").into());
        }
        variables
    }
}
