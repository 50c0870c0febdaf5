//! YAML as JSON values, merge keys applied.

use super::objects::deploy;
use serde::Deserialize;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) fn documents(text: &str) -> Vec<Value> {
    let documents = yaml_serde::Deserializer::from_str(text);
    documents
        .map(|it| {
            let mut value = yaml_serde::Value::deserialize(it).unwrap();
            value.apply_merge().unwrap();
            serde_json::to_value(value).unwrap()
        })
        .collect()
}

/// Files below a folder, but for secrets that somebody has made.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            files.push(path);
        } else if !path.ends_with("secrets") {
            files.extend(self::files(&path));
        }
    }
    files
}

/// What holds also where nothing can be rendered.
#[test]
fn every_file_of_the_deployment_is_what_its_name_says() {
    let mut parsed = 0;
    for path in files(&deploy()) {
        let text = fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|it| it.to_str()) {
            Some("yaml") => assert!(!documents(&text).is_empty(), "{}", path.display()),
            Some("json") => drop(serde_json::from_str::<Value>(&text).unwrap()),
            _ => continue,
        }
        parsed += 1;
    }
    assert!(parsed > 30, "{parsed}");
}
