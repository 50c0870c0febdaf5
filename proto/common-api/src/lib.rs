//! What both contracts share: error reasons, method options, and the messages of agents and executions.
//!
//! `web-api` and `runtime-api` are built on it, and `shared-db` reads the descriptors: which role a method needs and which
//! rules a field obeys stand in the protos and nowhere else.

use prost_reflect::DescriptorPool;
use std::sync::LazyLock;

/// Reasons that errors carry (`freehold.errors.v1`).
#[expect(clippy::pedantic, reason = "generated code")]
pub mod errors {
    include!(concat!(env!("OUT_DIR"), "/freehold.errors.v1.rs"));
}

/// Roles, and the method option that names one (`freehold.options.v1`).
#[expect(clippy::pedantic, reason = "generated code")]
pub mod options {
    include!(concat!(env!("OUT_DIR"), "/freehold.options.v1.rs"));
}

/// Agents, actions and executions (`freehold.types.v1`).
#[expect(clippy::pedantic, clippy::large_enum_variant, reason = "generated code")]
pub mod types {
    include!(concat!(env!("OUT_DIR"), "/freehold.types.v1.rs"));
}

/// The encoded descriptors of this crate's protos and of all that they import.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTOR).expect("the build encoded its own descriptors")
});

/// The descriptors of this crate's protos.
pub fn descriptors() -> &'static DescriptorPool {
    &POOL
}
