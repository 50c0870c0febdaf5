//! The build script of the three api crates: compiles the protos of the one it runs for, without protoc.
//!
//! Each crate gets its messages (and for the two services traits and clients) in `OUT_DIR`, and the descriptors with every
//! option in them as `descriptor.bin`, for reflection, authorization and validation.

use prost::Message;
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the crate has no parent")?;
    let packages: &[&str] = match env::var("CARGO_PKG_NAME")?.as_str() {
        "common-api" => &["errors", "options", "types"],
        "web-api" => &["web"],
        "runtime-api" => &["runtime"],
        other => return Err(format!("no protos are known for {other}").into()),
    };
    let common = packages.contains(&"types");

    let mut files = Vec::new();
    for package in packages {
        for entry in fs::read_dir(root.join("freehold").join(package).join("v1"))? {
            files.push(entry?.path());
        }
    }
    files.sort();

    let mut compiler = protox::Compiler::new([root.to_path_buf(), root.join("vendor")])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let out = env::var("OUT_DIR")?;
    // Encoded from the compiler's own tree: prost's FileDescriptorSet would drop the options of buf.validate.
    let descriptor = compiler.encode_file_descriptor_set();
    fs::write(Path::new(&out).join("descriptor.bin"), &descriptor)?;

    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    let mut builder = tonic_prost_build::configure().build_transport(false);
    if common {
        builder = builder.build_client(false).build_server(false);
    } else {
        for package in ["types", "options", "errors"] {
            builder = builder
                .extern_path(format!(".freehold.{package}.v1"), format!("::common_api::{package}"));
        }
    }
    for vendored in ["buf.validate", "google.api"] {
        builder = builder.extern_path(format!(".{vendored}"), "::common_api::unused");
    }
    let mut set = prost_types::FileDescriptorSet::decode(descriptor.as_slice())?;
    // Only the project's own packages become code; what they import is elsewhere or needed as descriptor alone.
    let wanted: Vec<String> =
        packages.iter().map(|package| format!("freehold.{package}.v1")).collect();
    set.file.retain(|file| {
        let package = file.package();
        package.starts_with("google.protobuf")
            || package.starts_with("freehold.")
            || wanted.iter().any(|it| it == package)
    });
    for file in &mut set.file {
        file.dependency.retain(|it| !it.starts_with("buf/") && !it.starts_with("google/api/"));
    }
    builder.compile_fds_with_config(set, config)?;

    println!("cargo:rerun-if-changed={}", root.join("freehold").display());
    println!("cargo:rerun-if-changed={}", root.join("vendor").display());
    println!("cargo:rerun-if-changed={}", root.join("build.rs").display());
    Ok(())
}
