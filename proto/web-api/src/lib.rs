//! Generated messages, server traits and clients of `freehold.web.v1`, public to internal services.

/// The package `freehold.web.v1`.
#[expect(clippy::pedantic, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/freehold.web.v1.rs"));
}

/// The encoded descriptors of this crate's protos and of all that they import, for reflection, authorization and validation.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
