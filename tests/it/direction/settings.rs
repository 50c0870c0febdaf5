//! Third proof: the runtime has no setting that could hold an address of web.

use clap::{Arg, CommandFactory};
use runtime_service::Config;
use std::collections::BTreeSet;

/// Everything that the runtime can be told and that names a place. A new one is added here by somebody who has thought of it.
const PLACES: [&str; 6] = [
    "database-url",
    "database-url-file",
    "health-listen",
    "listen",
    "metrics-listen",
    "otlp-endpoint",
];

fn arguments() -> Vec<Arg> {
    Config::command().get_arguments().cloned().collect()
}

fn name(argument: &Arg) -> &str {
    argument.get_long().unwrap_or_else(|| argument.get_id().as_str())
}

#[test]
fn nothing_that_names_a_place_names_web() {
    let place = |it: &&Arg| {
        let words = ["url", "uri", "endpoint", "listen", "address", "addr", "host", "port", "dns"];
        name(it).split('-').any(|word| words.contains(&word))
    };
    let arguments = arguments();
    let places: BTreeSet<_> = arguments.iter().filter(place).map(name).collect();
    assert_eq!(places, PLACES.into());
}

/// `--web-name` is an identity to be compared with a certificate: nothing can be reached by it.
#[test]
fn the_only_setting_about_web_is_its_name() {
    let arguments = arguments();
    let about = arguments.iter().filter(|it| name(it).split('-').any(|word| word == "web"));
    assert_eq!(about.map(name).collect::<Vec<_>>(), ["web-name"]);
}

#[test]
fn no_default_leads_to_web() {
    for argument in arguments() {
        for value in argument.get_default_values() {
            let value = value.to_string_lossy();
            assert!(!value.contains("50051"), "{} has {value}", name(&argument));
        }
    }
}
