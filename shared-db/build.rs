//! Builds anew when a migration appears: the macro that embeds them only knows the files that it has seen.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
