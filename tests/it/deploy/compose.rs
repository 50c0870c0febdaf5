//! The compose file separates what the policies separate: by networks, secrets and addresses.

use super::{
    objects::{deploy, list, set, text},
    settings, yaml,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

fn file() -> Value {
    yaml::documents(&fs::read_to_string(deploy().join("compose.yaml")).unwrap()).remove(0)
}

/// Names in a list, or of the fields of an object.
fn names(value: &Value) -> BTreeSet<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Object(fields) => fields.keys().map(String::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

const SECRETS: [(&str, &[&str]); 6] = [
    ("postgres", &["owner_password"]),
    (
        "migrate",
        &[
            "owner_database_url",
            "web_app_password",
            "agent_runtime_password",
            "maintenance_password",
        ],
    ),
    ("maintain", &["maintenance_database_url"]),
    ("web", &["web_database_url", "runtime_key", "platform_key", "page_token_key", "file_url_key"]),
    ("runtime", &["runtime_database_url", "runtime_key"]),
    ("collector", &[]),
];

fn problems(file: &Value) -> Vec<String> {
    let service = |name: &str| &file["services"][name];
    let networks = |name: &str| names(&service(name)["networks"]);
    let mut problems = Vec::new();
    let named: BTreeSet<_> = SECRETS.iter().map(|it| it.0).collect();
    if named != names(&file["services"]) {
        problems.push("there are other services".to_owned());
    }
    for (name, secrets) in SECRETS {
        if names(&service(name)["secrets"]) != secrets.iter().copied().collect() {
            problems.push(format!("{name} has other secrets"));
        }
    }
    let both: BTreeSet<_> = networks("web").intersection(&networks("runtime")).copied().collect();
    if both != BTreeSet::from(["commands", "telemetry"]) {
        problems.push(format!("web and runtime share {both:?}"));
    }
    // What listens on one address listens on no network but that of the address.
    let edge = text(service("web"), "/networks/edge/ipv4_address");
    for (variable, value) in service("web")["environment"].as_object().unwrap() {
        let listens = variable.ends_with("_LISTEN");
        if listens && value.as_str().unwrap().rsplit_once(':').map(|it| it.0) != Some(edge) {
            problems.push(format!("web's {variable} is not on the network of callers"));
        }
    }
    for (network, of) in file["networks"].as_object().unwrap() {
        let outward = ["edge", "world"].contains(&network.as_str());
        if !outward && of["internal"] != json!(true) {
            problems.push(format!("{network} leads outside"));
        }
        if network.starts_with("database-")
            && names(&file["services"])
                .iter()
                .filter(|it| networks(it).contains(network.as_str()))
                .count()
                != 2
        {
            problems.push(format!("{network} is not of one and the database"));
        }
    }
    for name in ["migrate", "maintain", "web", "runtime", "collector"] {
        let it = service(name);
        let confined = it["read_only"] == json!(true)
            && names(&it["cap_drop"]).contains("ALL")
            && names(&it["security_opt"]).contains("no-new-privileges:true");
        if !confined {
            problems.push(format!("{name} is not confined"));
        }
    }
    problems
}

#[test]
fn runtime_has_no_way_to_web_and_everybody_their_own_secrets() {
    assert_eq!(problems(&file()), Vec::<String>::new());
    for (at, value, wrong) in [
        ("/services/runtime/networks/-", json!("edge"), "web and runtime share"),
        ("/services/runtime/secrets/-", json!("owner_password"), "runtime has other secrets"),
        (
            "/services/web/environment/FREEHOLD_HEALTH_LISTEN",
            json!("0.0.0.0:50061"),
            "is not on the network",
        ),
        (
            "/services/web/networks/edge/ipv4_address",
            json!("172.30.51.11"),
            "is not on the network",
        ),
        ("/services/collector/networks/-", json!("database-web"), "is not of one"),
        ("/services/other", json!({}), "there are other services"),
        ("/services/web/read_only", json!(false), "web is not confined"),
        ("/networks/commands/internal", json!(false), "commands leads outside"),
    ] {
        let mut planted = file();
        set(&mut planted, at, value);
        let problems = problems(&planted);
        assert!(problems.iter().any(|it| it.contains(wrong)), "{wrong}: {problems:?}");
    }
}

#[tokio::test]
async fn its_variables_are_settings() {
    let file = file();
    let environment = |name: &str| -> BTreeMap<String, String> {
        let fields = file["services"][name]["environment"].as_object().unwrap();
        fields
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect()
    };
    for name in ["web", "runtime"] {
        assert_eq!(settings::problems(name, &environment(name)), Vec::<String>::new());
    }
    for name in ["migrate", "maintain"] {
        let known = settings::shared_db(name).await;
        let unknown: Vec<_> =
            environment(name).into_keys().filter(|it| !known.contains(it)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn health_is_asked_by_the_binary_itself() {
    let file = file();
    for name in ["web", "runtime"] {
        let it = &file["services"][name];
        let binary = format!("/usr/local/bin/{name}-service");
        assert_eq!(it["healthcheck"]["test"], json!(["CMD", binary, "healthcheck"]));
        assert_eq!(text(it, "/build/target"), format!("{name}-service"));
        assert!(list(it, "/command").is_empty(), "the image says what it runs");
    }
    assert_eq!(file["services"]["maintain"]["command"], json!(["maintain", "--every", "24h"]));
}
