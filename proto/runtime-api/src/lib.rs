//! Generated messages, server traits and clients of `freehold.runtime.v1`, for web-service alone.

/// The package `freehold.runtime.v1`.
#[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/freehold.runtime.v1.rs"));
}

/// The encoded descriptors of this crate's protos and of all that they import, for reflection, authorization and validation.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
