//! The apps.

pub mod file_folders;
pub mod files;
