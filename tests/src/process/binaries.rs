//! Where the binaries are, and that they are those of this source tree.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};
use tokio::sync::OnceCell;

/// The folder that cargo puts binaries of this profile in: the one above that of the test executable.
pub(crate) fn folder() -> PathBuf {
    let test = env::current_exe().expect("a test is an executable");
    let deps = test.parent().expect("it is in a folder");
    let folder = if deps.ends_with("deps") { deps.parent().unwrap_or(deps) } else { deps };
    folder.to_owned()
}

/// Builds all binaries, once a process. It costs nothing when they are as new as their source.
pub(crate) async fn build() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    let run = || async {
        tokio::task::spawn_blocking(cargo_build).await.expect("the binaries can be built");
    };
    BUILT.get_or_init(run).await;
}

fn cargo_build() {
    let release = folder().ends_with("release");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Of the crate that is tested. Build scripts of others look at them too, and all that is above those would be compiled again.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_") {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo
        // All of the workspace, so that its crates are not built again with fewer features.
        .args(["build", "--workspace", "--bins", "--locked", "--quiet"])
        .args(release.then_some("--release"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
