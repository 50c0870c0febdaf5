//! What people of an organization work with.

pub mod calendar_events;
pub mod emails;
pub mod messages;
pub mod note_folders;
pub mod notes;
pub mod projects;
pub mod sheet_versions;
pub mod sheets;
pub mod tasks;
pub mod workspace_items;
