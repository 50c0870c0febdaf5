//! What is run is said exactly: each image by a version, ours under the names that the Dockerfile gives them.

use super::objects::{Objects, deploy, overlays, text};
use super::workloads::{OURS, workload, workloads};
use serde_json::json;
use std::fs;

fn problems(objects: &Objects) -> Vec<String> {
    let containers = workloads(objects);
    let images = containers.iter().flat_map(|it| it.containers()).map(|it| text(it, "/image"));
    let clusters = objects.of("Cluster").map(|it| text(it, "/spec/imageName"));
    let is_exact = |image: &str| {
        let name = image.rsplit('/').next().unwrap_or_default();
        let tag = name.split_once(':').map(|it| it.1);
        image.contains("@sha256:") || tag.is_some_and(|it| !it.is_empty() && it != "latest")
    };
    images
        .chain(clusters)
        .filter(|it| !is_exact(it))
        .map(|it| format!("{it:?} may be anything"))
        .collect()
}

#[test]
fn every_image_has_a_version() {
    let Some(overlays) = overlays() else { return };
    for (overlay, objects) in overlays {
        assert_eq!(problems(objects), Vec::<String>::new(), "{overlay}");
    }
    let image = "/spec/template/spec/containers/0/image";
    for wrong in ["registry:5000/web", "web:latest", "web"] {
        let planted = overlays["dev"].with("Deployment", "web", image, json!(wrong));
        assert!(!problems(&planted).is_empty(), "{wrong}");
    }
}

/// The Dockerfile's targets are what the manifests run, each by its own binary and as a user without rights.
#[test]
fn the_dockerfile_makes_every_image_that_is_run() {
    let dockerfile = fs::read_to_string(deploy().join("Dockerfile")).unwrap();
    let stages: Vec<_> = dockerfile.split("\nFROM ").skip(1).collect();
    let stage = |name: &str| {
        let is_it =
            |it: &&&str| it.lines().next().is_some_and(|it| it.ends_with(&format!(" AS {name}")));
        stages.iter().find(is_it).unwrap_or_else(|| panic!("there is a target {name}"))
    };
    assert!(stage("build").contains("cargo build --release --locked"));
    assert!(stage("build").contains("--mount=type=cache"));
    assert!(stage("final").contains("\nUSER 65532:65532"));
    assert!(stage("final").contains("org.opencontainers.image.revision"));
    for binary in ["web-service", "runtime-service", "shared-db"] {
        let stage = stage(binary);
        assert!(stage.starts_with("final AS "), "{binary}");
        assert!(stage.contains(&format!("ENTRYPOINT [\"/usr/local/bin/{binary}\"]")), "{binary}");
        assert!(
            stage.contains(&format!("org.opencontainers.image.title=\"{binary}\"")),
            "{binary}"
        );
        assert!(!stage.contains("USER"), "{binary}");
        let health = format!("CMD [\"/usr/local/bin/{binary}\", \"healthcheck\"]");
        assert_eq!(stage.contains(&health), binary != "shared-db", "{binary}");
    }
    let Some(overlays) = overlays() else { return };
    for name in OURS {
        let image = text(workload(&overlays["production"], name).container(), "/image");
        let binary = image.rsplit('/').next().unwrap().split(':').next().unwrap();
        assert!(!stage(binary).is_empty());
    }
}
