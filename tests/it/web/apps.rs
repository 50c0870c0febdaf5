mod calendar_events;
mod file_folders;
mod files;
mod messages;
mod note_folders;
mod notes;
mod sheet_versions;
mod tasks;
