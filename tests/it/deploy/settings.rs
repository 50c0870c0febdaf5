//! Every variable that a manifest sets is a setting of the binary that it is set for, and its value is one that the binary takes.

use super::{
    objects::{Objects, SERVICES, overlays, text},
    workloads::{OURS, workload},
};
use clap::{Command, CommandFactory};
use freehold_tests::process;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn command(name: &str) -> Command {
    if name.starts_with("web") {
        web_service::Config::command()
    } else {
        runtime_service::Config::command()
    }
}

/// What is wrong with the variables of a service.
pub(super) fn problems(name: &str, environment: &BTreeMap<String, String>) -> Vec<String> {
    let command = command(name);
    let mut problems = Vec::new();
    let mut arguments = vec![name.to_owned()];
    for (variable, value) in environment {
        let is_it = |it: &&clap::Arg| it.get_env().is_some_and(|it| it == variable.as_str());
        match command.get_arguments().find(is_it).and_then(|it| it.get_long()) {
            Some(flag) => arguments.push(format!("--{flag}={value}")),
            None => problems.push(format!("{name} has no setting {variable}")),
        }
    }
    match command.try_get_matches_from(arguments) {
        Ok(_) => {}
        Err(error) => problems.push(format!("{name} would not start: {error}")),
    }
    problems
}

/// Variables that `shared-db` takes, as its help names them.
pub(super) async fn shared_db(subcommand: &str) -> BTreeSet<String> {
    let output = process::output("shared-db", &[subcommand, "--help"], &[]).await;
    let help = String::from_utf8(output.stdout).unwrap();
    let names = help.split("[env: ").skip(1);
    names.map(|it| it.split([']', '=']).next().unwrap().to_owned()).collect()
}

async fn all_problems(objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for name in OURS {
        let workload = workload(objects, name);
        let environment = workload.environment(objects);
        if ["web", "runtime"].contains(&name) {
            problems.extend(self::problems(name, &environment));
            continue;
        }
        let subcommand = text(workload.container(), "/args/0");
        let known = shared_db(subcommand).await;
        let unknown = environment.keys().filter(|it| !known.contains(*it));
        problems.extend(unknown.map(|it| format!("shared-db {subcommand} has no setting {it}")));
    }
    problems
}

#[tokio::test]
async fn every_variable_is_a_setting_and_every_value_is_taken() {
    let Some(overlays) = overlays() else { return };
    for overlay in SERVICES {
        assert_eq!(all_problems(&overlays[overlay]).await, Vec::<String>::new(), "{overlay}");
    }
}

#[tokio::test]
async fn a_variable_that_is_misspelt_or_misplaced_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["dev"];
    let pod = "/spec/template/spec/containers/0/env/-";
    for (kind, name, variable, value, wrong) in [
        (
            "Deployment",
            "web",
            "FREEHOLD_LISTENS",
            "0.0.0.0:1",
            "web has no setting FREEHOLD_LISTENS",
        ),
        ("Deployment", "web", "FREEHOLD_LISTEN", "0.0.0.0", "web would not start"),
        ("Deployment", "web", "FREEHOLD_WORKER_CONCURRENCY", "1", "web has no setting"),
        ("Deployment", "runtime", "FREEHOLD_PLATFORM_KEY_FILE", "/x", "runtime has no setting"),
        (
            "Job",
            "migrate",
            "FREEHOLD_RUNTIME_PASSWORD_FILE",
            "/x",
            "shared-db migrate has no setting",
        ),
    ] {
        let planted = objects.with(kind, name, pod, json!({ "name": variable, "value": value }));
        let problems = all_problems(&planted).await;
        assert!(problems.iter().any(|it| it.contains(wrong)), "{variable}: {problems:?}");
    }
    let certificate_alone = BTreeMap::from([("FREEHOLD_TLS_CERT".to_owned(), "/x".to_owned())]);
    assert!(!problems("runtime", &certificate_alone).is_empty());
}
