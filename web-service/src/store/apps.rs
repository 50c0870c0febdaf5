//! What the apps keep.

pub mod file_blobs;
pub mod file_folders;
pub mod files;
