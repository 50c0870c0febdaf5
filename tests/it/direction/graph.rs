//! First proof: nothing that runtime-service is built from, tests included, can call web.

use std::{collections::BTreeSet, env, process::Command};

/// Names of everything that a package is built and tested from, itself included.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--package", package, "--edges", "all", "--prefix", "none"])
        .args(["--format", "{p}", "--offline", "--locked"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().filter_map(|it| it.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_runtime_is_not_built_from_any_client_of_web() {
    let runtime = dependencies("runtime-service");
    for package in ["web-api", "web-service"] {
        assert!(!runtime.contains(package), "runtime-service is built from {package}");
    }
    // Where there is a path, the tree shows it: web does call the runtime.
    assert!(dependencies("web-service").contains("runtime-api"));
}
