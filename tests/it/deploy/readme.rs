//! The manual says of every alert what it means, and of every secret what is in it and how it is rotated.

use super::objects::{Objects, deploy, list, overlays, text};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

fn manual() -> String {
    fs::read_to_string(deploy().join("README.md")).unwrap()
}

/// What stands below a heading, to the next of its level.
fn section<'a>(manual: &'a str, heading: &str) -> &'a str {
    let start =
        manual.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("there is {heading}"));
    let rest = &manual[start + 1..];
    rest.find("\n## ").map_or(rest, |end| &rest[..end])
}

/// Headings of the alerts that have something below them.
fn explained(manual: &str) -> BTreeSet<&str> {
    let parts = section(manual, "What each alert means").split("\n### ").skip(1);
    parts
        .filter_map(|it| it.split_once('\n'))
        .filter(|it| it.1.trim().len() > 80)
        .map(|it| it.0)
        .collect()
}

/// Rows of the table of secrets: the name, and all of its cells.
fn described(manual: &str) -> Vec<Vec<&str>> {
    let rows = section(manual, "Rotating secrets").lines().filter(|it| it.starts_with("| `"));
    rows.map(|it| it.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn alerts(observability: &Objects) -> BTreeSet<&str> {
    let groups = observability.of("PrometheusRule").flat_map(|it| list(it, "/spec/groups"));
    groups.flat_map(|it| list(it, "/rules")).map(|it| text(it, "/alert")).collect()
}

/// Every secret that an object names, wherever it does.
fn secrets(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match field.as_str() {
                    "secretName" => value.as_str(),
                    "secret" | "passwordSecret" | "accessKeyId" | "secretAccessKey" => {
                        value["name"].as_str()
                    }
                    _ => None,
                };
                found.extend(name.map(str::to_owned));
                secrets(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| secrets(it, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn used() -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for object in overlays()?.values().flat_map(|it| &it.0) {
        secrets(object, &mut found);
        if text(object, "/kind") == "Secret" {
            found.insert(text(object, "/metadata/name").to_owned());
        }
    }
    Some(found)
}

#[test]
fn every_alert_is_explained_and_none_that_is_not_there() {
    let Some(overlays) = overlays() else { return };
    let observability = &overlays["observability"];
    let manual = manual();
    assert_eq!(explained(&manual), alerts(observability));
    let more = json!({ "alert": "FreeholdNew" });
    let planted = observability.with("PrometheusRule", "freehold", "/spec/groups/0/rules/-", more);
    assert_ne!(explained(&manual), alerts(&planted));
    let shorter =
        manual.replace("### FreeholdQueueOld\n", "### FreeholdQueueOld\n\n### FreeholdOther\n");
    assert!(!explained(&shorter).contains("FreeholdQueueOld"), "one without a text");
}

#[test]
fn every_secret_is_described_with_its_keys_its_readers_and_its_rotation() {
    let Some(used) = used() else { return };
    let manual = manual();
    let rows = described(&manual);
    for row in &rows {
        assert!(row.len() == 4 && row.iter().all(|it| !it.is_empty()), "{row:?}");
    }
    let named: BTreeSet<_> = rows.iter().map(|it| it[0].trim_matches('`').to_owned()).collect();
    assert_eq!(named, used);
    let fewer = manual.replace("| `web-keys` |", "| `other` |");
    let named: BTreeSet<_> =
        described(&fewer).iter().map(|it| it[0].trim_matches('`').to_owned()).collect();
    assert_ne!(named, used);
}

#[test]
fn the_manual_has_a_part_for_everything_that_an_operator_does() {
    let manual = manual();
    for heading in [
        "From nothing to a running execution",
        "Production",
        "Upgrading",
        "Rolling back",
        "Rotating secrets",
        "Backup and restore",
        "What to watch",
        "What each alert means",
        "Past one PostgreSQL",
        "Without Kubernetes",
    ] {
        assert!(section(&manual, heading).len() > 300, "{heading}");
    }
}
