//! Who has which secret: as files, each only where it is needed, and none in the repository.

use super::{
    objects::{Objects, SERVICES, deploy, list, overlays, text},
    workloads::{OURS, Workload, workload, workloads},
    yaml,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// Who mounts what, in every overlay.
const EVERYWHERE: [(&str, &str); 8] = [
    ("maintain", "database-maintenance"),
    ("migrate", "database-owner"),
    ("runtime", "database-runtime"),
    ("runtime", "runtime-tls"),
    ("web", "database-web"),
    ("web", "web-keys"),
    ("web", "web-tls"),
    ("web", "web-to-runtime-tls"),
];
const DEV: [(&str, &str); 2] = [("migrate", "database-passwords"), ("postgres", "postgres")];
const PRODUCTION: [(&str, &str); 1] = [("web", "files-bucket")];
/// Of which there is nothing but the certificate of whom it is: see [`WITHOUT_KEYS`].
const CNPG: [(&str, &str); 5] = [
    ("maintain", "postgres-ca"),
    ("migrate", "postgres-ca"),
    ("runtime", "postgres-ca"),
    ("web", "files-bucket"),
    ("web", "postgres-ca"),
];

/// Secrets with more in them than a process may have, and what it gets.
const WITHOUT_KEYS: [(&str, &str); 5] = [
    ("postgres-ca", "ca.crt"),
    ("database-owner", "url"),
    ("database-web", "url"),
    ("database-runtime", "url"),
    ("database-maintenance", "url"),
];

fn expected(overlay: &str) -> BTreeSet<(&'static str, &'static str)> {
    let more = match overlay {
        "dev" => &DEV[..],
        "production" => &PRODUCTION[..],
        "production-cnpg" => &CNPG[..],
        _ => panic!("{overlay}"),
    };
    EVERYWHERE.iter().chain(more).copied().collect()
}

fn mounted(objects: &Objects) -> BTreeSet<(&str, &str)> {
    let mut mounted = BTreeSet::new();
    for workload in workloads(objects) {
        let volumes = list(workload.pod(), "/volumes");
        let parts = volumes.iter().flat_map(|it| list(it, "/projected/sources"));
        let names = volumes.iter().map(|it| text(it, "/secret/secretName"));
        let names = names.chain(parts.map(|it| text(it, "/secret/name")));
        mounted.extend(names.filter(|it| !it.is_empty()).map(|it| (workload.name(), it)));
    }
    mounted
}

fn problems(overlay: &str, objects: &Objects) -> Vec<String> {
    let (expected, mounted) = (expected(overlay), mounted(objects));
    let extra = mounted.difference(&expected).map(|(who, what)| format!("{who} mounts {what}"));
    let missing = expected.difference(&mounted).map(|(who, what)| format!("{who} lacks {what}"));
    let mut problems: Vec<_> = extra.chain(missing).collect();
    for workload in workloads(objects) {
        let wrong = volumes(workload).into_iter().chain(variables(workload));
        problems.extend(wrong.map(|it| format!("{}: {it}", workload.name())));
    }
    for name in OURS {
        let wrong = paths(workload(objects, name), objects);
        problems.extend(wrong.into_iter().map(|it| format!("{name}: {it}")));
    }
    problems
}

/// Others than the group of the process can not read a secret, and of some it sees a part.
fn volumes(workload: Workload<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for volume in list(workload.pod(), "/volumes") {
        let name = text(volume, "/secret/secretName");
        if !name.is_empty() && volume["secret"]["defaultMode"] != json!(0o440) {
            problems.push(format!("{name} can be read by others"));
        }
        let part = WITHOUT_KEYS.iter().find(|it| it.0 == name).map(|it| it.1);
        let items: Vec<_> =
            list(volume, "/secret/items").iter().map(|it| text(it, "/key")).collect();
        if part.is_some_and(|part| items != [part]) {
            problems.push(format!("it sees more of {name} than it needs"));
        }
    }
    problems
}

/// Secrets are files, and such that change under the process when the secret does.
fn variables(workload: Workload<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        for variable in list(container, "/env") {
            if !variable["valueFrom"].is_null() {
                problems.push(format!("{} comes from elsewhere", text(variable, "/name")));
            }
        }
        if list(container, "/envFrom").iter().any(|it| !it["secretRef"].is_null()) {
            problems.push("a secret is in its variables".to_owned());
        }
        let mounts = list(container, "/volumeMounts");
        if mounts.iter().any(|it| !it["subPath"].is_null() || !it["subPathExpr"].is_null()) {
            problems.push("what it mounts does not follow a change".to_owned());
        }
    }
    problems
}

/// Each file that a variable names is there: below a mount, with a key of the secret where that is known.
fn paths(workload: Workload<'_>, objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for (variable, path) in workload.environment(objects) {
        let names_a_file = variable.ends_with("_FILE") || variable.contains("_TLS_");
        if !names_a_file || variable.ends_with("_TLS_NAME") {
            continue;
        }
        let Some((folder, file)) = path.rsplit_once('/') else {
            problems.push(format!("{variable} is no path"));
            continue;
        };
        let mounts = list(workload.container(), "/volumeMounts");
        let mount = mounts.iter().find(|it| text(it, "/mountPath") == folder);
        let volume = mount.and_then(|mount| {
            list(workload.pod(), "/volumes").iter().find(|it| it["name"] == mount["name"])
        });
        let there = volume.is_some_and(|it| keys(it, objects).is_none_or(|it| it.contains(file)));
        if !there {
            problems.push(format!("{variable} names {path}, which is not there"));
        }
    }
    problems
}

/// Files of a volume; `None` where only the platform knows.
fn keys(volume: &Value, objects: &Objects) -> Option<BTreeSet<String>> {
    let name = text(volume, "/secret/secretName");
    let items = list(volume, "/secret/items");
    if !items.is_empty() {
        return Some(items.iter().map(|it| text(it, "/path").to_owned()).collect());
    }
    let is_issued = |it: &&Value| text(it, "/spec/secretName") == name;
    if objects.of("Certificate").any(|it| is_issued(&it)) {
        return Some(["tls.crt", "tls.key", "ca.crt"].map(str::to_owned).into());
    }
    let secret = objects.get("Secret", name)?;
    Some(secret["data"].as_object()?.keys().cloned().collect())
}

#[test]
fn each_workload_has_its_secrets_and_no_others() {
    let Some(overlays) = overlays() else { return };
    for overlay in SERVICES {
        assert_eq!(problems(overlay, &overlays[overlay]), Vec::<String>::new(), "{overlay}");
    }
    assert_eq!(mounted(&overlays["observability"]), BTreeSet::new());
}

#[test]
fn the_owners_secret_is_that_of_the_migration_alone() {
    let Some(overlays) = overlays() else { return };
    for overlay in SERVICES {
        let mounted = mounted(&overlays[overlay]);
        let who: Vec<_> = mounted.iter().filter(|it| it.1 == "database-owner").collect();
        assert_eq!(who, [&("migrate", "database-owner")], "{overlay}");
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_seen() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production"];
    let pod = "/spec/template/spec";
    let volume = |secret: &str| json!({ "name": "x", "secret": { "secretName": secret } });
    let part =
        json!({ "name": "x", "projected": { "sources": [{ "secret": { "name": "web-keys" } }] } });
    let of = json!({ "name": "X", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } });
    for (at, value, wrong) in [
        ("/volumes/-", volume("database-owner"), "runtime mounts database-owner"),
        ("/volumes/-", volume("database-web"), "runtime mounts database-web"),
        ("/volumes/-", part, "runtime mounts web-keys"),
        ("/volumes/0/secret/secretName", json!("x"), "runtime lacks database-runtime"),
        ("/volumes/0/secret/items", Value::Null, "it sees more of database-runtime"),
        ("/volumes/0/secret/defaultMode", Value::Null, "can be read by others"),
        ("/containers/0/env/-", of, "X comes from elsewhere"),
        ("/containers/0/envFrom/-", json!({ "secretRef": { "name": "a" } }), "in its variables"),
        ("/containers/0/volumeMounts/0/subPath", json!("url"), "does not follow a change"),
        ("/containers/0/volumeMounts/0/mountPath", json!("/x"), "which is not there"),
    ] {
        let planted = objects.with("Deployment", "runtime", &format!("{pod}{at}"), value);
        let problems = problems("production", &planted);
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
    let planted = overlays["dev"].with("Secret", "web-keys", "/data/platform_key", Value::Null);
    assert!(!problems("dev", &planted).is_empty());
}

#[test]
fn the_repository_holds_no_secret() {
    for path in yaml::files(&deploy()) {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["kind: Secret\n", "PRIVATE KEY", "stringData"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
    let Some(overlays) = overlays() else { return };
    for (overlay, objects) in overlays.iter().filter(|it| *it.0 != "dev") {
        assert_eq!(objects.of("Secret").count(), 0, "{overlay}");
    }
}
